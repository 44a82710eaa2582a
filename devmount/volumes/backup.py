"""Writing a backup: one pass over the volume's content, into one file that appears when it is whole."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from devmount import __version__
from devmount.engine import archive
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Project, Volume
from devmount.volumes import checks, compression, manifest, store, tarstream
from devmount.volumes.behind import Passing, behind
from devmount.volumes.manifest import Manifest
from devmount.volumes.users import Hold, reading


class Progress(Protocol):
    """Is told of work as it goes on."""

    def __call__(self, done: int, total: int | None) -> None:
        """Bytes done, and bytes in all where they are known."""

    def step(self, what: str) -> None:
        """Another part of the work begins, such as "verifying"."""


SPARE = 512  # bytes by which the manifest's final numbers may make it longer
SPOOL = 4 << 20  # bytes of checksums kept in memory; more go to a temporary file


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup file."""

    path: Path
    manifest: Manifest


def backup(
    engine: Engine,
    project: Project,
    volume: Volume,
    *,
    hold: Hold = Hold.PAUSE,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Backup:
    """Write the volume's content to a file; ``output`` None: one in the project's backup folder.

    Raises:
        DevmountError: there is no such volume, it cannot be read, or the file cannot be written; then there is no file.
    """
    found = existing(engine, volume)
    path = output.absolute() if output else store.new_backup(project.name, volume.engine_name)
    if not path.parent.is_dir():
        raise DevmountError("there is no such folder", str(path.parent), "make it, or name another file")
    store.sweep(path.parent)
    total = total_size(engine, volume, progress)
    begun = Manifest(
        volume=volume.name,
        engine_name=volume.engine_name,
        project=project.name,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        driver=found["Driver"],
        options=found.get("Options") or {},
        labels=found.get("Labels") or {},
        devmount=__version__,
        engine=engine.version(),
    )
    with store.whole_file(path) as file:
        with reading(engine, project, volume.engine_name, hold) as opened:
            begun = replace(begun, users=opened.users, way=opened.way.name)
            written = write(file, begun, opened.read, lambda done: progress(done, total) if progress else None)
        return Backup(path, written)


def existing(engine: Engine, volume: Volume) -> dict[str, Any]:
    """The engine's description of the volume.

    Raises:
        DevmountError: there is none.
    """
    found = engine.volume(volume.engine_name)
    if found is None:
        hint = f"make it: devmount volume create {volume.name}, or devmount up"
        raise DevmountError(f"the volume {volume.name!r} does not exist yet", volume.engine_name, hint)
    return found


def total_size(engine: Engine, volume: Volume, progress: Progress | None) -> int | None:
    """Bytes on the engine's disk, where someone wants to see progress and the driver tells."""
    return archive.sizes(engine).get(volume.engine_name) if progress else None


def write(file: BinaryIO, begun: Manifest, read: Callable[[int], bytes], progress: Callable[[int], object]) -> Manifest:
    """Write a backup of the tar stream ``read`` gives, whose members lie below ``data``; its manifest.

    The manifest comes first but is known last: a frame that readers skip holds its place.
    """
    reserved = len(_manifest_frame(begun)) + SPARE
    file.write(compression.skippable(reserved))
    packed = compression.writer(file)
    members = files = content_bytes = end = 0
    owner, mode = begun.owner, begun.mode
    with tempfile.SpooledTemporaryFile(SPOOL) as sums, behind(packed.write) as put:
        passing = Passing(read, put)
        source = tarstream.Reader(passing.read, begun.engine_name)
        for member in source:
            name = checks.relative(member.name, manifest.TOP, begun.engine_name)
            if name == b".":
                owner, mode = f"{member.uid}:{member.gid}", f"{member.mode:04o}"
            members += 1
            if member.kind == tarstream.FILE:
                digest = hashlib.sha256()
                for piece in source.data(member):
                    digest.update(piece)
                    passing.upto(source.consumed)
                    progress(source.consumed)
                files += 1
                content_bytes += member.size
                sums.write(
                    manifest.checksum_line(
                        manifest.TOP + b"/" + name, digest.hexdigest(), sparse=member.sparse is not None
                    )
                )
            end = source.consumed
        passing.last(end)
        source.rest()
        size = sums.tell()
        put(tarstream.encode(tarstream.Member(manifest.CHECKSUMS, size=size)))
        sums.seek(0)
        while line := sums.read(tarstream.CHUNK):
            put(line)
        put(b"\0" * (-size % tarstream.BLOCK) + tarstream.END)
    packed.close()
    file.flush()
    made = replace(
        begun,
        members=members,
        files=files,
        content_bytes=content_bytes,
        owner=owner,
        mode=mode,
        archive_bytes=file.seek(0, 2),
    )
    first = _manifest_frame(made)
    if len(first) + 8 > reserved:
        raise DevmountError("the manifest has no room in the backup", begun.engine_name)
    file.seek(0)
    file.write(first + compression.skippable(reserved - len(first)))
    return made


def _manifest_frame(made: Manifest) -> bytes:
    body = made.to_json()
    head = tarstream.encode(tarstream.Member(manifest.MANIFEST, size=len(body)))
    return compression.frame(head + tarstream.padded(body))
