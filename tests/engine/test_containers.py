"""What every engine does with a container: it starts, mounts, publishes, runs as the user asked for, stops."""

import os
import threading
import time
from pathlib import Path

import pytest

from devmount.engine import images
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Mount, MountType, Port, Project
from tests.engines import Begin, log, output
from tests.harness import free_port, wait_until

pytestmark = pytest.mark.engine

FOREVER = "while :; do sleep 1; done"


def test_a_container_is_created_started_and_ends_with_its_exit_code(
    engine: Engine, project: Project, begin: Begin
) -> None:
    container = begin("sleep 0.2; exit 7")
    assert container.running
    assert (container.service, container.name) == ("app", f"{project.name}-app")
    assert container.pid > 0
    assert engine.wait(container.id) == 7
    ended = engine.inspect(container.id)
    assert (ended.running, ended.exit_code, ended.pid) == (False, 7, 0)
    assert [row.id for row in engine.containers(project.name)] == [container.id]
    assert engine.exists(container.name)
    engine.remove(container.id)
    assert engine.containers(project.name) == []
    assert not engine.exists(container.name)
    engine.remove(container.id)  # what is gone already is no error


def test_the_name_of_another_container_is_refused(engine: Engine, begin: Begin) -> None:
    begin(FOREVER)
    with pytest.raises(DevmountError) as error:
        begin(FOREVER)
    assert "cannot be created" in error.value.message


def test_the_environment_arrives_as_it_was_given(engine: Engine, begin: Begin) -> None:
    given = {"PLAIN": "1", "SPACES": " a  b ", "QUOTES": "'\"`$x\\", "EQUALS": "a=b=c", "UMLAUT": "ü€", "EMPTY": ""}
    container = begin("env; hostname", environment=given)
    lines = output(engine, container)
    for key, value in given.items():
        assert f"{key}={value}" in lines
    assert "HOME=/tmp" in lines  # the caller's id has no home in the image
    assert lines[-1] == "app"


def test_a_folder_is_mounted_and_what_is_made_there_belongs_to_the_caller(
    engine: Engine, begin: Begin, tmp_path: Path
) -> None:
    (tmp_path / "given").write_text("from the host\n")
    (tmp_path / "given").chmod(0o640)
    tmp_path.chmod(0o777)
    host = specs.Host(os.getuid(), os.getgid(), engine.is_rootless())
    container = begin("cat given; pwd; echo x >made; mkdir sub; stat -c '%a' given", mount="/srv/code", host=host)
    assert output(engine, container) == ["from the host", "/srv/code", "640"]
    assert (tmp_path / "made").read_text() == "x\n"
    assert {(tmp_path / name).stat().st_uid for name in ("made", "sub")} == {os.getuid()}


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to play another user")
def test_files_belong_to_a_caller_who_is_not_root(engine: Engine, begin: Begin, tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 23456)
    container = begin("id -u; id -g; echo x >made", host=specs.Host(12345, 23456))
    assert output(engine, container) == ["12345", "23456"]
    status = (tmp_path / "made").stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)


@pytest.mark.parametrize(
    ("user", "ids"), [("image", "0:0"), ("root", "0:0"), ("1234:5678", "1234:5678"), ("www-data", "33:33")]
)
def test_the_program_runs_as_the_user_asked_for(engine: Engine, begin: Begin, user: str, ids: str) -> None:
    assert output(engine, begin("echo $(id -u):$(id -g)", user=user)) == [ids]


def test_a_user_that_the_image_does_not_have_is_an_error(begin: Begin) -> None:
    with pytest.raises(DevmountError) as error:
        begin(FOREVER, user="nobody-of-that-name")
    assert "nobody-of-that-name" in error.value.message


