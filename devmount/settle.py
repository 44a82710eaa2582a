"""From single changes to batches: what one save, one "save all", one checkout did, taken up together."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from devmount.events import FileChange, Kind

SEVERAL = 0.050  # seconds of quiet once several files change, or changes go on for longer than the settle time
MANY = 0.200  # and once they go on for longer than GOES_ON
GOES_ON = 0.100
HALF_WRITTEN = 0.200  # seconds of quiet after a write that was not closed
GONE = 0.200  # and after a file was removed, or renamed to what does not count: editors make it again at once
LONGEST = 2.0  # seconds a batch waits at most, from its first change or from the end of what held it;
LONGEST_SETTLES = 4  # and so many settle times, if that is longer
LOOKED_AT = 20  # changes; a batch of more is of several files in any case
LONGEST_HOLD = 10.0  # seconds it is held at most while git works


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes to act on together, a path once, in the order of their first event.

    ``newest``: ``time.monotonic`` of the newest event. ``first``: of the first event of each path.
    """

    changes: tuple[FileChange, ...]
    newest: float
    first: Mapping[str, float] = field(default_factory=dict)


class Settler:
    """Collects changes and says when a batch is due. Time comes in as ``time.monotonic`` seconds.

    Args:
        settle: seconds of quiet after a completed write.
    """

    def __init__(self, settle: float) -> None:
        self.settle = settle
        self._first_kind: dict[str, Kind] = {}
        self._first_at: dict[str, float] = {}
        self._last: dict[str, FileChange] = {}
        self._unfinished: dict[str, float] = {}  # written, not closed: when last, in that order
        self._taken_open: set[str] = set()  # what was still open when its batch was taken
        self._renamed: set[str] = set()  # to what counts too
        self._begin = self._end = 0.0
        self._hold_until = 0.0
        self._hold_began: float | None = None

    def __len__(self) -> int:
        return len(self._last)

    def add(self, change: FileChange, now: float) -> None:
        """Take one change in. ``now`` counts, not when it happened: a delayed reader must not end a batch early."""
        path = change.path
        if change.complete and path in self._taken_open:
            self._taken_open.discard(path)
            if change.ends and path not in self._last:
                return  # nothing was written since
        if not self._last:
            self._begin = now
        self._end = now
        if change.kind is Kind.MOVED:
            self._renamed.add(change.source)
            if self._first_kind.get(change.source) is Kind.CREATED:
                change = replace(change, kind=Kind.MODIFIED)  # a temporary file that was renamed over it: a save
        first = self._first_kind.get(path)
        if first is None:
            self._first_kind[path] = Kind.MODIFIED if change.replaces else change.kind
        elif first is Kind.CREATED and change.kind is Kind.MODIFIED:
            change = replace(change, kind=Kind.CREATED)
        elif first is not Kind.CREATED and change.kind is Kind.CREATED:
            change = replace(change, kind=Kind.MODIFIED)  # removed and made again
        self._first_at.setdefault(path, change.at)
        self._last[path] = change
        self._unfinished.pop(path, None)
        if not change.complete:
            self._unfinished[path] = now

    def deadline(self) -> float | None:
        """When the batch is due; None when there is none."""
        if not self._last:
            return None
        due = self._end + self._quiet()
        if self._unfinished:
            due = max(due, next(reversed(self._unfinished.values())) + max(self.settle, HALF_WRITTEN))
        latest = max(self._begin, self._hold_until) + max(LONGEST, LONGEST_SETTLES * self.settle)
        return max(min(due, latest), self._hold_until)

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
        first, self._first_at = self._first_at, {}
        self._taken_open.update(self._unfinished)
        for collected in (self._first_kind, self._last, self._unfinished, self._renamed):
            collected.clear()
        self._hold_until, self._hold_began = 0.0, None
        return Batch(changes, newest, first) if changes else None

    def _came_to_nothing(self, change: FileChange) -> bool:
        return change.kind is Kind.DELETED and self._first_kind[change.path] is Kind.CREATED

    def _quiet(self) -> float:
        """Seconds without a change after which the batch is due."""
        lasted = self._end - self._begin
        left = [change for change in islice(self._last.values(), LOOKED_AT) if not self._came_to_nothing(change)]
        if lasted > GOES_ON:
            return max(self.settle, MANY)
        if any(change.kind is Kind.DELETED and change.path not in self._renamed for change in left):
            return max(self.settle, GONE)
        if lasted > self.settle or len(left) > 1 or len(self._last) > LOOKED_AT:
            return max(self.settle, SEVERAL)
        return self.settle
