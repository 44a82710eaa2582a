"""Engines without root: the whole contract suite, and a session, by a user who has no right but their own."""

import os
import sys

import pytest

from tests.harness import REPOSITORY
from tests.rootless import USER, Rootless, is_possible, rootless

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not is_possible(), reason="takes root, uidmap and slirp4netns (scripts/podman)"),
    pytest.mark.skipif("DEVMOUNT_TEST_ONLY" in os.environ, reason="runs the others"),
]

PODMAN = """
podman load --quiet --input "$HOME/image.tar" >/dev/null
podman tag localhost/debian:bookworm-slim docker.io/library/debian:bookworm-slim
"""
# The containers' tests last: where a start fails over a taken port, Podman 4.3 without root leaves the container's name
# behind, and its name server then answers wrongly for the networks after it.
SUITE = """
podman system service --time=0 "unix://$XDG_RUNTIME_DIR/test.sock" >"$HOME/work/service.log" 2>&1 &
until [ -S "$XDG_RUNTIME_DIR/test.sock" ]; do sleep 0.1; done
cd "$1"
DEVMOUNT_TEST_ONLY=1 DEVMOUNT_TEST_ENGINES="unix://$XDG_RUNTIME_DIR/test.sock" \\
    "$2" -m pytest -p no:cacheprovider -k test.sock \\
    tests/engine/test_networks.py tests/engine/test_process.py tests/engine/test_volumes.py tests/engine/test_logs.py \\
    tests/engine/test_containers.py 2>&1
"""


# Docker's socket is there and may not be opened; Podman's is not, so devmount serves Podman for itself.
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
    done = home.run(script, *arguments, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_podman_without_root_does_all_that_is_asked_of_an_engine() -> None:
    with rootless() as home:
        said = run(home, PODMAN + SUITE, str(REPOSITORY), sys.executable)
    summary = said.splitlines()[-1]
    assert "passed" in summary, said
    assert int(summary.split(" passed")[0].split()[-1]) > 30, said


def test_a_session_by_podman_without_root_and_without_a_daemon() -> None:
    with rootless() as home:
        file = home.folder / ".devmount.toml"
        file.write_text(FILE)
        os.chown(file, USER, USER)
        said = run(home, f"set -e; PYTHON='{sys.executable}'\n{PODMAN}{SESSION}")
    lines = said.splitlines()
    assert f"made {USER}:{USER} 600" in lines
    assert f"sub {USER}:{USER} 755" in lines
    assert "kept" in lines
    assert any("rootless: root in a container is you" in line for line in lines)
    assert any("removed volume" in line for line in lines)
