"""What was looked at is what is used: a program in a container that swaps folders for links gets nothing by it."""

import os
import platform
from pathlib import Path

import pytest

from devmount.engine.binds import pinned
from devmount.errors import DevmountError
from devmount.model import Build
from tests.e2e.conftest import Make
from tests.harness import Up, containers, devmount, docker, wait_until

pytestmark = pytest.mark.engine

# renameat2(2) with RENAME_EXCHANGE: the two change places at once, over and over
SWAP = """
$| = 1; my $number = {"x86_64" => 316, "aarch64" => 276}->{$ENV{MACHINE}};
print "ready\\n"; until (-e "/tmp/go") { select(undef, undef, undef, 0.01) }
my ($one, $two) = ("conf", "link");
while (1) { syscall($number, -100, $one, -100, $two, 2) == 0 or die $!; select(undef, undef, undef, 0.0002) }
"""
QUIET = '[watch]\nignore = ["/conf", "/link", "/kept"]\n'


def spy(extra: str = "") -> str:
    return f"""
[services.spy]
image = "debian:bookworm-slim"
command = ["sh", "-c", "cat /c/secret; echo looked; exec sleep 1000"]
mounts = ["./conf:/c"]
stop_timeout = "0s"
{extra}
"""


def test_a_link_put_in_place_by_a_service_that_started_first_is_seen(make: Make, tmp_path: Path) -> None:
    folder = make(
        f"""
[app]
image = "debian:bookworm-slim"
mount = "/work"
command = ["sh", "-c", "mv conf kept; ln -s {tmp_path}/outside conf; echo swapped; exec sleep 1000"]
ready = {{ log = "swapped" }}
stop_timeout = "0s"
{spy('depends_on = ["app"]')}
{QUIET}""",
        {"conf/secret": "nothing\n"},
    )
    with Up(folder) as up:
        error = up.wait("error")
        assert error["message"] == (
            f"{folder}/conf leads elsewhere than when the project file was read: a symbolic link was put in its place"
        )
        assert up.finished(60) == 1
    assert up.all("log", service="spy") == []
    assert "spy" not in [docker("inspect", "--format", "{{.Name}}", one) for one in containers(folder.name)]


def test_a_service_that_swaps_a_folder_for_a_link_all_the_time_gets_nothing(make: Make, tmp_path: Path) -> None:
    folder = make(
        f"""
[app]
image = "debian:bookworm-slim"
mount = "/work"
command = ["perl", "-e", '''{SWAP}''']
environment = {{ MACHINE = "{platform.machine()}" }}
ready = {{ log = "ready" }}
stop_timeout = "0s"
{spy()}
{QUIET}""",
        {"conf/secret": "nothing\n"},
    )
    (folder / "link").symlink_to(tmp_path / "outside")
    outcomes = set()
    with Up(folder) as up:
        up.wait("log", service="spy", predicate=lambda row: row["line"] == "looked")
        app = next(
            one
            for one in containers(folder.name)
            if docker("inspect", "--format", "{{.Name}}", one) == f"/{folder.name}-app"
        )
        docker("exec", app, "touch", "/tmp/go")
        wait_until(lambda: (folder / "conf").is_symlink())
        for attempt in range(40):
            outcomes.add(devmount(folder, "restart", "spy").returncode)
            if attempt >= 5 and len(outcomes) == 2:
                break
        up.stop(60)
    assert outcomes == {0, 1}, "some starts must have met the folder and some the link"
    lines = {row["line"] for row in up.all("log", service="spy")}
    assert lines == {"nothing", "looked"}
    assert docker("inspect", "--format", "{{.State.Paused}}", app) == "false"


@pytest.fixture
def build(tmp_path: Path) -> Build:
    folder = tmp_path.resolve() / "context"
    folder.mkdir()
    (folder / "secret").write_text("nothing\n")
    (folder / "Dockerfile").write_text("FROM x\n")
    return Build(folder, found=folder / "Dockerfile")


def swap(build: Build, tmp_path: Path) -> None:
    build.context.rename(tmp_path / "kept")
    build.context.symlink_to(tmp_path / "outside")


def test_a_build_reads_the_folder_that_was_looked_at(build: Build, tmp_path: Path) -> None:
    with pinned(build) as path:
        swap(build, tmp_path)
        assert (build.context / "secret").read_text() == "PASSWORD=hunter2\n"
        assert (Path(path) / "secret").read_text() == "nothing\n"
    with pytest.raises(DevmountError, match="leads elsewhere"), pinned(build):
        pass


def test_a_folder_that_is_a_link_just_while_it_is_opened_is_seen(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def opened(path: str, flags: int) -> int:
        swap(build, tmp_path)
        try:
            return really(path, flags)
        finally:
            build.context.unlink()
            (tmp_path / "kept").rename(build.context)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(DevmountError, match="leads elsewhere"), pinned(build):
        pass


def test_the_place_of_a_mount_behind_a_link_is_not_made_outside(make: Make, tmp_path: Path) -> None:
    folder = make(
        """
[app]
image = "debian:bookworm-slim"
mount = "/work"
mounts = ["v:/work/link/deep/er", "w:/work/own/deep"]
"""
    )
    (folder / "link").symlink_to(tmp_path / "outside")
    assert devmount(folder, "run", "--", "true").returncode == 0
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["Dockerfile", "secret"]
    assert (folder / "own" / "deep").is_dir()
