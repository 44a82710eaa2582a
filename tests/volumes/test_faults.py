"""SIGKILL to devmount, its helper and the engine, one moment for each command; ``make soak-volumes`` does many more."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests import ownengine
from tests.harness import environment
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
    done = subprocess.run(
        [sys.executable, "-c", DIES.format(loss=loss), "volume", "restore", "data", str(one.backups()[0]), "--replace"],
        cwd=one.folder,
        env=environment(one.env),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
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
