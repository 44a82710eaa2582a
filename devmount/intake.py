"""From changes to what is to be acted on now: settled, held while git works, without loops and, if asked, echoes."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from devmount import events
from devmount.events import FileChange
from devmount.loops import LoopGuard
from devmount.model import Watch
from devmount.settle import Batch, Settler
from devmount.watch import Contents, Reads, index_lock, work_tree

GIT_POLL = 0.05  # seconds between two looks at git's lock while it holds a batch


@dataclass(frozen=True, slots=True)
class Taken:
    """``batch``: what changed. ``acted_on``: the part of it to act on; the rest has the content it had before."""

    batch: Batch
    acted_on: Batch

    @property
    def same(self) -> list[str]:
        """The paths that are not acted on."""
        kept = {change.path for change in self.acted_on.changes}
        return [change.path for change in self.batch.changes if change.path not in kept]


class Intake:
    """See the module. Time is ``time.monotonic`` seconds.

    Args:
        root: the project folder.
    """

    def __init__(self, watch: Watch, root: Path) -> None:
        self._root = root
        self._settler = Settler(watch.settle)
        self._reads = Reads(os.fspath(root), tells=not watch.poll)
        self._guard = LoopGuard(self._reads)
        self._contents = Contents(root) if watch.skip_same_content else None
        self._git = work_tree(root)
        self._stale_lock: tuple[Path, int] | None = None

    def add(self, change: FileChange, now: float, *, is_reloading: bool) -> None:
        """Take a change in; ``is_reloading``: programs may be reading files just now."""
        if is_reloading and self._contents is not None:
            self._contents.forget(change.path)
        if not self._guard.absorb(change, now):
            self._settler.add(change, now)

    def deadline(self) -> float | None:
        """When to ask ``take``; None while there is nothing to take."""
        deadlines = [due for due in (self._settler.deadline(), self._guard.deadline()) if due is not None]
        return min(deadlines, default=None)

    def take(self, now: float, last_start: float, *, has_failed: bool) -> tuple[Taken | None, list[events.Warning]]:
        """What is due, and what to tell the user.

        Args:
            last_start: when a program was last started.
            has_failed: a program has ended with an error: then any change may bring it back.
        """
        changes, warnings = self._guard.due(now)
        for change in changes:
            self._settler.add(change, now)
        due = self._settler.deadline()
        if due is None or due > now:
            return None, warnings
        lock = index_lock(self._git)
        if lock is not None and lock != self._stale_lock:
            if self._settler.hold(now + GIT_POLL):
                return None, warnings
            self._stale_lock = lock
            warnings.append(_lock_stays(lock[0], time.time()))
        batch = self._settler.take(now)
        if batch is None:
            return None, warnings
        batch, more = self._guard.hold_off(batch, now, last_start)
        warnings += more
        acted_on = batch
        if self._contents is not None:
            with self._reads.disregarding():
                same = self._contents.unchanged(batch.changes)
            if not has_failed:
                acted_on = replace(batch, changes=tuple(one for one in batch.changes if one.path not in same))
        return (Taken(batch, acted_on) if batch.changes else None), warnings

    def failed(self) -> None:
        """What was to be done failed: a save that changes nothing is to try it again."""
        if self._contents is not None:
            self._contents.forget_all()

    def reset(self, watch: Watch) -> None:
        """The user asked for a restart, or the project's file is another: nothing is held off any more."""
        self._guard.reset()
        self._settler.settle = watch.settle
        self._contents = Contents(self._root) if watch.skip_same_content else None

    def close(self) -> None:
        """Let go of what the kernel keeps for it."""
        self._reads.close()


def _lock_stays(lock: Path, now: float) -> events.Warning:
    return events.Warning(
        time=now,
        message=f"{lock} is still there; the changes are taken up, and are not held back for this lock again",
        hint="if no git is at work, one was killed: remove the file",
    )
