"""Watching by looking: for file systems that send no events, and for what the kernel's limits leave out."""

import os
import threading
import time
from collections.abc import Callable, Iterator

from devmount.events import FileChange, Kind
from devmount.watch.tree import Tree

Identity = tuple[int, int, int]  # modification time in ns, size, inode


class Poller:
    """Compares what is there with what was there, every ``interval`` seconds.

    Args:
        deliver: takes each change; on the poller's thread.
        root_lost: called once when the root folder is gone.
    """

    def __init__(
        self,
        tree: Tree,
        deliver: Callable[[FileChange], None],
        interval: float,
        root_lost: Callable[[], None],
        folders: list[str] | None = None,
    ) -> None:
        self._tree = tree
        self._deliver = deliver
        self._interval = interval
        self._root_lost = root_lost
        self._folders = folders  # None: the whole tree
        self._known: dict[str, Identity] = {}
        self._rules: list[Identity | None] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many files are looked at."""
        return len(self._known)

    def start(self) -> None:
        """Take the first look, from which changes count, and begin."""
        self._known = dict(self._look())
        self._rules = self._rule_files()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(5)

    def add(self, folder: str) -> None:
        """Look at this folder too, and at all below it."""
        if self._folders is not None:
            with self._lock:
                self._folders.append(folder)
                self._known.update(self._files(folder))

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            if not os.path.isdir(self._tree.base):
                self._root_lost()
                return
            self._compare()

    def _compare(self) -> None:
        rules = self._rule_files()
        if rules != self._rules:
            self._rules = rules
            self._tree.read_outer_rules()
        with self._lock:
            now = dict(self._look())
            before, self._known = self._known, now
        at = time.monotonic()
        for path, identity in now.items():
            if path not in before:
                self._deliver(FileChange(path, Kind.CREATED, at))
            elif before[path] != identity:
                self._deliver(FileChange(path, Kind.MODIFIED, at))
        for path in before:
            if path not in now and not self._tree.is_ignored_anywhere(path, False):
                self._deliver(FileChange(path, Kind.DELETED, at))

    def _look(self) -> Iterator[tuple[str, Identity]]:
        for folder in [""] if self._folders is None else list(self._folders):
            yield from self._files(folder)
        for relative in self._tree.named:
            identity = _identity(self._tree.path(relative))
            if identity is not None:
                yield relative, identity

    def _files(self, top: str) -> Iterator[tuple[str, Identity]]:
        for folder, files in self._tree.walk(top):
            lead = folder + "/" if folder else ""
            for entry in files:
                identity = _identity(entry)
                if identity is not None:
                    yield lead + entry.name, identity

    def _rule_files(self) -> list[Identity | None]:
        return [_identity(os.fspath(path)) for path in self._tree.rule_files]


def _identity(entry: "os.DirEntry[str] | str") -> Identity | None:
    try:
        status = os.lstat(entry)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
