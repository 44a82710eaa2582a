"""devmount doctor on a real engine, with what goes wrong in practice made to go wrong."""

import io
import json
import os
import socket
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import PODMAN_HOME, podman_environment
from tests.harness import COMMAND, Up, as_user, devmount, docker, environment

pytestmark = pytest.mark.engine

Make = Callable[..., Path]
PLAIN = '[app]\nimage = "debian:bookworm-slim"\n'
NO_ENGINE = ("--engine", "unix:///no/such/socket")


def examine(folder: Path, *options: str, env: dict[str, str] | None = None) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what was found."""
    done = devmount(folder, *options, "doctor", "--json", env=env)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["ok"] == (done.returncode == 0)
    assert told["ok"] == all(row["level"] != "error" for row in told["findings"])
    return done.returncode, told["findings"]


def errors(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["check"], row["message"]) for row in found if row["level"] == "error"]


def one(found: list[dict[str, Any]], check: str) -> dict[str, Any]:
    (row,) = [row for row in found if row["check"] == check]
    return row


def test_a_project_that_can_start(make: Make) -> None:
    folder = make(PLAIN)
    code, found = examine(folder)
    assert (code, errors(found)) == (0, [])
    version = docker("version", "--format", "{{.Server.Version}}")
    assert one(found, "engine")["message"].startswith(f"Docker {version}, API ")
    assert one(found, "images")["message"] == "all are here"
    assert one(found, "clock")["level"] == "ok"
    assert list(folder.iterdir()) == [folder / ".devmount.toml"]
    shown = devmount(folder, "doctor")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[-1].startswith("0 errors, ")
    assert shown.stdout.splitlines()[-1].endswith("devmount up can work")


def test_without_a_file(tmp_path: Path) -> None:
    code, found = examine(tmp_path)
    assert (code, errors(found)) == (1, [("file", "there is no .devmount.toml here or above")])
    assert one(found, "engine")["level"] == "ok"


def test_without_an_engine(make: Make) -> None:
    code, found = examine(make(PLAIN), *NO_ENGINE)
    assert (code, errors(found)) == (1, [("engine", "no container engine answers")])
    assert one(found, "file")["level"] == "ok"
    assert "unix:///no/such/socket" in one(found, "engine")["where"]


def test_without_either(tmp_path: Path) -> None:
    code, found = examine(tmp_path, *NO_ENGINE)
    assert code == 1
    assert [check for check, _ in errors(found)] == ["file", "engine"]
    shown = devmount(tmp_path, *NO_ENGINE, "doctor")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "mend: " in shown.stdout
    assert shown.stdout.splitlines()[-1] == "2 errors, 0 warnings: devmount up cannot work yet"


def test_every_mistake_in_the_file_with_its_place(make: Make) -> None:
    folder = make('[app]\nimag = "debian"\nports = ["x"]\n')
    code, found = examine(folder)
    assert code == 1
    wrong = [row for row in found if row["check"] == "file"]
    assert len(wrong) >= 2
    assert all(".devmount.toml:" in row["where"] and row["mend"] for row in wrong)
    assert any("image" in row["mend"] for row in wrong)


def test_a_port_that_a_program_has(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, found = examine(make(f"{PLAIN}ports = [{port}]\n"))
    assert code == 1
    row = one(found, "ports")
    assert row["message"].startswith(f"port {port} of 127.0.0.1 is taken by ")
    assert f"(process {os.getpid()})" in row["message"]
    assert ".devmount.toml" in row["where"]


def test_a_port_that_another_container_has(make: Make) -> None:
    name = f"dmtest-holder-{uuid.uuid4().hex[:8]}"
    docker("run", "--detach", "--name", name, "--publish", "127.0.0.1:0:80", "debian:bookworm-slim", "sleep", "1000")
    try:
        port = docker("port", name, "80").rpartition(":")[2]
        _, found = examine(make(f"{PLAIN}ports = [{port}]\n"))
    finally:
        docker("rm", "--force", name)
    assert errors(found) == [("ports", f"port {port} of 127.0.0.1 is taken by the container {name}")]


def test_a_running_session_is_told_and_its_port_is_no_trouble(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    folder = make(f'{PLAIN}command = "sleep 1000"\nports = [{port}]\n')
    with Up(folder) as up:
        up.wait("started", service="app")
        code, found = examine(folder)
        assert (code, errors(found)) == (0, [])
        assert one(found, "session")["message"].startswith("one runs here")
        assert up.stop() == 130


@pytest.fixture
def foreign() -> Iterator[Callable[..., str]]:
    """Make a container with these labels: ``foreign(name, **labels)``."""
    made: list[str] = []

    def create(name: str, **labels: str) -> str:
        words = [word for key, value in labels.items() for word in ("--label", f"dev.devmount.{key}={value}")]
        docker("create", "--name", name, *words, "debian:bookworm-slim", "true")
        made.append(name)
        return name

    yield create
    for name in made:
        docker("rm", "--force", name)


def test_containers_that_stand_in_the_way(make: Make, foreign: Callable[..., str], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    folder = make(PLAIN)
    name = foreign(f"{folder.name}-app", project=folder.name, service="app", root=str(other))
    code, found = examine(folder)
    assert code == 1
    assert errors(found) == [("containers", f"{name} belongs to another checkout of a project with this name")]
    assert one(found, "containers")["where"] == str(other)
    other.rmdir()
    code, found = examine(folder)
    assert code == 0
    assert "left over from a checkout that is gone" in one(found, "containers")["message"]


def test_a_container_of_that_name_which_devmount_did_not_make(make: Make, foreign: Callable[..., str]) -> None:
    folder = make(PLAIN)
    name = foreign(f"{folder.name}-app")
    _, found = examine(folder)
    assert errors(found) == [("containers", f"a container named {name} exists and is not this project's")]


@pytest.fixture
def other_platform() -> Iterator[str]:
    """An image for a processor that this machine does not have; nothing is in it."""
    name = f"dmtest-platform-{uuid.uuid4().hex[:8]}:1"
    architecture = "s390x"
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w"):
        pass
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    files = {
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": []}]).encode(),
    }
    saved = io.BytesIO()
    with tarfile.open(fileobj=saved, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    subprocess.run(["docker", "load"], input=saved.getvalue(), check=True, capture_output=True, timeout=60)
    yield name
    docker("image", "rm", name)


def test_an_image_for_another_platform(make: Make, other_platform: str) -> None:
    code, found = examine(make(f'[app]\nimage = "{other_platform}"\n'))
    row = one(found, "images")
    assert "is for s390x, the engine runs " in row["message"]
    assert row["mend"].endswith(f"docker pull {other_platform}")
    assert (code, row["level"]) == (1, "error")


def test_an_image_that_is_not_here_is_no_trouble(make: Make) -> None:
    code, found = examine(make('[app]\nimage = "no-such-image-anywhere:1"\n'))
    assert code == 0
    assert one(found, "images")["message"] == "no-such-image-anywhere:1 is not here yet: it is pulled at the first up"


def test_a_word_that_is_missing_or_out_of_date(make: Make, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    folder = make(f'{PLAIN}mounts = ["/etc/hostname:/x:ro"]\n')
    code, found = examine(folder, env=state)
    assert code == 1
    row = one(found, "trust")
    assert "asks for your word" in row["message"]
    assert "/etc/hostname" in row["where"]
    assert devmount(folder, "trust", "--yes", env=state).returncode == 0
    code, found = examine(folder, env=state)
    assert (code, one(found, "trust")["level"]) == (0, "ok")
    file = folder / ".devmount.toml"
    file.write_text(file.read_text().replace(":ro", ""))
    code, found = examine(folder, env=state)
    assert code == 1
    assert "changed since you allowed it" in one(found, "trust")["message"]


@pytest.mark.skipif(not PODMAN_HOME.is_dir(), reason="no Podman was prepared here (scripts/podman)")
def test_podman_is_told_from_docker(make: Make) -> None:
    code, found = examine(make(PLAIN), "--engine", "podman", env=podman_environment())
    assert code == 0
    assert one(found, "engine")["message"].startswith("Podman ")
    assert one(found, "disk")["where"] == str(PODMAN_HOME / "storage")


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to be someone else")
def test_a_socket_that_may_not_be_opened(make: Make) -> None:
    folder = make(PLAIN)
    folder.chmod(0o755)
    guarded = folder / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(guarded))
        guarded.chmod(0o600)
        done = subprocess.run(
            [*as_user(12345, 12345), *COMMAND, "--engine", f"unix://{guarded}", "doctor", "--json"],
            cwd=folder,
            env=environment({"HOME": "/nonexistent"}),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1, done.stderr
    row = one(json.loads(done.stdout)["findings"], "engine")
    assert "permission denied" in row["where"]
    assert row["mend"] == "join the group docker, then log in again: sudo usermod -aG docker $USER"
