"""Writing what was decided: whole files, never over one that is there unless that was asked for."""

import os
from collections.abc import Callable
from pathlib import Path

from devmount.errors import DevmountError, UsageError

LARGEST = 4 * 1024 * 1024  # bytes of a file that is added to


def refuse_existing(path: Path, hint: str) -> None:
    """That nothing is there, not even a link that leads nowhere.

    Raises:
        UsageError: something is.
    """
    if os.path.lexists(path):
        raise UsageError(f"{path.name} exists and is not overwritten", str(path), hint)


def refuse_outside(path: Path, root: Path) -> None:
    """That no link leads from ``path`` out of the project: a stranger's project must not have us write elsewhere.

    Raises:
        UsageError: one does.
    """
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(root)):
        raise UsageError(f"{path.name} leads out of the project, to {real}", str(path), "put a file of its own there")


def create(path: Path, text: str, *, replace: bool) -> None:
    """A file with this text, whole or not at all. ``replace``: in place of one that is there.

    Raises:
        UsageError: it is there.
        DevmountError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(text.encode())
        try:
            if replace:
                if path.exists():
                    beside.chmod(path.stat().st_mode & 0o7777)
                beside.replace(path.resolve() if path.is_symlink() else path)
            else:
                os.link(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        raise UsageError(f"{path.name} exists and is not overwritten", str(path), "use --force") from None
    except OSError as error:
        raise DevmountError(
            f"{path.name} cannot be written: {error.strerror}", str(path), "check the folder's owner and mode"
        ) from error


def amended(path: Path, change: Callable[[str], str]) -> str | None:
    """What ``change`` makes of a file's text; None where that is the same. A missing file is empty.

    Raises:
        DevmountError: it cannot be read, or is no text.
    """
    try:
        old = read(path) if os.path.lexists(path) else ""
    except UnicodeDecodeError:
        raise DevmountError(f"{path.name} is not UTF-8 and is left as it is", str(path), "save it as UTF-8") from None
    new = change(old)
    return None if new == old else new


def read(path: Path) -> str:
    """A file's text, line ends as they are.

    Raises:
        DevmountError: it cannot be read, or is too large.
        UnicodeDecodeError: it is not UTF-8.
    """
    try:
        if not path.is_file():
            raise DevmountError(f"{path.name} is not a file", str(path), "move it away")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise DevmountError(f"{path.name} cannot be read: {error.strerror}", str(path)) from error
    if len(data) > LARGEST:
        raise DevmountError(f"{path.name} is larger than {LARGEST // 1024 // 1024} MiB", str(path))
    return data.decode()
