"""Watching by looking: for file systems that send no events, and for what the kernel's limits leave out."""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from devmount.events import FileChange, Kind
from devmount.watch.filesystem import Identity, identity, inode
from devmount.watch.tree import RULES_FILE, Tree

RACY = 2_000_000_000  # ns; a file's time may be no finer than that (FAT), so a later write may not show in it
LARGEST_READ = 1 << 20  # bytes of such a file that are compared


class _Seen(NamedTuple):
    """``content``: a digest, of a file so new that its identity may stay the same when it changes again."""

    identity: Identity
    content: bytes | None


class Poller:
    """Compares what is there with what was there, every ``interval`` seconds.

    Args:
        deliver: takes each change; on the poller's thread.
        root_lost: called once when the root folder is gone, or is another one.
        broke: called when watching has ended of a defect.
        parts: the folders and named files (relative) to look at, with all that is below; None: the whole project.
    """

    def __init__(
        self,
        tree: Tree,
        deliver: Callable[[FileChange], None],
        interval: float,
        root_lost: Callable[[], None],
        broke: Callable[[Exception], None],
        parts: list[str] | None = None,
    ) -> None:
        self._tree = tree
        self._deliver = deliver
        self._interval = interval
        self._root_lost = root_lost
        self._broke = broke
        self._parts = parts
        self._known: dict[str, _Seen] = {}
        self._hidden: set[str] = set()  # what was known and is ignored now, and rules files that ignore themselves
        self._folders = 0
        self._rules: list[Identity | None] = []
        self._root = inode(tree.base)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many files are looked at."""
        return len(self._known)

    @property
    def folders(self) -> int:
        """How many folders they lie in."""
        return self._folders

    def start(self) -> None:
        """Take the first look, from which changes count, and begin."""
        with self._lock:
            self._known = dict(self._look())
        self._rules = self._rule_files()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(5)

    def add(self, part: str) -> None:
        """Look at this part too; what is in it now is known."""
        with self._lock:
            if self._parts is not None and part not in self._parts:
                self._parts.append(part)
                self._known.update(self._part(part))

    def _run(self) -> None:
        try:
            while not self._ended.wait(self._interval):
                if inode(self._tree.base) != self._root:
                    self._root_lost()
                    return
                self.compare()
        except Exception as error:
            self._broke(error)

    def compare(self) -> None:
        """Look once, and deliver what differs from the last look."""
        rules = self._rule_files()
        if rules != self._rules:
            self._rules = rules
            self._tree.read_outer_rules()
        with self._lock:
            before, self._known = self._known, dict(self._look())
            now = self._known
        at = time.monotonic()
        for path, seen in now.items():
            known = before.get(path)
            if known is None:
                self._deliver(FileChange(path, Kind.CREATED, at, replaces=True))  # or it counts again
            elif self._differs(path, known, seen):
                self._deliver(FileChange(path, Kind.MODIFIED, at))
        for path in self._gone({*before, *self._hidden} - now.keys()):
            self._deliver(FileChange(path, Kind.DELETED, at))

    def _gone(self, missing: set[str]) -> list[str]:
        """Those that count by now; the others are kept: their rules may go, and they may have gone before."""
        for path in missing:
            folder, _, name = path.rpartition("/")
            if name == RULES_FILE and not os.path.lexists(self._tree.path(path)):
                self._tree.forget_rules(folder)  # its folder may be gone too, and is not walked then
        self._hidden = {path for path in missing if self._tree.is_ignored_anywhere(path, False)}
        return sorted(missing - self._hidden)

    def _differs(self, path: str, known: _Seen, seen: _Seen) -> bool:
        if known.identity != seen.identity:
            return True
        if known.content is None:
            return False
        return (seen.content or _content(self._tree.path(path))) != known.content

    def _look(self) -> Iterator[tuple[str, _Seen]]:
        self._folders = 0
        if self._parts is None:
            yield from self._part("")
        for part in sorted(self._tree.named) if self._parts is None else list(self._parts):
            yield from self._part(part)

    def _part(self, part: str) -> Iterator[tuple[str, _Seen]]:
        if part in self._tree.named:
            seen = _seen(self._tree.path(part), follow=True)
            if seen is not None:
                yield part, seen
            return
        if part and self._tree.is_ignored_anywhere(part, True):
            return
        for folder, files in self._tree.walk(part):
            self._folders += 1
            lead = folder + "/" if folder else ""
            for entry in files:
                relative = lead + entry.name
                if relative not in self._tree.named:
                    seen = _seen(entry.path, follow=False)
                    if seen is not None:
                        yield relative, seen
            if self._tree.has_rules(folder):
                self._hidden.add(lead + RULES_FILE)

    def _rule_files(self) -> list[Identity | None]:
        return [identity(os.fspath(path)) for path in self._tree.rule_files]


def _seen(path: str, *, follow: bool) -> _Seen | None:
    try:
        status = os.stat(path, follow_symlinks=follow)
    except OSError:
        return None
    known = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    is_new = stat.S_ISREG(status.st_mode) and abs(time.time_ns() - status.st_mtime_ns) < RACY
    return _Seen(known, _content(path) if is_new and status.st_size <= LARGEST_READ else None)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.blake2b(file.read(LARGEST_READ), digest_size=16).digest()
    except OSError:
        return b""
