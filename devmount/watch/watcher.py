"""The watcher of one project: picks the way of watching, tells what it cannot see, survives the loss of the root."""

import errno
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from devmount import events
from devmount.events import FileChange, Kind
from devmount.watch.filesystem import changed_since, limit, smallest, without_events
from devmount.watch.poll import Poller
from devmount.watch.tree import Tree

FALLBACK_INTERVAL = 1.0  # seconds, where the kernel's limits leave no other way
ROOT_INTERVAL = 0.1  # seconds between two looks for a root that is gone
NAMED_LINKS = 3
MOST_DEFECTS = 3
TOLD_AGAIN = 60.0  # seconds without one, after which an overflow is told again


class _Way(Protocol):
    @property
    def count(self) -> int: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Watcher:
    """See the module. ``deliver`` is called from other threads, with changes and with warnings.

    Args:
        root: the project folder.
        ignore: the patterns of ``[watch] ignore``.
        deliver: takes each ``FileChange`` and ``Warning``.
        poll: look every so many seconds instead of waiting for events.
        named: files that count whatever the rules say, inside or outside of ``root``.
    """

    def __init__(
        self,
        root: Path,
        ignore: Iterable[str],
        deliver: Callable[[FileChange | events.Warning], None],
        *,
        poll: float | None = None,
        named: Iterable[Path] = (),
    ) -> None:
        self._root = root
        self._ignore = tuple(ignore)
        self._named = tuple(named)
        self._deliver = deliver
        self._poll = poll
        self._tree: Tree | None = None
        self._way: _Way | None = None
        self._rest: Poller | None = None  # what the limit on watches leaves out
        self._held: int | None = None  # the root, open: while it is, no other folder gets its inode
        self._links: list[str] = []  # those found at the start
        self._runs = False
        self._waits = False  # for the root
        self._defects = 0
        self._overflowed_at = -math.inf
        self._ended = threading.Event()
        self._lock = threading.RLock()

    @property
    def count(self) -> int:
        """How many folders (by events) or files (by looking) are watched."""
        return self._way.count if self._way else 0

    def start(self) -> None:
        """Begin; changes made after the return are seen."""
        kind = without_events(self._root) if self._poll is None else None
        if kind is not None:
            self._warn(
                f"the project lies on {kind}: changes made on another machine send no events here",
                "if saves are not noticed: [watch] poll = true",
            )
        self._begin()

    def stop(self) -> None:
        """Stop; nothing is delivered after the return but what is on its way."""
        self._ended.set()
        self._end_ways()
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def tell_changed_since(self, since: float) -> None:
        """Deliver the files that have been written or renamed since then (seconds since the epoch), by their own times.

        What was removed cannot be told from what a program has written into the same folder.
        """
        at = time.monotonic()
        for folder, entries in Tree(self._root, self._ignore, self._named, lambda folder, error: None).walk():
            for entry in entries:
                if changed_since(entry, since):
                    self._deliver(FileChange(f"{folder}/{entry.name}" if folder else entry.name, Kind.MODIFIED, at))

    def _begin(self) -> None:
        self._runs = False
        held, self._held = self._held, _open(self._root)
        if held is not None:
            os.close(held)
        self._tree = tree = Tree(self._root, self._ignore, self._named, self._unreadable, self._leads_out)
        if self._poll is not None or sys.platform != "linux":
            way: _Way = self._poller(self._poll or FALLBACK_INTERVAL)
        else:
            way = self._by_events(tree)
        with self._lock:
            if self._ended.is_set():
                return
            self._way = way
        way.start()
        with self._lock:
            rest, self._runs = self._rest, True
        if rest is not None:
            rest.start()
            self._warn_of_limit(rest)
        self._warn_of_links(self._links)
        self._links = []

    def _end_ways(self) -> None:
        with self._lock:
            ways, self._way, self._rest = [self._way, self._rest], None, None
        for way in ways:
            if way is not None:
                way.stop()

    def _by_events(self, tree: Tree) -> _Way:
        from devmount.watch.inotify import Inotify

        try:
            return Inotify(tree, self._deliver, self._unwatched, self._root_lost, self._overflowed, self._broke)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            name, value = smallest("instances")
            self._warn(
                f"the kernel gives no more inotify instances ({name} = {value}): "
                f"looking every {FALLBACK_INTERVAL:g} s instead",
                f"raise it: sysctl {name}=1024",
            )
            return self._poller(FALLBACK_INTERVAL)

    def _poller(self, interval: float, parts: list[str] | None = None) -> Poller:
        assert self._tree is not None
        return Poller(self._tree, self._deliver, interval, self._root_lost, self._broke, parts)

    # what the ways tell

    def _unwatched(self, part: str) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            if self._rest is not None:
                self._rest.add(part)
                return
            rest = self._rest = self._poller(FALLBACK_INTERVAL, [part])
            runs = self._runs
        if runs:
            rest.start()
            self._warn_of_limit(rest)

    def _warn_of_limit(self, rest: Poller) -> None:
        name, value = smallest("watches")
        self._warn(
            f"the kernel gives no more watches ({name} = {value}): "
            f"{rest.folders} folders are looked at every {FALLBACK_INTERVAL:g} s instead",
            f"raise it: sysctl {name}=524288, or ignore what need not be watched",
        )

    def _unreadable(self, folder: str, error: OSError) -> None:
        self._warn(
            f"{folder or self._root} cannot be watched: {error.strerror}",
            "changes in it are not seen; make it readable, or ignore it",
        )

    def _leads_out(self, link: str) -> None:
        if self._runs:
            self._warn_of_links([link])
        else:
            self._links.append(link)

    def _warn_of_links(self, links: list[str]) -> None:
        if links:
            names = ", ".join(links[:NAMED_LINKS])
            more = len(links) - NAMED_LINKS
            self._warn(
                f"symbolic links lead out of the project: {names}" + (f" and {more} more" if more > 0 else ""),
                "what they point at is not watched, and the container does not see it without a mount of its own",
            )

    def _overflowed(self) -> None:
        now = time.monotonic()
        if now - self._overflowed_at > TOLD_AGAIN:
            self._warn(
                f"more changed at once than the kernel keeps (fs.inotify.max_queued_events = "
                f"{limit('max_queued_events')}): comparing with the disk",
                None,
            )
        self._overflowed_at = now

    def _broke(self, error: Exception) -> None:
        """A defect must not leave a session deaf: look instead, and take it that anything may have changed."""
        if self._ended.is_set():
            return
        self._poll = self._poll or FALLBACK_INTERVAL
        self._defects += 1
        if self._defects > MOST_DEFECTS:
            self._warn(
                f"watching ended again and again ({error!r}): changes are not seen any more", "start devmount anew"
            )
            return
        self._warn(
            f"watching ended of an internal error ({error!r}): looking every {self._poll:g} s instead",
            "please report it",
        )
        self._restart()

    def _root_lost(self) -> None:
        with self._lock:
            if self._ended.is_set() or self._waits:
                return
            self._waits = True
        self._warn(f"{self._root} is gone: waiting until it is there again", None)
        self._restart()

    def _restart(self) -> None:
        threading.Thread(target=self._begin_again, name="root", daemon=True).start()

    def _begin_again(self) -> None:
        self._end_ways()
        while not self._root.is_dir():
            if self._ended.wait(ROOT_INTERVAL):
                return
        waited, self._waits = self._waits, False
        is_same = self._is_held(self._root)
        try:
            self._begin()
        except Exception as error:
            self._broke(error)
            return
        if waited:
            self._warn(f"{self._root} is there again", None)
        # a container's mount holds the folder that was: another one in its place makes the difference
        kind = Kind.MODIFIED if is_same else Kind.CREATED
        self._deliver(FileChange(".", kind, time.monotonic(), is_dir=True))

    def _is_held(self, folder: Path) -> bool:
        try:
            return self._held is not None and os.path.samestat(os.fstat(self._held), os.stat(folder))
        except OSError:
            return False

    def _warn(self, message: str, hint: str | None) -> None:
        self._deliver(events.Warning(time=time.time(), message=message, hint=hint))


def _open(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY))
    except OSError:
        return None
