"""Whether a service is ready. A published port accepts connections before the program listens: the container's own
socket table tells the truth."""

import http.client
import re
from collections.abc import Sequence
from pathlib import Path

from devmount.engine.engine import Container, Engine
from devmount.engine.ports import listening
from devmount.errors import DevmountError
from devmount.model import Ready, Service

HTTP_TIMEOUT = 2.0  # seconds for one question
SERVER_ERROR = 500


def is_ready(engine: Engine, container: Container, service: Service, lines: Sequence[str]) -> bool:
    """Ask once. ``lines``: what the program has logged since it began. A service without ``ready`` is always so."""
    ready = service.ready
    if ready is None:
        return True
    if ready.command is not None:
        return _command(engine, container, ready.command)
    if ready.log is not None:
        return any(re.search(ready.log, line) for line in lines)
    if ready.http is not None:
        return _http(container, service, ready)
    return ready.port in _listening_in(engine, container)


def _command(engine: Engine, container: Container, argv: Sequence[str]) -> bool:
    try:
        return engine.exec_output(container.id, argv)[0] == 0
    except DevmountError:
        return False  # it is not running (any more); the session sees that by itself


def _http(container: Container, service: Service, ready: Ready) -> bool:
    wanted = ready.port or (service.ports[0].container if service.ports else None)
    if service.network == "host" and wanted is not None:
        return _answers("127.0.0.1", wanted, ready.http or "/")
    for published in container.ports:
        outside, _, inside = published.partition("->")
        if inside == f"{wanted}/tcp":
            address, _, port = outside.rpartition(":")
            reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
            return _answers(reachable, int(port), ready.http or "/")
    return False


def _answers(address: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=HTTP_TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listening_in(engine: Engine, container: Container) -> set[int]:
    """The ports listened on inside: from the host's own view of the container's network where it is one of the host's
    processes (1 ms), else by running ``cat`` inside."""
    try:
        if container.pid and container.id in Path(f"/proc/{container.pid}/cgroup").read_text():
            return {
                port
                for name in ("tcp", "tcp6")
                for port in listening(Path(f"/proc/{container.pid}/net/{name}").read_text())
            }
    except OSError:
        pass  # another machine's or another user's process: ask inside
    try:
        _, output = engine.exec_output(container.id, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
    except DevmountError:
        return set()
    return listening(output.decode(errors="replace"))
