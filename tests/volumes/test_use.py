"""Volumes as services use them: made, filled at first use, kept whatever becomes of the containers, shared."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Up, containers, devmount, docker, edit, save, wait_until
from tests.volumes.conftest import Box

pytestmark = pytest.mark.engine

Make = Callable[..., Box]

# Content of three owners at /data, with a link out of it that chown must not follow.
DOCKERFILE = """
FROM debian:bookworm-slim
RUN mkdir -p /data/sub && echo image >/data/seed && echo deep >/data/sub/file && ln -s /etc/passwd /data/link \\
    && chown -h 33:33 /data/link && chown -R 7:8 /data/sub && chmod 750 /data/sub
"""
TELL = "stat -c '%n %u:%g %a' /data /data/seed /data/sub/file; stat -c '%n %u' /etc/passwd; echo told"


def up(box: Box) -> Up:
    return Up(box.folder, env=box.env)


def start(box: Box) -> None:
    """``up --detach``."""
    done = devmount(box.folder, "up", "--detach", env=box.env)
    assert done.returncode == 0, done.stderr


def down(box: Box, *arguments: str) -> None:
    done = devmount(box.folder, "down", *arguments, env=box.env)
    assert done.returncode == 0, done.stderr


def trust(box: Box) -> None:
    """Allow what the file asks for outside its folder."""
    done = devmount(box.folder, "trust", "--yes", env=box.env)
    assert done.returncode == 0, done.stderr


def lines(session: Up, service: str = "app") -> list[str]:
    """What the service has written, once it has written "told"."""
    session.wait("log", service=service, predicate=lambda row: row["line"] == "told")
    return [row["line"] for row in session.all("log", service=service) if row["line"] != "told"]


def test_a_volume_outlives_every_container(box: Make) -> None:
    one = box(
        '[app]\nbuild = "."\ncommand = "sleep 1000"\nmounts = ["data:/data"]\n[volumes.data]\nlabels = { team = "x" }\n'
    )
    (one.folder / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    with up(one) as session:
        session.wait("ready", service="app")
        assert one.volumes() == [one.volume()]
        assert json.loads(one.do("inspect", "data", "--json"))["Labels"]["team"] == "x"
        made = Path(one.path(), "file")
        made.write_text("kept")
        mark = session.mark()
        edit(one.folder / ".devmount.toml", "[app]", '[app]\nenvironment = { A = "1" }')
        assert session.wait("reload", since=mark)["action"] == "recreate"
        save(one.folder / "Dockerfile", "FROM debian:bookworm-slim\nENV B=2\n")
        session.wait("reload", since=mark, predicate=lambda row: row["action"] == "rebuild")
        assert made.read_text() == "kept"
        assert session.stop() == 130
    down(one)
    assert made.read_text() == "kept"
    start(one)
    for container in containers(one.name):
        docker("rm", "--force", "--volumes", container)
    down(one)
    start(one)
    assert made.read_text() == "kept"
    down(one)


@pytest.mark.parametrize("made_before", [False, True], ids=["by up", "by volume create"])
def test_the_images_content_becomes_the_hosts_users(box: Make, made_before: bool) -> None:
    one = box(f'[app]\nbuild = "."\nmounts = ["data:/data"]\ncommand = ["sh", "-c", "{TELL}; exec sleep 1000"]\n')
    (one.folder / "Dockerfile").write_text(DOCKERFILE)
    if made_before:
        one.do("create", "data")
    user, group = 4321, os.stat("/var/run/docker.sock").st_gid
    home = one.folder.parent / "users home"
    home.mkdir()
    for path in (one.folder, home):
        os.chown(path, user, group)
    with Up(one.folder, user=user, group=group, env={"HOME": str(home)}) as session:
        owner = f"{user}:{group}"
        assert lines(session) == [
            f"/data {owner} 755",
            f"/data/seed {owner} 644",
            f"/data/sub/file {owner} 644",
            "/etc/passwd 0",
        ]
        assert os.lstat(one.path() / "link").st_uid == user
        assert (one.path() / "seed").read_text() == "image\n"
        (one.path() / "seed").write_text("mine")
        os.chown(one.path() / "seed", 0, 0)
        assert session.stop() == 130
    down(one)
    with Up(one.folder, user=user, group=group, env={"HOME": str(home)}) as session:
        assert "/data/seed 0:0 644" in lines(session)  # given once, at the first use
        assert (one.path() / "seed").read_text() == "mine"
    assert one.helpers() == []


def test_what_another_user_runs_keeps_the_images_owners(box: Make) -> None:
    one = box(
        f'[app]\nbuild = "."\nuser = "image"\nmounts = ["data:/data"]\n'
        f'command = ["sh", "-c", "{TELL}; exec sleep 1000"]\n'
    )
    (one.folder / "Dockerfile").write_text(DOCKERFILE)
    with up(one) as session:
        assert lines(session) == ["/data 0:0 755", "/data/seed 0:0 644", "/data/sub/file 7:8 644", "/etc/passwd 0"]


def test_a_folder_of_the_hosts_behind_a_volume_keeps_its_owners(box: Make, tmp_path: Path) -> None:
    """A volume of driver "local" may be a bind mount in disguise: what lies there is not the image's to give away."""
    there = tmp_path / "there"
    there.mkdir()
    (there / "file").write_text("theirs")
    os.chown(there / "file", 77, 78)
    one = box(
        '[app]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\nmounts = ["data:/data"]\n'
        f'[volumes.data]\noptions = {{ type = "none", o = "bind", device = "{there}" }}\n'
    )
    trust(one)
    start(one)
    assert os.stat(there / "file").st_uid == 77
    down(one, "--volumes", "--yes")
    assert (there / "file").read_text() == "theirs"


