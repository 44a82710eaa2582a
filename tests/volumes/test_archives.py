"""Backups that are damaged or hostile, as a user meets them; memory; and the way for engines elsewhere."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devmount.volumes import tarstream
from devmount.volumes.tarstream import Member
from tests.harness import COMMAND, environment
from tests.volumes.conftest import Box, plant, snapshot
from tests.volumes.test_verify import BEGUN, TOP, hostile

pytestmark = pytest.mark.engine

Make = Callable[..., Box]

HOSTILE = {
    "goes up": [TOP, (Member(b"data/../../evil"), b"x")],
    "is an absolute path": [TOP, (Member(b"/etc/cron.d/evil"), b"x")],
    "behind a symbolic link": [
        TOP,
        (Member(b"data/a", tarstream.SYMLINK, link=b"/"), b""),
        (Member(b"data/a/evil"), b"x"),
    ],
    "is a device node": [TOP, (Member(b"data/sda", tarstream.BLOCK_DEVICE, device=(8, 0)), b"")],
}


def test_what_is_damaged_or_hostile_touches_nothing(box: Make, tmp_path: Path) -> None:
    one = box()
    one.do("create", "data")
    (one.path() / "file").write_bytes(os.urandom(300_000))
    one.do("backup", "data")
    [kept] = one.backups()
    whole = kept.read_bytes()
    (one.path() / "file").write_bytes(b"newer")
    before = snapshot(one.path())
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    bad = {
        "damaged": whole[: len(whole) // 2],
        "is damaged": bytes(flipped),
        "more than its manifest says": hostile([TOP, (Member(b"data/zeros"), bytes(16 << 20))], told=BEGUN),
        **{reason: hostile(rows) for reason, rows in HOSTILE.items()},
    }
    for reason, data in bad.items():
        path = tmp_path / "bad.tar.zst"
        path.write_bytes(data)
        for command in (("restore", "new", str(path)), ("restore", "data", str(path), "--replace")):
            said = one.fails(*command)
            assert reason in said
            assert len(said.splitlines()) == 3, said
        assert one.volumes() == [one.volume()]
        assert snapshot(one.path()) == before
        assert one.backups() == [kept]
    assert one.helpers() == []


def test_memory_stays_flat(box: Make) -> None:
    """A backup and a restore of 256 MiB take hardly more than those of nothing."""
    one = box()
    one.do("create", "data", "small")
    with (one.path() / "big").open("wb") as file:
        for number in range(256):
            file.write(os.urandom(1024) * 1000 + number.to_bytes(24_576, "big"))
    peaks = {}
    for name in ("small", "data"):
        peaks[name] = max(peak(one, "backup", name), peak(one, "restore", f"{name}-again", str(backup_of(one, name))))
    assert peaks["data"] < peaks["small"] + (80 << 20), peaks
    assert snapshot(one.path("data-again")) == snapshot(one.path())


def backup_of(box: Box, name: str) -> Path:
    return next(path for path in box.backups() if f"_{name}-2" in path.name)


def peak(box: Box, *arguments: str) -> int:
    """The most memory that the command had resident, in bytes."""
    process = subprocess.Popen(
        [*COMMAND, "volume", *arguments], cwd=box.folder, env=environment(box.env), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_an_engine_elsewhere_takes_the_content_over_its_connection(box: Make) -> None:
    """Where no pipe of this machine is the helper's, its standard input and output serve."""
    one = box()
    one.do("create", "data")
    plant(one.path())
    before = snapshot(one.path())
    script = (
        "import sys; from devmount.engine.engine import Engine\n"
        "Engine.is_local = lambda engine: False\n"
        "from devmount.engine import pipes\n"
        "pipes.make = None\n"
        "from devmount.cli.main import main; sys.exit(main())"
    )
    for arguments in (("backup", "data"), ("restore", "again"), ("copy", "data", "twin")):
        given = [*arguments, str(one.backups()[0])] if arguments[0] == "restore" else arguments
        done = subprocess.run(
            [sys.executable, "-c", script, "volume", *given],
            cwd=one.folder,
            env=environment(one.env),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    assert snapshot(one.path("again")) == before
    assert snapshot(one.path("twin")) == before
    assert one.helpers() == []
