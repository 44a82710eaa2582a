"""A command in a container with the caller's own terminal, or pipes, at its streams."""

import os
import selectors
import signal
import socket
import struct
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from devmount.engine import spec as specs
from devmount.engine.engine import Engine, explained

CHUNK = 65536
STDERR = 2
HEADER = struct.Struct(">BxxxL")  # of a frame: the stream's number, and the length of what follows


def exec_interactive(engine: Engine, container: str, argv: Sequence[str], user: str | None, workdir: str | None) -> int:
    """Run ``argv`` in a running container, with a terminal where standard input and output are one; its exit code."""
    terminal = _has_terminal()
    with explained(f"{argv[0]!r} cannot be run in the container", container):
        made = engine.client.exec_create(
            container, list(argv), stdin=True, tty=terminal, user=user or "", workdir=workdir
        )["Id"]
        raw = engine.client.exec_start(made, tty=terminal, socket=True)
        with _resizing(lambda rows, columns: engine.client.exec_resize(made, rows, columns), terminal):
            _copy(raw, terminal)
        return int(engine.client.exec_inspect(made)["ExitCode"] or 0)


def run_interactive(engine: Engine, spec: specs.Spec) -> int:
    """Create a container for one command, follow it to its end, remove it; the command's exit code."""
    terminal = _has_terminal()
    container = engine.create(spec)
    try:
        with explained("the command cannot be run", container):
            parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            raw = engine.client.attach_socket(container, params=parameters)
            engine.start(container, "of the command")
            with _resizing(lambda rows, columns: engine.client.resize(container, rows, columns), terminal):
                _copy(raw, terminal)
        return engine.wait(container)
    finally:
        engine.remove(container)


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def _resizing(resize: Callable[[int, int], Any], terminal: bool) -> Iterator[None]:
    """Give the terminal's size now and at each SIGWINCH; put the terminal into raw mode for the time."""
    if not terminal:
        yield
        return

    def tell(*_: object) -> None:
        size = os.get_terminal_size()
        try:
            resize(size.lines, size.columns)
        except Exception:
            return

    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    handler = signal.signal(signal.SIGWINCH, tell)
    try:
        tty.setraw(stdin, termios.TCSADRAIN)  # what was typed ahead is kept
        tell()
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)


def _copy(raw: Any, terminal: bool) -> None:
    """Standard input to the socket, the socket to standard output and error, until the socket's end."""
    connection: socket.socket = getattr(raw, "_sock", raw)
    buffered = raw._response.raw._fp.fp
    stdin = sys.stdin.fileno()
    write = _write_raw if terminal else _Frames().write
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        try:
            selector.register(stdin, selectors.EVENT_READ)
        except PermissionError:
            _send_all(connection, stdin)  # a regular file cannot be polled (epoll_ctl(2)); it is read at once
        while True:
            for key, _ in selector.select():
                if key.fd == stdin:
                    data = os.read(stdin, CHUNK)
                    if data:
                        connection.sendall(data)
                    else:
                        selector.unregister(stdin)
                        connection.shutdown(socket.SHUT_WR)
                else:
                    data = buffered.read1(CHUNK)
                    if not data:
                        return
                    write(data)


def _send_all(connection: socket.socket, source: int) -> None:
    while data := os.read(source, CHUNK):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def _write_raw(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class _Frames:
    """Takes the multiplexed stream apart without looking at lines: what is piped through must stay as it is."""

    def __init__(self) -> None:
        self._rest = b""

    def write(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= HEADER.size:
            number, length = HEADER.unpack_from(self._rest)
            end = HEADER.size + length
            if len(self._rest) < end:
                return
            stream = sys.stderr if number == STDERR else sys.stdout
            stream.buffer.write(self._rest[HEADER.size : end])
            stream.buffer.flush()
            self._rest = self._rest[end:]
