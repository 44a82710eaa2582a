"""Volumes that go to another engine: over ssh, to one with hardly any image, to one whose disk is full."""

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import ownengine, sshd
from tests.harness import devmount, docker, wait_until
from tests.ownengine import OwnEngine
from tests.sshd import Sshd
from tests.volumes.conftest import Box, plant, snapshot

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(bool(ownengine.missing()), reason=ownengine.missing()),
    pytest.mark.timeout(300),
]

Make = Callable[..., Box]
SCRATCH = "devmount-test-scratch"


@pytest.fixture(scope="module")
def far() -> Iterator[OwnEngine]:
    """An engine with a small image."""
    with OwnEngine() as engine:
        engine.load_small()
        yield engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if sshd.missing():
        pytest.skip(sshd.missing())
    with Sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def helpers(engine: OwnEngine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--filter", "label=dev.devmount.helper").split()


def content(engine: OwnEngine, name: str) -> Path:
    return engine.volumes / name / "_data"


def run(box: Box, engine: OwnEngine, *arguments: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    """``devmount --engine … volume …``; ``path`` in the place of the PATH."""
    env = {**box.env, **({"PATH": path} if path else {})}
    return devmount(box.folder, "--engine", engine.url, "volume", *arguments, env=env, timeout=120)


def do(box: Box, engine: OwnEngine, *arguments: str, path: str = "") -> str:
    """The same, which must work; its standard error."""
    done = run(box, engine, *arguments, path=path)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_a_copy_over_ssh_keeps_everything(box: Make, far: OwnEngine, server: Sshd) -> None:
    one = box()
    one.env.update(server.env)
    one.do("create", "data")
    plant(one.path())
    before = snapshot(one.path())
    url = f"ssh://root@127.0.0.1:{server.port}{far.socket}"
    one.do("copy", "data", "--to", url)
    assert snapshot(content(far, one.volume())) == before
    labels = far.docker("volume", "inspect", "--format", "{{json .Labels}}", one.volume())
    assert f'"dev.devmount.project":"{one.name}"' in labels
    assert "not empty" in one.fails("copy", "data", "--to", url)
    (one.path() / "file").write_text("changed")
    told = one.do("copy", "data", "--to", url, "--replace")
    assert "kept" in told
    assert (content(far, one.volume()) / "file").read_text() == "changed"
    assert helpers(far) == one.helpers() == []
    listed = devmount(one.folder, "--engine", url, "volume", "ls", env=one.env)
    assert listed.returncode == 0, listed.stderr
    assert "app:/data" in listed.stdout


def test_a_cut_connection_leaves_no_half_volume(box: Make, far: OwnEngine, server: Sshd) -> None:
    one = box()
    one.env.update(server.env)
    one.do("create", "data")
    (one.path() / "big").write_bytes(os.urandom(1 << 20) * 800)
    url = f"ssh://root@127.0.0.1:{server.port}{far.socket}"
    cut: list[bool] = []

    def cut_once() -> bool:
        if one.volume() in far.docker("volume", "ls", "--quiet").split():
            server.cut()
            cut.append(True)
        return bool(cut)

    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(one.run, "copy", "data", "--to", url)
        wait_until(lambda: cut_once() or copying.done(), 90)
        done = copying.result(120)
    assert cut
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    # What could not be undone through the cut connection is undone by the next command that goes there.
    listed = devmount(one.folder, "--engine", url, "volume", "ls", env=one.env)
    assert listed.returncode == 0, listed.stderr
    assert one.volume() not in far.docker("volume", "ls", "--quiet").split()
    assert helpers(far) == one.helpers() == []
    assert (one.path() / "big").stat().st_size == 800 << 20


def test_what_ssh_says_is_told(box: Make, server: Sshd) -> None:
    one = box()
    one.env.update(server.env)
    one.do("create", "data")
    done = one.run("copy", "data", "--to", f"ssh://nobody@127.0.0.1:{server.port}")
    assert done.returncode == 3
    assert "permission denied" in done.stderr.lower()
    assert len(done.stderr.splitlines()) == 3
    done = one.run("copy", "data", "--to", "ssh://root:secret@127.0.0.1")
    assert done.returncode == 2
    assert "a password does not belong" in done.stderr
    assert "secret" not in done.stderr
    assert one.volumes() == [one.volume()]


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A program that is linked with nothing."""
    packed = docker_output("run", "--rm", "debian:bookworm-slim", "cat", "/sbin/ldconfig")
    path = tmp_path / "ldconfig"
    path.write_bytes(packed)
    path.chmod(0o755)
    return path


def docker_output(*arguments: str) -> bytes:
    return subprocess.run(["docker", *arguments], capture_output=True, check=True, timeout=60).stdout


def without(program: str, folder: Path) -> str:
    """A PATH on which everything is but this program."""
    place = folder / "without"
    place.mkdir()
    for name in os.environ["PATH"].split(":"):
        for entry in Path(name).glob("*"):
            if entry.name != program and not (place / entry.name).is_symlink():
                (place / entry.name).symlink_to(entry)
    return str(place)


def test_images_without_tar_will_do(box: Make, static: Path, tmp_path: Path) -> None:
    """No image at all, then one FROM scratch with a static program: this host's tar is brought, else the engine's."""
    one = box(f'[app]\nimage = "{SCRATCH}"\nmounts = ["data:/data"]\n')
    one.do("create", "data")
    plant(one.path())
    before = snapshot(one.path())
    one.do("backup", "data")
    [made] = one.backups()
    with OwnEngine() as engine:
        do(one, engine, "restore", "first", str(made))
        assert snapshot(content(engine, one.volume("first"))) == before
        engine.docker("image", "rm", "--force", *engine.docker("images", "--quiet").split())
        engine.load_scratch(static)
        do(one, engine, "restore", "data", str(made))
        assert snapshot(content(engine, one.volume())) == before
        again = tmp_path / "again.tar.zst"
        assert "GNU tar" not in do(one, engine, "backup", "data", "--output", str(again))
        do(one, engine, "restore", "second", str(again))
        assert snapshot(content(engine, one.volume("second"))) == before
        plain = tmp_path / "plain.tar.zst"
        bare = without("tar", tmp_path)
        assert "GNU tar" in do(one, engine, "backup", "data", "--output", str(plain), path=bare)
        do(one, engine, "restore", "third", str(plain), path=bare)
        after = snapshot(content(engine, one.volume("third")))
        assert after.keys() == before.keys()
        for name, row in before.items():  # all but extended attributes, holes and fractions of seconds
            assert after[name][:4] == row[:4]
            if len(row) == 10:
                assert after[name][4:6] + after[name][7:8] == row[4:6] + row[7:8]
        assert helpers(engine) == []


def test_a_full_disk_of_the_engine_loses_nothing(box: Make, tmp_path: Path) -> None:
    one = box('[app]\nimage = "devmount-test-small"\nmounts = ["data:/data"]\n')
    big = tmp_path / "big"
    big.mkdir()
    (big / "noise").write_bytes(os.urandom(40 << 20))
    one.do("import", "big", str(big))
    one.do("backup", "big")
    [made] = one.backups()
    with OwnEngine(volumes_size=32 << 20) as engine:
        engine.load_small()
        do(one, engine, "create", "data")
        (content(engine, one.volume()) / "mine").write_bytes(b"x" * (8 << 20))
        for command in (
            ("restore", "data", str(made), "--replace"),
            ("restore", "new", str(made)),
            ("import", "new", str(big)),
            ("import", "data", str(big), "--replace"),
        ):
            done = run(one, engine, *command)
            assert done.returncode == 1, (command, done.stderr)
            assert "No space left" in done.stderr
            assert "make room" in done.stderr
            assert engine.docker("volume", "ls", "--quiet").split() == [one.volume()]
            assert (content(engine, one.volume()) / "mine").read_bytes() == b"x" * (8 << 20)
            assert helpers(engine) == []
    done = one.run("copy", "big", "--to", "unix:///nowhere.sock")
    assert done.returncode == 3
    assert "--to" in done.stderr


def test_a_full_disk_for_the_backup_leaves_no_file(box: Make, tmp_path: Path) -> None:
    one = box()
    one.do("create", "data")
    (one.path() / "noise").write_bytes(os.urandom(8 << 20))
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        said = one.fails("backup", "data", "--output", str(small / "data.tar.zst"))
        assert "No space left" in said
        assert "make room, or name another file" in said
        said = one.fails("export", "data", str(small / "data.tar"))
        assert "No space left" in said
        (small / "folder").mkdir()
        assert "No space left" in one.fails("export", "data", str(small / "folder"))
        assert [path.name for path in small.rglob("*")] == ["folder"]
        assert docker("ps", "--all", "--quiet", "--filter", f"volume={one.volume()}") == ""
    finally:
        subprocess.run(["umount", small], check=True)
