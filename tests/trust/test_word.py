"""Giving the word, keeping it, taking it back; and what asks again."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from devmount.config import load
from devmount.trust import Standing, Status, standing
from devmount.trust import allow as allow_it
from tests.e2e.conftest import Make
from tests.harness import COMMAND, Up, containers, devmount, docker, environment, leftovers

pytestmark = pytest.mark.engine

TOML = """
[app]
image = "debian:bookworm-slim"
command = ["sh", "-c", "cat /x/secret; echo looked; exec sleep 1000"]
mounts = ["../outside:/x:ro"]
stop_timeout = "0s"
"""


def stand(folder: Path, profile: str | None = None, **variables: str) -> Standing:
    environ = {**os.environ, **variables}
    return standing(load(folder / ".devmount.toml", profile=profile, environ=environ), profile=profile, environ=environ)


def held(folder: Path, profile: str | None = None, **variables: str) -> bool:
    """Whether something of the project would not be started."""
    return not stand(folder, profile, **variables).may_start


def allow(folder: Path, profile: str | None = None) -> None:
    allow_it(stand(folder, profile), os.environ)


@pytest.fixture
def folder(make: Make) -> Path:
    return make(TOML)


def test_what_is_allowed_starts_and_what_is_taken_back_does_not(folder: Path, tmp_path: Path) -> None:
    asked = f"app can read {tmp_path}/outside  (.devmount.toml:6)"
    shown = devmount(folder, "trust", "--show")
    assert (shown.returncode, shown.stdout) == (1, f"{asked}\nheld: not allowed yet\n")
    given = devmount(folder, "trust", "--yes")
    assert given.stdout == f"allowed for {folder}, until the file changes\n"
    assert asked in given.stderr
    assert "allowed since 20" in devmount(folder, "trust", "--show").stdout
    assert "it is allowed already" in devmount(folder, "trust").stdout
    with Up(folder) as up:
        up.wait("log", predicate=lambda row: row["line"] == "looked")
        assert up.all("log")[0]["line"] == "PASSWORD=hunter2"
        assert up.stop() == 130
    assert devmount(folder, "trust", "--revoke").stdout == "taken back; what runs goes on until devmount down\n"
    assert devmount(folder, "trust", "--revoke").stdout == "nothing was allowed here\n"
    for command in (("up",), ("up", "--detach"), ("run", "--", "true"), ("start",), ("restart",)):
        done = devmount(folder, *command)
        assert done.returncode == 1, command
        assert asked in done.stderr, command
        assert containers(folder.name, running=True) == [], command
    assert devmount(folder, "down").returncode == 0


def test_a_project_that_stays_within_its_folder_asks_nothing(make: Make) -> None:
    folder = make(
        """
