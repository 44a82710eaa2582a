"""A volume's content out of and into the engine, as a tar stream; two ways.

GNU tar, run in the helper where an image that is here has it, knows all that a Linux file system holds. Elsewhere the
engine's archive API does it without running anything; that one leaves out extended attributes (but capabilities),
writes holes as zeros and drops fractions of seconds.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from devmount.engine import archive, streams
from devmount.engine.engine import Engine
from devmount.model import Project
from devmount.volumes import helper, tarstream
from devmount.volumes.ahead import ahead
from devmount.volumes.tarstream import Member

RECORD = 1 << 16  # bytes tar writes and reads at once
BATCH = 1 << 19  # bytes sent at once
TOP = helper.TOP.encode()
FULL = "tar"
PLAIN = "archive"
XATTRS = ("--xattrs", "--xattrs-include=*")
OUT = (
    "tar",
    "--create",
    "--format=posix",
    "--pax-option=delete=atime,delete=ctime",
    "--numeric-owner",
    "--sparse",
    *XATTRS,
    f"--record-size={RECORD}",
    f"--directory={helper.FOLDER}",
    helper.TOP,
)
IN = (
    "tar",
    "--extract",
    "--numeric-owner",
    "--same-owner",
    "--same-permissions",
    "--delay-directory-restore",
    *XATTRS,
    f"--record-size={RECORD}",
    f"--directory={helper.FOLDER}",
)
FILES_CHANGED = 1  # tar's exit code when a file changed while it was read


@dataclass(frozen=True, slots=True)
class Way:
    """How the content of one volume goes in and out: the helper's image, and by tar or by the engine's archive API."""

    image: str
    name: str = FULL

    @property
    def is_full(self) -> bool:
        """Whether everything goes: extended attributes, holes, fractions of seconds."""
        return self.name == FULL


def way(engine: Engine, project: Project, volume: str) -> Way:
    """The best way for this volume."""
    image, has_tar = helper.find_image(engine, project, volume)
    return Way(image, FULL if has_tar else PLAIN)


@contextmanager
def reading(engine: Engine, way: Way, made: str, *, live: bool = False) -> Iterator[Callable[[int], bytes]]:
    """The content as a stream whose members lie below ``helper.TOP``.

    Args:
        made: a helper, created with the command ``OUT``.
        live: programs write into the volume meanwhile, so that files may change under the reading.
    """
    if way.is_full:
        allowed = (0, FILES_CHANGED) if live else (0,)
        with streams.output(engine, made, allowed=allowed) as output, ahead(output.read) as read:
            yield read
    else:
        with archive.download(engine, made, helper.MOUNT) as body, ahead(body.read) as read:
            yield read


def write(engine: Engine, project: Project, way: Way, volume: str, content: Iterable[Member | memoryview]) -> None:
    """Put members, whose names are relative to the volume, and their data into the volume."""
    with helper.helper(engine, project, way.image, volume, writable=True, command=IN) as made:
        if way.is_full:
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
