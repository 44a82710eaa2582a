"""What files held at the last reload, so that a change which leaves the content as it was can be told from one."""

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from devmount.events import FileChange, Kind

LARGEST = 16 * 1024 * 1024  # bytes; a larger file is not read, and counts as changed


class Contents:
    """Remembers a digest of each file that changed; of what has not changed since the session began it knows nothing.

    Args:
        root: the project folder, to which changes are relative.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._digests: dict[str, bytes] = {}

    def unchanged(self, changes: Iterable[FileChange]) -> set[str]:
        """The paths whose content and permissions are those of the last call; all are remembered as they are now."""
        found = set()
        for change in changes:
            before = self._digests.pop(change.path, None)
            now = None if change.is_dir or change.kind is Kind.DELETED else _digest(self._root, change.path)
            if now is not None:
                self._digests[change.path] = now
                if now == before:
                    found.add(change.path)
        return found

    def forget(self, path: str) -> None:
        """Count the next change of this path in any case: a program may have read it while it was being written."""
        self._digests.pop(path, None)

    def forget_all(self) -> None:
        self._digests.clear()


def _digest(root: str, relative: str) -> bytes | None:
    """Of the permissions and the content, a symbolic link's being its target; None where it cannot be read."""
    path = os.path.join(root, relative)
    try:
        status = os.lstat(path)
        mode = b"%o" % status.st_mode
        if stat.S_ISLNK(status.st_mode):
            return hashlib.blake2b(os.fsencode(os.readlink(path)), key=mode, digest_size=16).digest()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return None
        with open(path, "rb", buffering=0) as file:
            return hashlib.blake2b(file.read(LARGEST), key=mode, digest_size=16).digest()
    except OSError:
        return None
