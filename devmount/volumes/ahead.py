"""Reading ahead in a thread, so that the engine, the checksums and the compression work at the same time."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CHUNK = 1 << 20
DEPTH = 8  # chunks


@contextmanager
def ahead(read: Callable[[int], bytes]) -> Iterator[Callable[[int], bytes]]:
    """A read function over what ``read`` gives, fetched in a thread; chunks come as they are."""
    chunks: queue.Queue[bytes | BaseException] = queue.Queue(DEPTH)
    given_up = threading.Event()

    def put(item: bytes | BaseException) -> bool:
        while not given_up.is_set():
            try:
                chunks.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def fetch() -> None:
        try:
            while put(chunk := read(CHUNK)) and chunk:
                pass
        except BaseException as error:  # handed to the one who reads
            put(error)

    ended = False

    def take(_: int) -> bytes:
        nonlocal ended
        if ended:
            return b""
        item = chunks.get()
        if isinstance(item, BaseException):
            ended = True
            raise item
        ended = not item
        return item

    thread = threading.Thread(target=fetch, daemon=True, name="read ahead")
    thread.start()
    try:
        yield take
    finally:
        given_up.set()
        thread.join(5.0)
