"""Volumes on the real engine, and what is in them as the host's kernel tells it."""

import hashlib
import os
import socket
import stat
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import devmount, docker, remove

TOML = """
[app]
image = "debian:bookworm-slim"
command = "sleep 1000"
mounts = ["data:/data"]
"""

Snapshot = dict[bytes, tuple[Any, ...]]


class Box:
    """A project with volumes, and a data folder of its own in which backups lie."""

    def __init__(self, folder: Path, home: Path, toml: str = TOML) -> None:
        self.name = f"dmvol-{uuid.uuid4().hex[:8]}"
        self.folder = folder / self.name
        self.folder.mkdir()
        self.home = home
        self.env = {"XDG_DATA_HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
        self.write(toml)

    def write(self, toml: str) -> None:
        """Write the project file."""
        (self.folder / ".devmount.toml").write_text(f'name = "{self.name}"\n{toml}')

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """``devmount volume ...``; its exit code is not checked."""
        return devmount(self.folder, "volume", *arguments, timeout=timeout, env=self.env)

    def do(self, *arguments: str, timeout: float = 120) -> str:
        """The same; its standard output, and a failure is one of the test's."""
        done = self.run(*arguments, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fails(self, *arguments: str) -> str:
        """The same where it must fail, in words; those."""
        done = self.run(*arguments)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert done.stderr.startswith("error: "), done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def volume(self, name: str = "data") -> str:
        return f"{self.name}_{name}"

    def path(self, name: str = "data") -> Path:
        """Where the engine keeps the volume's content; takes root."""
        return Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", self.volume(name)))

    def backups(self) -> list[Path]:
        return sorted((self.home / "devmount" / self.name / "backups").glob("*"))

    def helpers(self) -> list[str]:
        """The ids of devmount's helper containers."""
        mine = (f"label=dev.devmount.project={self.name}", "--filter", "label=dev.devmount.helper")
        return docker("ps", "--all", "--quiet", "--filter", *mine).split()

    def volumes(self) -> list[str]:
        return docker("volume", "ls", "--quiet", "--filter", f"name={self.name}_").split()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    """Make a project; all of it is removed from the engine afterwards."""
    boxes: list[Box] = []

    def make(toml: str = TOML) -> Box:
        boxes.append(Box(tmp_path, tmp_path / "home", toml))
        return boxes[-1]

    yield make
    for one in boxes:
        remove(one.name)
        for name in one.volumes():
            docker("volume", "rm", name)


def plant(top: Path) -> None:
    """Fill a folder with one of everything that a Linux file system holds; takes root."""
    base = os.fsencode(top)

    def at(name: bytes) -> bytes:
        return base + b"/" + name

    os.makedirs(at(b"sub/empty"))
    os.makedirs(at(b"deep/" + b"/".join([b"d" * 90] * 5)))
    os.chmod(at(b"sub"), 0o2750)
    for name, content in {
        b"file": b"hello\n",
        b"empty": b"",
        b"block": b"x" * 512,
        b"more": os.urandom(200_001),
        b"\xff\xfe not utf-8": b"bytes",
        b"new\nline and \\": b"odd",
        b"-rf": b"looks like an option",
        b"l" * 255: b"the longest name",
        "später".encode(): b"utf-8",
    }.items():
        with open(at(name), "wb") as file:
            file.write(content)
    os.chmod(at(b"more"), 0o4711)
    os.chown(at(b"file"), 1234, 3_000_000)
    os.setxattr(at(b"file"), "user.note", b"v\0\xff\n=")
    os.setxattr(at(b"sub"), "user.folder", b"")
    os.link(at(b"file"), at(b"sub/hard"))
    os.symlink(b"../../etc/passwd", at(b"out"))
    os.symlink(b"/nowhere/" + b"x" * 200, at(b"dangling"))
    os.lchown(at(b"out"), 5, 6)
    os.mkfifo(at(b"fifo"), 0o600)
    with open(at(b"sparse"), "wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"in the middle")
    os.utime(at(b"file"), ns=(1, 1_234_567_890_123_456_789))
    os.utime(at(b"sub/empty"), ns=(1, 1_000_000_000_000_000_001))
    os.chown(base, 33, 44)
    os.chmod(base, 0o1770)


def snapshot(top: Path) -> Snapshot:
    """Everything that must survive, by path: kind, mode, owners, content, links, attributes, holes, times of files."""
    base = os.fsencode(top)
    found: Snapshot = {}
    inodes: dict[int, bytes] = {}
    for folder, folders, files in os.walk(base):
        for path in sorted([folder, *(folder + b"/" + name for name in files)]):
            _describe(base, path, found, inodes)
        for name in folders:
            if os.path.islink(folder + b"/" + name):
                _describe(base, folder + b"/" + name, found, inodes)
    return found


def _describe(base: bytes, path: bytes, found: Snapshot, inodes: dict[int, bytes]) -> None:
    status = os.lstat(path)
    name = os.path.relpath(path, base)
    kind = stat.S_IFMT(status.st_mode)
    detail: tuple[Any, ...] = ()
    if kind == stat.S_IFLNK:
        detail = (os.readlink(path),)
    elif kind == stat.S_IFREG:
        first = inodes.setdefault(status.st_ino, name)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        is_sparse = status.st_blocks * 512 < status.st_size
        detail = (status.st_size, digest, status.st_mtime_ns, status.st_nlink, is_sparse)
        if first != name:
            assert os.path.samefile(path, base + b"/" + first)
    elif kind == stat.S_IFDIR:
        detail = (status.st_mtime_ns,)
    attributes = tuple(
        (key, os.getxattr(path, key, follow_symlinks=False))
        for key in sorted(os.listxattr(path, follow_symlinks=False))
    )
    found[name] = (kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, *detail, attributes)


def bind_socket(path: Path) -> None:
    """Leave a unix socket behind, as a killed server does."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
