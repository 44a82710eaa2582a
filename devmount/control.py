"""How other commands reach a running session: a lock that says who runs, and a unix socket that takes requests.

Both lie in the user's runtime folder, one pair a project folder. The socket speaks lines of JSON: a request
``{"command": NAME, "services": [...]}`` is answered by ``{"ok": true}`` or ``{"ok": false, "message": ...}``; after
``{"command": "events"}`` the session's events follow, a line each.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import queue
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devmount.errors import DevmountError
from devmount.events import Event, to_json

LONGEST_REQUEST = 64 * 1024  # bytes
REPLY_TIMEOUT = 600.0  # seconds; a rebuild may be what was asked for
BACKLOG = 10_000  # events kept for a reader that is slow; then it is cut off
PEER = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED


def runtime_folder() -> Path:
    """The user's own folder for sockets and locks (XDG Base Directory Specification), made where it is missing.

    Raises:
        DevmountError: what is there belongs to someone else, or is open to others.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK):
        folder = Path(base) / "devmount"
    else:
        folder = Path(tempfile.gettempdir()) / f"devmount-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise DevmountError(
            f"{folder} is not a folder of yours alone",
            str(folder),
            "remove it, or set XDG_RUNTIME_DIR to a folder that is",
        )
    return folder


def _path(root: Path, suffix: str) -> Path:
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return runtime_folder() / f"{digest}.{suffix}"


def log_file(root: Path) -> Path:
    """Where a session in the background writes its events."""
    return _path(root, "log")


class SessionLock:
    """At most one session a project folder; the lock ends with its process, however that ends."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DevmountError: another process holds it; its id is named.
        """
        descriptor = os.open(_path(self._root, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            raise DevmountError(
                f"another devmount runs here: process {holder}",
                str(self._root),
                "use that one, or end it: devmount stop",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; the file stays, so that nobody locks a removed one."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


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
        self._path = _path(root, "sock")
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
            connection.connect(os.fspath(_path(root, "sock")))
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
            _write(self._stream, {"command": name, "services": list(services)})
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
        descriptor = os.open(_path(self._root, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        ended = threading.Event()

        def wait() -> None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.close(descriptor)
            ended.set()

        threading.Thread(target=wait, name="lock", daemon=True).start()
        if not ended.wait(timeout):
            raise DevmountError(f"the session still runs after {timeout:g} s", str(self._root), "devmount ps")


def _is_own(connection: socket.socket) -> bool:
    """Whether the peer is this user, or root; the folder's mode says so already, and this does not rest on it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return uid in (os.getuid(), 0)


def _write(stream: Any, row: dict[str, Any]) -> None:
    stream.write(json.dumps(row) + "\n")
    stream.flush()
