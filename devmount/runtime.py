"""Where files lie that are of use only while something runs."""

import os
import stat
import tempfile
from pathlib import Path

from devmount.errors import DevmountError


def runtime_folder() -> Path:
    """The user's own folder for sockets and locks (XDG Base Directory Specification), made where it is missing.

    Raises:
        DevmountError: what is there belongs to someone else, or is open to others.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK):
        folder = Path(base) / "devmount"
    else:
        folder = Path(tempfile.gettempdir()) / f"devmount-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise DevmountError(
            f"{folder} is not a folder of yours alone",
            str(folder),
            "remove it, or set XDG_RUNTIME_DIR to a folder that is",
        )
    return folder
