"""Podman without a daemon: where no socket answers, its API service is started for as long as this process lives.

Every such service sees the same containers, since Podman keeps them on disk: another devmount in another terminal, with
a service of its own, works on the same project.
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from devmount.errors import DevmountError

START_SECONDS = 20.0  # the first start after a boot sets up its storage
STOP_SECONDS = 5.0
POLL = 0.01

# The shell leads a process group of its own (Ctrl-C in the terminal does not reach it) and ends the group, Podman's
# service in it, when its standard input ends: that is when devmount closes it, or ends in whatever way, SIGKILL too.
# Containers, and what Podman leaves running for them, are in sessions of their own.
GUARD = """
service=$1 folder=$2
trap 'rm -rf -- "$folder"' EXIT
trap 'exit' TERM
{ "$service" system service --time=0 "unix://$folder/podman.sock" </dev/null; kill -s TERM 0; } &
read -r _
kill -s TERM 0
"""


def program(environ: Mapping[str, str]) -> str | None:
    """The path of ``podman``; None where it is not installed."""
    return shutil.which("podman", path=environ.get("PATH"))


class Service:
    """A running ``podman system service`` on a socket of its own, which ends with this process at the latest.

    Raises:
        DevmountError: it does not come up.
    """

    def __init__(self, podman: str, environ: Mapping[str, str]) -> None:
        runtime = environ.get("XDG_RUNTIME_DIR")
        folder = Path(
            tempfile.mkdtemp(prefix="devmount-podman-", dir=runtime if runtime and os.path.isdir(runtime) else None)
        )
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the service
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, "devmount", podman, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=dict(environ),
            start_new_session=True,
        )
        atexit.register(self.close)
        self._socket = folder / "podman.sock"
        self.url = f"unix://{self._socket}"
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self._guard.poll() is not None
            if ended or time.monotonic() > deadline:
                reason = self._said() if ended else f"no answer within {START_SECONDS:g} s"
                self.close()
                raise DevmountError(f"podman system service does not start: {reason}", podman)
            time.sleep(POLL)

    def close(self) -> None:
        """End the service; containers run on."""
        atexit.unregister(self.close)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        try:
            self._guard.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._guard.pid, 9)
            self._guard.wait()
        self._log.close()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(os.fspath(self._socket))
            except OSError:
                return False
        return True

    def _said(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")[:300]
