"""``init --from devcontainer.json``."""

import contextlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.config.keys import PROJECT
from devmount.errors import DevmountError, UsageError
from devmount.init.carry import carry


def carried(folder: Path, text: str) -> tuple[dict[str, Any], list[str], list[str]]:
    (folder / ".devcontainer").mkdir(exist_ok=True)
    file = folder / ".devcontainer" / "devcontainer.json"
    file.write_text(text)
    plan = carry(file, folder, None)
    values = tomllib.loads(plan.text)
    assert list(PROJECT.check(values, ())) == [], plan.text
    return values, list(plan.said), list(plan.left)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


def test_a_whole_file_with_comments(shop: Path) -> None:
    text = """\ufeff// For details
{
  "name": "Shop", /* of ours */
  "image": "mcr.example/python:3",
  "workspaceFolder": "/workspaces/${localWorkspaceFolderBasename}",
  "mounts": [
    "source=${localWorkspaceFolder}/data,target=/data,type=bind,consistency=cached,readonly",
    {"source": "cache-${devcontainerId}", "target": "/cache", "type": "volume"},
    "type=tmpfs,target=/t",
  ],
  "forwardPorts": [8000, "db:5432", "9000"],
  "appPort": ["8080:80", 8000],
  "remoteUser": "vscode",
  "containerEnv": {"A": "${localEnv:HOME}", "B": "${localEnv:X:y}", "C": "a // b", "D": "${containerWorkspaceFolder}"},
  "remoteEnv": {"PATH": "${containerEnv:PATH}:/x", "N": null},
  "onCreateCommand": "make setup",
  "postCreateCommand": {"one": "pip install -r x", "two": ["npm", "ci", "a b"]},
  "postStartCommand": "echo started",
  "postAttachCommand": "x",
  "initializeCommand": "rm -rf /",
  "features": {"ghcr.io/x": {}},
  "customizations": {"vscode": {"extensions": []}},
  "runArgs": ["--cap-add=SYS_PTRACE", "--network", "host", "--gpus=all", "--init", "-e", "E=1", "--env-file", "../.env",
    "-v", "vol:/vol", "--shm-size", "1g"],
  "privileged": true, "capAdd": ["NET_ADMIN"],
}
"""
    values, said, left = carried(shop, text)
    assert values["app"] == {
        "image": "mcr.example/python:3",
        "command": [
            "sh",
            "-ec",
            "if [ ! -e /tmp/.created ]; then\n    make setup\n    ( pip install -r x ) && ( npm ci 'a b' )\n"
            "    touch /tmp/.created\nfi\necho started\nexec sleep infinity",
        ],
        "mount": "/workspaces/shop",
        "ports": [8000, 9000, "8080:80"],
        "env_files": [".env"],
        "environment": {"A": "${HOME:-}", "B": "${X:-y}", "C": "a // b", "D": "/workspaces/shop", "E": "1"},
        "user": "vscode",
        "mounts": ["./data:/data:ro", "cache-shop:/cache", {"type": "tmpfs", "target": "/t"}, "vol:/vol"],
        "network": "host",
        "privileged": True,
        "cap_add": ["SYS_PTRACE", "NET_ADMIN"],
    }
    assert any('command is "sleep infinity": put what starts your program' in line for line in said)
    for piece in (
        "features: put what they install",
        "customizations: they are settings of editors",
        "initializeCommand: devmount runs nothing on the host",
        "postAttachCommand",
        "forwardPorts.1: db:5432",
        "remoteEnv.PATH",
        "remoteEnv.N",
        "runArgs: --gpus=all",
        "runArgs: --shm-size",
    ):
        assert any(piece in line for line in left), (piece, left)


def test_a_build_and_a_program_of_the_folder(shop: Path) -> None:
    (shop / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (shop / ".devcontainer").mkdir()
    text = """{"build": {"dockerfile": "Dockerfile", "context": "..", "args": {"V": "${localEnv:V:3}"}, "target": "dev",
      "cacheFrom": "x"}, "workspaceFolder": "/src",
      "workspaceMount": "source=${localWorkspaceFolder},target=/src,type=bind"}"""
    values, _, left = carried(shop, text)
    build = {"context": ".", "dockerfile": ".devcontainer/Dockerfile", "target": "dev", "args": {"V": "${V:-3}"}}
    assert values["app"] == {
        "build": build,
        "command": "python -m flask run --host 0.0.0.0 --port 8000",
        "mount": "/src",
        "user": "image",
    }
    assert left == ["build.cacheFrom: the project file has no such key"]
    values, _, _ = carried(shop, '{"dockerFile": "Dockerfile", "overrideCommand": false}')
    assert values["app"] == {"build": ".devcontainer", "mount": "/workspaces/shop", "user": "image"}


def test_a_compose_file_and_what_is_laid_over_it(shop: Path) -> None:
    (shop / "compose.yaml").write_text(
        "services: {web: {image: x, volumes: ['.:/srv'], command: sleep 1, ports: ['80:80']}, db: {image: y}}"
    )
    (shop / ".devcontainer").mkdir()
    (shop / ".devcontainer" / "more.yml").write_text("services: {web: {environment: {A: 1}}}")
    text = """{"dockerComposeFile": ["../compose.yaml", "more.yml"], "service": "web", "workspaceFolder": "/srv/sub",
      "runServices": ["web"], "forwardPorts": [80, 90], "postCreateCommand": "make", "remoteUser": "me"}"""
    values, said, left = carried(shop, text)
    assert values["app"] == {
        "image": "x",
        "command": [
            "sh",
            "-ec",
            "if [ ! -e /tmp/.created ]; then\n    make\n    touch /tmp/.created\nfi\nexec sleep 1",
        ],
        "mount": "/srv",
        "ports": ["80:80", 90],
        "environment": {"A": 1},
        "user": "me",
    } or values["app"]["ports"] == [80, 90]
    assert values["services"] == {"db": {"image": "y"}}
    assert "the service web is the app: --app NAME takes another" in said
    assert any(line.startswith("workspaceFolder: ") for line in left)
    assert any(line.startswith("runServices: ") for line in left)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "it holds no table", ""),
        ("[]", "it holds no table", ""),
        ('{\n"a": 1\n"b": 2}', "not JSON: expecting ',' delimiter", ":3"),
        ('{"a": 1 /* never closed', "a comment is not closed", ":1"),
        ("[" * 100_000, "nested too deep", ""),
        ('{"a": ' + "9" * 10_000 + "}", "a number is too long", ""),
        ('{"dockerComposeFile": "gone.yml"}', "there is no file .devcontainer/gone.yml", ""),
    ],
)
def test_wrong_files_are_errors(shop: Path, text: str, message: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        carried(shop, text)
    assert message in caught.value.message
    assert caught.value.where.endswith(line)


KEYS = [
    *["image", "build", "dockerFile", "context", "workspaceFolder", "workspaceMount", "mounts", "forwardPorts"],
    *["appPort", "remoteUser", "containerEnv", "remoteEnv", "runArgs", "capAdd", "privileged", "dockerComposeFile"],
    *["service", "runServices", "postCreateCommand", "postStartCommand", "overrideCommand", "name"],
]
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=10),
        st.sampled_from(["a=b,c", "${localEnv:A}", "-e", "é"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_whatever_the_types_the_outcome_is_a_file_or_an_error(given: dict[str, Any]) -> None:
    import json
    import tempfile

    with tempfile.TemporaryDirectory() as name, contextlib.suppress(DevmountError):
        carried(Path(name), json.dumps(given))
