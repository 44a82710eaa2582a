"""Which files are being written: between the first event of a write and its closing, and past what the kernel tells."""

import contextlib
import os
from collections.abc import Callable

NOTED = 1.0  # seconds


class Writes:
    """Paths are relative to the project.

    Args:
        path: makes a relative path absolute.
    """

    def __init__(self, path: Callable[[str], str]) -> None:
        self._path = path
        self._open: set[str] = set()
        self._noted: dict[str, int] = {}  # what was delivered of late: modification time in ns
        self._noted_at = 0.0

    def __contains__(self, path: str) -> bool:
        return path in self._open

    def begin(self, path: str) -> None:
        """It was written, or made by being opened, and is not closed."""
        self._open.add(path)

    def end(self, path: str) -> None:
        """It was closed, or is gone."""
        self._open.discard(path)

    def forget(self, folder: str) -> None:
        """Whatever is below a folder is not seen any more; "": all."""
        if self._open:
            self._open = {path for path in self._open if folder and not path.startswith(folder + "/")}

    def note(self, path: str, at: float) -> None:
        """It is delivered as it is now (``time.monotonic``)."""
        if at - self._noted_at > NOTED:  # the queue was empty since: what was modified before cannot be taken for new
            self._noted.clear()
        self._noted_at = at
        with contextlib.suppress(OSError):
            self._noted[path] = os.lstat(self._path(path)).st_mtime_ns

    def was_mapped(self, path: str, since: float) -> bool:
        """Whether a file that was closed was written through a mapping, of which the kernel tells nothing (inotify(7)).

        Args:
            since: seconds since the epoch; until then all has been delivered.
        """
        try:
            modified = os.lstat(self._path(path)).st_mtime_ns
        except OSError:
            return False
        return modified >= since * 1e9 and self._noted.get(path) != modified
