"""The templates: texts with slots, ``{{name}}`` or ``{{name|what stands there otherwise}}``.

A line that holds an empty slot and nothing else goes away. A companion's first line names the variable that tells the
app of it.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from devmount.config.types import nearest, toml
from devmount.errors import UsageError

FILE = "devmount.toml"
SLOT = re.compile(r"\{\{(\w+)(?:\|([^\n]*?))?\}\}")
VARIABLE = re.compile(r'# (\w+) = "([^"\n]*)"\n')
COMPANIONS = ("postgres", "mysql", "redis")


def folder() -> Traversable:
    """Where the templates are: in the package, or beside it in a checkout."""
    shipped = files("devmount") / "templates"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "templates"


def names() -> list[str]:
    """The templates of apps."""
    return sorted(entry.name for entry in folder().iterdir() if entry.name not in COMPANIONS)


def check(name: str, known: Sequence[str], what: str) -> None:
    """That there is such a template.

    Raises:
        UsageError: there is none.
    """
    if name in known:
        return
    near = nearest(name, list(known))
    hint = (f"did you mean {near!r}? " if near else "") + "there are: " + ", ".join(known)
    raise UsageError(f"there is no {what} {name!r}", "", hint)


def text(name: str) -> str:
    return (folder() / name / FILE).read_text(encoding="utf-8")


def render(template: str, slots: Mapping[str, str], companions: Mapping[str, str], head: str = "") -> str:
    """The project file.

    Args:
        template: the text of an app's template.
        slots: what goes into it.
        companions: the texts of companions' templates, by name.
        head: lines to put before it.
    """
    given = dict(slots)
    variables: list[str] = []
    services: list[str] = []
    for companion, body in companions.items():
        match = VARIABLE.match(body)
        if match:
            name = (
                f"{companion.upper()}_URL" if any(entry.startswith(f"{match[1]} ") for entry in variables) else match[1]
            )
            variables.append(f"{name} = {toml(match[2])}")
        services.append(body[match.end() :] if match else body)
    given["depends_on"] = (
        f"depends_on = {toml(list(companions))}               # started first, until it is ready" if companions else ""
    )

    def filled(match: re.Match[str]) -> str:
        name, otherwise = match[1], match[2] or ""
        value = given.get(name, otherwise)
        if name == "environment":
            pairs = ", ".join(filter(None, [value, *variables]))
            return f"environment = {{ {pairs} }}" if pairs else ""
        return value

    lines = []
    for line in template.splitlines():
        made = SLOT.sub(filled, line)
        if made or not SLOT.fullmatch(line):
            lines.append(made)
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"
    return "\n".join([head + body, *services])
