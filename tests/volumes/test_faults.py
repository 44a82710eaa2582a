"""SIGKILL to devmount, its helper and the engine, one moment for each command; ``make soak-volumes`` does many more."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests import ownengine
from tests.harness import devmount, docker, environment
from tests.volumes.conftest import Box, plant, snapshot
from tests.volumes.faults import PAIRS, Faults, started

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(ownengine.missing()), reason=ownengine.missing()),
    pytest.mark.timeout(300),
]

Make = Callable[..., Box]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with started(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.mark.parametrize(("kind", "operation"), PAIRS)
def test_nothing_is_lost_or_left_when_it_is_killed(faults: Faults, kind: str, operation: str) -> None:
    """The moment is drawn, the same in every run."""
    faults.moment(kind, operation, random.Random(f"{kind} {operation}").uniform(0.3, 1.0))


DIES = """
import os, shutil, signal, sys
from pathlib import Path
from devmount.engine.engine import Engine

def dies(engine, name):
    path = Path(engine.volume(name)["Mountpoint"])
    {loss}
    os.kill(os.getpid(), signal.SIGKILL)

Engine.remove_volume = dies
from devmount.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("loss", "comes_back"),
    [
        ("pass", True),
        ("shutil.rmtree(path / 'sub'); (path / 'file').unlink()", True),
        ("shutil.rmtree(path)", True),
        ("(path / 'written since').write_text('x')", False),
    ],
)
def test_a_removal_that_is_cut_off_is_told_from_a_volume_in_use(box: Make, loss: str, comes_back: bool) -> None:
    """What an engine leaves that is killed while it removes the old content of a volume that is being replaced."""
    one = box()
    one.do("create", "data")
    one.do("backup", "data")
    plant(one.path())
    before = snapshot(one.path())
    killed_at(one, DIES.format(loss=loss), "restore", "data", str(one.backups()[0]), "--replace")
    said = one.run("ls").stderr
    assert one.helpers() == []
    after = snapshot(one.path())
    if comes_back:
        assert after == before
    else:
        assert after.pop(b"written since")
        assert after.keys() == before.keys()
        assert "has been written to since" in said
        assert str(one.backups()[-1]) in said


def killed_at(one: Box, script: str, *arguments: str) -> None:
    """Run a ``devmount volume`` command that ends itself with SIGKILL where the script says."""
    argv = [sys.executable, "-c", script, "volume", *arguments]
    done = subprocess.run(argv, cwd=one.folder, env=environment(one.env), capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_what_another_user_left_half_done_is_not_taken_for_whole(box: Make) -> None:
    """Each user puts right what is theirs, since it is their backup; nobody goes on with half a volume."""
    one = box()
    one.do("create", "data")
    one.do("backup", "data")
    plant(one.path())
    before = snapshot(one.path())
    killed_at(one, DIES.format(loss="pass"), "restore", "data", str(one.backups()[0]), "--replace")
    mine = dict(one.env)
    one.env["XDG_DATA_HOME"] = str(one.home / "of another user")
    for command in ("create", "backup"):
        assert "is being filled by another devmount" in one.fails(command, "data")
    up = devmount(one.folder, "up", "--detach", env=one.env)
    assert up.returncode == 1
    assert "is being filled by another devmount" in up.stderr
    one.env = mine
    one.do("ls")
    assert snapshot(one.path()) == before
    assert one.helpers() == []


READS_NOT = """
import os, signal
from devmount.volumes import transport

transport.Reader.content = lambda reader, live: os.kill(os.getpid(), signal.SIGKILL)
from devmount.cli.main import main
main()
"""


@pytest.mark.parametrize(("options", "state"), [([], "paused"), (["--stop"], "exited")])
def test_users_go_on_after_a_kill(box: Make, options: list[str], state: str) -> None:
    one = box()
    one.do("create", "data")
    user = docker("run", "--detach", "--init", f"--volume={one.volume()}:/data", "debian:bookworm-slim", "sleep", "999")
    try:
        killed_at(one, READS_NOT, "backup", "data", *options)
        assert docker("inspect", "--format", "{{.State.Status}}", user) == state
        said = one.run("ls").stderr
        assert "left by a command that was killed" in said
        assert docker("inspect", "--format", "{{.State.Status}}", user) == "running"
        assert one.helpers() == []
        assert one.backups() == []
    finally:
        docker("rm", "--force", user)


MADE_BY_HALF = """
import os, signal
from devmount.engine import archive

def made(engine, name, driver, options, labels):
    engine.client.create_volume(name)
    os.kill(os.getpid(), signal.SIGKILL)

archive.create_volume = made
from devmount.cli.main import main
main()
"""


@pytest.mark.parametrize("written", [False, True])
def test_a_volume_without_labels_is_what_a_killed_engine_left(box: Make, written: bool) -> None:
    """It writes the labels down after it has made the folder. What somebody has put there since is theirs."""
    one = box()
    one.do("create", "data")
    killed_at(one, MADE_BY_HALF, "copy", "data", "twin")
    assert one.volume("twin") in one.volumes()
    if written:
        (one.path("twin") / "mine").write_text("x")
    said = one.run("ls").stderr
    assert ("has been written to since" in said) is written
    assert (one.volume("twin") in one.volumes()) is written
    assert one.helpers() == []