def test_a_changed_driver_or_option_stops_up_with_words(box: Make) -> None:
    one = box()
    start(one)
    (one.path() / "file").write_text("x")
    down(one)
    with (one.folder / ".devmount.toml").open("a") as file:
        file.write('[volumes.data]\noptions = { type = "tmpfs", device = "tmpfs", o = "size=1m" }\n')
    with up(one) as session:
        error = session.wait("error")
        assert session.finished() == 1
    assert "exists with other options than the file says: type, device, o" in error["message"]
    assert "devmount volume backup data" in error["hint"]
    assert (one.path() / "file").read_text() == "x"
    # the way that the message tells
    one.do("backup", "data")
    one.do("rm", "data", "--yes")
    one.do("restore", "data")
    assert json.loads(one.do("inspect", "data", "--json"))["Options"]["o"] == "size=1m"
    one.write('[app]\nimage = "debian:bookworm-slim"\nmounts = ["data:/data"]\n[volumes.data]\ndriver = "no-such"\n')
    trust(one)
    with up(one) as session:
        assert (
            "exists with driver local, where the file says no-such and other options than"
            in session.wait("error")["message"]
        )


def test_an_external_volume_must_be_there_for_up(box: Make) -> None:
    one = box()
    name = f"{one.name}_theirs"
    one.write(
        f'[app]\nimage = "debian:bookworm-slim"\ncommand = "touch /data/x"\nuser = "root"\nmounts = ["{name}:/data"]\n'
        f"[volumes.{name}]\nexternal = true\n"
    )
    trust(one)
    with up(one) as session:
        error = session.wait("error")
        assert session.finished() == 1
    assert f"the external volume '{name}' does not exist" in error["message"]
    docker("volume", "create", name)
    with up(one) as session:
        session.wait("exited", service="app")
    assert one.volumes() == [name]


def test_a_place_that_the_image_wants_a_volume_for_is_told(box: Make) -> None:
    one = box('[app]\nbuild = "."\ncommand = "sleep 1000"\nmounts = ["data:/data"]\n')
    (one.folder / "Dockerfile").write_text("FROM debian:bookworm-slim\nVOLUME /data /var/lib/other\n")
    with up(one) as session:
        session.wait("ready", service="app")
        [warning] = session.all("warning")
        assert warning["message"] == "what it writes to /var/lib/other is lost when its container is made anew"
        assert warning["hint"] == 'keep it in a volume: mounts = ["app_data:/var/lib/other"]'
        container = session.wait("started", service="app")["container"]
        session.stop()
    docker("rm", "--force", "--volumes", container)


def test_one_writes_and_one_only_reads(box: Make) -> None:
    one = box(
        '[app]\nimage = "debian:bookworm-slim"\ncommand = "sh -c \'echo hello >/data/file; exec sleep 1000\'"\n'
        'user = "image"\nready = { command = "test -s /data/file" }\nmounts = ["data:/data"]\n'
        '[services.list]\nimage = "debian:bookworm-slim"\nmounts = ["data:/srv:ro"]\ndepends_on = ["app"]\n'
        "command = \"sh -c 'cat /srv/file; touch /srv/other 2>&1; echo told; exec sleep 1000'\"\n"
    )
    with up(one) as session:
        said = lines(session, "list")
    assert said[0] == "hello"
    assert "Read-only file system" in said[1]
    [row] = json.loads(one.do("ls", "--json"))
    assert row["mounted"] == ["app:/data", "list:/srv (read-only)"]


EXCLUSIVE = """
[app]
image = "debian:bookworm-slim"
command = "sleep 1000"
mounts = ["data:/data"]
[services.list]
image = "debian:bookworm-slim"
command = "sleep 1000"
mounts = ["data:/data:ro"]
[volumes.data]
exclusive = true
"""


