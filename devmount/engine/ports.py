"""Host ports: whether they are free, and who holds them where the system tells."""

import errno
import os
import socket
from pathlib import Path

from devmount.model import Port

TCP_LISTEN = "0A"  # the state column of /proc/net/tcp, see proc(5)


def is_taken(port: Port) -> bool:
    """Whether something listens at the port's address. Port 0 never is."""
    if port.host == 0:
        return False
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection in TIME_WAIT is no holder
        try:
            probe.bind((port.address, port.host))
        except OSError as error:
            return error.errno == errno.EADDRINUSE  # another reason is the engine's to tell
    return False


def holder(port: int) -> str:
    """ "python3 (process 1234)" of who listens on the TCP port; empty when the system does not tell."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for columns in rows(_read(table)):
            if columns[3] == TCP_LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            with os.scandir(process / "fd") as entries:
                if any(os.readlink(entry.path) in inodes for entry in entries):
                    return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # another user's, or gone
    return ""


def listening(table: str) -> set[int]:
    """The ports that a text in the form of /proc/net/tcp says are listened on."""
    return {int(columns[1].rpartition(":")[2], 16) for columns in rows(table) if columns[3] == TCP_LISTEN}


def rows(table: str) -> list[list[str]]:
    """The rows of such a text, in columns, without its heading."""
    return [columns for line in table.splitlines()[1:] if len(columns := line.split()) > 9]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
