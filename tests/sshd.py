"""An OpenSSH server of a test's own on the loopback, with keys of its own; an ``ssh`` that trusts it. Takes root."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.harness import free_port, wait_until

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

SERVER = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100
SetEnv PATH={path}
"""
CLIENT = """\
IdentityFile {folder}/user
IdentitiesOnly yes
UserKnownHostsFile {folder}/known
StrictHostKeyChecking yes
"""


def missing() -> str:
    """Why there can be none here; empty where there can."""
    if os.getuid() != 0:
        return "takes root"
    return "" if shutil.which("sshd", path=PATH) else "sshd is not installed (scripts/sshd)"


class Sshd:
    """Runs in the block. ``port``: on 127.0.0.1; ``env``: a PATH whose ``ssh`` has the key and knows the server."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, timeout=60)
        (folder / "sshd").write_text(SERVER.format(port=self.port, folder=folder, path=PATH))
        (folder / "ssh").write_text(CLIENT.format(folder=folder))
        key = (folder / "host.pub").read_text()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {key}")
        programs = folder / "bin"
        programs.mkdir()
        (programs / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh "$@"\n')
        (programs / "ssh").chmod(0o755)
        self.env = {"PATH": f"{programs}:{os.environ['PATH']}"}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # its privilege separation wants it
        program = shutil.which("sshd", path=PATH)
        assert program is not None
        with (self.folder / "log").open("wb") as log:
            command = [program, "-D", "-e", "-f", str(self.folder / "sshd")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)
        wait_until(self._listens, 30, lambda: (self.folder / "log").read_text())
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self.cut()
        self._process.terminate()
        self._process.wait(30)

    def cut(self) -> None:
        """End the connections that are open."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        for pid in children.split():
            os.kill(int(pid), signal.SIGKILL)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
