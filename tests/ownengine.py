"""A Docker engine of a test's own beside the machine's: to be killed, filled up, or reached from elsewhere. Takes root.

It runs in a network namespace of its own, since two engines would fight over one bridge, with all of its files in one
folder, which goes with it.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.harness import docker, wait_until

START_SECONDS = 60.0
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
SMALL = "devmount-test-small"
# A shell, sleep, GNU tar and what they are linked with, out of the image that is here.
PACK = "tar -ch --file=- $(ldd /bin/sh /bin/tar /bin/sleep | grep -o '/[^ :]*' | sort -u)"  # ldd names both


def missing() -> str:
    """Why there can be none here; empty where there can."""
    if os.getuid() != 0:
        return "takes root"
    lacking = [name for name in ("dockerd", "unshare", "ip") if shutil.which(name, path=PATH) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


class OwnEngine:
    """Not yet started. Leaving its ``with`` block ends it and removes all that it had.

    Args:
        volumes_size: bytes for a file system of its own for the volumes; None: that of the folder.
    """

    def __init__(self, volumes_size: int | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="devmount-engine-", dir="/var/tmp"))
        self.data = self.folder / "data"
        self.socket = self.folder / "docker.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None
        self.volumes = self.data / "volumes"
        self._volumes_size = volumes_size

    def __enter__(self) -> Self:
        try:
            self.start()
            if self._volumes_size is not None:  # now, since it mounts its folder anew when it starts
                options = f"size={self._volumes_size},mode=701"
                subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.volumes], check=True)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, also after a kill, and wait until it answers."""
        (self.folder / "pid").unlink(missing_ok=True)
        at = str(self.folder)
        given = ["--data-root", str(self.data), "--exec-root", f"{at}/exec", "--pidfile", f"{at}/pid"]
        script = 'ip link set lo up; exec dockerd "$@"'
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", script, "-", *given, "--host", self.url],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": PATH},
                start_new_session=True,
            )
        wait_until(self._answers, START_SECONDS, lambda: f"the engine does not answer:\n{self.log()}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the engine ended:\n{self.log()}"
        command = ["docker", "--host", self.url, "version"]
        return self.socket.exists() and subprocess.run(command, capture_output=True, timeout=60).returncode == 0

    def log(self) -> str:
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-15:])

    def docker(self, *arguments: str, timeout: float = 60) -> str:
        """The output of a docker CLI command on this engine."""
        return docker("--host", self.url, *arguments, timeout=timeout)

    def load_small(self) -> None:
        """Give it the image ``SMALL``: a shell, sleep and GNU tar."""
        argv = ["docker", "run", "--rm", "--network=none", "debian:bookworm-slim", "sh", "-c", PACK]
        packed = subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout
        command = ["docker", "--host", self.url, "import", "--change", 'CMD ["sleep", "1000"]', "-", SMALL]
        subprocess.run(command, input=packed, capture_output=True, check=True, timeout=120)

    def load_scratch(self, program: Path) -> None:
        """Give it the image ``devmount-test-scratch``, which holds one static program and nothing else."""
        packed = subprocess.run(
            ["tar", "-c", "--file=-", f"--directory={program.parent}", program.name], capture_output=True, check=True
        ).stdout
        command = ["docker", "--host", self.url, "import", "--change", f'CMD ["/{program.name}"]', "-"]
        subprocess.run([*command, "devmount-test-scratch"], input=packed, capture_output=True, check=True, timeout=60)

    def kill(self) -> None:
        """SIGKILL; its containerd goes with it, its containers' processes stay."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        # Where nobody reaps orphans a dead containerd would look alive to the next dockerd.
        (self.folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)

    def close(self) -> None:
        """End it, its containers, and remove its files."""
        if self.process is not None and self.process.poll() is None:
            if self._answers():
                for container in self.docker("ps", "--all", "--quiet").split():
                    self.docker("rm", "--force", container)
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)
        for pid in self._left():
            os.kill(pid, signal.SIGKILL)
        for mount in self._mounts():
            subprocess.run(["umount", "--lazy", mount], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _left(self) -> list[int]:
        """The processes that were started for it and still run: containerd and its shims name its folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if os.fsencode(self.folder) in entry.read_bytes() and int(entry.parent.name) != os.getpid():
                    found.append(int(entry.parent.name))
            except OSError:
                continue
        return found

    def _mounts(self) -> list[str]:
        """What is mounted below its folder, the deepest first."""
        lines = Path("/proc/self/mounts").read_text().splitlines()
        return sorted((row.split()[1] for row in lines if row.split()[1].startswith(f"{self.folder}/")), reverse=True)