[app]
build = "."
mounts = ["./data:/data", "./link:/link", "v:/v", { type = "tmpfs", target = "/t" }]
env_files = [".env", "missing?"]
ports = ["0.0.0.0:0:80"]
[services.db]
image = "x"
user = "root"
[volumes.v]
options = { type = "tmpfs", device = "tmpfs", o = "size=1m" }
""",
        {"data/file": "", "Dockerfile": "FROM x\n", ".env": "A=1\n"},
    )
    (folder / "link").symlink_to("data")
    shown = devmount(folder, "trust", "--show", "--json")
    assert (shown.returncode, json.loads(shown.stdout)) == (0, {"status": "nothing", "since": None, "asked": []})
    assert devmount(folder, "trust").stdout == "it asks for nothing outside its folder: there is nothing to allow\n"


def test_a_changed_file_asks_again_and_one_that_is_as_it_was_does_not(folder: Path, tmp_path: Path) -> None:
    file = folder / ".devmount.toml"
    text = file.read_text()
    allow(folder)
    for changed in (text + "# a comment\n", text.replace(":ro", ""), text.replace("cat", "dog")):
        file.write_text(changed)
        assert stand(folder).status is Status.CHANGED
    allow(folder)
    file.write_text(text)
    assert not held(folder)
    (folder / ".devmount.local.toml").write_text("[watch]\n")
    assert held(folder)
    (folder / ".devmount.local.toml").unlink()
    assert not held(folder)
    assert held(folder, DEVMOUNT_APP__IMAGE="other")


def test_profiles_are_allowed_each_for_itself(folder: Path) -> None:
    with (folder / ".devmount.toml").open("a") as file:
        file.write("[profiles.ci.app]\nprivileged = true\n")
    allow(folder)
    assert held(folder, "ci")
    allow(folder, "ci")
    assert not held(folder, "ci")


def test_another_target_of_a_link_asks_again(make: Make, tmp_path: Path) -> None:
    folder = make(TOML.replace("../outside", "./data"))
    link = folder / "data"
    link.symlink_to(tmp_path / "outside")
    allow(folder)
    assert not held(folder)
    link.unlink()
    link.symlink_to(tmp_path / "home" / ".ssh")
    assert held(folder)
    link.unlink()
    link.mkdir()
    assert not held(folder)


def test_a_new_value_in_an_env_file_asks_nothing(make: Make) -> None:
    folder = make(TOML + 'env_files = [".env"]\nenvironment = { B = "${B}" }\n', {".env": "A=1\nB=1\n"})
    allow(folder)
    (folder / ".env").write_text("A=2\nB=2\n")
    assert not held(folder)
    (folder / ".env").write_text("A=2\nB=2\nLD_PRELOAD=./x.so\n")
    assert held(folder)


def test_a_copy_in_another_folder_asks_for_itself(folder: Path) -> None:
    allow(folder)
    copy = folder.with_name(folder.name + "-copy")
    copy.mkdir()
    (copy / ".devmount.toml").write_text((folder / ".devmount.toml").read_text())
    assert held(copy)


def test_the_word_is_kept_for_its_user_alone(folder: Path, home: Path) -> None:
    allow(folder)
    place = home / ".local" / "state" / "devmount" / "trust"
    (file,) = place.iterdir()
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for path in (file, place):
        before = path.stat().st_mode
        path.chmod(before | 0o020)
        done = devmount(folder, "up")
        assert done.returncode == 1
        assert "is not yours alone, so what it says you trust does not count" in done.stderr
        path.chmod(before)
    assert not held(folder)
    text = file.read_text()
    for broken in ("", "{}", "[]", text.replace(str(folder), "/elsewhere"), "\0"):
        file.write_text(broken)
        assert held(folder)
    file.unlink()
    file.symlink_to("/dev/zero")
    assert devmount(folder, "up").returncode == 1
    assert leftovers(folder.name) == []


def test_a_word_that_the_project_could_write_is_not_kept(folder: Path) -> None:
    done = devmount(folder, "trust", "--yes", env={"XDG_STATE_HOME": str(folder / "state")})
    assert done.returncode == 1
    assert "would lie in the project folder" in done.stderr
    assert not (folder / "state").exists()


def test_a_folder_that_cannot_be_made_is_said(folder: Path) -> None:
    done = devmount(folder, "trust", "--yes", env={"XDG_STATE_HOME": "/proc/nowhere"})
    assert done.returncode == 1
    assert "what you trust cannot be kept" in done.stderr


def test_taking_back_works_when_the_file_is_wrong(folder: Path) -> None:
    allow(folder)
    (folder / ".devmount.toml").write_text("[app")
    assert "taken back" in devmount(folder, "trust", "--revoke").stdout


def test_options_that_do_not_go_together(folder: Path) -> None:
    assert devmount(folder, "trust", "--show", "--revoke").returncode == 2
    assert devmount(folder, "trust", "--json").returncode == 2


def test_without_a_terminal_the_word_must_be_said_in_full(folder: Path) -> None:
    done = devmount(folder, "trust")
    assert done.returncode == 1
    assert "answer yes, or use --yes" in done.stderr
    assert held(folder)


@pytest.mark.parametrize("command", ["create v", "backup v", "export v -", "import v ."])
def test_volumes_that_are_something_else_are_not_made_or_mounted(make: Make, command: str) -> None:
    folder = make(TOML + '[volumes.v]\noptions = { type = "none", o = "bind", device = "/etc" }\n')
    done = devmount(folder, "volume", *command.split())
    assert done.returncode == 1
    assert "has the volume v mounted with device=/etc, o=bind, type=none" in done.stderr
    assert leftovers(folder.name) == []


def test_volumes_of_a_project_that_is_held_can_be_made_where_they_are_its_own(make: Make) -> None:
    folder = make(TOML + "[volumes.v]\n")
    assert devmount(folder, "volume", "create", "v").returncode == 0
    assert held(folder)


def test_what_another_checkout_made_is_not_taken_by_its_name(make: Make, tmp_path: Path) -> None:
    toml = '[app]\nimage = "debian:bookworm-slim"\nmounts = ["data:/data"]\n'
    mine = make(toml)
    assert devmount(mine, "run", "--", "touch", "/data/mine").returncode == 0
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ".devmount.toml").write_text((mine / ".devmount.toml").read_text())
    asked = f"uses the volume {mine.name}_data, made by the project in {mine}"
    for command in (("run", "--", "true"), ("volume", "backup", "data"), ("up",)):
        done = devmount(theirs, *command)
        assert done.returncode == 1, command
        assert asked in done.stderr, command
    assert containers(mine.name) == []
    shown = devmount(theirs, "trust", "--show")
    assert (shown.returncode, shown.stdout) == (1, f"{asked}\nheld: not allowed yet\n")
    assert devmount(theirs, "trust", "--yes").returncode == 0
    assert devmount(theirs, "trust", "--show").returncode == 0
    assert devmount(theirs, "run", "--", "true").returncode == 0
    assert devmount(mine, "run", "--", "true").returncode == 0
    assert devmount(theirs, "trust", "--revoke").returncode == 0
    moved = mine.rename(tmp_path / "moved")
    assert devmount(theirs, "run", "--", "true").returncode == 0
    assert devmount(moved, "down").returncode == 0


def test_closed_streams_are_no_terminal(folder: Path) -> None:
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>told', "sh", *COMMAND, "up"]
    done = subprocess.run(command, cwd=folder, env=environment(), timeout=60)
    assert done.returncode == 1
    assert (folder / "told").read_text().startswith("error: the project asks for what needs your word")
    allow(folder)
    done = subprocess.run([*command[:-1], "run", "--", "true"], cwd=folder, env=environment(), timeout=60)
    assert done.returncode == 0, (folder / "told").read_text()


def test_without_an_engine_the_word_can_be_given_all_the_same(folder: Path, tmp_path: Path) -> None:
    done = devmount(folder, "--engine", f"unix://{tmp_path}/nowhere", "trust", "--yes")
    assert done.returncode == 0
    assert not held(folder)


def terminal(folder: Path, *arguments: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], *arguments], cwd=folder, env=environment(), encoding="utf-8", timeout=60
    )


def test_a_terminal_is_asked_and_no_starts_nothing(folder: Path) -> None:
    child = terminal(folder, "up")
    child.expect("app can read .*/outside")
    child.expect(r"Allow it\? \[y/N\] ")
    child.sendline("")
    child.expect("nothing was started")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert leftovers(folder.name) == []
    assert held(folder)


def test_a_terminal_that_says_yes_goes_on_and_is_not_asked_again(folder: Path) -> None:
    for asked in (True, False):
        child = terminal(folder, "run", "--", "cat", "/x/secret")
        if asked:
            child.expect(r"Allow it\? \[y/N\] ")
            child.sendline("y")
        child.expect("PASSWORD=hunter2")
        child.expect(pexpect.EOF)
        assert "Allow" not in str(child.before)
        child.close()
        assert child.exitstatus == 0


def test_a_file_of_someone_else_asks(make: Make, tmp_path: Path) -> None:
    """As in /tmp, where another user's file may lie above the folder that one is in."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be someone else")
    folder = make('[app]\nimage = "debian:bookworm-slim"\n')
    for place in (folder, *folder.parents):
        if place.owner() == "root" and place.is_relative_to(tmp_path):
            place.chmod(0o755)
    os.chown(folder / ".devmount.toml", 4321, 4321)
    with Up(folder, user=1234) as up:
        assert up.finished() == 1
        assert "the project file belongs to user 4321, not to you" in up.stderr
    os.chown(folder / ".devmount.toml", 1234, 1234)
    with Up(folder, user=1234) as up:
        up.finished()
        assert "belongs to" not in up.stderr


