"""Where backups lie, the lock beside them, and files that appear whole or not at all."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from devmount.errors import DevmountError
from devmount.runtime import runtime_folder

SUFFIX = ".tar.zst"
PARTIAL = ".partial"


class LockedError(DevmountError):
    """Another process is at work on the project's volumes."""


def folder(project: str) -> Path:
    """Where devmount keeps what belongs to a project but must not lie in its folder (XDG Base Directory Specification).

    There a clean-up (``git clean``) would remove the backups, and a build would send them into an image.
    """
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "devmount" / project


def working_folder(project: str) -> Path:
    """Where locks and pipes lie: ``folder``, or the runtime folder where a user's home cannot be written to."""
    where = folder(project)
    existing = next(path for path in (where, *where.parents) if os.path.exists(path))
    return where if os.access(existing, os.W_OK | os.X_OK) else runtime_folder() / "volumes" / project


def lock_file(project: str) -> Path:
    """The file that a command which changes the project's volumes locks."""
    return working_folder(project) / "volumes.lock"


def backup_folder(project: str) -> Path:
    """Where backups go by default."""
    return folder(project) / "backups"


def make_folder(path: Path) -> None:
    """Make a folder of the caller's alone.

    Raises:
        DevmountError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DevmountError(
            f"the folder cannot be made: {error.strerror}", str(path), "name another with XDG_DATA_HOME"
        ) from error


def new_backup(project: str, volume: str, now: datetime | None = None) -> Path:
    """A file name for a backup of ``volume`` that no file has yet; its folder is made."""
    where = backup_folder(project)
    make_folder(where)
    time = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    base = where / f"{volume}-{time}"
    path, number = base.with_name(base.name + SUFFIX), 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}{SUFFIX}")
    return path


@contextmanager
def lock(project: str, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the project's volume lock: one command at a time makes, fills or removes its volumes.

    Args:
        wait: called with the id of the process that holds it, again and again; it takes a while, or raises.

    Raises:
        LockedError: another process holds it, and there is no ``wait``; its id is named.
    """
    path = lock_file(project)
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _take(descriptor):
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            if wait is None:
                raise LockedError(
                    f"another devmount works on this project's volumes: process {holder}",
                    str(path),
                    "wait until it has ended",
                )
            wait(holder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file of mode 0600 to write, that bears its name only once it is on the disk; else nothing of it is left.

    Raises:
        DevmountError: it exists already, or it cannot be written.
    """
    if os.path.lexists(path):
        raise DevmountError("the file exists already", str(path), "name another, or remove it")
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with open(descriptor, "w+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # tells ``sweep`` that its writer lives
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.rename(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise DevmountError(
            f"the file cannot be written: {error.strerror or error}",
            str(path),
            "make room, or name another file: --output",
        ) from error


def sweep(where: Path) -> None:
    """Remove the unfinished files in a folder whose writer is dead."""
    for partial in where.glob(f".*{PARTIAL}"):
        try:
            with partial.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                partial.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            continue


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
