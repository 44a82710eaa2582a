"""The side of the socket that asks."""

import contextlib
import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devmount.control.paths import path_of
from devmount.errors import DevmountError

REPLY_TIMEOUT = 600.0  # seconds; a rebuild may be what was asked for


class Client:
    """A connection to the session of a project folder; leaving the ``with`` block closes it."""

    def __init__(self, root: Path, connection: socket.socket) -> None:
        self._root = root
        self._connection = connection
        self._stream: Any = connection.makefile("rw", encoding="utf-8")

    @classmethod
    def connect(cls, root: Path) -> "Client | None":
        """A client when a session answers; None when there is none."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(REPLY_TIMEOUT)
        try:
            connection.connect(os.fspath(path_of(root, "sock")))
        except OSError as error:
            connection.close()
            if isinstance(error, FileNotFoundError | ConnectionRefusedError):
                return None
            raise DevmountError(f"the session does not answer: {error}", str(root), "look: devmount ps") from error
        return cls(root, connection)

    def close(self) -> None:
        """End the connection; what was asked for goes on."""
        with contextlib.suppress(OSError):  # what had not been sent to a session that has gone
            self._stream.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def request(self, name: str, services: Sequence[str] = ()) -> None:
        """Ask, and wait until it is done.

        Raises:
            DevmountError: the session says why not, or has gone.
        """
        try:
            self._stream.write(json.dumps({"command": name, "services": list(services)}) + "\n")
            self._stream.flush()
            line = self._stream.readline()
        except OSError as error:
            raise DevmountError(f"the session does not answer: {error}", str(self._root)) from error
        if not line:
            raise DevmountError("the session ended before it answered", str(self._root), "look: devmount ps")
        answer = json.loads(line)
        if not answer["ok"]:
            raise DevmountError(answer["message"], answer.get("where", ""), answer.get("hint", ""))

    def events(self) -> Iterator[dict[str, Any]]:
        """The session's events from now on, as ``up --json`` prints them, until it ends."""
        self.request("events")
        self._connection.settimeout(None)
        for line in self._stream:
            yield json.loads(line)

    def wait_closed(self, timeout: float) -> None:
        """Wait until the session has ended, at most ``timeout`` seconds.

        Raises:
            DevmountError: it has not.
        """
        descriptor = os.open(path_of(self._root, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        ended = threading.Event()

        def wait() -> None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.close(descriptor)
            ended.set()

        threading.Thread(target=wait, name="lock", daemon=True).start()
        if not ended.wait(timeout):
            raise DevmountError(f"the session still runs after {timeout:g} s", str(self._root), "devmount ps")
