"""Project files from strangers: none of them starts anything before the user has given their word.

Each speaks to the engine through a relay that counts, so that a case which slipped through would really start, and
one that only asked the engine something would be seen as well.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devmount.cli.main import main
from tests.e2e.conftest import Make
from tests.e2e.relay import Relay
from tests.harness import docker, leftovers

pytestmark = pytest.mark.engine

APP = '[app]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\nstop_timeout = "0s"\n'
BUILT = '[app]\ncommand = "sleep 1000"\nstop_timeout = "0s"\n'
LOCAL = ".devmount.local.toml"


@dataclass(frozen=True)
class Hostile:
    """A project file, and what is told of it.

    ``{up}`` in any text is the folder that holds the project's, the user's home folder and ``outside``. ``links``:
    symbolic links in the project. ``arguments``: before ``up``.
    """

    toml: str
    told: str
    links: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


def bind(mount: str) -> str:
    return f"{APP}mounts = [{mount}]\n"


LINK = bind('"./data:/data"')
SYSTEM = "a part of this machine's system"
ROOT = "whoever has it is root on this machine"
SOCKET = f"the engine's socket /run/docker.sock: {ROOT}"

HOSTILE = {
    "system-folder": Hostile(bind('"/etc:/host"'), f"app can read and change /etc, {SYSTEM}"),
    "keys": Hostile(bind('"~/.ssh:/keys:ro"'), "app can read {up}/home/.ssh, where your SSH keys are"),
    "file-of-keys": Hostile(bind('"~/.ssh/id_ed25519:/k"'), "/home/.ssh/id_ed25519, where your SSH keys are"),
    "folder-beside": Hostile(bind('"../outside:/x"'), "app can read and change {up}/outside"),
    "around-the-corner": Hostile(bind('"./a/../../outside:/x"'), "app can read and change {up}/outside"),
    "folder-of-homes": Hostile(bind('"..:/x"'), "app can read and change {up}, which holds your home folder"),
    "table": Hostile(bind('{ type = "bind", source = "/etc", target = "/x" }'), "read and change /etc"),
    "read-only-table": Hostile(
        bind('{ type = "bind", source = "/etc", target = "/x", read_only = true }'), "app can read /etc"
    ),
    "link": Hostile(LINK, "/home; data in the project is a link to it", {"data": "/home"}),
    "relative-link": Hostile(LINK, "app can read and change {up}/outside", {"data": "../outside"}),
    "link-to-a-link": Hostile(LINK, "app can read and change {up}/outside", {"data": "b", "b": "../outside"}),
    "link-in-the-middle": Hostile(bind('"./a/.ssh:/x"'), "where your SSH keys are", {"a": "../home"}),
    "linked-file": Hostile(bind('"./f:/x:ro"'), "app can read {up}/outside/secret", {"f": "../outside/secret"}),
    "link-in-the-middle-of-a-file": Hostile(bind('"./a/secret:/x"'), "{up}/outside/secret", {"a": "../outside"}),
    "engine-socket": Hostile(bind('"/var/run/docker.sock:/s"'), f"app can use {SOCKET}"),
    "engine-socket-read-only": Hostile(bind('"/run/docker.sock:/s:ro"'), f"app can use {SOCKET}"),
    "folder-of-the-engine-socket": Hostile(bind('"/var/run:/r:ro"'), f"which holds an engine's socket: {ROOT}"),
    "linked-engine-socket": Hostile(bind('"./s:/s"'), f"app can use {SOCKET}", {"s": "/run/docker.sock"}),
    "agent": Hostile(bind('"../outside/agent:/a"'), "app can use your keys through the agent's socket"),
    "devices": Hostile(bind('"/dev:/d"'), f"read and change /dev, {SYSTEM}"),
    "processes": Hostile(bind('"/proc:/p"'), f"read and change /proc, {SYSTEM}"),
    "own-store": Hostile(bind('"~/.local:/l"'), "which holds what you trust"),
    "privileged": Hostile(f"{APP}privileged = true\n", "app is privileged: all capabilities and devices"),
    "privileged-companion": Hostile(
        APP + '[services.db]\nimage = "debian:bookworm-slim"\nprivileged = true\n', "db is privileged"
    ),
    "capability": Hostile(f'{APP}cap_add = ["CAP_SYS_ADMIN"]\n', "app gets the capability SYS_ADMIN: mounting"),
    "all-capabilities": Hostile(f'{APP}cap_add = ["all"]\n', "app gets the capability ALL: everything"),
    "host-network": Hostile(f'{APP}network = "host"\n', "app is on this machine's own network"),
    "context-above": Hostile(f'{BUILT}build = "../outside"\n', "is built from the folder {up}/outside"),
    "linked-context": Hostile(f'{BUILT}build = "./c"\n', "built from the folder {up}/outside", {"c": "../outside"}),
    "dockerfile-above": Hostile(
        BUILT + 'build = { dockerfile = "../outside/Dockerfile" }\n', "built by the Dockerfile {up}/outside/Dockerfile"
    ),
    "linked-dockerfile": Hostile(
        f'{BUILT}build = "."\n', "is built by the Dockerfile {up}/outside/secret", {"Dockerfile": "../outside/secret"}
    ),
    "env-file": Hostile(f'{APP}env_files = ["../outside/secret"]\n', "app gets the variables in {up}/outside/secret"),
    "linked-env-file": Hostile(
        f'{APP}env_files = [".env"]\n', "app gets the variables in {up}/outside/secret", {".env": "../outside/secret"}
    ),
    "optional-env-file": Hostile(f'{APP}env_files = ["../outside/secret?"]\n', "gets the variables in {up}/outside"),
    "linked-variables": Hostile(
        f'{APP}environment = {{ P = "${{PASSWORD}}" }}\n',
        "takes variables from {up}/outside/secret, through .env",
        {".env": "../outside/secret"},
    ),
    "volume-of-a-folder": Hostile(
        bind('"v:/v"') + '[volumes.v]\noptions = { type = "none", o = "bind", device = "/" }\n',
        "app has the volume v mounted with device=/, o=bind, type=none",
    ),
    "volume-of-a-tmpfs-that-is-none": Hostile(
        bind('"v:/v"') + '[volumes.v]\noptions = { type = "tmpfs", o = "bind", device = "" }\n', "volume v mounted"
    ),
    "volume-of-a-disk": Hostile(
        bind('"v:/v"') + '[volumes.v]\noptions = { type = "ext4", device = "/dev/sda1" }\n', "device=/dev/sda1"
    ),
    "driver-of-a-volume": Hostile(
        bind('"v:/v"') + '[volumes.v]\ndriver = "sshfs"\n', "has the volume v made by the driver sshfs"
    ),
    "volume-of-someone-else": Hostile(
        bind('"v:/v"') + "[volumes.v]\nexternal = true\n", "app uses the volume v, which is not this project's own"
    ),
    "local-file-that-is-checked-in": Hostile(APP, "app is privileged", files={LOCAL: "[app]\nprivileged = true\n"}),
    "profile": Hostile(
        APP + "[profiles.ci.app]\nprivileged = true\n", "app is privileged", arguments=("--profile", "ci")
    ),
    "variable-of-the-project": Hostile(
        bind('"${PLACE:-./a}:/x"'), f"read and change /etc, {SYSTEM}", files={".env": "PLACE=/etc\n", "a": ""}
    ),
    "name-that-steers-the-terminal": Hostile(
        bind('"../out\\u001b[2Jside\\nall is well:/x"'), "can read and change {up}/out\\x1b[2Jside\\nall is well"
    ),
}  # fmt: skip


def test_there_are_many() -> None:
    assert len(HOSTILE) >= 40


@pytest.fixture
def project(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    case = HOSTILE[request.param]
    folder = make(case.toml, dict(case.files))
    for place, target in case.links.items():
        (folder / place).symlink_to(target)
    (tmp_path / "out\x1b[2Jside\nall is well").mkdir()
    (tmp_path / "outside" / "agent").touch()
    (tmp_path / "home" / ".local" / "state").mkdir(parents=True)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "outside" / "agent"))
    return folder


@pytest.mark.parametrize(("project", "case"), list(HOSTILE.items()), indirect=["project"], ids=list(HOSTILE))
def test_nothing_is_started_before_the_word_is_given(
    project: Path,
    case: Hostile,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Relay(tmp_path_factory.mktemp("relay") / "s", "/var/run/docker.sock") as relay:
        code = main(["-C", str(project), *case.arguments, "--engine", relay.url, "up", "--json", "--build"])
        out, err = capsys.readouterr()
        assert (code, out) == (1, ""), err
        assert relay.connections == 0
    assert "asks for what needs your word; nothing was started" in err
    assert case.told.replace("{up}", str(tmp_path)) in err
    assert err.rstrip().endswith(f": devmount {' '.join([*case.arguments, 'trust'])}")
    assert "hunter2" not in err
    assert leftovers(project.name) == []
    assert docker("image", "ls", "--quiet", f"{project.name}-app") == ""
    assert not os.listdir(tmp_path / "home" / ".local" / "state")
