"""Which files were read: whether a change of one means anything to anyone.

One folder watch each, only for the few files that are asked about, on a descriptor of its own: reads are many, and the
watcher's queue is for changes. The kernel keeps the events until somebody asks, so there is no thread.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

READ: Final = 0x10  # IN_CLOSE_NOWRITE, inotify(7): what was open for reading only is closed, latest by its process' end
OVERFLOW: Final = 0x4000
ONLY_FOLDERS: Final = 0x01000000
HEADER: Final = struct.Struct("iIII")
AT_ONCE: Final = 64 * 1024  # bytes


class Reads:
    """See the module. A key is a path, or FOLDER/*SUFFIX for all files of the folder that have the suffix.

    Args:
        root: the project folder, to which keys are relative.
        tells: whether the kernel hears of all reads here; it does not where the file system is another machine's.
    """

    def __init__(self, root: str, *, tells: bool = True) -> None:
        self._root = root
        self._tells = tells
        self._file: int | None = None
        self._was_read: dict[str, bool] = {}
        self._watches: dict[str, int] = {}  # by folder

    def was_read(self, key: str) -> bool:
        """Whether it was read since this was last asked; True if nobody knows: the first time, or on other systems."""
        folder = os.path.dirname(key)
        wd = self._watch(folder) if self._tells else None
        is_known = wd is not None and self._watches.get(folder) == wd and key in self._was_read
        if wd is None:
            self.forget(key)
            return True
        self._watches[folder] = wd
        self._take()
        read = not is_known or self._was_read[key]
        self._was_read[key] = False
        return read

    @contextmanager
    def disregarding(self) -> Iterator[None]:
        """What is read within is read by ourselves."""
        self._take()
        before = dict(self._was_read)
        yield
        self._take()
        self._was_read.update(before)

    def forget(self, key: str) -> None:
        """Nobody will ask about it any more."""
        if self._was_read.pop(key, None) is None:
            return
        folder = os.path.dirname(key)
        if any(os.path.dirname(other) == folder for other in self._was_read):
            return
        wd = self._watches.pop(folder, None)
        if wd is not None and self._file is not None:
            from watchdog.observers.inotify_c import WatchDescriptor, inotify_rm_watch

            inotify_rm_watch(self._file, WatchDescriptor(wd))  # fails if the folder is gone: then so is the watch

    def close(self) -> None:
        """Forget everything; may be used again."""
        self._was_read.clear()
        self._watches.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _watch(self, folder: str) -> int | None:
        """The watch of the folder that has this name now; None if it cannot be watched."""
        try:
            from watchdog.observers.inotify_c import inotify_add_watch, inotify_init
        except (ImportError, AttributeError, OSError):  # another system than Linux
            return None
        if self._file is None:
            file = inotify_init()
            if file == -1:  # the limit on instances
                return None
            os.set_blocking(file, False)
            os.set_inheritable(file, False)
            self._file = file
        wd = inotify_add_watch(self._file, os.fsencode(os.path.join(self._root, folder)), READ | ONLY_FOLDERS)
        return None if wd == -1 else int(wd)

    def _take(self) -> None:
        if self._file is None:
            return
        folders = {wd: folder for folder, wd in self._watches.items()}
        with suppress(BlockingIOError):
            while True:
                events = os.read(self._file, AT_ONCE)
                at = 0
                while at < len(events):
                    wd, mask, _, length = HEADER.unpack_from(events, at)
                    name = os.fsdecode(events[at + HEADER.size : at + HEADER.size + length].rstrip(b"\0"))
                    at += HEADER.size + length
                    if mask & OVERFLOW:
                        self._was_read = dict.fromkeys(self._was_read, True)
                    elif name and wd in folders:
                        for entry in (name, "*" + os.path.splitext(name)[1]):
                            key = os.path.join(folders[wd], entry)
                            if key in self._was_read:
                                self._was_read[key] = True
