"""Which engine is asked, and what is said when none answers."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from devmount.engine.connect import PODMAN, candidates
from devmount.engine.podman import Service
from devmount.errors import DevmountError
from tests.engines import PODMAN_HOME, podman_environment
from tests.harness import COMMAND, environment, wait_until

needs_podman = pytest.mark.skipif(not PODMAN_HOME.is_dir(), reason="no Podman was prepared here (scripts/podman)")


def test_an_engine_that_is_named_is_the_only_one() -> None:
    environ = {"DEVMOUNT_ENGINE": "unix:///a", "DOCKER_HOST": "unix:///b"}
    assert [found.url for found in candidates("unix:///c", environ)] == ["unix:///c"]
    assert [found.url for found in candidates(None, environ)] == ["unix:///a"]
    assert [found.url for found in candidates(None, {"DOCKER_HOST": "unix:///b"})] == ["unix:///b"]


def test_docker_comes_before_podman_and_a_service_of_podmans_comes_last(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/7", "DOCKER_CONFIG": str(tmp_path)}
    found = [candidate.url for candidate in candidates(None, environ)]
    assert found[:2] == ["unix:///var/run/docker.sock", "unix:///run/user/7/docker.sock"]
    assert found.index("unix:///run/user/7/podman/podman.sock") > 1
    assert found[-1] == PODMAN
    podmans = [candidate.url for candidate in candidates(PODMAN, environ)]
    assert podmans[0] == "unix:///run/user/7/podman/podman.sock"
    assert podmans[-1] == PODMAN
    assert not any("docker" in url for url in podmans)


def test_the_docker_clis_context_is_followed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "far"}))
    meta = tmp_path / "contexts" / "meta" / "x" / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": "ssh://box"}}}))
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert [found.url for found in candidates(None, environ)] == ["ssh://box"]
    assert [found.url for found in candidates(None, {**environ, "DOCKER_CONTEXT": "default"})][-1] == PODMAN


def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "podman"
    broken.write_text("#!/bin/sh\necho 'Error: no such thing' >&2\nexit 125\n")
    broken.chmod(0o755)
    with pytest.raises(DevmountError) as error:
        Service(str(broken), {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert "Error: no such thing" in error.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["podman"]


@pytest.mark.engine
@needs_podman
def test_a_service_ends_with_the_process_that_started_it_even_by_kill_9(tmp_path: Path) -> None:
    script = (
        "import os, sys; from devmount.engine import podman\n"
        "service = podman.Service(podman.program(os.environ), os.environ)\n"
        "print(service.url, flush=True); sys.stdin.read()"
    )
    runtime = tmp_path / "run"
    runtime.mkdir()
    env = environment({**podman_environment(), "XDG_RUNTIME_DIR": str(runtime)})
    with subprocess.Popen(
        [COMMAND[0], "-c", script], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip().removeprefix("unix://"))
        assert path.is_socket()
        assert path.parent.stat().st_mode & 0o777 == 0o700
        process.kill()
    wait_until(lambda: not path.parent.exists(), 10)
