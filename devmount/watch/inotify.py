"""Watching by the kernel's events, one watch a folder that counts: inotify(7), through watchdog's descriptor.

watchdog's own tree of watches takes in every folder and asks for events of reads too; a program that reads its source
would set it off. Here a folder is watched only if the rules let it through, and only for what changes something.
"""

import errno
import os
import select
import stat
import time
from collections.abc import Callable

from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchDescriptor
from watchdog.observers.inotify_c import InotifyConstants as In

from devmount.events import FileChange, Kind
from devmount.watch.tree import RULES_FILE, Tree, is_finished

MASK = Mask(
    In.IN_MODIFY
    | In.IN_ATTRIB
    | In.IN_CLOSE_WRITE
    | In.IN_CREATE
    | In.IN_DELETE
    | In.IN_MOVED_FROM
    | In.IN_MOVED_TO
    | In.IN_DELETE_SELF
    | In.IN_MOVE_SELF
    | In.IN_ONLYDIR
    | In.IN_DONT_FOLLOW
    | In.IN_EXCL_UNLINK
)
CLOCK_SLACK = 0.05  # seconds; a file's times are those of the kernel's last tick
CALLBACK = CallbackId(0)


class _Descriptor(InotifyFD):
    """Knows until when the queue was empty: all that happened before has been delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.empty_at = time.time()
        self._readable = select.poll()
        self._readable.register(self._inotify_fd, select.POLLIN)
        self.name = "watch"

    def read_events(self, **options: int) -> list[InotifyEvent]:
        now = time.time()
        if not self._readable.poll(0):
            self.empty_at = now
        return list(super().read_events(**options))


class Inotify:
    """See the module. Callbacks come on the descriptor's thread.

    Args:
        deliver: takes each change.
        unwatched: takes a folder that the kernel's limit on watches leaves out, with the error.
        root_lost: called when the root folder itself was moved or removed.

    Raises:
        OSError: from the constructor, EMFILE: the limit on instances is reached.
    """

    def __init__(
        self,
        tree: Tree,
        deliver: Callable[[FileChange], None],
        unwatched: Callable[[str, OSError], None],
        root_lost: Callable[[], None],
        overflowed: Callable[[], None],
    ) -> None:
        self._tree = tree
        self._deliver = deliver
        self._unwatched = unwatched
        self._root_lost = root_lost
        self._overflowed = overflowed
        self._descriptor = _Descriptor()
        self._folders: dict[WatchDescriptor, str] = {}
        self._descriptors: dict[str, WatchDescriptor] = {}
        self._singles: dict[str, set[str]] = {}  # folders watched for named files only
        self._open: set[str] = set()  # written and not closed
        self._moved: dict[int, tuple[str, bool]] = {}  # by cookie: the source, and whether it counts
        self._is_full = False

    @property
    def count(self) -> int:
        """How many folders are watched."""
        return len(self._folders)

    def start(self) -> None:
        """Watch everything that counts, and begin to deliver."""
        for folder, _ in self._tree.walk():
            self._watch(folder)
        for relative in sorted(self._tree.named):
            self._watch_single(relative)
        for path in self._tree.rule_files:
            self._watch_single(os.path.relpath(path, self._tree.root))
        self._descriptor.start()

    def stop(self) -> None:
        self._descriptor.stop()
        if self._descriptor.is_alive():
            self._descriptor.join(2)

    # folders

    def _watch(self, folder: str) -> bool:
        try:
            descriptor = self._descriptor.add_callback(os.fsencode(self._tree.path(folder)), MASK, self, CALLBACK)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._is_full = True
                self._unwatched(folder, error)
            elif error.errno != errno.ENOTDIR:
                self._tree.cannot_read(folder, error)
            return False
        before = self._folders.get(descriptor)
        if before is not None and self._descriptors.get(before) == descriptor:
            del self._descriptors[before]  # the same folder under another name
        self._folders[descriptor] = folder
        self._descriptors[folder] = descriptor
        return True

    def _watch_single(self, relative: str) -> None:
        folder, name = os.path.split(relative)
        if folder in self._descriptors and folder not in self._singles:
            return
        if self._watch(folder):
            self._singles.setdefault(folder, set()).add(name)

    def _unwatch(self, folder: str) -> None:
        """Forget a folder and all below it."""
        lead = folder + "/"
        gone = [path for path in self._descriptors if path == folder or path.startswith(lead)]
        for path in gone:
            descriptor = self._descriptors.pop(path)
            self._folders.pop(descriptor, None)
            self._singles.pop(path, None)
            try:
                self._descriptor.remove_callbacks([(descriptor, CALLBACK)])
            except OSError as error:
                if error.errno != errno.EINVAL:  # the kernel had dropped it already: the folder is gone
                    raise

    def _take_in(self, folder: str, kind: Kind, at: float) -> None:
        """Watch a folder that has come, and deliver what is in it: it may have been filled before the watch was set."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            if not self._watch(current) and not self._is_full:
                continue
            folders, files = self._tree.scan(current)
            waiting += folders
            lead = current + "/" if current else ""
            for entry in files:
                self._deliver(FileChange(lead + entry.name, kind, at))

    def rules_changed(self) -> None:
        """Watch what counts now and forget what does not."""
        counting = set()
        for folder, _ in self._tree.walk():
            counting.add(folder)
            if folder not in self._descriptors or folder in self._singles:
                self._singles.pop(folder, None)
                self._watch(folder)
        for folder in [path for path in self._descriptors if path not in counting and path not in self._singles]:
            if folder in self._descriptors:
                self._unwatch(folder)

    def compare(self, at: float) -> None:
        """After events were lost: deliver all that changed since the queue was last seen empty, by the disk.

        A file by its own times; what was removed or renamed by those of its folder.
        """
        since = self._descriptor.empty_at - CLOCK_SLACK
        self._open.clear()
        waiting = [""]
        seen = set()
        while waiting:
            current = waiting.pop()
            seen.add(current)
            new = current not in self._descriptors or current in self._singles
            if new:
                self._singles.pop(current, None)
                self._watch(current)
            folders, files = self._tree.scan(current)
            waiting += folders
            lead = current + "/" if current else ""
            newer = [entry for entry in files if new or _changed_since(entry, since)]
            for entry in newer:
                self._deliver(FileChange(lead + entry.name, Kind.MODIFIED, at))
            if not newer and _changed_since(self._tree.path(current), since):
                self._deliver(FileChange(current or ".", Kind.MODIFIED, at, is_dir=True))
        for folder in [path for path in self._descriptors if path not in seen and path not in self._singles]:
            if folder in self._descriptors:
                self._unwatch(folder)

    # watchdog's callbacks

    def on_queue_overflow(self) -> None:
        self._overflowed()
        self.compare(time.monotonic())

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """The kernel has dropped the watch: the folder is gone."""
        folder = self._folders.pop(wd, None)
        if folder is not None and self._descriptors.get(folder) == wd:
            del self._descriptors[folder]
            self._singles.pop(folder, None)

    def on_event(self, event: InotifyEvent) -> None:
        folder = self._folders.get(event.wd)
        if folder is None:
            return
        mask = event.mask
        if mask & (In.IN_DELETE_SELF | In.IN_MOVE_SELF):
            if not folder:
                self._root_lost()
            return
        if not event.name:
            return  # of the folder itself: its parent tells
        at = time.monotonic()
        name = os.fsdecode(event.name)
        path = f"{folder}/{name}" if folder else name
        is_dir = bool(mask & In.IN_ISDIR)
        singles = self._singles.get(folder)
        if singles is not None and name not in singles:
            return
        if self._is_rules_file(path, name, mask):
            return
        counts = singles is not None or not self._tree.is_ignored(path, is_dir)
        if mask & In.IN_MOVED_FROM:
            self._moved = {event.cookie: (path, counts)}  # its other half follows at once, if there is one
        if counts:
            self._changed(path, is_dir, mask, event.cookie, at)
        if name == RULES_FILE and not is_dir and mask & (In.IN_CLOSE_WRITE | In.IN_MOVE | In.IN_DELETE):
            self._tree.read_rules(folder)
            self.rules_changed()

    def _is_rules_file(self, path: str, name: str, mask: int) -> bool:
        """Whether it is one of the files behind the rules files; if it changed, it is read."""
        if not any(name == file.name for file in self._tree.rule_files):
            return False
        full = os.path.normpath(self._tree.path(path))
        if not any(full == os.fspath(file) for file in self._tree.rule_files):
            return False
        if mask & (In.IN_CLOSE_WRITE | In.IN_MOVE | In.IN_DELETE):
            self._tree.read_outer_rules()
            self.rules_changed()
        return True

    def _changed(self, path: str, is_dir: bool, mask: int, cookie: int, at: float) -> None:
        if is_dir:
            self._folder_changed(path, mask, cookie, at)
        elif mask & In.IN_CREATE:
            complete = is_finished(self._tree.path(path))
            if not complete:
                self._open.add(path)
            self._deliver(FileChange(path, Kind.CREATED, at, complete))
        elif mask & In.IN_MODIFY:
            self._open.add(path)
            self._deliver(FileChange(path, Kind.MODIFIED, at, complete=False))
        elif mask & In.IN_CLOSE_WRITE:
            if path in self._open:  # else it was opened for writing and not written
                self._open.discard(path)
                self._deliver(FileChange(path, Kind.MODIFIED, at, ends=True))
        elif mask & In.IN_ATTRIB:
            self._deliver(FileChange(path, Kind.MODIFIED, at, complete=path not in self._open))
        elif mask & In.IN_MOVED_TO:
            source, counted = self._moved.pop(cookie, ("", False))
            kind = Kind.MOVED if counted else Kind.MODIFIED if source else Kind.CREATED
            self._deliver(FileChange(path, kind, at, source=source))
        elif mask & (In.IN_DELETE | In.IN_MOVED_FROM):
            self._open.discard(path)
            self._deliver(FileChange(path, Kind.DELETED, at))

    def _folder_changed(self, path: str, mask: int, cookie: int, at: float) -> None:
        """What is in a folder counts, not the folder: making or removing an empty one changes no file."""
        if mask & In.IN_CREATE:
            self._take_in(path, Kind.CREATED, at)
        elif mask & In.IN_MOVED_TO:
            _, counted = self._moved.pop(cookie, ("", False))
            self._take_in(path, Kind.MOVED if counted else Kind.CREATED, at)
        elif mask & In.IN_MOVED_FROM:
            self._unwatch(path)
            self._deliver(FileChange(path, Kind.DELETED, at, is_dir=True))


def _changed_since(entry: "os.DirEntry[str] | str", since: float) -> bool:
    try:
        status = os.lstat(entry)
    except OSError:
        return True
    return max(status.st_ctime, status.st_mtime if stat.S_ISDIR(status.st_mode) else 0.0) >= since