MODULE = "import pathlib\npathlib.Path({!r}).touch()\n"


def test_modules_in_the_project_are_not_run_on_the_host(make: Make, tmp_path: Path) -> None:
    marker = str(tmp_path / "ran")
    names = ("devmount/__init__.py", "typer.py", "docker.py", "json.py", "sitecustomize.py", "usercustomize.py")
    folder = make(
        '[app]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\nstop_timeout = "0s"\n',
        {name: MODULE.format(marker) for name in names},
    )
    done = devmount(folder, "up", "--detach")
    assert done.returncode == 0, done.stderr
    assert devmount(folder, "down").returncode == 0
    assert not Path(marker).exists()


CLI = """#!{python}
import json, os, sys
if sys.argv[1:] == ["buildx", "version"]:
    sys.exit(0)
given = {{"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}}
given["bake"] = json.load(open(sys.argv[sys.argv.index("--file") + 1]))
json.dump(given, open({told!r}, "w"))
print("this is no builder")
sys.exit(1)
"""


def test_build_arguments_cannot_steer_the_builder(make: Make, tmp_path: Path) -> None:
    """A variable of the docker CLI's environment could name another program to run, an argument is seen by everyone."""
    told, tools = tmp_path / "told", tmp_path / "tools"
    tools.mkdir()
    (tools / "docker").write_text(CLI.format(python=sys.executable, told=str(told)))
    (tools / "docker").chmod(0o755)
    folder = make(
        """
[app.build]
context = "."
args = { PATH = "evil", DOCKER_CONFIG = "evil", LD_PRELOAD = "evil", "--x" = "evil ${HOME} $${a} %{b}", KEY = "evil" }
target = "--evil"
""",
        {"Dockerfile": "FROM debian:bookworm-slim\n", "evil/docker": "#!/bin/sh\ntouch ran\n"},
    )
    (folder / "evil" / "docker").chmod(0o755)
    done = devmount(folder, "up", env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode == 1
    assert "this is no builder" in done.stderr
    given = json.loads(told.read_text())
    assert given["cwd"] == str(folder)
    assert "evil" not in json.dumps([given["argv"], given["env"]])
    target = given["bake"]["target"]["default"]
    assert target["args"] == {
        "PATH": "evil",
        "DOCKER_CONFIG": "evil",
        "LD_PRELOAD": "evil",
        "--x": f"evil {os.environ['HOME']} $${{a}} %%{{b}}",
        "KEY": "evil",
    }
    assert (target["context"], target["dockerfile"], target["target"]) == (".", "Dockerfile", "--evil")
    assert not (folder / "ran").exists()
    assert docker("image", "ls", "--quiet", f"{folder.name}-app") == ""