def test_single_files_read_only_binds_and_tmpfs(engine: Engine, begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one file\n")
    (tmp_path / "folder").mkdir()
    mounts = (
        Mount(MountType.BIND, str(tmp_path / "file"), "/etc/one.conf", read_only=True),
        Mount(MountType.BIND, str(tmp_path / "folder"), "/folder"),
        Mount(MountType.TMPFS, "", "/scratch"),
    )
    script = (
        "cat /etc/one.conf; (echo no >/etc/one.conf) 2>/dev/null || echo refused;"
        "echo yes >/folder/made; grep -c ' /scratch tmpfs ' /proc/mounts; echo yes >/scratch/made && echo written"
    )
    assert output(engine, begin(script, mounts=mounts, user="root")) == ["one file", "refused", "1", "written"]
    assert (tmp_path / "folder" / "made").read_text() == "yes\n"
    assert (tmp_path / "file").read_text() == "one file\n"


def test_binds_that_are_labelled_for_selinux(engine: Engine, begin: Begin, tmp_path: Path) -> None:
    """Where SELinux is not there, the label is nothing, and the rest is as with any bind."""
    (tmp_path / "file").write_text("one file\n")
    mounts = (Mount(MountType.BIND, str(tmp_path / "file"), "/etc/one.conf", read_only=True, relabel=True),)
    script = "cat /etc/one.conf; (echo no >/etc/one.conf) 2>/dev/null || echo refused; pwd; echo x >made"
    container = begin(script, mount="/srv/code", relabel=True, mounts=mounts)
    assert output(engine, container) == ["one file", "refused", "/srv/code"]
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_a_bind_whose_source_is_missing_is_an_error_and_makes_no_folder(begin: Begin, tmp_path: Path) -> None:
    with pytest.raises(DevmountError) as error:
        begin(FOREVER, mounts=(Mount(MountType.BIND, str(tmp_path / "missing"), "/x"),))
    assert str(tmp_path / "missing") in error.value.message
    assert not (tmp_path / "missing").exists()


def test_ports_are_published_where_the_file_says(engine: Engine, project: Project, begin: Begin) -> None:
    port = free_port()
    container = begin(FOREVER, ports=(Port(8000, port), Port(9000, 0), Port(53, 0, protocol="udp")))
    published = {inside: outside for outside, _, inside in (entry.partition("->") for entry in container.ports)}
    assert published["8000/tcp"] == f"127.0.0.1:{port}"
    assert published["9000/tcp"].startswith("127.0.0.1:")
    assert int(published["9000/tcp"].rpartition(":")[2]) > 0
    assert "53/udp" in published
    assert engine.publisher(port) == container.name
    assert engine.publisher(1) == ""


def test_a_port_that_another_container_has_is_an_error(begin: Begin) -> None:
    port = free_port()
    begin(FOREVER, ports=(Port(8000, port),))
    with pytest.raises(DevmountError) as error:
        begin(FOREVER, name="other", ports=(Port(8000, port),))
    assert str(port) in error.value.message


def test_a_command_in_the_running_container(engine: Engine, begin: Begin) -> None:
    container = begin(FOREVER)
    code, said = engine.exec_output(container.id, ["sh", "-c", "echo out; echo err >&2; exit 5"])
    assert (code, sorted(said.split())) == (5, [b"err", b"out"])  # two pipes: no order between them
    assert engine.exec_output(container.id, ["id", "-u"], "1234")[1] == b"1234\n"
    code, _ = engine.exec_output(container.id, ["true"])
    assert code == 0
    assert engine.has_path(container.id, "/bin/sh")
    assert not engine.has_path(container.id, "/bin/no-such-program")


def test_a_stop_sends_the_services_signal_and_waits_for_the_end(engine: Engine, begin: Begin) -> None:
    container = begin(f"trap 'echo bye; exit 3' USR1; echo up; {FOREVER.replace('1', '0.05')}", stop_signal="SIGUSR1")
    wait_until(lambda: log(engine, container) == [("stdout", "up")])
    engine.stop(container.id, 10)
    assert engine.inspect(container.id).exit_code == 3
    assert output(engine, container) == ["up", "bye"]


def test_what_ignores_its_signal_is_killed_after_the_timeout(engine: Engine, begin: Begin) -> None:
    container = begin(f"trap '' TERM; {FOREVER}")
    engine.stop(container.id, 0.5)
    ended = engine.inspect(container.id)
    assert (ended.running, ended.exit_code) == (False, 137)
    engine.stop(container.id, 0.5)  # what has ended already is no error


def test_a_restart_keeps_the_container(engine: Engine, begin: Begin) -> None:
    container = begin(FOREVER)
    engine.restart(container.id, 0)
    again = engine.inspect(container.id)
    assert again.running
    assert again.started_at != container.started_at


def test_a_kill_is_at_once_even_while_a_stop_waits(engine: Engine, begin: Begin) -> None:
    container = begin(f"trap '' TERM; {FOREVER}")
    stop = threading.Thread(target=engine.stop, args=(container.id, 60))
    stop.start()
    before = time.monotonic()
    engine.kill(container.id)
    wait_until(lambda: not engine.inspect(container.id).running, 10)
    assert time.monotonic() - before < 10
    stop.join(20)
    assert not stop.is_alive()


def test_an_image_tells_what_it_runs(engine: Engine, project: Project) -> None:
    image = images.inspect(engine, "debian:bookworm-slim")
    assert image is not None
    assert image.command == ("bash",)
    assert images.inspect(engine, "no-such-image:1") is None
