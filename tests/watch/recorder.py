"""A watcher under test: what it delivers, and a way to know that it has caught up without waiting for time to pass."""

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from devmount import events
from devmount.events import FileChange
from devmount.watch import Watcher

SENTINEL = ".sentinel."  # and a number


class Recorder:
    """A ``Watcher`` of ``root`` whose deliveries are kept.

    Args:
        ignore: the patterns of ``[watch] ignore``.
        poll: seconds between two looks; None: by events.
        named: more files that count whatever the rules say.
    """

    def __init__(
        self, root: Path, ignore: Iterable[str] = (), *, poll: float | None = None, named: Iterable[Path] = ()
    ) -> None:
        self.root = root
        self.changes: list[FileChange] = []
        self.warnings: list[events.Warning] = []
        self._changed = threading.Condition()
        # A sentinel is delivered amid a look at the tree: the one that began before it, and the rest of the next.
        self._looks = 1 if poll is None else 3
        self.rest: Callable[[], None] = lambda: None  # waits for what else is delivered with a sentinel
        self._flushes = 0
        self.watcher = Watcher(root, [*ignore, f"!/{SENTINEL}*"], self._take, poll=poll, named=named)

    def __enter__(self) -> Self:
        self.watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watcher.stop()

    def mark(self) -> int:
        """The place in the changes reached so far."""
        with self._changed:
            return len(self.changes)

    def since(self, mark: int) -> list[FileChange]:
        """The changes from there on, but for those of sentinels."""
        with self._changed:
            return [change for change in self.changes[mark:] if not change.path.startswith(SENTINEL)]

    def flush(self, timeout: float = 60) -> None:
        """Wait until all that happened before has been delivered: the kernel keeps the order of its events."""
        for _ in range(self._looks):
            self._flushes += 1
            name = f"{SENTINEL}{self._flushes}"
            (self.root / name).symlink_to(name)  # one event
            self.wait_for(name, timeout=timeout)
            self.rest()
            (self.root / name).unlink()

    def wait(self, condition: Callable[[], bool], timeout: float = 60) -> None:
        """Until ``condition`` holds, looked at with each delivery.

        Raises:
            AssertionError: it did not within ``timeout`` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise AssertionError(f"it did not come:\n{self.report()}")

    def wait_for(self, path: str, mark: int = 0, timeout: float = 60) -> FileChange:
        """The first change of ``path`` from ``mark`` on."""

        def found() -> list[FileChange]:
            return [change for change in self.changes[mark:] if change.path == path]

        self.wait(lambda: bool(found()), timeout)
        return found()[0]

    def wait_for_warning(self, text: str, timeout: float = 60) -> events.Warning:
        """The first warning that holds ``text``."""

        def found() -> list[events.Warning]:
            return [warning for warning in self.warnings if text in warning.message]

        self.wait(lambda: bool(found()), timeout)
        return found()[0]

    def caused(self, act: Callable[[], object]) -> list[FileChange]:
        """What ``act`` causes."""
        mark = self.mark()
        act()
        self.flush()
        return self.since(mark)

    def paths_caused(self, act: Callable[[], object]) -> set[str]:
        """The paths of what ``act`` causes."""
        return {change.path for change in self.caused(act)}

    def report(self) -> str:
        """For the message of a failing test."""
        return "\n".join([*map(repr, self.changes[-40:]), *map(repr, self.warnings[-10:])])

    def _take(self, delivered: FileChange | events.Warning) -> None:
        with self._changed:
            if isinstance(delivered, FileChange):
                self.changes.append(delivered)
            else:
                self.warnings.append(delivered)
            self._changed.notify_all()


def kernel_watches() -> int:
    """How many inotify watches this process has, by proc(5)'s fdinfo."""
    count = 0
    for name in os.listdir("/proc/self/fdinfo"):
        try:
            with open(f"/proc/self/fdinfo/{name}") as file:
                count += sum(line.startswith("inotify ") for line in file)
        except FileNotFoundError:
            continue  # it was the one that listed the folder
    return count
