"""devmount on Podman where no daemon runs: it starts Podman's service for as long as it needs it."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines import PODMAN_HOME, podman_environment
from tests.harness import COMMAND, Up, devmount, environment

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not PODMAN_HOME.is_dir(), reason="no Podman was prepared here (scripts/podman)"),
]

DAEMON_SOCKETS = ("/run/docker.sock", "/run/podman/podman.sock")
Write = Callable[..., Path]


def without_docker(folder: Path, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """One devmount command for which Docker's sockets do not answer: nothing listens on what lies over them."""
    cover = "".join(f"[ ! -S {path} ] || mount --bind /dev/null {path}; " for path in DAEMON_SOCKETS)
    command = ["unshare", "--mount", "sh", "-c", cover + 'exec "$@"', "sh", *COMMAND, *arguments]
    given = {key: value for key, value in environment(env).items() if key not in ("DOCKER_HOST", "DEVMOUNT_ENGINE")}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=60)


def test_where_no_socket_answers_podmans_service_is_started(make: Write) -> None:
    folder = make('[app]\nimage = "debian:bookworm-slim"\n')
    done = without_docker(folder, "ps", "--json", env=podman_environment())
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [], "")
    bare = folder / "bin"  # everything that is needed but podman
    bare.mkdir()
    for name in ("sh", "mount", "unshare"):
        found = shutil.which(name)
        assert found is not None
        (bare / name).symlink_to(found)
    done = without_docker(folder, "ps", env={**podman_environment(), "PATH": str(bare)})
    assert done.returncode == 3
    assert "podman system service: podman is not installed" in done.stderr


def test_a_whole_session_on_podman_with_no_daemon(server: Write) -> None:
    folder = server()
    env = podman_environment()
    options = ["--engine", "podman"]
    with Up(folder, "--keep", options=options, env=env) as up:
        up.wait("ready", service="app")
        mark = up.mark()
        (folder / "text").write_text("two")
        reload = up.wait("reload", since=mark)
        assert reload["action"] == "restart"
        up.wait("ready", service="app", since=mark)
        done = devmount(folder, *options, "exec", "app", "--", "cat", "text", env=env)
        assert (done.returncode, done.stdout) == (0, "two")
        assert up.stop() == 130
    (folder / "text").write_text("three")
    with Up(folder, options=options, env=env) as up:
        assert up.wait("reload")["files"] == ["text"]
        assert up.stop() == 130
    assert devmount(folder, *options, "down", env=env).returncode == 0
    rows = json.loads(devmount(folder, *options, "ps", "--json", env=env).stdout)
    assert rows == []
