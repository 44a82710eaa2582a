"""Looking at a folder: names, and the texts of files that tell what the project is."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from devmount.errors import UsageError
from devmount.init.folder import Folder

LARGEST = 256 * 1024  # bytes of one file
MOST_FILES = 200  # whose texts are read
MOST_ENTRIES = 5000  # that are looked at in one folder
DEPTH = 2  # folders below the project's
SUFFIXES = (".py", ".go", ".js", ".mjs", ".cjs", ".ts", ".rb", ".ru", ".php")
NAMES = (
    ".node-version",
    ".nvmrc",
    ".python-version",
    ".ruby-version",
    "Cargo.toml",
    "Dockerfile",
    "Gemfile",
    "composer.json",
    "go.mod",
    "package.json",
    "pyproject.toml",
    "requirements.txt",
)
SKIPPED = ("node_modules", "venv", "env", "target", "vendor", "dist", "build", "tests", "test", "__pycache__")


def look(folder: Path) -> Folder:
    """What is in a folder; a file that cannot be read is as one that is empty.

    Raises:
        UsageError: the folder cannot be read.
    """
    try:
        names = frozenset(name for name, _ in _entries(folder))
    except OSError as error:
        raise UsageError(f"the folder cannot be read: {error.strerror}", str(folder)) from error
    texts: dict[str, str] = {}
    for path in _interesting(folder, DEPTH):
        if len(texts) >= MOST_FILES:
            break
        texts[path.relative_to(folder).as_posix()] = _text(path)
    return Folder(folder.name, names, texts)


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as found:
        entries = sorted((entry for _, entry in zip(range(MOST_ENTRIES), found, strict=False)), key=lambda e: e.name)
    for entry in entries:
        try:
            yield entry.name + ("/" if entry.is_dir() else ""), Path(entry.path)
        except OSError:
            continue


def _interesting(folder: Path, depth: int) -> Iterator[Path]:
    below = []
    try:
        entries = list(_entries(folder))
    except OSError:
        return
    for name, path in entries:
        plain = name.rstrip("/")
        if name.endswith("/"):
            if depth and not plain.startswith(".") and plain not in SKIPPED and not path.is_symlink():
                below.append(path)
        elif plain in NAMES or plain.endswith(SUFFIXES):
            yield path
    for path in below:
        yield from _interesting(path, depth - 1)


def _text(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            return file.read(LARGEST).decode("utf-8-sig", "replace")
    except OSError:
        return ""
