"""What env files and variables hold is told to the program, and to nobody else."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.conftest import Make
from tests.harness import COMMAND, Up, containers, devmount, docker, environment, save

pytestmark = pytest.mark.engine

IN_FILE = "from-an-env-file-2b7e1516"
IN_DOTENV = "from-dotenv-28aed2a6"
OF_CALLER = "the-callers-abf71588"
OVERRIDE = "laid-over-09cf4f3c"
SECRETS = (IN_FILE, IN_DOTENV, OF_CALLER, OVERRIDE)

TOML = """
[app]
build = { context = ".", args = { PATH_OF_KEY = "${CALLER}", WORD = "${DOTENV}" } }
command = ["sh", "-c", 'for n in IN_FILE DOTENV CALLER OVERRIDE; do printenv $n | wc -c; done; exec sleep 1000']
mount = "/work"
env_files = ["app.env"]
environment = { DOTENV = "${DOTENV}", CALLER = "x${CALLER}" }
stop_timeout = "0s"
[[app.on_change]]
files = ["trigger"]
run = ["sh", "-c", "exit 3", "${DOTENV}", "${CALLER}"]
[services.db]
image = "debian:bookworm-slim"
command = "sleep 1000"
stop_timeout = "0s"
ready = { command = ["test", "${CALLER}"] }
"""
DOCKERFILE = """FROM debian:bookworm-slim
ARG WORD
ARG PATH_OF_KEY
RUN : $WORD; sleep 1
RUN : "$PATH_OF_KEY"
"""


class Watched:
    """Remembers every command line that processes of this machine were seen with, those in containers apart."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        own = os.readlink("/proc/self/ns/pid")
        while not self._ended.wait(0.01):
            for number in filter(str.isdigit, os.listdir("/proc")):
                try:
                    is_here = os.readlink(f"/proc/{number}/ns/pid") == own
                    line = Path(f"/proc/{number}/cmdline").read_bytes()
                except OSError:
                    continue  # it has ended
                if is_here and int(number) != os.getpid():
                    self.seen.add(line)


@pytest.fixture
def folder(make: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLER", OF_CALLER)
    monkeypatch.setenv("DEVMOUNT_APP__ENVIRONMENT__OVERRIDE", OVERRIDE)
    files = {
        "app.env": f"IN_FILE={IN_FILE}\n",
        ".env": f"DOTENV={IN_DOTENV}\n",
        "Dockerfile": DOCKERFILE,
        "trigger": "",
    }
    return make(TOML, files)


def test_a_session_tells_its_program_and_nobody_else(folder: Path) -> None:
    told: list[str] = []

    def tell(*arguments: str) -> None:
        done = devmount(folder, *arguments)
        told.extend((done.stdout, done.stderr))

    try:
        with Watched() as watched, Up(folder, "--build") as up:
            up.wait("ready", service="app")
            up.wait("ready", service="db")
            lengths = [row["line"] for row in up.all("log", service="app")]
            assert lengths == [str(len(text) + 1) for text in (IN_FILE, IN_DOTENV, "x" + OF_CALLER, OVERRIDE)]
            follower = subprocess.Popen(
                [*COMMAND, "events", "--json"], cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True
            )
            mark = up.mark()
            save(folder / "trigger", "go")
            assert "exit code 3" in up.wait("error", since=mark)["message"]
            save(folder / "app.env", f"IN_FILE={IN_FILE}\nMORE=1\n")
            up.wait("reload", since=mark)
            for command in ("ps", "config", "doctor", "logs", "trust --show", "export compose"):
                for option in ((), ("--json",)):
                    tell(*command.split(), *option)
            mark = up.mark()
            save(folder / "Dockerfile", DOCKERFILE + "RUN echo $WORD $PATH_OF_KEY; exit 9\n")
            assert "cannot be built" in up.wait("error", since=mark)["message"]
            mark = up.mark()
            save(folder / ".devmount.toml", f'name = "{folder.name}"\n' + TOML.replace('"0s"', '"${DOTENV}"'))
            assert "'${DOTENV}' is not a duration" in up.wait("error", since=mark)["message"]
            tell("--debug", "config")
            up.stop()
        told += [json.dumps(up.events), up.stderr, follower.communicate(timeout=30)[0]]
        for name in (*containers(folder.name), f"{folder.name}-app:devmount"):
            told.append(docker("inspect", "--format", "{{json .Config.Labels}}", name))
        told.append(docker("network", "inspect", f"{folder.name}_devmount"))
        told += [
            path.read_text(errors="replace") for path in folder.parent.joinpath("home").rglob("*") if path.is_file()
        ]
        told += [line.decode(errors="replace") for line in watched.seen]
        everything = "\n".join(told)
        assert "Traceback" in everything
        assert any(b"events" in line for line in watched.seen)
        assert [secret for secret in SECRETS if secret in everything] == []
    finally:
        devmount(folder, "down")
        subprocess.run(["docker", "rmi", "--force", f"{folder.name}-app:devmount"], capture_output=True)


def test_a_crash_tells_nothing_either(folder: Path) -> None:
    """An error that nobody foresaw, with the values in its message, with and without --debug."""
    script = """
import sys
from devmount.cli import inspection, main
from devmount.config import describe
def broken(loaded, *, show_secrets):
    raise RuntimeError(repr(dict(loaded.project.app.environment)) + repr(loaded))
describe.describe = broken
sys.exit(main.main(sys.argv[1:]))
"""
    for option, word in ((), "internal error"), (("--debug",), "Traceback"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", script, *option, "config"],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1
        assert word in done.stderr
        assert "RuntimeError" in done.stderr
        assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []


def test_secrets_are_shown_to_who_asks(folder: Path) -> None:
    assert [secret for secret in SECRETS if secret in devmount(folder, "config", "--show-secrets").stdout] == list(
        SECRETS
    )
