"""A program in a container of its own, run to its end with a stream at its standard input or output."""

import re
import socket
import struct
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from devmount.engine.engine import Engine, explained
from devmount.errors import DevmountError

HEADER = struct.Struct(">BxxxL")  # of a frame: the stream's number, and the length of what follows
STDOUT = 1
KEPT = 4096  # bytes of standard error, for the message
CLOSE_WAIT = 10.0  # seconds for the engine to end a connection whose container has ended


class Output:
    """What a program writes, as it comes. See ``output``."""

    def __init__(self, engine: Engine, container: str, allowed: Collection[int]) -> None:
        self._engine = engine
        self._container = container
        self._allowed = allowed
        self._raw = _attach(engine, container, {"stdout": 1, "stderr": 1, "stream": 1})
        self._response = self._raw._response
        self._reader = self._response.raw._fp.fp
        self._errors = b""
        self._left = 0  # bytes of the frame under way
        self._ended = False

    def read(self, size: int) -> bytes:
        """Some bytes of standard output, at most ``size``; none at the end.

        Raises:
            DevmountError: the connection broke, or the program ended with an exit code that is not allowed.
        """
        while not self._ended:
            if self._left:
                data: bytes = self._take(min(size, self._left))
                self._left -= len(data)
                return data
            head = self._take(HEADER.size, may_end=True)
            if not head:
                self._finish()
                break
            number, length = HEADER.unpack(head)
            if number == STDOUT:
                self._left = length
            else:
                self._errors = (self._errors + self._take(length))[-KEPT:]
        return b""

    def close(self) -> None:
        """End the connection."""
        self._response.close()

    def _take(self, size: int, *, may_end: bool = False) -> bytes:
        try:
            data: bytes = self._reader.read(size)
        except (OSError, ValueError) as error:
            raise DevmountError(f"the connection to the helper container broke: {error}", self._container) from error
        if len(data) < size and not (may_end and not data):
            raise DevmountError("the connection to the helper container broke", self._container)
        return data

    def _finish(self) -> None:
        self._ended = True
        code = self._engine.wait(self._container)
        if code not in self._allowed:
            raise failed(code, self._errors, self._container)


@contextmanager
def output(engine: Engine, container: str, *, allowed: Collection[int] = (0,)) -> Iterator[Output]:
    """Start a created container and read what it writes.

    Args:
        allowed: exit codes that are no failure.
    """
    opened = Output(engine, container, allowed)
    try:
        engine.start(container, "that helps")
        yield opened
    finally:
        opened.close()


class Listener:
    """A created container, started on request, and what it says on its standard output and error.

    with Listener(engine, container) as said:
        said.start()
        ...
        said.check()
    """

    def __init__(self, engine: Engine, container: str, *, stdin: bool = False) -> None:
        self._engine = engine
        self._container = container
        given = {"stdin": 1} if stdin else {}
        self._raw = _attach(engine, container, {**given, "stdout": 1, "stderr": 1, "stream": 1})
        self._reader = self._raw._response.raw._fp.fp
        self._thread = threading.Thread(target=self._listen, name="helper", daemon=True)
        self._said = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw._response.close()

    @property
    def socket(self) -> socket.socket:
        """The connection, to write to its standard input."""
        found: socket.socket = getattr(self._raw, "_sock", self._raw)
        return found

    def start(self) -> None:
        self._engine.start(self._container, "that helps")
        self._thread.start()

    def check(self, allowed: Collection[int] = (0,), *, early: bool = False) -> None:
        """Wait for its end.

        Args:
            allowed: exit codes that are no failure.
            early: it has ended too early, so that no exit code is right.

        Raises:
            DevmountError: its exit code is not allowed; with what it said.
        """
        code = self._engine.wait(self._container)
        self._thread.join(CLOSE_WAIT)
        if early or code not in allowed:
            raise failed(code, bytes(self._said), self._container)

    def _listen(self) -> None:
        """Take what the program says, or it would wait for that."""
        try:
            while head := self._reader.read(HEADER.size):
                data = self._reader.read(HEADER.unpack(head)[1])
                if len(self._said) < KEPT:
                    self._said.extend(data)
        except (OSError, ValueError, struct.error):
            return  # its exit code tells what became of it


def feed(engine: Engine, container: str, chunks: Iterable[bytes]) -> None:
    """Start a created container, write the chunks to its standard input, and wait for its end.

    The program must know by itself where its input ends.

    Raises:
        DevmountError: it failed; what it said is in the message.
    """
    with Listener(engine, container, stdin=True) as said:
        said.start()
        broken: OSError | None = None
        try:
            for chunk in chunks:
                said.socket.sendall(chunk)
        except OSError as error:
            broken = error
        said.check()
        if broken is not None:
            raise DevmountError(f"the connection to the helper container broke: {broken}", container) from broken


def failed(code: int, said: bytes, container: str) -> DevmountError:
    """The error of a program that ended with ``code``, in its own words."""
    text = said.decode(errors="backslashreplace").strip()
    full = disk_full(text)
    first = full or text.partition("\n")[0]
    hint = "make room on the engine's disk" if full else ""
    if code == 137:
        first = "it was killed"
    return DevmountError(f"the helper container failed with exit code {code}: {first or 'it said nothing'}", "", hint)


def disk_full(said: str) -> str:
    """The line in which a tar says that the disk is full, in one of its two ways; empty where it does not."""
    for line in said.splitlines():
        if "No space left" in line:
            return line
        if re.search(r": Wrote only \d+ of \d+ bytes", line):
            return f"{line}: No space left on device"
    return ""


def _attach(engine: Engine, container: str, parameters: dict[str, int]) -> Any:
    with explained("the helper container's streams cannot be opened", container):
        return engine.client.attach_socket(container, params=parameters)
