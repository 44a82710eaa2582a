"""Zstandard, as streams."""

import importlib
import os
from collections.abc import Callable
from typing import Any, BinaryIO

from devmount.errors import DevmountError

LEVEL = 3  # zstd's own default
MOST_THREADS = 4
LARGEST_WINDOW = 1 << 27  # bytes: an archive must not make a reader take more memory than this
MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE = b"\x50\x2a\x4d\x18"


def _zstandard() -> Any:
    return importlib.import_module("zstandard")  # imported only where a backup is written or read


def writer(file: BinaryIO, level: int = LEVEL) -> Any:
    """A writable whose bytes reach ``file`` compressed, with a checksum; to be closed."""
    # On two processors a second thread takes from tar and the checksums what it gives.
    processors = os.cpu_count() or 1
    threads = min(processors - 1, MOST_THREADS) if processors > 2 else 0
    compressor = _zstandard().ZstdCompressor(level=level, write_checksum=True, threads=threads)
    return compressor.stream_writer(file, closefd=False)


def frame(data: bytes) -> bytes:
    """One whole frame."""
    made: bytes = _zstandard().ZstdCompressor(level=LEVEL, write_checksum=True).compress(data)
    return made


def skippable(size: int) -> bytes:
    """A frame of ``size`` bytes, at least 8, that readers pass over."""
    return SKIPPABLE + (size - 8).to_bytes(4, "little") + b"\0" * (size - 8)


def reader(file: BinaryIO, what: str) -> Callable[[int], bytes]:
    """A read function over the decompressed content of all frames.

    It raises DevmountError where the content is damaged.
    """
    module = _zstandard()
    stream = module.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(file, read_across_frames=True)

    def read(size: int) -> bytes:
        try:
            data: bytes = stream.read(size)
        except module.ZstdError as error:
            raise DevmountError(f"the archive is damaged: {error}", what, "use another backup") from error
        return data

    return read
