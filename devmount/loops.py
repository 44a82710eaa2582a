"""Programs that write into their own mount must not reload themselves for ever. Pure.

A path that changes within a second of the program's start, a few starts in a row, is suspected: its changes wait.
One reload after a quiet time tells who wrote it. If the path changes at once again it was the program, and the path is
held off until the user asks for a restart; if not, it was a person who saves often, and nothing was lost.
"""

import time
from dataclasses import dataclass, field, replace

from devmount import events
from devmount.events import FileChange
from devmount.settle import Batch

SOON = 1.0  # seconds after the start
IN_A_ROW = 3
QUIET = 3.0  # seconds without a change of the suspected path, before the reload that tells


@dataclass(slots=True)
class _Suspect:
    starts: int = 0  # in a row after which the path changed soon
    last_start: float = -1.0
    waiting: FileChange | None = None
    due: float = 0.0
    tried: bool = False  # the reload that tells has been made
    passing: bool = False  # its change is on the way through
    held_off: bool = False


@dataclass(slots=True)
class LoopGuard:
    """Knows what each path did after the last starts. Time is ``time.monotonic`` seconds."""

    _suspects: dict[str, _Suspect] = field(default_factory=dict)

    def hold_off(self, batch: Batch, now: float, last_start: float) -> tuple[Batch, list[events.Warning]]:
        """The batch without what is held off, and what to tell the user.

        Args:
            last_start: when a program was last started.
        """
        kept = []
        warnings = []
        for change in batch.changes:
            suspect = self._suspects.get(change.path)
            soon = 0 <= change.at - last_start <= SOON
            if suspect is None and soon:
                suspect = self._suspects[change.path] = _Suspect()
            if suspect is None:
                kept.append(change)
            elif suspect.held_off:
                continue
            elif suspect.passing:
                suspect.passing = False
                kept.append(change)
            elif not soon and suspect.waiting is None:
                del self._suspects[change.path]
                kept.append(change)
            elif self._is_let_through(suspect, last_start):
                kept.append(change)
            elif suspect.tried:
                suspect.held_off, suspect.waiting = True, None
                warnings.append(_warning(change.path))
            else:
                suspect.waiting, suspect.due = change, now + QUIET
        return replace(batch, changes=tuple(kept)), warnings

    def deadline(self) -> float | None:
        """When a suspected path's waiting change is due; None when none waits."""
        return min((suspect.due for suspect in self._suspects.values() if suspect.waiting), default=None)

    def due(self, now: float) -> list[FileChange]:
        """The waiting changes that are due; each is to be acted on now."""
        found = []
        for suspect in self._suspects.values():
            if suspect.waiting and suspect.due <= now:
                found.append(replace(suspect.waiting, at=now))
                suspect.waiting, suspect.tried, suspect.passing = None, True, True
        return found

    def reset(self) -> None:
        """Forget everything: the user asked for a restart, or the rules are others now."""
        self._suspects.clear()

    @staticmethod
    def _is_let_through(suspect: _Suspect, last_start: float) -> bool:
        if suspect.waiting is not None or suspect.tried:
            return False
        if suspect.last_start != last_start:
            suspect.last_start = last_start
            suspect.starts += 1
        return suspect.starts <= IN_A_ROW


def _warning(path: str) -> events.Warning:
    return events.Warning(
        time=time.time(),
        message=f"{path} is written by the program itself at every start; its changes no longer reload it",
        hint=f'add it to a .gitignore, or to the project file: [watch] ignore = ["/{path}"]',
    )
