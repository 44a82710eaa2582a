"""Whether the process that made something still lives: host, id and start time of a process in one word."""

import os
import socket
import subprocess
from pathlib import Path


def me() -> str:
    """This process."""
    return f"{_host()} {os.getpid()} {_started(os.getpid())}"


def is_dead(word: str) -> bool:
    """Whether the process is known to have ended; of one on another host, or in another pid namespace, it is not."""
    host, _, rest = word.partition(" ")
    pid, _, started = rest.partition(" ")
    return host == _host() and pid.isdigit() and _started(int(pid)) != started


def _host() -> str:
    """The machine and the set of process ids, since each container counts its own."""
    try:
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        space = "0"
    return f"{socket.gethostname()}/{space}"


def _started(pid: int) -> str:
    """When a process began, in the system's own terms; empty when there is none."""
    if Path("/proc/self/stat").exists():
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        except (FileNotFoundError, ProcessLookupError):
            return ""
        state, *fields = text.rpartition(")")[2].split()  # the name before may hold spaces
        return "" if state in "ZX" else f"{boot}-{fields[18]}"
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=10)
    return "-".join(shown.stdout.split())
