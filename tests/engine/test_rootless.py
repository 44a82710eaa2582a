"""Engines without root: the whole contract suite, and a session, by a user who has no right but their own."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.harness import REPOSITORY
from tests.rootless import USER, Rootless, is_possible, rootless

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_possible(), reason="takes root, uidmap and slirp4netns (scripts/podman)"),
    pytest.mark.skipif("DEVMOUNT_TEST_ONLY" in os.environ, reason="runs the others"),
]

DOCKERD = "/usr/share/docker.io/contrib/dockerd-rootless.sh"  # where Debian has it
# DOCKERD, then the image; each engine listens on "$SOCKET".
DOCKER = f"""
SOCKET=$XDG_RUNTIME_DIR/docker.sock
sh {DOCKERD} --host "unix://$SOCKET" --data-root "$HOME/docker" >"$HOME/docker.log" 2>&1 &
until docker --host "unix://$SOCKET" version >/dev/null 2>&1; do
    kill -0 $! || {{ cat "$HOME/docker.log"; exit 1; }}
    sleep 0.1
done
docker --host "unix://$SOCKET" load --quiet --input "$HOME/image.tar" >/dev/null
"""
PODMAN = """
podman load --quiet --input "$HOME/image.tar" >/dev/null
podman tag localhost/debian:bookworm-slim docker.io/library/debian:bookworm-slim
"""
SERVICE = """
SOCKET=$XDG_RUNTIME_DIR/podman.sock
podman system service --time=0 "unix://$SOCKET" >"$HOME/podman.log" 2>&1 &
until [ -S "$SOCKET" ]; do kill -0 $! || exit 1; sleep 0.1; done
"""
# The containers' tests last: where a start fails over a taken port, Podman 4.3 without root leaves the container's name
# behind, and its name server then answers wrongly for the networks after it.
SUITE = """
cd "$1"
DEVMOUNT_TEST_ONLY=1 DEVMOUNT_TEST_ENGINES="unix://$SOCKET" \\
    "$2" -m pytest -p no:cacheprovider -k "$(basename "$SOCKET") and ($3)" \\
    tests/engine/test_networks.py tests/engine/test_process.py tests/engine/test_volumes.py tests/engine/test_logs.py \\
    tests/engine/test_images.py tests/engine/test_containers.py 2>&1
"""


# Without an engine of the user's own, Docker's socket is there and may not be opened, and Podman's is not: devmount
# serves Podman for itself.
SESSION = """
cd "$HOME/work"
devmount() { "$PYTHON" -P -m devmount "$@"; }
devmount up --detach
devmount exec app -- sh -c 'echo inside >made && mkdir sub && chmod 600 made'
devmount exec db -- sh -c 'echo kept >/data/file'
stat -c '%n %u:%g %a' made sub
devmount down
devmount up --detach
devmount exec db -- cat /data/file
devmount doctor --json
devmount down --volumes --yes
"""
FILE = """
name = "rootless"
[app]
image = "debian:bookworm-slim"
command = "sleep 1000"
depends_on = ["db"]
[services.db]
image = "debian:bookworm-slim"
command = "sleep 1000"
mounts = ["data:/data"]
"""


def run(home: Rootless, script: str, *arguments: str) -> str:
    done = home.run(script, *arguments, timeout=840)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


needs_docker = pytest.mark.skipif(
    not (Path(DOCKERD).exists() and shutil.which("rootlesskit")), reason="takes Debian's docker.io and rootlesskit"
)
both = pytest.mark.parametrize("engine", ["podman", pytest.param("docker", marks=needs_docker)])


# What may differ without root; the rest is the same Docker that the suite runs on already.
DIFFERENT = "belong or user or mount or bind or network or name or ports or files or built or takes_over"


@both
def test_an_engine_without_root_does_all_that_is_asked_of_one(engine: str) -> None:
    begin = PODMAN + SERVICE if engine == "podman" else DOCKER
    with rootless() as home:
        chosen = "not nothing" if engine == "podman" else DIFFERENT
        said = run(home, begin + SUITE, str(REPOSITORY), sys.executable, chosen)
    summary = said.splitlines()[-1]
    assert int(summary.split(" passed")[0].split()[-1]) > (30 if engine == "podman" else 15), said


@both
def test_in_a_session_without_root_files_belong_to_the_caller(engine: str) -> None:
    begin = PODMAN if engine == "podman" else DOCKER
    with rootless() as home:
        file = home.folder / ".devmount.toml"
        file.write_text(FILE)
        os.chown(file, USER, USER)
        said = run(home, f"set -e; PYTHON='{sys.executable}'\n{begin}{SESSION}")
    lines = said.splitlines()
    assert f"made {USER}:{USER} 600" in lines
    assert f"sub {USER}:{USER} 755" in lines
    assert "kept" in lines
    assert any(f'"{engine.capitalize()} ' in line for line in lines), said
    assert any("rootless: root in a container is you" in line for line in lines)
    assert any("removed volume" in line for line in lines)
