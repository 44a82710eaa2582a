"""Killing what takes part in a command on volumes at any moment, and looking at what is left.

A moment is a kind (who is killed), an operation (which command is cut off) and a time since its start. Afterwards the
engine is started again where it was killed, one harmless command is run, and then everything must be right.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors

from devmount.volumes import verify
from tests.harness import COMMAND, environment, wait_until
from tests.ownengine import SMALL, OwnEngine
from tests.volumes.conftest import Snapshot, plant, snapshot

KINDS = ("devmount", "helper", "engine")
OPERATIONS = ("backup", "restore", "copy", "down")
PAIRS = [(kind, operation) for kind in KINDS for operation in OPERATIONS if (kind, operation) != ("helper", "down")]
ENDS_SECONDS = 90.0  # for a command whose helper or engine was killed to say so
HELPER = "dev.devmount.helper"

TOML = """
name = "faults"
[app]
image = "{image}"
command = "sleep 1000"
mounts = ["data:/data"]
[volumes.other]
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one moment. ``stage``: what the command had made by then; ``state``: what became of what it was about.

    ``late``: the command had ended before the kill.
    """

    kind: str
    operation: str
    seconds: float
    stage: str
    state: str
    late: bool


class Faults:
    """A project with a volume, a backup of other content, and an engine that may be killed.

    Args:
        engine: a running one with the image ``SMALL``.
        folder: where the project, its backups and pristine copies of the content lie.
    """

    def __init__(self, engine: OwnEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder / "project"
        self.folder.mkdir()
        self.home = folder / "home"
        self.env = environment({"XDG_DATA_HOME": str(self.home), "DEVMOUNT_ENGINE": engine.url})
        (self.folder / ".devmount.toml").write_text(TOML.format(image=SMALL))
        self.old, self.new = folder / "old", folder / "new"
        self.backup = folder / "new.tar.zst"
        for place, seed in ((self.old, 1), (self.new, 2)):
            place.mkdir()
            plant(place)
            dice = random.Random(seed)
            for number in range(80):
                (place / f"many-{number}").write_bytes(dice.randbytes(100_000))
        self.before, self.after = snapshot(self.old), snapshot(self.new)
        self.volume("create", "data")
        self.fill("data", self.new)
        self.volume("backup", "data", "--output", str(self.backup))
        self.killed = False  # a helper, in the last moment that was to
        self.seconds: dict[str, float] = {}  # how long each operation takes when nothing is killed

    def volume(self, *arguments: str) -> str:
        """``devmount volume …``, which must work; its standard error."""
        argv = [*COMMAND, "volume", *arguments]
        done = subprocess.run(argv, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def path(self, name: str) -> Path:
        return self.engine.volumes / f"faults_{name}" / "_data"

    def fill(self, name: str, source: Path) -> None:
        """Make the volume's content that of a folder, past the engine."""
        path = self.path(name)
        for entry in path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        subprocess.run(["cp", "--archive", "--sparse=always", f"{source}/.", path], check=True)

    def prepare(self, operation: str) -> list[str]:
        """Bring everything into the state in which the operation begins; its command."""
        for container in self.engine.docker("ps", "--all", "--quiet").split():
            self.engine.docker("rm", "--force", container)
        there = self.engine.docker("volume", "ls", "--quiet").split()
        for name in there:
            if name not in ("faults_data", "faults_other"):
                self.engine.docker("volume", "rm", name)
        for name in ("data", "other"):
            if f"faults_{name}" not in there:
                self.volume("create", name)
            if snapshot(self.path(name)) != self.before:
                self.fill(name, self.old)
        shutil.rmtree(self.home / "devmount" / "faults" / "backups", ignore_errors=True)
        if operation == "backup":
            run = ("run", "--detach", "--network=none", "--name=user", "--stop-timeout=1", "--volume=faults_data:/data")
            self.engine.docker(*run, SMALL)
        if operation == "down":
            self.volume("backup", "data")
        command = {
            "backup": ["volume", "backup", "data"],
            "restore": ["volume", "restore", "data", str(self.backup), "--replace"],
            "copy": ["volume", "copy", "data", "twin"],
            "down": ["down", "--volumes", "--yes"],
        }[operation]
        return [*COMMAND, *command]

    def length(self, operation: str) -> float:
        """Seconds that the operation takes, measured once."""
        if operation not in self.seconds:
            command = self.prepare(operation)
            began = time.monotonic()
            subprocess.run(command, cwd=self.folder, env=self.env, check=True, capture_output=True, timeout=120)
            self.seconds[operation] = time.monotonic() - began
        return self.seconds[operation]

    def moment(self, kind: str, operation: str, part: float) -> Outcome:
        """Kill at ``part`` of the operation's length, and check everything.

        Raises:
            AssertionError: something is lost, half made, or left.
        """
        seconds = part * self.length(operation)
        command = self.prepare(operation)
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        with process, contextlib.ExitStack() as stack:
            stack.callback(process.kill)
            time.sleep(seconds)  # not to wait for something: the moment is what is tested
            if kind == "helper":
                self.kill_helper(process)
            late = process.poll() is not None if kind != "helper" else not self.killed
            stage = self.stage()
            if kind == "devmount":
                process.kill()
            elif kind == "engine":
                self.engine.kill()
            _, said = process.communicate(timeout=ENDS_SECONDS)
        if kind == "engine":
            self.engine.start()
        if kind != "devmount":
            assert "Traceback" not in said, said
            assert process.returncode in (0, 1, 3), said
            assert process.returncode == 0 or said.startswith(("error: ", "warning: ")) or "\nerror: " in said, said
        if kind == "helper":
            assert not self.helpers(), f"a helper is left without recovery\n{said}"
        self.volume("ls")  # any command puts right what is left
        if operation == "backup" and kind != "engine":
            assert self.engine.docker("inspect", "--format", "{{.State.Status}}", "user") == "running"
        if late:
            self.seconds[operation] *= 0.9  # the machine has become faster
        return Outcome(kind, operation, seconds, stage, self.check(operation, process.returncode), late)

    def kill_helper(self, process: "subprocess.Popen[str]") -> None:
        """SIGKILL to the program of the first helper that has a volume from now on, before the command ends."""
        self.killed = False
        # Through the API: the docker command takes longer to start than a small volume to be read.
        with contextlib.closing(docker.APIClient(self.engine.url)) as client:

            def killed() -> bool:
                for row in client.containers(filters={"label": HELPER}):
                    if not any(mount.get("Name", "").startswith("faults_") for mount in row["Mounts"]):
                        continue
                    with contextlib.suppress(docker.errors.NotFound, ProcessLookupError):
                        pid = client.inspect_container(row["Id"])["State"]["Pid"]
                        if pid:
                            os.kill(pid, signal.SIGKILL)
                            self.killed = True
                            return True
                return process.poll() is not None

            wait_until(killed, ENDS_SECONDS, lambda: "no helper came, and the command does not end", interval=0.001)

    def helpers(self) -> list[str]:
        return self.engine.docker("ps", "--all", "--quiet", "--filter", f"label={HELPER}").split()

    def stage(self) -> str:
        """What there is of the command's making on the engine and the disk."""
        rows = self.engine.docker("ps", "--all", "--format", "{{.Labels}}", "--filter", f"label={HELPER}").splitlines()
        found = []
        if any("dev.devmount.undo" in row for row in rows):
            found.append("journal")
        if any("dev.devmount.undo" not in row for row in rows):
            found.append("helper")
        if list(self.home.glob("devmount/*/backups/.*.partial")):
            found.append("partial file")
        return ", ".join(found) or "nothing"

    def check(self, operation: str, code: int) -> str:
        """That all is right; what became of the volume that the operation was about."""
        assert not self.helpers(), "a helper is left"
        mine = self.home / "devmount" / "faults"
        left = [path.name for path in mine.iterdir() if path.name not in ("volumes.lock", "backups")]
        assert not left, f"left: {left}"
        backups = list((mine / "backups").glob("*")) + list((mine / "backups").glob(".*"))
        for path in backups:
            assert path.name.endswith(".tar.zst"), f"left: {path.name}"
            with verify.open_backup(path) as file:
                verify.verify(file, str(path), devices=True)
        states = self.engine.docker("ps", "--all", "--format", "{{.Names}} {{.State}}").splitlines()
        assert "user paused" not in states, "a user is left paused"
        volumes = self.engine.docker("volume", "ls", "--quiet").split()
        if operation == "down":
            return self._check_down(volumes)
        assert snapshot(self.path("other")) == self.before, "another volume changed"
        assert set(volumes) <= {"faults_data", "faults_other", "faults_twin"}, f"left: {volumes}"
        now = snapshot(self.path("data"))
        if operation == "backup":
            assert now == self.before, "the volume changed"
            assert len(backups) == 1 or code != 0
            return "backup made" if backups else "no backup"
        if operation == "copy":
            assert now == self.before, "the source changed"
            if "faults_twin" not in volumes:
                assert code != 0
                return "no copy"
            twin = snapshot(self.path("twin"))
            assert twin == self.before, f"half a copy: {len(twin)} of {len(self.before)} entries"
            return "whole copy"
        assert now in (self.before, self.after), difference(now, self.before, self.after)
        assert now == self.after or code != 0
        return "old content" if now == self.before else "new content"

    def _check_down(self, volumes: list[str]) -> str:
        """What was to be removed may be there or gone, its backup must be there; a second try ends it."""
        assert list(self.home.glob("devmount/faults/backups/*.tar.zst")), "the backup is gone"
        done = subprocess.run(
            [*COMMAND, "down", "--volumes", "--yes"],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert not self.engine.docker("volume", "ls", "--quiet").split()
        return f"{len(volumes)} of 2 volumes left"


def difference(now: Snapshot, before: Snapshot, after: Snapshot) -> str:
    """For the message: what is neither as it was nor as it should become."""
    keys = before.keys() | after.keys() | now.keys()
    old = sorted(key for key in keys if now.get(key) != before.get(key))
    new = sorted(key for key in keys if now.get(key) != after.get(key))
    return f"{len(old)} entries differ from before, {len(new)} from after, such as {old[:3]} and {new[:3]}"


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Faults]:
    """An engine and a project on it."""
    with OwnEngine() as engine:
        engine.load_small()
        yield Faults(engine, folder)