def test_an_exclusive_volume_has_one_writer(box: Make) -> None:
    one = box(EXCLUSIVE)
    foreign = docker("run", "--detach", "--volume", f"{one.volume()}:/x", "debian:bookworm-slim", "sleep", "1000")
    try:
        with up(one) as session:
            error = session.wait("error")
            assert session.finished() == 1
        assert "the volume 'data' is exclusive" in error["message"]
        assert "docker stop" in error["hint"]
        assert containers(one.name) == []
    finally:
        docker("rm", "--force", foreign)
    reader = docker("run", "--detach", "--volume", f"{one.volume()}:/x:ro", "debian:bookworm-slim", "sleep", "1000")
    try:
        with up(one) as session:
            session.wait("ready", service="app")
            session.wait("ready", service="list")
            assert "exclusive" in one.do("inspect", "data")
            second = devmount(one.folder, "run", "--", "true", env=one.env)
            assert second.returncode == 1
            assert f"is exclusive, and {one.name}-app (running) writes into it" in second.stderr
            mark = session.mark()
            edit(one.folder / ".devmount.toml", "[app]", '[app]\nenvironment = { A = "1" }')
            assert session.wait("reload", since=mark)["action"] == "recreate"  # its own container is no second writer
            assert session.stop() == 130
    finally:
        docker("rm", "--force", reader)
    assert devmount(one.folder, "run", "--", "true", env=one.env).returncode == 0
    other = docker("run", "--detach", "--volume", f"{one.volume()}:/x", "debian:bookworm-slim", "sleep", "1000")
    try:
        started = devmount(one.folder, "start", env=one.env)
        assert started.returncode == 1
        assert "is exclusive" in started.stderr
    finally:
        docker("rm", "--force", other)
    down(one)


def test_a_removed_container_is_made_again_at_the_next_change(box: Make) -> None:
    one = box()
    with up(one) as session:
        session.wait("ready", service="app")
        first = session.wait("started", service="app")["container"]
        (one.path() / "file").write_text("kept")
        mark = session.mark()
        docker("rm", "--force", first)
        session.wait("exited", service="app", since=mark)
        save(one.folder / "changed", "x")
        second = session.wait("started", service="app", since=mark)["container"]
        assert second != first
        assert docker("exec", second, "cat", "/data/file") == "kept"
        assert session.all("error") == []


def test_rm_force_stops_the_services_of_a_running_session(box: Make) -> None:
    one = box(
        '[app]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\nmounts = ["data:/data"]\n'
        '[services.other]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\n'
    )
    with up(one) as session:
        for service in ("app", "other"):
            session.wait("ready", service=service)
        (one.path() / "file").write_text("lost")
        mark = session.mark()
        one.do("rm", "data", "--force", "--yes")
        assert one.volumes() == []
        save(one.folder / "changed", "x")  # nothing starts the app again, and with it an empty volume
        session.wait("change", since=mark)
        assert len(containers(one.name)) == 1
        started = devmount(one.folder, "start", "app", env=one.env)
        assert started.returncode == 0, started.stderr
        session.wait("started", service="app", since=mark)
        assert list(one.path().iterdir()) == []
        assert session.all("error") == []


def test_up_waits_for_a_command_that_works_on_the_volumes(box: Make) -> None:
    one = box()
    one.do("create", "data")
    lock = one.home / "devmount" / one.name / "volumes.lock"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with up(one) as session:
            assert "waiting for process" in session.wait("warning")["message"]
            session.interrupt()
            assert session.finished() == 130
        with up(one) as session:
            session.wait("warning")
            fcntl.flock(held, fcntl.LOCK_UN)
            session.wait("ready", service="app")
    down(one)


def test_a_first_use_that_was_cut_off_begins_again(box: Make) -> None:
    """Killed while the content is being given to the user: no half-given volume is taken for a whole one."""
    toml = '[app]\nbuild = "."\ncommand = "sleep 1000"\nmounts = ["data:/data"]\n'
    one = box(toml)
    slow = "#!/bin/sh\\nsleep 600\\n"
    # the name of the mended program comes first on the helper's PATH
    (one.folder / "Dockerfile").write_text(
        f"{DOCKERFILE}RUN printf '{slow}' >/usr/local/sbin/chown && chmod +x /usr/local/sbin/chown\n"
    )
    with up(one) as session:
        wait_until(lambda: len(one.helpers()) == 2, 60, lambda: "no helpers: " + session.report())
        session.kill()
    assert one.volumes() == [one.volume()]
    (one.folder / "Dockerfile").write_text(DOCKERFILE)
    os.chown(one.folder, 1000, 1000)
    with up(one) as session:
        warned = session.wait("warning")["message"]
        assert f"put the volume {one.volume()} back" in warned
        session.wait("ready", service="app")
        assert os.stat(one.path() / "sub").st_uid == os.getuid()
        assert one.helpers() == []
    down(one)
