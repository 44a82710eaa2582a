"""The watcher of one project: picks the way of watching, tells what it cannot see, survives the loss of the root."""

import errno
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from devmount import events
from devmount.events import FileChange, Kind
from devmount.watch.filesystem import limit, without_events
from devmount.watch.poll import Poller
from devmount.watch.tree import Tree

FALLBACK_INTERVAL = 1.0  # seconds, where the kernel's limits leave no other way
ROOT_INTERVAL = 0.1  # seconds between two looks for a root that is gone
NAMED_LINKS = 3


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
        self._way: _Way | None = None
        self._rest: Poller | None = None  # what the limit on watches leaves out
        self._tree: Tree | None = None
        self._left_out = 0
        self._runs = False
        self._ended = threading.Event()
        self._lock = threading.Lock()

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
        with self._lock:
            ways, self._way, self._rest = [self._way, self._rest], None, None
        for way in ways:
            if way is not None:
                way.stop()

    def _begin(self) -> None:
        self._tree = tree = Tree(self._root, self._ignore, self._named, self._unreadable)
        if self._poll is not None or sys.platform != "linux":
            way: _Way = Poller(tree, self._deliver, self._poll or FALLBACK_INTERVAL, self._root_lost)
        else:
            way = self._by_events(tree)
        with self._lock:
            self._way = way
        self._runs = False
        way.start()
        self._runs = True
        if self._rest is not None:
            self._rest.start()
            self._warn_of_limit()
        if tree.links_out:
            names = ", ".join(tree.links_out[:NAMED_LINKS])
            more = len(tree.links_out) - NAMED_LINKS
            self._warn(
                f"symbolic links lead out of the project: {names}" + (f" and {more} more" if more > 0 else ""),
                "what they point at is not watched, and the container does not see it without a mount of its own",
            )

    def _by_events(self, tree: Tree) -> _Way:
        from devmount.watch.inotify import Inotify

        try:
            return Inotify(tree, self._deliver, self._unwatched, self._root_lost, self._overflowed)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            self._warn(
                f"the kernel gives no more inotify instances (fs.inotify.max_user_instances = "
                f"{limit('max_user_instances')}): looking every {FALLBACK_INTERVAL:g} s instead",
                "raise it: sysctl fs.inotify.max_user_instances=1024",
            )
            return Poller(tree, self._deliver, FALLBACK_INTERVAL, self._root_lost)

    # what the ways tell

    def _unwatched(self, folder: str, error: OSError) -> None:
        assert self._tree is not None
        self._left_out += 1
        if self._rest is None:
            self._rest = Poller(self._tree, self._deliver, FALLBACK_INTERVAL, lambda: None, [folder])
            if self._runs:
                self._rest.start()
                self._warn_of_limit()
        else:
            self._rest.add(folder)

    def _warn_of_limit(self) -> None:
        self._warn(
            f"the kernel gives no more watches (fs.inotify.max_user_watches = {limit('max_user_watches')}): "
            f"{self._left_out} folders are looked at every {FALLBACK_INTERVAL:g} s instead",
            "raise it: sysctl fs.inotify.max_user_watches=524288, or ignore what need not be watched",
        )

    def _unreadable(self, folder: str, error: OSError) -> None:
        self._warn(
            f"{folder or self._root} cannot be watched: {error.strerror}",
            "changes in it are not seen; make it readable, or ignore it",
        )

    def _overflowed(self) -> None:
        self._warn(
            f"more changed at once than the kernel keeps (fs.inotify.max_queued_events = "
            f"{limit('max_queued_events')}): comparing with the disk",
            None,
        )

    def _root_lost(self) -> None:
        if self._ended.is_set():
            return
        self._warn(f"{self._root} is gone: waiting until it is there again", None)
        threading.Thread(target=self._wait_for_root, name="root", daemon=True).start()

    def _wait_for_root(self) -> None:
        with self._lock:
            ways, self._way, self._rest = [self._way, self._rest], None, None
        for way in ways:
            if way is not None:
                way.stop()
        while not self._root.is_dir():
            if self._ended.wait(ROOT_INTERVAL):
                return
        if self._ended.is_set():
            return
        self._left_out = 0
        self._begin()
        self._warn(f"{self._root} is there again", None)
        self._deliver(FileChange(".", Kind.CREATED, time.monotonic(), is_dir=True))

    def _warn(self, message: str, hint: str | None) -> None:
        self._deliver(events.Warning(time=time.time(), message=message, hint=hint))
