"""The lock that says which process runs the session."""

import fcntl
import os
from pathlib import Path

from devmount.control.paths import path_of
from devmount.errors import DevmountError


class SessionLock:
    """At most one session a project folder; the lock ends with its process, however that ends."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DevmountError: another process holds it; its id is named.
        """
        descriptor = os.open(path_of(self._root, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            raise DevmountError(
                f"another devmount runs here: process {holder}",
                str(self._root),
                "use that one, or end it: devmount stop",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; the file stays, so that nobody locks a removed one."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
