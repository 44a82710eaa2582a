"""Where backups lie: the project's ``.devmount`` folder, its lock, files that appear whole or not at all."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from devmount.errors import DevmountError

FOLDER = ".devmount"
SUFFIX = ".tar.zst"
PARTIAL = ".partial"


class LockedError(DevmountError):
    """Another process is at work on the project's volumes."""


def folder(root: Path) -> Path:
    """The project's folder for what devmount keeps, made where it is missing; git does not see it."""
    path = root / FOLDER
    try:
        path.mkdir(exist_ok=True)
        ignore = path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise DevmountError(
            f"the folder cannot be made: {error.strerror}", str(path), "name a file: --output"
        ) from error
    return path


def backup_folder(root: Path) -> Path:
    """Where backups go by default."""
    path = folder(root) / "backups"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DevmountError(
            f"the folder cannot be made: {error.strerror}", str(path), "name a file: --output"
        ) from error
    return path


def new_backup(root: Path, volume: str, now: datetime | None = None) -> Path:
    """A file name for a backup of ``volume`` that no file has yet."""
    time = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    base = backup_folder(root) / f"{volume}-{time}"
    path, number = base.with_name(base.name + SUFFIX), 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}{SUFFIX}")
    return path


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the project's volume lock: one command at a time makes, fills or removes its volumes.

    Raises:
        DevmountError: another process holds it; its id is named.
    """
    path = folder(root) / "volumes.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise LockedError(
                f"another devmount works on this project's volumes: process {holder}",
                str(root),
                "wait until it has ended",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A file of mode 0600 to write, that bears its name only once it is on the disk; else nothing of it is left.

    Raises:
        DevmountError: it exists already and ``overwrite`` is not set, or it cannot be written.
    """
    if path.exists() and not overwrite:
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
