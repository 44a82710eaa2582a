"""What is told of a file that is carried over: what was decided, and what has no place in the project file; pure."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Notes:
    """``said``: decisions. ``left``: what is not carried over, with its place and the reason.

    Args:
        where: from a path in the file to its file and line, empty where that is not known.
    """

    where: Callable[[tuple[str | int, ...]], str] = lambda path: ""
    said: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def leave(self, path: tuple[str | int, ...], why: str) -> None:
        """``path`` stays behind."""
        place = self.where(path)
        line = f"{place + ': ' if place else ''}{'.'.join(map(str, path))}: {why}"
        if line not in self.left:
            self.left.append(line)

    def say(self, line: str) -> None:
        if line not in self.said:
            self.said.append(line)
