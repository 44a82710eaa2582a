"""An engine on another host, over the ``ssh`` program: its configuration, keys and known hosts are the user's own.

Each connection is one ``ssh HOST docker system dial-stdio``, as the docker CLI makes it, with a socket as its standard
input and output; so all that works on a local socket works here.
"""

import shlex
import shutil
import socket
import subprocess
import tempfile
from typing import Any
from urllib.parse import urlsplit

from docker import APIClient
from docker.constants import DEFAULT_DOCKER_API_VERSION
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from devmount.errors import DevmountError, UsageError

BASE = "http+docker://over-ssh"
CONNECT_SECONDS = 15
ENDS_SECONDS = 5.0


def command(url: str) -> list[str]:
    """What to run for ``ssh://[USER@]HOST[:PORT][/SOCKET]``; SOCKET: the engine's on that host, if not the usual one.

    Raises:
        UsageError: it is no such address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError("this is no address of an engine", url, "write ssh://user@host") from None
    if parts.scheme != "ssh" or not parts.hostname or parts.query or parts.fragment:
        raise UsageError("this is no address of an engine", url, "write ssh://user@host")
    if parts.password is not None:
        raise UsageError("a password does not belong into an address", parts.hostname, "use a key: ssh-copy-id")
    given = ["-l", parts.username] if parts.username else []
    given += ["-p", str(port)] if port else []
    there = parts.path.rstrip("/")
    dial = ["docker", *(["--host", f"unix://{there}"] if there else []), "system", "dial-stdio"]
    options = ["-T", "-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "BatchMode=yes"]
    return ["ssh", *options, *given, "--", parts.hostname, shlex.join(dial)]


class Adapter(UnixHTTPAdapter):
    """Makes the connections. ``url``: the engine's address."""

    def __init__(self, url: str, timeout: int) -> None:
        self.url = url
        self._command = command(url)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the client
        self._running: list[subprocess.Popen[bytes]] = []  # one a connection
        super().__init__("http+unix:///", timeout)

    def dial(self) -> socket.socket:
        """A new connection."""
        if shutil.which("ssh") is None:
            raise DevmountError("ssh is not installed", self.url, "install it: openssh-client")
        self._running = [process for process in self._running if process.poll() is None]
        ours, theirs = socket.socketpair()
        with theirs:  # in a session of its own, so that Ctrl-C here leaves it to tidy up through
            self._running.append(
                subprocess.Popen(
                    self._command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=self._said,
                    start_new_session=True,
                )
            )
        return ours

    def said(self) -> str:
        """The last line of what the ssh programs have said."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="backslashreplace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        """One pool for all: the SDK's has one for each address with its query, and so would connect for each call."""
        with self.pools.lock:
            pool = self.pools.get(BASE)
            if pool is None:
                pool = self.pools[BASE] = _Pool(self, BASE, self.timeout, self.max_pool_size)
        return pool

    def close(self) -> None:
        """End all connections."""
        super().close()
        self.pools.clear()
        for process in self._running:
            process.terminate()
            try:
                process.wait(ENDS_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()
        self._said.close()


class _Pool(UnixHTTPConnectionPool):
    def __init__(self, adapter: Adapter, url: str, timeout: int, size: int) -> None:
        self._adapter = adapter
        self._seconds = timeout
        super().__init__(url, "", timeout, maxsize=size)

    def _new_conn(self) -> Any:
        return _Connection(self._adapter, self.base_url, self._seconds)


class _Connection(UnixHTTPConnection):
    def __init__(self, adapter: Adapter, url: str, timeout: int) -> None:
        self._adapter = adapter
        super().__init__(url, "", timeout)

    def connect(self) -> None:
        self.sock = self._adapter.dial()
        self.sock.settimeout(self.timeout)


def client(url: str, timeout: int) -> APIClient:
    """A client whose connections go to ``url``; ``timeout`` in seconds, for an answer.

    Raises:
        DevmountError: it cannot be reached, in ssh's own words.
    """
    adapter = Adapter(url, timeout + CONNECT_SECONDS)
    made: Any = APIClient(base_url="tcp://localhost:1", version=DEFAULT_DOCKER_API_VERSION, timeout=timeout)
    made.mount(BASE, adapter)
    made.base_url = BASE
    made._custom_adapter = adapter
    try:
        made._version = made._retrieve_server_version()
    except Exception as error:
        said = adapter.said()
        made.close()
        raise DevmountError(said or str(error), url, f"try: {shlex.join(adapter._command)}") from error
    client: APIClient = made
    return client
