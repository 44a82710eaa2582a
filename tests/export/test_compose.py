"""``devmount export compose``: what docker compose makes of the file is what devmount itself makes."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.export.compose import escaped, translated
from tests.harness import REPOSITORY, Up, devmount, docker, remove

EXAMPLES = sorted(path.name for path in (REPOSITORY / "examples").iterdir() if path.is_dir())
EVERYTHING = """
name = "{name}"
[app]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo $HOME ${{WORD:-a b}} $$x; sleep 1000", "it's"]
mount = "/srv/my app"
ports = ["0:8000", "127.0.0.1:0:9000", "0:53/udp"]
env_files = [".env", ".env.local?"]
environment = {{ A = "$x", B = "${{TOKEN}}", C = "${{NO:-d}}", D = "a: b # c" }}
user = "1000:1000"
mounts = [
    "./conf:/etc/conf:ro", "data:/data", "./conf/one:/etc/one", {{ type = "tmpfs", target = "/t" }},
]
shadow = ["node_modules"]
ready = {{ command = "true" }}
stop_signal = "SIGINT"
stop_timeout = "500ms"
depends_on = [{{ service = "db", restart = true }}]
cap_add = ["SYS_PTRACE"]
[services.db]
image = "debian:bookworm-slim"
command = "sleep 1000"
ready = {{ command = "true" }}
network = "none"
[services.teller]
image = "debian:bookworm-slim"
command = "sh -c 'echo told; sleep 1000'"
ready = {{ log = "told" }}
[volumes.data]
labels = {{ team = "a$b" }}
"""


def compose(folder: Path, file: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        ["docker", "compose", "--file", str(file), *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def has_compose() -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=60).returncode:
        pytest.skip("docker compose is not here, and scripts/compose could not install it")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[str]:
    name = f"test-export-{uuid.uuid4().hex[:8]}"
    yield name
    mine = ("--quiet", "--filter", f"label=com.docker.compose.project={name}")
    for container in docker("ps", "--all", *mine).split():
        docker("rm", "--force", "--volumes", container)
    for kind in ("network", "volume"):
        for found in docker(kind, "ls", *mine).split():
            docker(kind, "rm", found)
    remove(name)
    for image in docker("image", "ls", "--quiet", f"{name}-*").split():
        docker("image", "rm", "--force", image)


def facts(container: str) -> dict[str, Any]:
    """What is to be the same."""
    data = json.loads(docker("inspect", container))[0]
    config, host = data["Config"], data["HostConfig"]
    argv = [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]
    if argv[:2] == ["sh", "-c"] and argv[3:4] == ["devmount"]:
        argv = argv[5:]  # after the supervisor, its name and the signal
    ports = {
        inner: [(entry["HostIp"] or "0.0.0.0", entry["HostPort"] or "0") for entry in entries]
        for inner, entries in (host["PortBindings"] or {}).items()
    }
    return {
        "command": argv,
        "environment": sorted(config["Env"] or []),
        "user": config["User"],
        "working_dir": config["WorkingDir"],
        "ports": ports,
        "mounts": sorted(
            (mount["Type"], mount["Destination"], mount.get("Name") or mount.get("Source", ""), mount["RW"])
            for mount in data["Mounts"]
        ),
        "hostname": config["Hostname"] if host["NetworkMode"] != "none" else "",
        "init": host["Init"],
        "cap_add": sorted(name.removeprefix("CAP_") for name in host["CapAdd"] or []),
        "privileged": host["Privileged"],
        "network": host["NetworkMode"] if host["NetworkMode"] in ("none", "host") else "",
    }


def check_same(folder: Path, name: str, env: Mapping[str, str] | None = None) -> None:
    """The containers of both, service by service."""
    file = folder / "compose.yaml"
    done = devmount(folder, "export", "compose", "--output", "compose.yaml", env=env)
    assert done.returncode == 0, done.stderr
    compose(folder, file, "config", "--quiet", env=env)
    with Up(folder, env=env) as up:
        services = json.loads(devmount(folder, "config", "--json", env=env).stdout)
        names = ["app", *services["services"]]
        for service in names:
            up.wait("started", 800, service=service)
        ours = {service: facts(f"{name}-{service}") for service in names}
        for image in docker("image", "ls", "--format", "{{.Repository}}", f"{name}-*:devmount").split():
            docker("tag", f"{image}:devmount", f"{image}:latest")  # compose's own name for what it builds
        assert up.stop(30) == 130, up.report()
    assert devmount(folder, "down", env=env).returncode == 0
    compose(folder, file, "create", "--no-build", "--pull", "never", env=env)
    for service in names:
        theirs = facts(compose(folder, file, "ps", "--all", "--quiet", service, env=env).strip())
        assert theirs == ours[service]


@pytest.mark.engine
@pytest.mark.timeout(900)
@pytest.mark.parametrize("example", EXAMPLES)
def test_containers_of_every_example_are_the_same(
    example: str, tmp_path: Path, project: str, has_compose: None
) -> None:
    folder = tmp_path / example
    shutil.copytree(REPOSITORY / "examples" / example, folder)
    (folder / ".devmount.local.toml").write_text(f'name = "{project}"\n[app]\nports = ["0:8000"]\n')
    check_same(folder, project)


@pytest.mark.engine
def test_containers_of_a_file_that_says_everything_are_the_same(
    tmp_path: Path, project: str, has_compose: None
) -> None:
    folder = everything(tmp_path, project)
    env = {"TOKEN": "s3cr$t-of-the-caller", "XDG_DATA_HOME": str(tmp_path / "data")}
    trusted = devmount(folder, "trust", "--yes", env=env)
    assert trusted.returncode == 0, trusted.stderr
    check_same(folder, project, env=env)


def everything(folder: Path, name: str) -> Path:
    folder = folder / "shop"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "one").write_text("1")
    (folder / ".env").write_text("F='of $the file'\nA=over\nQUOTED=\"x y\"\n")
    (folder / ".devmount.toml").write_text(EVERYTHING.format(name=name))
    return folder


def test_no_secret_goes_into_the_file(tmp_path: Path) -> None:
    folder = everything(tmp_path, "shop")
    env = {"TOKEN": "s3cret-token", "DEVMOUNT_APP__ENVIRONMENT__E": "s3cret-over"}
    done = devmount(folder, "export", "compose", env=env)
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert "of $the file" not in done.stdout
    assert "${TOKEN:?it is not set}" in done.stdout
    assert "${DEVMOUNT_APP__ENVIRONMENT__E}" in done.stdout
    assert "teller: ready.log" in done.stderr
    assert "#\n# Not in here:\n# - app: a save restarts nothing" in done.stdout


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".devmount.toml").write_text('[app]\nimage = "x"\nmount = "/srv"\n')
    (tmp_path / "compose.yaml").write_text("mine")
    done = devmount(tmp_path, "export", "compose", "-o", "compose.yaml")
    assert done.returncode == 2
    assert "compose.yaml exists and is not overwritten" in done.stderr
    assert (tmp_path / "compose.yaml").read_text() == "mine"
    assert devmount(tmp_path, "export", "compose", "-o", "compose.yaml", "--force").returncode == 0
    assert "image: x" in (tmp_path / "compose.yaml").read_text()


def test_what_is_exported_can_be_carried_back(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "Dockerfile").write_text("FROM x")
    before = """name = "shop"
[app]
build = { context = "sub", args = { A = "1" } }
command = ["a", "b c"]
mount = "/srv"
ports = ["127.0.0.1:80:8000"]
environment = { A = "1", B = "${C:-d}", D = "$$" }
user = "1:1"
mounts = ["./sub:/sub:ro", "data:/data"]
ready = { command = ["true"] }
stop_timeout = "3s"
depends_on = ["db"]
[services.db]
image = "y"
ready = { command = ["x"] }
"""
    (tmp_path / ".devmount.toml").write_text(before)
    first = json.loads(devmount(tmp_path, "config", "--json").stdout)
    assert devmount(tmp_path, "export", "compose", "-o", "compose.yaml").returncode == 0
    done = devmount(tmp_path, "init", "--from", "compose.yaml", "--force")
    assert done.returncode == 0, done.stderr
    second = json.loads(devmount(tmp_path, "config", "--json").stdout)
    for data in (first, second):
        del data["origins"]
    assert second == first


@given(st.text(max_size=20))
def test_dollars_are_escaped(text: str) -> None:
    assert translated(escaped(text)) == escaped(text)
    assert escaped(text).replace("$$", "$") == text
