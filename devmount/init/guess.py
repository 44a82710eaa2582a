"""From what was seen of a folder to the template that fits it, and what goes into the template's slots; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from devmount.init import compiled, javascript, pages, python
from devmount.init.folder import Folder
from devmount.init.parts import Filled

FILLERS: Mapping[str, Callable[[Folder], Filled]] = {
    "python": python.plain,
    "flask": python.flask,
    "django": python.django,
    "fastapi": python.fastapi,
    "node": javascript.node,
    "vite": javascript.vite,
    "next": javascript.following,
    "go": compiled.go,
    "rust": compiled.rust,
    "ruby": pages.ruby,
    "php": pages.php,
    "static": lambda folder: Filled(),
    "dockerfile": pages.dockerfile,
}
FAMILIES = ({"python", "flask", "django", "fastapi"}, {"node", "vite", "next"})  # of one language: the first is meant
OTHERS = {  # what else init takes, by the names of the files
    "compose.yaml": "compose.yaml",
    "compose.yml": "compose.yml",
    "docker-compose.yaml": "docker-compose.yaml",
    "docker-compose.yml": "docker-compose.yml",
    ".devcontainer.json": ".devcontainer.json",
    ".devcontainer/": ".devcontainer/devcontainer.json",
}


@dataclass(frozen=True, slots=True)
class Guess:
    """A template, why it was chosen, and what goes into it.

    ``said``: what was guessed, a line each, for the user to check.
    """

    template: str
    slots: Mapping[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def guess(folder: Folder) -> Guess | None:
    """The template that fits best; None where nothing tells what the project is."""
    found = list(_kinds(folder))
    if not found:
        return None
    template, reason = found[0]
    made = fill(folder, template)
    said = [f"{reason}: the template {template}", *made.said]
    family = next((family for family in FAMILIES if template in family), {template})
    others = {name: reason for name, reason in reversed(found) if name not in family}
    said += [f"{reason}, too: --template {name} would take that instead" for name, reason in others.items()]
    said += [
        f"there is {path}: devmount init --from {path} would carry it over"
        for name, path in OTHERS.items()
        if name in folder.names
    ]
    return Guess(template, made.slots, tuple(said))


def fill(folder: Folder, template: str) -> Guess:
    """A template that the user named, filled with what fits."""
    made = FILLERS[template](folder)
    return Guess(template, made.slots, tuple(made.said))


def _kinds(folder: Folder) -> list[tuple[str, str]]:
    """Templates and the reason for each, the best first."""
    found = [
        kind
        for find in (python.frameworks, javascript.kinds, compiled.kinds, pages.kinds, python.others, pages.static)
        for kind in find(folder)
    ]
    if folder.has("Dockerfile"):
        place = 1 if found and pages.is_finished_program(folder, found[0][0]) else 0
        found.insert(place, ("dockerfile", "there is a Dockerfile"))
    return found
