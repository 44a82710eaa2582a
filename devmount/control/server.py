"""The side of the socket that answers: the session's."""

import contextlib
import json
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devmount.control.paths import path_of
from devmount.errors import DevmountError
from devmount.events import Event, to_json

LONGEST_REQUEST = 64 * 1024  # bytes
BACKLOG = 10_000  # events kept for a reader that is slow; then it is cut off
PEER = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED


@dataclass(frozen=True, slots=True)
class Command:
    """A request. ``reply(ok, error)`` answers it, once."""

    name: str
    services: tuple[str, ...]
    reply: Callable[[bool, DevmountError | None], None]


class Server:
    """Listens for the holder of the lock.

    Args:
        deliver: takes each request, on a thread of its own.
    """

    def __init__(self, root: Path, deliver: Callable[[Command], None]) -> None:
        self._path = path_of(root, "sock")
        self._deliver = deliver
        self._followers: dict[int, queue.Queue[str | None]] = {}
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._clients: dict[threading.Thread, socket.socket] = {}

    def start(self) -> None:
        self._path.unlink(missing_ok=True)  # of a session that was killed; the lock is ours
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(os.fspath(self._path))
        finally:
            os.umask(mask)
        listener.listen(16)
        self._socket = listener
        threading.Thread(target=self._accept, args=(listener,), name="control", daemon=True).start()

    def publish(self, event: Event) -> None:
        """Hand an event to all who follow; never waits."""
        if not self._followers:
            return
        line = to_json(event)
        with self._lock:
            for follower in list(self._followers.values()):
                try:
                    follower.put_nowait(line)
                except queue.Full:
                    follower.get_nowait()
                    follower.put_nowait(None)  # too slow: cut off

    def close(self) -> None:
        """Stop listening, let the followers have what is under way."""
        if self._socket is not None:
            self._path.unlink(missing_ok=True)
            self._socket.close()
        with self._lock:
            followers, clients = list(self._followers.values()), dict(self._clients)
        for follower in followers:
            follower.put(None)
        for thread, connection in clients.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)  # no more requests; answers still leave
            thread.join(1)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            thread = threading.Thread(target=self._serve, args=(connection,), name="client", daemon=True)
            with self._lock:
                self._clients[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rw", encoding="utf-8", errors="backslashreplace") as stream:
                if not _is_own(connection):
                    return
                while line := stream.readline(LONGEST_REQUEST):
                    self._answer(line, stream)
        except OSError:
            pass  # the client has gone, or has while its answer was under way
        finally:
            with self._lock:
                del self._clients[threading.current_thread()]

    def _answer(self, line: str, stream: Any) -> None:
        try:
            request = json.loads(line)
            name, services = str(request["command"]), tuple(str(name) for name in request.get("services", ()))
        except (ValueError, KeyError, TypeError, AttributeError):
            _write(stream, {"ok": False, "message": "not a request", "where": "", "hint": ""})
            return
        if name == "events":
            self._follow(stream)
            return
        answered: queue.SimpleQueue[DevmountError | None] = queue.SimpleQueue()
        self._deliver(Command(name, services, lambda ok, error: answered.put(error)))
        error = answered.get()
        if error is None:
            _write(stream, {"ok": True})
        else:
            _write(stream, {"ok": False, "message": error.message, "where": error.where, "hint": error.hint})

    def _follow(self, stream: Any) -> None:
        lines: queue.Queue[str | None] = queue.Queue(BACKLOG)
        with self._lock:
            self._followers[id(lines)] = lines
        try:
            _write(stream, {"ok": True})
            while (line := lines.get()) is not None:
                stream.write(line + "\n")
                stream.flush()
        finally:
            with self._lock:
                self._followers.pop(id(lines), None)


def _is_own(connection: socket.socket) -> bool:
    """Whether the peer is this user, or root; the folder's mode says so already, and this does not rest on it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return uid in (os.getuid(), 0)


def _write(stream: Any, row: dict[str, Any]) -> None:
    stream.write(json.dumps(row) + "\n")
    stream.flush()
