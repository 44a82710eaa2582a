"""From single changes to batches: what one save, one "save all", one checkout did, taken up together."""

from dataclasses import dataclass, replace
from itertools import islice

from devmount.events import FileChange, Kind

SEVERAL = 0.050  # seconds of quiet once several files change, or changes go on for longer than the settle time
MANY = 0.200  # and once they go on for longer than GOES_ON
GOES_ON = 0.100
HALF_WRITTEN = 0.100  # seconds of quiet after a write that was not closed
LONGEST = 2.0  # seconds a batch waits at most
LOOKED_AT = 20  # changes; a batch of more is of several files in any case
LONGEST_HOLD = 10.0  # seconds it is held at most while git works


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes to act on together, a path once, in the order of their first event.

    ``newest``: ``time.monotonic`` of the newest event.
    """

    changes: tuple[FileChange, ...]
    newest: float


class Settler:
    """Collects changes and says when a batch is due. Time comes in as ``time.monotonic`` seconds.

    Args:
        settle: seconds of quiet after a completed write.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._first_kind: dict[str, Kind] = {}
        self._last: dict[str, FileChange] = {}
        self._unfinished: dict[str, float] = {}  # written, not closed: when last
        self._begin = self._end = 0.0
        self._hold_until = 0.0
        self._hold_began: float | None = None

    def add(self, change: FileChange, now: float) -> None:
        """Take one change in. ``now`` counts, not when it happened: a delayed reader must not end a batch early."""
        if not self._last:
            self._begin = now
        self._end = now
        path = change.path
        if change.kind is Kind.MOVED and self._first_kind.get(change.source) is Kind.CREATED:
            change = replace(change, kind=Kind.MODIFIED)  # a temporary file that was renamed over it: a save
        first = self._first_kind.setdefault(path, change.kind)
        if first is Kind.CREATED and change.kind is Kind.MODIFIED:
            change = replace(change, kind=Kind.CREATED)
        elif first is not Kind.CREATED and change.kind is Kind.CREATED:
            change = replace(change, kind=Kind.MODIFIED)  # removed and made again
        self._last[path] = change
        if change.complete:
            self._unfinished.pop(path, None)
        else:
            self._unfinished[path] = now

    def deadline(self) -> float | None:
        """When the batch is due; None when there is none."""
        if not self._last:
            return None
        due = self._end + self._quiet()
        if self._unfinished:
            due = max(due, max(self._unfinished.values()) + max(self._settle, HALF_WRITTEN))
        return max(min(due, self._begin + LONGEST), self._hold_until)

    def hold(self, until: float) -> bool:
        """Keep the batch back until then; False when it has been held for as long as may be."""
        if self._hold_began is None:
            self._hold_began = until
        if until - self._hold_began > LONGEST_HOLD:
            return False
        self._hold_until = until
        return True

    def take(self, now: float) -> Batch | None:
        """The batch if it is due and anything is left of it; what was made and removed within it is not."""
        deadline = self.deadline()
        if deadline is None or deadline > now:
            return None
        changes = tuple(change for change in self._last.values() if not self._came_to_nothing(change))
        newest = max(change.at for change in self._last.values())
        self._first_kind.clear()
        self._last.clear()
        self._unfinished.clear()
        self._hold_until, self._hold_began = 0.0, None
        return Batch(changes, newest) if changes else None

    def _came_to_nothing(self, change: FileChange) -> bool:
        return change.kind is Kind.DELETED and self._first_kind[change.path] is Kind.CREATED

    def _quiet(self) -> float:
        lasted = self._end - self._begin
        if lasted > GOES_ON:
            return max(self._settle, MANY)
        if lasted > self._settle or self._is_unsure():
            return max(self._settle, SEVERAL)
        return self._settle

    def _is_unsure(self) -> bool:
        """Whether more is likely to come: several files changed, or one is gone that an editor may make again."""
        left = [change for change in islice(self._last.values(), LOOKED_AT) if not self._came_to_nothing(change)]
        return len(left) > 1 or len(self._last) > LOOKED_AT or any(change.kind is Kind.DELETED for change in left)
