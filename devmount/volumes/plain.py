"""Plain tars and folders: content without a manifest, in and out."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from devmount.engine import streams
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Project, Volume
from devmount.volumes import compression, store, transport, work
from devmount.volumes.backup import Progress, existing, total_size
from devmount.volumes.fill import Target, tar_content
from devmount.volumes.restore import Restored, counted, into, reading
from devmount.volumes.users import Hold

PACKED: dict[bytes, Callable[[BinaryIO], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def import_content(
    engine: Engine,
    project: Project,
    volume: Volume,
    path: Path,
    *,
    replace: bool = False,
    force: bool = False,
    devices: bool = False,
    progress: Progress | None = None,
) -> Restored:
    """Put what is in a folder, or in a tar (plain, gzip, bzip2, xz or zstd), into a new or empty volume.

    A tar is read once to check it before anything is touched.

    Raises:
        DevmountError: it cannot be read, or holds what must not get into a volume; the volume is as it was.
    """
    if not path.exists():
        raise DevmountError("there is no such file or folder", str(path), "check the path")
    target = Target(volume.engine_name, volume.driver, volume.options, work.labels(project, volume))
    if not path.is_dir():
        with opened_tar(path) as read:
            for _ in tar_content(read, str(path), b"", devices=devices):
                pass
    with folder_tar(path) if path.is_dir() else opened_tar(path) as read:
        content = counted(tar_content(read, str(path), b"", devices=devices), None, progress)
        kept = into(engine, project, volume, target, content, replace=replace, force=force, progress=progress)
    return Restored(volume.engine_name, kept)


def export_content(
    engine: Engine,
    project: Project,
    volume: Volume,
    out: "Path | IO[bytes]",
    *,
    hold: Hold = Hold.PAUSE,
    progress: Progress | None = None,
) -> None:
    """Write the content as a plain tar to a file or a stream, or, where ``out`` is a folder or ends in "/", as files.

    Raises:
        DevmountError: it cannot be read or written; then there is no file, and no folder.
    """
    existing(engine, volume)
    total = total_size(engine, volume, progress)
    with reading(engine, project, volume, hold) as content:
        chunks = transport.encoded(counted(content, total, progress, "reading"), b".")
        if not isinstance(out, Path):
            _write(out, chunks)
        elif out.is_dir():
            _unpack(out, chunks)
        else:
            with store.whole_file(out) as file:
                _write(file, chunks)


def _write(file: IO[bytes], chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        file.write(chunk)
    file.flush()


@contextmanager
def opened_tar(path: Path) -> Iterator[Callable[[int], bytes]]:
    """A read function over the tar in a file, decompressed."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DevmountError(f"the archive cannot be read: {error.strerror}", str(path), "check the path") from error
    with file:
        magic = file.read(6)
        file.seek(0)
        if magic.startswith(compression.MAGIC) or magic.startswith(compression.SKIPPABLE):
            yield compression.reader(file, str(path))
            return
        made = next((make for begin, make in PACKED.items() if magic.startswith(begin)), None)
        source = made(file) if made else file

        def read(size: int) -> bytes:
            try:
                data: bytes = source.read(size)
            except (OSError, EOFError, lzma.LZMAError) as error:
                raise DevmountError(f"the archive is damaged: {error}", str(path), "use another") from error
            return data

        yield read


def _tar() -> list[str]:
    """The host's own tar, for folders of the host."""
    found = shutil.which("tar")
    if found is None:
        raise DevmountError("there is no tar on this host", "", "install it; a tar file needs none")
    return [found]


@contextmanager
def folder_tar(path: Path) -> Iterator[Callable[[int], bytes]]:
    """A read function over a tar of what is in a folder of the host."""
    tar = _tar()
    version = subprocess.run([*tar, "--version"], capture_output=True, text=True, timeout=20).stdout
    more = ["--sparse", *transport.XATTRS] if "GNU tar" in version else []
    argv = [*tar, "--create", "--format=pax", "--numeric-owner", *more, "--file=-", f"--directory={path}", "."]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        assert process.stdout is not None
        pipe = process.stdout
        ended = False

        def read(size: int) -> bytes:
            nonlocal ended
            data = pipe.read(size)
            if not data and not ended:
                ended = True
                _check(process.wait(), said, path)
            return data

        try:
            yield read
        finally:
            pipe.close()
            process.kill()
            process.wait()


def _unpack(folder: Path, chunks: Iterable[bytes]) -> None:
    """Unpack a tar stream in an empty folder, all of it or nothing."""
    if any(folder.iterdir()):
        raise DevmountError("the folder is not empty", str(folder), "name an empty one, or a new file")
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=store.PARTIAL, dir=folder.parent))
    try:
        with tempfile.TemporaryFile() as said:
            argv = [*_tar(), "--extract", "--file=-", f"--directory={beside}"]
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
            assert process.stdin is not None
            try:
                _write(process.stdin, chunks)
                process.stdin.close()
            except BrokenPipeError:
                pass  # its exit code tells why it ended
            except BaseException:
                process.kill()
                raise
            _check(process.wait(), said, folder)
        folder.rmdir()
        os.rename(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _check(code: int, said: IO[bytes], path: Path) -> None:
    if code:
        said.seek(0)
        text = said.read(4096).decode(errors="backslashreplace")
        full = streams.disk_full(text)
        first = full or text.partition("\n")[0] or "it said nothing"
        raise DevmountError(f"tar failed with exit code {code}: {first}", str(path), "make room there" if full else "")
