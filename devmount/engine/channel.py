"""The open line to a container: what it writes comes in, commands to its supervisor go out."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class Channel:
    """An attach connection, read by a thread of its own.

    Args:
        raw: what the SDK's ``attach_socket`` returned.
        receive: called from the reading thread with each chunk of the multiplexed stream, as it came.
        closed: called from the reading thread, once, when the connection has ended, by whichever side.
        commands: another such connection, which commands go to instead.
    """

    def __init__(
        self, raw: Any, receive: Callable[[bytes], None], closed: Callable[[], None], commands: Any = None
    ) -> None:
        # The HTTP response has a buffer of its own, and the first bytes of the stream can already be in it.
        self._response = raw._response
        self._reader = self._response.raw._fp.fp
        self._socket: socket.socket = getattr(raw, "_sock", raw)
        self._entrance = commands
        self._commands = self._socket if commands is None else getattr(commands, "_sock", commands)
        self._receive = receive
        self._closed = closed
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="channel", daemon=True)
        self._thread.start()

    def send(self, line: bytes) -> None:
        """Write one command.

        Raises:
            OSError: the connection is gone.
        """
        with self._lock:
            self._commands.sendall(line)

    def close(self) -> None:
        """End the connection; the container goes on."""
        for connection in {self._socket, self._commands}:
            with contextlib.suppress(OSError):  # it had ended already
                connection.shutdown(socket.SHUT_RDWR)

    def join(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds until all that came has been delivered."""
        self._thread.join(timeout)

    def _read(self) -> None:
        try:
            while data := self._reader.read1(65536):
                self._receive(data)
        except (OSError, ValueError):
            pass  # reset by the engine, or closed under the read: ``closed`` tells
        finally:
            self._response.close()
            if self._entrance is not None:
                self._entrance._response.close()
                self._entrance.close()
            self._closed()
