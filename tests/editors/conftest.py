"""One session for all the editors of a module, editors in a terminal that tests type into, and what a save came to."""

import contextlib
import functools
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec

import pytest

from devmount.loops import SOON
from tests.harness import Up, remove, wait_until

P = ParamSpec("P")

BOUND = 60.0  # seconds for anything that should take milliseconds: the machine may be loaded
LOOK = 0.05  # seconds between two looks at a screen

TOML = """
name = "{name}"
[app]
image = "debian:bookworm-slim"
command = "sh -c 'while :; do sleep 0.1; done'"
stop_timeout = "0s"
"""


def thrice(test: Callable[P, None]) -> Callable[P, None]:
    """What the test says must hold in one of three attempts.

    Where the machine stands still amid a save for longer than the settle time, that save may come to two reloads.
    """

    @functools.wraps(test)
    def attempts(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(2):
            with contextlib.suppress(AssertionError):
                return test(*args, **kwargs)
        return test(*args, **kwargs)

    return attempts


class Terminal:
    """A program in a terminal of 80 columns and 24 rows, in a tmux server of its own."""

    def __init__(self, folder: Path, argv: list[str], home: Path) -> None:
        self._server = ["tmux", "-L", f"devmount-{uuid.uuid4().hex[:8]}", "-f", "/dev/null"]
        environment = [f"HOME={home}", "TERM=screen", "LC_ALL=C.UTF-8"]
        command = ["new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder), "env", *environment, *argv]
        self._tmux(*command)

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names for them: Enter, Escape, C-x."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def shows(self, text: str) -> None:
        """Wait until the screen shows ``text``."""
        wait_until(
            lambda: text in self.screen(),
            BOUND,
            lambda: f"no {text!r} on the screen:\n{self.screen()}",
            interval=LOOK,
        )

    def screen(self) -> str:
        done = subprocess.run([*self._server, "capture-pane", "-p"], capture_output=True, text=True, timeout=BOUND)
        return done.stdout

    def ended(self) -> None:
        """Wait until the program has ended: tmux's server ends with it."""
        command = [*self._server, "has-session"]
        wait_until(
            lambda: subprocess.run(command, capture_output=True, timeout=BOUND).returncode != 0,
            BOUND,
            lambda: f"still there:\n{self.screen()}",
            interval=LOOK,
        )

    def close(self) -> None:
        subprocess.run([*self._server, "kill-server"], capture_output=True, timeout=BOUND)

    def _tmux(self, *arguments: str) -> None:
        subprocess.run([*self._server, *arguments], check=True, capture_output=True, timeout=BOUND)


class Watched:
    """A project folder under version control, with a session that runs in it."""

    def __init__(self, folder: Path, up: Up) -> None:
        self.folder = folder
        self.up = up
        self._place = 0

    def new_file(self, text: str, name: str | None = None) -> Path:
        """A file of this test's own, whose coming has been taken up."""
        path = self.folder / (name or f"file-{uuid.uuid4().hex[:8]}.py")
        self._place = self.up.mark()
        path.write_text(text)
        assert self.reloaded() == {path.name: "created"}
        return path

    def reloaded(self) -> dict[str, str]:
        """The next batch, as kinds by path; it must be the one that the next reload names."""
        row = self.up.wait("reload", timeout=BOUND, since=self._place)
        batch = self.up.all("change", since=self._place)[0]
        assert [item["path"] for item in batch["files"]] == row["files"]
        self._place = self.up.events.index(row) + 1
        return {item["path"]: item["kind"] for item in batch["files"]}

    def later(self) -> None:
        """Wait until a change no longer looks as if the program had made it at its start."""
        started = self.up.all("ready")[-1]["time"]
        wait_until(lambda: age(started) > SOON + 0.1, BOUND)

    def quiet(self) -> None:
        """Nothing more comes of what was done before: the next thing taken up is a file that is saved now.

        A change that was late enough to join that file's batch would be named with it.
        """
        name = f"sentinel-{uuid.uuid4().hex[:8]}"
        (self.folder / name).touch()
        assert self.reloaded() == {name: "created"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    name = f"dmtest-{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp(name)
    (folder / ".devmount.toml").write_text(TOML.format(name=name))
    git(folder, "init", "--quiet", "--initial-branch=main")
    try:
        with Up(folder) as up:
            up.wait("ready", BOUND)
            yield Watched(folder, up)
    finally:
        remove(name)


@pytest.fixture
def terminal(watched: Watched, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """``terminal("vim", "file")``: an editor in the project's folder, with an empty home; closed afterwards."""
    opened: list[Terminal] = []

    def start(*argv: str) -> Terminal:
        for program in ("tmux", argv[0]):
            if shutil.which(program) is None:
                pytest.skip(f"{program} is not installed")
        opened.append(Terminal(watched.folder, list(argv), tmp_path))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def git(folder: Path, *arguments: str) -> str:
    """The output of a git command, with an identity and without anyone's configuration."""
    identity = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "gc.auto=0"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, timeout=BOUND)
    assert done.returncode == 0, done.stderr
    return done.stdout


def age(moment: str) -> float:
    """Seconds since a moment as events write it."""
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
