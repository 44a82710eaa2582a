"""The kernel's watches: inotify(7) through watchdog's descriptor, and the table of what is watched under which name."""

import errno
import os
import select
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, Watch, WatchDescriptor
from watchdog.observers.inotify_c import InotifyConstants as In

FOLDER = Mask(
    In.IN_MODIFY
    | In.IN_ATTRIB
    | In.IN_CLOSE_WRITE
    | In.IN_CREATE
    | In.IN_DELETE
    | In.IN_MOVED_FROM
    | In.IN_MOVED_TO
    | In.IN_DELETE_SELF
    | In.IN_MOVE_SELF
    | In.IN_EXCL_UNLINK
)
ITSELF = Mask(In.IN_DELETE_SELF | In.IN_MOVE_SELF)
LEAVES = Mask(ITSELF | In.IN_DELETE | In.IN_MOVED_FROM)
PLACES = Mask(ITSELF | In.IN_CREATE | In.IN_DELETE | In.IN_MOVED_FROM | In.IN_MOVED_TO)  # what lies in a folder
CALLBACK = CallbackId(0)


class Owner(Protocol):
    """Who takes the events, on the descriptor's thread."""

    def on_event(self, event: InotifyEvent) -> None: ...

    def on_watch_deleted(self, wd: WatchDescriptor) -> None: ...

    def on_queue_overflow(self) -> None: ...


class Descriptor(InotifyFD):
    """Knows until when the queue was empty: all that happened before has been delivered.

    Args:
        broke: called when the thread ends of a defect; nothing is delivered any more.

    Raises:
        OSError: EMFILE, the limit on instances is reached.
    """

    def __init__(self, owner: Owner, broke: Callable[[Exception], None]) -> None:
        super().__init__()
        self.empty_at = time.time()
        self._owner = owner
        self._broke = broke
        self._readable = select.poll()
        self._readable.register(self._inotify_fd, select.POLLIN)
        self.name = "watch"

    def add(self, path: str, mask: int) -> WatchDescriptor:
        """Watch for ``mask`` too; the descriptor is the same for the same folder, under whatever name.

        Raises:
            OSError: there is no such folder, it cannot be read, or ENOSPC: the limit on watches is reached.
        """
        with self._lock:
            watch = self._get_or_create_watch(os.fsencode(path), Mask(mask | In.IN_ONLYDIR | In.IN_MASK_ADD))
            watch.callbacks[CALLBACK] = self._owner
            return watch.wd

    def remove(self, wd: WatchDescriptor) -> None:
        """Drop a watch, whether or not the kernel has dropped it already."""
        if wd in self._watch_for_wd:
            try:
                self.remove_callbacks([(wd, CALLBACK)])
            except OSError as error:
                if error.errno != errno.EINVAL:  # its folder is gone
                    raise

    def _get_or_create_watch(self, path: bytes, mask: Mask) -> Watch:
        watch = super()._get_or_create_watch(path, mask)
        if watch.wd == -1:  # watchdog takes EACCES for a success
            del self._watch_for_wd[watch.wd]
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return watch

    def handle_event(self, event: InotifyEvent) -> None:
        if event.is_queue_overflow:  # watchdog would log it to standard error too
            self._owner.on_queue_overflow()
        else:
            super().handle_event(event)

    def read_events(self, **options: int) -> list[InotifyEvent]:
        now = time.time()
        if not self._readable.poll(0):
            self.empty_at = now
        return list(super().read_events(**options))

    def run(self) -> None:
        try:
            super().run()
        except Exception as error:
            self._broke(error)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an entry stands for: ``target`` (absolute) itself, or something on the way to it."""

    target: str
    itself: bool


@dataclass(frozen=True, slots=True)
class Name:
    """A single entry to watch for, in a folder (absolute, links followed). Without ``name``: the folder itself."""

    folder: str
    name: str
    meaning: Meaning
    mask: int


class Watches:
    """Which folder of the tree (relative) has which watch; and the watches beside it, for single names.

    Args:
        path: makes a relative path absolute.
    """

    def __init__(self, descriptor: Descriptor, path: Callable[[str], str]) -> None:
        self._descriptor = descriptor
        self._path = path
        self._folders: dict[WatchDescriptor, str] = {}
        self._descriptors: dict[str, WatchDescriptor] = {}
        self._names: dict[WatchDescriptor, dict[str, set[Meaning]]] = {}
        self._last_gone: str | None = None

    def __len__(self) -> int:
        return len(self._folders)

    def __contains__(self, folder: str) -> bool:
        return folder in self._descriptors

    def folder(self, wd: WatchDescriptor) -> str | None:
        """The folder of the tree that has this watch."""
        return self._folders.get(wd)

    def was_watched(self, folder: str) -> bool:
        """Whether a folder whose removal is told now was watched: its watch goes just after that, or just before."""
        return folder in self._descriptors or folder == self._last_gone

    def add(self, folder: str) -> bool:
        """Watch a folder of the tree; whether it is another one than was watched under this name.

        Raises:
            OSError: as ``Descriptor.add``.
        """
        self._last_gone = None
        wd = self._descriptor.add(self._path(folder), FOLDER | In.IN_DONT_FOLLOW)
        known = self._descriptors.get(folder)
        if known == wd:
            return False
        if known is not None:
            self._drop(known)
        before = self._folders.get(wd)
        if before is not None:
            del self._descriptors[before]  # the same folder, under another name now
        self._folders[wd] = folder
        self._descriptors[folder] = wd
        return True

    def remove(self, folder: str) -> None:
        """Forget a folder of the tree."""
        wd = self._descriptors.get(folder)
        if wd is not None:
            self._drop(wd)

    def below(self, folder: str) -> list[str]:
        """This folder and those below it, as far as they are watched."""
        if not folder:
            return list(self._descriptors)
        lead = folder + "/"
        return [path for path in self._descriptors if path == folder or path.startswith(lead)]

    # single names

    def watch_names(self, wanted: Iterable[Name], failed: Callable[[Name, OSError], None]) -> None:
        """Watch for these names and no others. Those that cannot be are handed to ``failed``."""
        names: dict[WatchDescriptor, dict[str, set[Meaning]]] = {}
        for name in wanted:
            try:
                wd = self._descriptor.add(name.folder, name.mask)
            except OSError as error:
                failed(name, error)
            else:
                names.setdefault(wd, {}).setdefault(name.name, set()).add(name.meaning)
        before, self._names = self._names, names
        for wd in before:
            if wd not in names and wd not in self._folders:
                self._descriptor.remove(wd)

    def meanings(self, wd: WatchDescriptor, name: str) -> set[Meaning]:
        """What the entry ``name`` of the folder with this watch stands for; ``name`` "": the folder itself."""
        names = self._names.get(wd)
        if not names:
            return set()
        return names.get(name, set()) if name else set().union(*names.values())

    def gone(self, wd: WatchDescriptor) -> None:
        """The kernel has dropped this watch."""
        self._last_gone = self._folders.get(wd)
        self._forget(wd)
        self._names.pop(wd, None)

    def _drop(self, wd: WatchDescriptor) -> None:
        self._forget(wd)
        if wd not in self._names:
            self._descriptor.remove(wd)

    def _forget(self, wd: WatchDescriptor) -> None:
        folder = self._folders.pop(wd, None)
        if folder is not None and self._descriptors.get(folder) == wd:
            del self._descriptors[folder]
