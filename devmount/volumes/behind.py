"""Writing behind in a thread, the counterpart of ``ahead``; and a stream passed on there as it is read."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DEPTH = 8  # chunks

Bytes = bytes | memoryview


@contextmanager
def behind(write: Callable[[Bytes], object]) -> Iterator[Callable[[Bytes], None]]:
    """A write function whose chunks reach ``write`` in a thread; all of them have when the block ends without an error.

    What ``write`` raises is raised by the next call, or at the block's end.
    """
    chunks: queue.Queue[Bytes | None] = queue.Queue(DEPTH)
    failed: list[BaseException] = []

    def work() -> None:
        while (chunk := chunks.get()) is not None:
            if not failed:
                try:
                    write(chunk)
                except BaseException as error:  # handed to the one who writes
                    failed.append(error)

    def put(chunk: Bytes) -> None:
        if failed:
            raise failed[0]
        chunks.put(chunk)

    thread = threading.Thread(target=work, daemon=True, name="write behind")
    thread.start()
    try:
        yield put
    finally:
        chunks.put(None)
        thread.join()
    if failed:
        raise failed[0]


class Passing:
    """Reads through ``read``, and passes on what has been read as far as it is told, in the chunks that came.

    Args:
        read: gives up to so many bytes; none at the end.
        passed: takes each chunk.
    """

    def __init__(self, read: Callable[[int], bytes], passed: Callable[[Bytes], None]) -> None:
        self._read = read
        self._passed = passed
        self._chunks: deque[bytes] = deque()
        self._begin = 0  # the offset of the first chunk that is held

    def read(self, size: int) -> bytes:
        chunk = self._read(size)
        self._chunks.append(chunk)
        return chunk

    def upto(self, offset: int) -> None:
        """Pass on the chunks that lie wholly before the offset."""
        while self._chunks and self._begin + len(self._chunks[0]) <= offset:
            chunk = self._chunks.popleft()
            self._begin += len(chunk)
            self._passed(chunk)

    def last(self, offset: int) -> None:
        """Pass on all that lies before the offset, and nothing more after that."""
        self.upto(offset)
        if self._chunks and offset > self._begin:
            self._passed(memoryview(self._chunks[0])[: offset - self._begin])
        self._passed = lambda chunk: None
