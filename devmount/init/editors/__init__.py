"""Files of editors: tasks that run ``devmount up``, ways to attach a debugger, the schema of the project file; pure.

Each editor's module gives edits: a path relative to the project, and what becomes of the text that is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devmount.init import jsonc

LABEL = "devmount up"
DEBUG_LABEL = "devmount up (debug)"
DEBUGPY, INSPECT = 5678, 9229  # the ports that debugpy and node's inspector listen on by custom


@dataclass(frozen=True, slots=True)
class Setup:
    """What editors are told of a project.

    ``mount``: where its folder appears in the app's container. ``debug_port``: where a debugger attaches, as the host
    and the container know it. ``debug_profile``: the profile that opens it. ``languages``: what its log may speak of.
    """

    mount: str = "/workspace"
    debug_port: int | None = None
    debug_profile: str | None = None
    languages: tuple[str, ...] = ()

    def arguments(self, *, debug: bool = False) -> list[str]:
        """Of devmount, for its session."""
        return ["up", "--profile", self.debug_profile] if debug and self.debug_profile else ["up"]

    @property
    def sessions(self) -> list[tuple[str, list[str]]]:
        """Labels of tasks, and the arguments of devmount."""
        found = [(LABEL, self.arguments())]
        return [*found, (DEBUG_LABEL, self.arguments(debug=True))] if self.debug_profile else found


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file, which may not be there yet: its text is empty then."""

    path: str
    change: Callable[[str], str]


def listed(text: str, path: tuple[str, ...], entry: dict[str, Any], key: str) -> str:
    """The text with an entry at the end of a list; as it is where one with the same ``key`` is there."""
    known: Any = jsonc.loads(text)
    for part in path:
        known = known.get(part) if isinstance(known, dict) else None
    if isinstance(known, list) and any(isinstance(one, dict) and one.get(key) == entry[key] for one in known):
        return text
    return jsonc.append(text, path, entry)
