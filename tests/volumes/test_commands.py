"""The volume commands, as a person types them."""

import fcntl
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import COMMAND, devmount, docker, environment
from tests.volumes.conftest import TOML, Box, bind_socket, plant, snapshot

pytestmark = pytest.mark.engine

Make = Callable[..., Box]


def test_a_round_trip_keeps_everything(box: Make) -> None:
    one = box()
    one.do("create", "data")
    plant(one.path())
    bind_socket(one.path() / "socket")
    before = snapshot(one.path())
    del before[b"socket"]  # it means nothing without its server, and no tar holds it
    one.do("backup", "data")
    [made] = one.backups()
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    one.do("rm", "data", "--yes")
    assert one.volumes() == []
    one.do("restore", "data", str(made))
    assert snapshot(one.path()) == before
    assert one.helpers() == []


def test_a_stock_tar_reads_a_backup(box: Make, tmp_path: Path) -> None:
    one = box()
    one.do("create", "data")
    plant(one.path())
    before = snapshot(one.path())
    out = tmp_path / "out.tar.zst"
    one.do("backup", "data", "--output", str(out))
    there = tmp_path / "unpacked"
    there.mkdir()
    subprocess.run(["tar", "--zstd", "--xattrs", "-xpf", out, "-C", there], check=True, timeout=60)
    assert snapshot(there / "data") == before
    checked = subprocess.run(
        ["sha256sum", "--check", "--quiet", "devmount-checksums"], cwd=there, capture_output=True, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_without_gnu_tar_the_engine_reads_and_writes(box: Make) -> None:
    """A volume of an image with nothing in it, on an engine that has no other image, is what the archive API is for."""
    one = box()
    one.do("create", "data")
    plant(one.path())
    before = snapshot(one.path())
    script = (
        "import sys; from devmount.volumes import helper, transport\n"
        "helper._tried = lambda engine, project, image, tar: None\n"
        "from devmount.cli.main import main; sys.exit(main())"
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, "volume", *arguments],
            cwd=one.folder,
            env=environment(one.env),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert "GNU tar" in run("backup", "data")
    one.do("rm", "data", "--yes")
    run("restore", "data")
    after = snapshot(one.path())
    assert after.keys() == before.keys()
    for name, row in before.items():
        kind, mode, uid, gid, *detail, _ = row
        assert after[name][:4] == (kind, mode, uid, gid)
        if len(detail) == 5:  # a file: size, content and links, but no fraction of a second and no hole
            assert after[name][4:6] == tuple(detail[:2])
            assert after[name][7] == detail[3]


def test_ls_and_inspect_tell_what_is_there(box: Make) -> None:
    one = box()
    assert "not made yet" in one.do("ls")
    one.do("create", "data", "spare")
    (one.path() / "file").write_bytes(b"x" * 100_000)
    one.do("backup", "data")
    rows = {row["volume"]: row for row in json.loads(one.do("ls", "--json"))}
    assert rows.keys() == {"data", "spare"}
    assert rows["data"]["mounted"] == ["app:/data"]
    assert rows["data"]["size"] >= 100_000
    assert rows["data"]["newest_backup"]
    assert rows["data"]["declared"]
    assert not rows["spare"]["declared"]
    table = one.do("ls")
    assert "app:/data" in table
    assert "spare (not in the file)" in table
    container = docker("create", "--volume", f"{one.volume()}:/srv:ro", "debian:bookworm-slim")
    try:
        told = json.loads(one.do("inspect", "data", "--json"))
        assert told["Mountpoint"] == str(one.path())
        [user] = told["devmount"]["containers"]
        assert (user["id"], user["target"], user["mode"], user["state"]) == (container, "/srv", "read-only", "stopped")
        assert str(one.backups()[0]) in one.do("inspect", "data")
    finally:
        docker("rm", container)
    [row] = json.loads(one.do("backups", "--json"))
    assert row["path"] == str(one.backups()[0])
    assert row["volume"] == "data"
    assert row["files"] == 1


def test_rm_asks_and_refuses_while_used(box: Make) -> None:
    one = box()
    one.do("create", "data")
    asked = one.run("rm", "data").stderr
    assert "All that is in these volumes would be lost" in asked
    assert "no backup" in asked
    assert one.volumes() == [one.volume()]
    up = devmount(one.folder, "up", "--detach", env=one.env)
    assert up.returncode == 0, up.stderr
    message = one.fails("rm", "data", "--yes")
    assert f"{one.name}-app (running)" in message
    foreign = docker(
        "create", "--volume", f"{one.volume()}:/srv", "--name", f"{one.name}-other", "debian:bookworm-slim"
    )
    try:
        assert f"{one.name}-other" in one.fails("rm", "data", "--yes", "--force")
    finally:
        docker("rm", foreign)
    one.do("rm", "data", "--yes", "--force")
    assert one.volumes() == []
    assert devmount(one.folder, "down", env=one.env).returncode == 0


def test_prune_offers_only_what_the_file_no_longer_names(box: Make) -> None:
    one = box()
    one.do("create", "data", "old", "older")
    offered = one.run("prune").stderr
    assert "old (" in offered
    assert "older (" in offered
    assert "data (" not in offered
    holder = docker("create", "--volume", f"{one.volume('older')}:/srv", "debian:bookworm-slim")
    try:
        done = one.run("prune", "--yes")
        assert done.returncode == 0, done.stderr
        assert "left alone" in done.stderr
        assert one.volumes() == [one.volume(), one.volume("older")]
    finally:
        docker("rm", holder)


def test_prune_knows_every_profile_and_leaves_another_checkouts_volumes_alone(box: Make) -> None:
    toml = TOML + '[profiles.big.services.db]\nimage = "debian:bookworm-slim"\nmounts = ["bulk:/data"]\n'
    one = box(toml + '[profiles.big.volumes.declared]\nlabels = { a = "b" }\n')
    other = one.folder.parent / "other checkout"
    other.mkdir()
    (other / ".devmount.toml").write_text(f'name = "{one.name}"\n{TOML}')
    assert devmount(other, "volume", "create", "theirs", env=one.env).returncode == 0
    one.do("create", "data", "bulk", "declared", "gone")
    rows = {row["volume"]: row["declared"] for row in json.loads(one.do("ls", "--json"))}
    assert rows == {"data": True, "bulk": True, "declared": True, "theirs": False, "gone": False}
    done = one.run("prune", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"theirs was made by another checkout, {other}: left alone" in done.stderr
    assert done.stdout == f"removed gone ({one.volume('gone')})\n"
    with (one.folder / ".devmount.toml").open("a") as file:
        file.write('[profiles.broken.app]\nenvironment = { A = "${NO_SUCH_VARIABLE}" }\n')
    one.do("ls")
    assert "NO_SUCH_VARIABLE" in one.fails("prune")  # what that profile names is not known
    one.do("rm", "theirs", "theirs", "--yes")


def test_restore_replaces_only_when_told_and_keeps_what_was_there(box: Make) -> None:
    one = box()
    one.do("create", "data")
    (one.path() / "version").write_text("one")
    one.do("backup", "data")
    (one.path() / "version").write_text("two")
    (one.path() / "added").write_text("later")
    assert "--replace" in one.fails("restore", "data")
    assert (one.path() / "version").read_text() == "two"
    told = one.do("restore", "data", "--replace")
    assert (one.path() / "version").read_text() == "one"
    assert not (one.path() / "added").exists()
    newest, _ = sorted(one.backups(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    assert str(newest) in told
    one.do("restore", "data", str(newest), "--replace")
    assert (one.path() / "added").read_text() == "later"


def test_restore_keeps_labels_driver_and_options(box: Make) -> None:
    toml = '[app]\nimage = "debian:bookworm-slim"\ncommand = "true"\n[volumes.data]\nlabels = { team = "shop" }\n'
    one = box(toml + 'options = { type = "tmpfs", device = "tmpfs", o = "size=1m" }\n')
    one.do("create", "data")
    assert json.loads(one.do("inspect", "data", "--json"))["Options"]["o"] == "size=1m"
    one.do("backup", "data")
    one.do("rm", "data", "--yes")
    one.do("restore", "data")
    described = json.loads(one.do("inspect", "data", "--json"))
    assert described["Options"] == {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    assert described["Labels"]["team"] == "shop"


def test_a_changed_driver_or_option_is_explained(box: Make) -> None:
    one = box()
    one.do("create", "data")
    (one.path() / "file").write_text("x")
    with (one.folder / ".devmount.toml").open("a") as file:
        file.write('[volumes.data]\noptions = { type = "tmpfs", device = "tmpfs" }\n')
    message = one.fails("create", "data")
    assert "other options than the file says: type, device" in message
    assert "change the file back" in message
    assert (one.path() / "file").read_text() == "x"


def test_a_backup_pauses_its_users_and_says_so(box: Make) -> None:
    one = box()
    holder = docker("run", "--detach", "--volume", f"{one.volume()}:/data", "debian:bookworm-slim", "sleep", "1000")
    try:
        for option, state in (([], "paused"), (["--stop"], "stopped"), (["--live"], "live")):
            [row] = json.loads(one.do("backup", "data", "--json", *option))
            assert (row["users"], row["consistent"]) == (state, state != "live")
            assert docker("inspect", "--format", "{{.State.Status}}", holder) == "running"
    finally:
        docker("rm", "--force", holder)


def test_a_backup_of_all_and_wrong_use(box: Make, tmp_path: Path) -> None:
    one = box()
    one.do("create", "data", "more")
    one.do("backup", "--all")
    assert len(one.backups()) == 2
    assert "did you mean data?" in one.fails("backup", "dta")
    assert "--all" in one.fails("backup")
    assert "no such folder" in one.fails("backup", "data", "--output", str(tmp_path / "no" / "file"))
    (tmp_path / "there").write_text("mine")
    assert "exists already" in one.fails("backup", "data", "--output", str(tmp_path / "there"))
    assert (tmp_path / "there").read_text() == "mine"
    assert "no backup" in one.fails("restore", "data", str(tmp_path / "there"))


def test_copy_import_and_export(box: Make, tmp_path: Path) -> None:
    one = box()
    one.do("create", "data")
    plant(one.path())
    before = snapshot(one.path())
    one.do("copy", "data", "twin")
    assert snapshot(one.path("twin")) == before
    assert "not empty" in one.fails("copy", "data", "twin")
    assert "onto itself" in one.fails("copy", "data", "data")
    one.do("export", "data", str(tmp_path / "plain.tar"))
    assert (tmp_path / "plain.tar").stat().st_mode & 0o777 == 0o600
    one.do("import", "again", str(tmp_path / "plain.tar"))
    assert snapshot(one.path("again")) == before
    for compress in (["gzip"], ["xz", "-0"], ["zstd", "-q"]):
        packed = tmp_path / f"packed.{compress[0]}"
        with (tmp_path / "plain.tar").open("rb") as source, packed.open("wb") as out:
            subprocess.run([*compress, "-c"], stdin=source, stdout=out, check=True, timeout=60)
        one.do("import", "again", str(packed), "--replace")
        assert snapshot(one.path("again")) == before
    (tmp_path / "folder").mkdir()
    one.do("export", "data", str(tmp_path / "folder"))
    exported = snapshot(tmp_path / "folder")
    assert exported.keys() == before.keys()
    assert exported[b"file"][5] == before[b"file"][5]
    one.do("import", "fromfolder", str(tmp_path / "folder"))
    assert snapshot(one.path("fromfolder")).keys() == before.keys()
    piped = subprocess.run(
        [*COMMAND, "volume", "export", "data", "-"],
        cwd=one.folder,
        env=environment(one.env),
        capture_output=True,
        timeout=60,
    )
    listed = subprocess.run(["tar", "t"], input=piped.stdout, capture_output=True, timeout=60)
    assert listed.returncode == 0, listed.stderr
    assert b"./file" in listed.stdout


def test_one_command_at_a_time(box: Make) -> None:
    one = box()
    one.do("create", "data")
    lock = one.home / "devmount" / one.name / "volumes.lock"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another devmount works" in one.fails("rm", "data", "--yes")
        assert "data" in one.do("ls")
    assert one.volumes() == [one.volume()]


def test_down_leaves_volumes_unless_told(box: Make) -> None:
    one = box()
    one.do("create", "data")
    assert devmount(one.folder, "down", env=one.env).returncode == 0
    assert one.volumes() == [one.volume()]
    asked = devmount(one.folder, "down", "--volumes", env=one.env)
    assert asked.returncode == 1
    assert "no backup" in asked.stderr
    assert one.volumes() == [one.volume()]
    assert devmount(one.folder, "down", "--volumes", "--yes", env=one.env).returncode == 0
    assert one.volumes() == []


def test_an_external_volume_is_used_and_never_removed(box: Make) -> None:
    one = box()
    name = f"{one.name}_outside"
    one.write(f'[app]\nimage = "debian:bookworm-slim"\ncommand = "true"\n[volumes.{name}]\nexternal = true\n')
    assert "which is not this project's own" in one.fails("create", name)
    assert devmount(one.folder, "trust", "--yes", env=one.env).returncode == 0
    assert "does not exist" in one.fails("create", name)
    docker("volume", "create", name)
    one.do("backup", name)
    assert "is external" in one.fails("rm", name, "--yes")
    assert devmount(one.folder, "down", "--volumes", "--yes", env=one.env).returncode == 0
    assert one.volumes() == [name]
