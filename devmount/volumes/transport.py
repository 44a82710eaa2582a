"""A volume's content out of and into the engine, as a tar stream; two ways.

GNU tar, run in the helper, knows all that a Linux file system holds; it is the one of an image that is here, else this
host's, put into the helper. With neither, the engine's archive API does it without running anything; that one leaves
out extended attributes (but capabilities), writes holes as zeros and drops fractions of seconds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devmount.engine import archive, pipes, streams
from devmount.engine.engine import Engine
from devmount.model import Project
from devmount.volumes import helper, tarstream
from devmount.volumes.ahead import ahead
from devmount.volumes.helper import Tar
from devmount.volumes.tarstream import Member

RECORD = 1 << 20  # bytes tar writes and reads at once; with its own 10 KiB it spends twice the time in the kernel
BATCH = 1 << 20  # bytes sent at once
TOP = helper.TOP.encode()
FULL = "tar"
PLAIN = "archive"
XATTRS = ("--xattrs", "--xattrs-include=*")
OUT = (
    "--create",
    "--format=posix",
    "--pax-option=delete=atime,delete=ctime",
    "--numeric-owner",
    "--sparse",
    *XATTRS,
    f"--record-size={RECORD}",
    f"--directory={helper.FOLDER}",
)
IN = (
    "--extract",
    "--numeric-owner",
    "--same-owner",
    "--same-permissions",
    "--delay-directory-restore",
    *XATTRS,
    f"--record-size={RECORD}",
    "--read-full-records",
    f"--directory={helper.FOLDER}",
)
FILES_CHANGED = 1  # tar's exit code when a file changed while it was read


@dataclass(frozen=True, slots=True)
class Way:
    """How the content of one volume goes in and out. ``tar`` None: through the engine's archive API."""

    image: str
    tar: Tar | None

    @property
    def name(self) -> str:
        """For the manifest."""
        return PLAIN if self.tar is None else FULL

    @property
    def put(self) -> bytes:
        """What the helper needs before it runs."""
        return self.tar.packed if self.tar else b""

    def command(self, arguments: Sequence[str], pipe: Path | None) -> tuple[str, ...]:
        """tar's command line; its archive is the pipe, else its standard input or output."""
        return (*self.tar.argv, *arguments, f"--file={helper.PIPE if pipe else '-'}") if self.tar else helper.NOTHING


def way(engine: Engine, project: Project, volume: str) -> Way:
    """The best way for this volume."""
    return Way(*helper.find_image(engine, project, volume))


@contextmanager
def _pipe(project: Project, way: Way, name: str) -> Iterator[Path | None]:
    """A pipe, where the way takes one."""
    if way.tar is not None and way.tar.pipes:
        with helper.pipe(project, name) as path:
            yield path
    else:
        yield None


@dataclass(frozen=True, slots=True)
class Reader:
    """A created helper that reads a volume."""

    engine: Engine
    way: Way
    container: str
    pipe: Path | None

    @contextmanager
    def content(self, *, live: bool = False) -> Iterator[Callable[[int], bytes]]:
        """The content as a stream whose members lie below ``helper.TOP``.

        Args:
            live: programs write into the volume meanwhile, so that files may change under the reading.
        """
        allowed = (0, FILES_CHANGED) if live else (0,)
        opened: AbstractContextManager[Any]
        if self.pipe is not None:
            opened = pipes.output(self.engine, self.container, self.pipe, allowed=allowed)
        elif self.way.tar is not None:
            opened = streams.output(self.engine, self.container, allowed=allowed)
        else:
            opened = archive.download(self.engine, self.container, helper.MOUNT)
        with opened as output, ahead(output.read) as read:
            yield read


@contextmanager
def reader(engine: Engine, project: Project, way: Way, volume: str, labels: Mapping[str, str]) -> Iterator[Reader]:
    """A helper to read the volume, with labels that tell what to put right when this process dies.

    The block's end leaves the helper there, for its labels: to be removed when all is right.
    """
    with _pipe(project, way, "out") as path:
        command = way.command((*OUT, helper.TOP), path)
        made = helper.create(engine, project, way.image, volume, labels, command=command, put=way.put, pipe=path)
        yield Reader(engine, way, made, path)


def write(engine: Engine, project: Project, way: Way, volume: str, content: Iterable[Member | memoryview]) -> None:
    """Put members, whose names are relative to the volume, and their data into the volume."""
    with (
        _pipe(project, way, "in") as path,
        helper.helper(
            engine,
            project,
            way.image,
            volume,
            writable=True,
            command=way.command(IN, path),
            put=way.put,
            pipe=path,
        ) as made,
    ):
        if path is not None:
            pipes.feed(engine, made, path, encoded(content, TOP))
        elif way.tar is not None:
            streams.feed(engine, made, encoded(content, TOP))
        elif engine.is_podman():
            archive.upload(engine, made, helper.MOUNT, encoded(content, b"."))  # it unpacks nowhere else
        else:
            # Docker takes the top folder's owner and mode only from an entry with a name, and symbolic links only
            # where they lead to something below the place of unpacking.
            archive.upload(engine, made, "/", encoded(content, helper.MOUNT.strip("/").encode()))


def encoded(content: Iterable[Member | memoryview], top: bytes) -> Iterator[bytes]:
    """The tar stream of the members below ``top``, in batches; whole records, since tar waits for a whole one."""
    parts: list[bytes | memoryview] = []
    size = gathered = left = total = 0
    for item in content:
        if isinstance(item, Member):
            size = left = item.size
            part: bytes | memoryview = tarstream.encode(_below(item, top))
        else:
            part = item
            left -= len(item)
        parts.append(part)
        gathered += len(part)
        if not left and not isinstance(item, Member):
            parts.append(b"\0" * (-size % tarstream.BLOCK))
            gathered += len(parts[-1])
        if gathered >= BATCH:
            total += gathered
            yield b"".join(parts)
            parts, gathered = [], 0
    parts.append(tarstream.END)
    total += gathered + len(tarstream.END)
    parts.append(b"\0" * (-total % RECORD))
    yield b"".join(parts)


def _below(member: Member, top: bytes) -> Member:
    name = top if member.name == b"." else top + b"/" + member.name
    link = top + b"/" + member.link if member.kind == tarstream.HARD_LINK else member.link
    return replace(member, name=name, link=link)
