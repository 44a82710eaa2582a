"""Reading a backup: its manifest alone, or all of it, checked."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from devmount.errors import DevmountError
from devmount.volumes import compression, manifest, tarstream
from devmount.volumes.ahead import ahead
from devmount.volumes.checks import Checker
from devmount.volumes.manifest import Manifest
from devmount.volumes.tarstream import Member, Reader

HINT = "use another backup: devmount volume backups"
SPOOL = 4 << 20


def open_backup(path: Path) -> BinaryIO:
    """The file, opened to read.

    Raises:
        DevmountError: it cannot be read, or is not a backup.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DevmountError(f"the backup cannot be read: {error.strerror}", str(path), HINT) from error
    magic = file.read(4)
    file.seek(0)
    if magic != compression.MAGIC:
        file.close()
        raise DevmountError("this is no backup of a volume", str(path), "a plain tar: devmount volume import")
    return file


def read_manifest(path: Path) -> Manifest:
    """The manifest alone, which is quick; nothing else is checked."""
    with open_backup(path) as file:
        return _first(Reader(compression.reader(file, str(path)), str(path)), str(path))


def _first(source: Reader, what: str) -> Manifest:
    member = next(iter(source), None)
    if member is None or member.name != manifest.MANIFEST or member.kind != tarstream.FILE:
        raise DevmountError("this is no backup of a volume: it has no manifest", what, HINT)
    if member.size > manifest.LONGEST_MANIFEST:
        raise DevmountError("the backup's manifest is too long", what, HINT)
    return manifest.from_json(b"".join(source.data(member)), what)


def verify(
    file: BinaryIO, what: str, *, devices: bool, progress: Callable[[int, int | None], None] | None = None
) -> tuple[Manifest, int]:
    """Read all of a backup and check it against itself, without keeping any of it.

    Returns:
        Its manifest, and how many symbolic links point outside the volume.

    Raises:
        DevmountError: it is damaged, or holds what must not get into a volume.
    """
    length = file.seek(0, 2)
    file.seek(0)
    with ahead(compression.reader(file, what)) as read, tempfile.SpooledTemporaryFile(SPOOL) as sums:
        source = Reader(read, what)
        told = _first(source, what)
        if told.archive_bytes != length:
            raise DevmountError(
                f"the backup is damaged: it has {length} bytes, its manifest says {told.archive_bytes}", what, HINT
            )
        checker = Checker(manifest.TOP, what, devices=devices)
        members = files = size = 0
        closing: Member | None = None
        for member in source:
            if member.name == manifest.CHECKSUMS:
                closing = member
                break
            name = checker.check(member).name
            members, size = members + 1, size + member.size
            if members > told.members or size > told.content_bytes:
                raise DevmountError("the backup is refused: it holds more than its manifest says", what, HINT)
            if member.kind == tarstream.FILE:
                files += 1
                digest = hashlib.sha256()
                for piece in source.data(member):
                    digest.update(piece)
                    if progress:
                        progress(source.consumed, told.content_bytes)
                sums.write(
                    manifest.checksum_line(
                        manifest.TOP + b"/" + name, digest.hexdigest(), sparse=member.sparse is not None
                    )
                )
        if closing is None or (members, files, size) != (told.members, told.files, told.content_bytes):
            raise DevmountError("the backup is damaged: it holds less than its manifest says", what, HINT)
        _compare(source, closing, sums, what)
        if next(iter(source), None) is not None:
            raise DevmountError("the backup is refused: there is something after its checksums", what, HINT)
        source.rest()
    return told, checker.leading_out


def _compare(source: Reader, closing: Member, sums: "tempfile.SpooledTemporaryFile[bytes]", what: str) -> None:
    same = closing.size == sums.tell()
    sums.seek(0)
    for piece in source.data(closing):
        if same and sums.read(len(piece)) != piece:
            same = False
    if not same:
        raise DevmountError("the backup is damaged: the files do not fit their checksums", what, HINT)
