"""A program in a container, run to its end with a named pipe of this machine as its input or output.

Where the engine runs on this machine's kernel, a pipe that is mounted into the container takes the bytes past the
engine, which would copy each of them several times.
"""

import fcntl
import os
import select
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devmount.engine.engine import Engine
from devmount.engine.streams import Listener

CAPACITY = 1 << 20  # bytes a pipe holds; what the kernel gives an ordinary user at most
LOOK = 0.25  # seconds between two looks whether the program still runs
OPEN_POLL = 0.002


def make(path: Path) -> None:
    """A new named pipe of the caller's alone, in the place of one that is there."""
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)


class Output:
    """What a program writes into a pipe. See ``output``."""

    def __init__(self, engine: Engine, container: str, path: Path, said: Listener, allowed: Collection[int]) -> None:
        self._engine = engine
        self._container = container
        self._said = said
        self._allowed = allowed
        self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._begun = self._ended = False

    def read(self, size: int) -> bytes:
        """Some bytes, at most ``size``; none at the end.

        Raises:
            DevmountError: the program ended with an exit code that is not allowed.
        """
        if not self._begun:
            self._begun = self.opened()
            os.set_blocking(self._pipe, True)
        data = b"" if self._ended or not self._begun else os.read(self._pipe, size)
        if not data and not self._ended:
            self._ended = True
            self._said.check(self._allowed)
        return data

    def opened(self, seconds: float | None = None) -> bool:
        """Wait until the program has opened the pipe; False when it ended without, or did not in ``seconds``."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        deadline = None if seconds is None else time.monotonic() + seconds
        while not poll.poll(LOOK * 1000):
            if not self._engine.inspect(self._container).running:
                return bool(poll.poll(0))  # it may have written everything and ended meanwhile
            if deadline is not None and time.monotonic() > deadline:
                return False
        return True

    def close(self) -> None:
        os.close(self._pipe)


@contextmanager
def output(engine: Engine, container: str, path: Path, *, allowed: Collection[int] = (0,)) -> Iterator[Output]:
    """Start a created container, which has the pipe ``path`` mounted, and read what it writes there.

    Args:
        allowed: exit codes that are no failure.
    """
    with Listener(engine, container) as said:
        opened = Output(engine, container, path, said, allowed)
        _widen(opened._pipe)
        try:
            said.start()
            yield opened
        finally:
            opened.close()


def feed(engine: Engine, container: str, path: Path, chunks: Iterable[bytes]) -> None:
    """Start a created container, which has the pipe ``path`` mounted, write the chunks there, and wait for its end.

    Raises:
        DevmountError: it failed; what it said is in the message.
    """
    with Listener(engine, container) as said:
        said.start()
        pipe = _open_to_write(engine, container, path)
        if pipe is not None:
            _widen(pipe)
            try:
                for chunk in chunks:
                    left = memoryview(chunk)
                    while left:
                        left = left[os.write(pipe, left) :]
            except BrokenPipeError:
                pass  # its exit code tells why it ended
            finally:
                os.close(pipe)
        said.check((0,), early=pipe is None)


def _open_to_write(engine: Engine, container: str, path: Path) -> int | None:
    """The pipe, opened once the program has opened its end; None when the program ended without."""
    looked = time.monotonic()
    while True:
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # nobody reads yet
            if time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                if not engine.inspect(container).running:
                    return None
            time.sleep(OPEN_POLL)
        else:
            os.set_blocking(pipe, True)
            return pipe


def _widen(pipe: int) -> None:
    with suppress(OSError, AttributeError):  # the kernel's limit for all of the user's pipes
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, CAPACITY)
