"""The commands beside ``up``, on a real engine, with a session and without one."""

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.conftest import Make
from tests.harness import COMMAND, Up, containers, devmount, docker, environment, leftovers, remove, save, wait_until

pytestmark = pytest.mark.engine

TOML = """
[app]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo app began; echo problem >&2; while :; do sleep 0.05; done"]
environment = { COLOUR = "green" }
depends_on = ["db"]
[services.db]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo db began; exec sleep 1000"]
"""


@pytest.fixture
def kept(make: Make) -> Path:
    """A project whose containers run without a session."""
    folder = make(TOML, {"text": ""})
    with Up(folder, "--keep") as up:
        up.wait("ready", service="app")
        assert up.stop() == 130
    return folder


def states(folder: Path) -> dict[str, str]:
    done = devmount(folder, "ps", "--json")
    assert done.returncode == 0, done.stderr
    return {row["service"]: row["status"] for row in json.loads(done.stdout)}


def test_ps_shows_what_the_engine_has(kept: Path) -> None:
    rows = json.loads(devmount(kept, "ps", "--json").stdout)
    assert [row["service"] for row in rows] == ["app", "db"]
    assert set(containers(kept.name)) == {row["container"][:12] for row in rows}
    plain = devmount(kept, "ps").stdout.splitlines()
    assert plain[0].split() == ["SERVICE", "STATUS", "PORTS", "CONTAINER"]
    assert plain[1].startswith("app ")


def test_stop_and_start_keep_the_container_and_start_brings_dependencies(kept: Path) -> None:
    before = set(containers(kept.name))
    assert devmount(kept, "stop", "app").returncode == 0
    assert states(kept) == {"app": "exited", "db": "running"}
    assert devmount(kept, "stop").returncode == 0
    assert set(states(kept).values()) == {"exited"}
    assert devmount(kept, "start", "app").returncode == 0
    assert states(kept) == {"app": "running", "db": "running"}
    assert set(containers(kept.name)) == before
    restarted = devmount(kept, "restart")
    assert (restarted.returncode, restarted.stdout) == (0, "restarted app\nrestarted db\n")
    assert set(containers(kept.name)) == before


def test_a_running_session_stops_and_starts_services_and_does_not_take_it_for_a_crash(make: Make) -> None:
    folder = make(TOML, {"text": ""})
    with Up(folder) as up:
        up.wait("ready", service="app")
        assert devmount(folder, "stop", "app").returncode == 0
        assert states(folder) == {"app": "exited", "db": "running"}
        mark = up.mark()
        save(folder / "text", "x")
        up.wait("change", since=mark)
        assert devmount(folder, "start", "app").returncode == 0
        up.wait("ready", service="app", since=mark)
        assert states(folder)["app"] == "running"
        assert up.all("exited") == []
        assert up.all("reload") == []
        assert devmount(folder, "stop").returncode == 0
        assert up.finished() == 0


def test_logs_hold_both_streams_and_follow(kept: Path) -> None:
    done = devmount(kept, "logs", "--json")
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert {(row["service"], row["stream"], row["line"]) for row in rows} == {
        ("app", "stdout", "app began"),
        ("app", "stderr", "problem"),
        ("db", "stdout", "db began"),
    }
    plain = devmount(kept, "logs", "app")
    assert plain.stdout == "app      | app began\n"
    assert plain.stderr == "app      | problem\n"
    follower = subprocess.Popen(
        [*COMMAND, "logs", "-f", "--tail", "1", "db"], cwd=kept, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        lines: list[str] = []
        assert follower.stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(iter(follower.stdout.readline, "")))  # type: ignore[union-attr]
        reader.start()
        wait_until(lambda: len(lines) == 1)
        assert devmount(kept, "restart", "db").returncode == 0
        reader.join(30)
        assert not reader.is_alive()  # the log ends with the container
        assert follower.wait(10) == 0
    finally:
        follower.kill()
        follower.wait()
        if follower.stdout:
            follower.stdout.close()


def test_exec_gives_the_exit_code_and_pipes_both_ways(kept: Path) -> None:
    done = devmount(kept, "exec", "app", "--", "sh", "-c", "pwd; echo $COLOUR; echo wrong >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "/workspace\ngreen\n", "wrong\n")
    assert devmount(kept, "exec", "app", "--", "cat", stdin="through\n").stdout == "through\n"
    assert devmount(kept, "exec", "--user", "root", "db", "--", "id", "-u").stdout == "0\n"
    missing = devmount(kept, "exec", "app", "--", "no-such-program")
    assert missing.returncode in (126, 127)
    assert "Traceback" not in missing.stderr


def test_run_is_one_command_in_a_container_that_goes_away(make: Make) -> None:
    folder = make(TOML, {"text": "hello"})
    done = devmount(folder, "run", "--", "sh", "-c", "cat text; echo $COLOUR; exit 3")
    assert (done.returncode, done.stdout) == (3, "hellogreen\n")
    assert containers(folder.name) == []
    assert devmount(folder, "down").returncode == 0
    assert leftovers(folder.name) == []


@pytest.mark.parametrize(
    "command", [("exec", "app", "--", "true"), ("shell",), ("restart",), ("logs", "app"), ("pause",)]
)
def test_commands_on_what_does_not_run_say_so(make: Make, command: tuple[str, ...]) -> None:
    folder = make(TOML)
    done = devmount(folder, *command)
    if command == ("restart",):  # nothing to restart is no mistake
        assert (done.returncode, done.stdout) == (0, "")
        return
    assert done.returncode == 1
    assert "devmount up" in done.stderr


def test_unknown_services_commands_and_folders_are_wrong_usage(make: Make) -> None:
    folder = make(TOML)
    wrong: list[tuple[tuple[str, ...], str]] = [
        (("logs", "dbb"), "there are: app, db"),
        (("nonsense",), "error: no such command 'nonsense'\n"),
        (("upp",), "'up'"),
        (("-C", "nowhere", "ps"), "error: there is no folder"),
        (("exec",), "  see devmount exec --help\n"),
        (("up", "--jsn"), "--json"),
        (("volume",), "Usage: devmount volume"),
    ]
    for command, said in wrong:
        done = devmount(folder, *command)
        assert done.returncode == 2, command
        assert said in done.stderr, command
        assert "Traceback" not in done.stderr


def test_down_works_when_the_file_is_wrong_or_gone_or_names_the_project_anew(kept: Path) -> None:
    file = kept / ".devmount.toml"
    text = file.read_text()
    file.write_text("name = [\n")
    assert devmount(kept, "ps").returncode == 0
    file.write_text(text.replace(kept.name, f"{kept.name}-new"))
    done = devmount(kept, "down")
    assert done.returncode == 0, done.stderr
    assert leftovers(kept.name) == []


def test_down_without_a_file_takes_away_what_was_made_here(kept: Path) -> None:
    (kept / ".devmount.toml").unlink()
    done = devmount(kept, "down")
    assert done.returncode == 0, done.stderr
    assert leftovers(kept.name) == []


def test_down_keeps_volumes_unless_told(make: Make) -> None:
    folder = make(TOML.replace("[services.db]", '[services.db]\nmounts = ["data:/data"]'))
    with Up(folder) as up:
        up.wait("ready", service="app")
        up.stop()
    assert devmount(folder, "down").returncode == 0
    assert leftovers(folder.name) == [f"{folder.name}_data"]
    refused = devmount(folder, "down", "--volumes")
    assert refused.returncode == 1
    assert f"{folder.name}_data" in refused.stderr
    assert leftovers(folder.name) == [f"{folder.name}_data"]
    assert devmount(folder, "down", "--volumes", "--yes").returncode == 0
    assert leftovers(folder.name) == []


def test_two_checkouts_of_one_name_do_not_take_each_others_containers(kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(kept, other)
    before = set(containers(kept.name, running=True))
    for command in ("up", "down"):
        done = devmount(other, command)
        assert done.returncode == 1
        assert "another checkout" in done.stdout + done.stderr
        assert set(containers(kept.name, running=True)) == before


def test_the_file_is_found_from_below_and_by_option_and_profiles_lie_over_it(make: Make) -> None:
    folder = make(TOML + '[profiles.loud.app.environment]\nCOLOUR = "red"\n')
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    assert json.loads(devmount(below, "config", "--json").stdout)["name"] == folder.name
    shutil.copy(folder / ".devmount.toml", folder / "other.toml")
    shown = devmount(folder, "--file", "other.toml", "config", "--json", "--profile", "loud")
    assert json.loads(shown.stdout)["app"]["environment"] == {"COLOUR": "red"}
    assert "did you mean 'loud'" in devmount(folder, "config", "--profile", "lod").stderr


def test_the_schema_is_json_and_names_every_table(make: Make) -> None:
    schema = json.loads(devmount(make(TOML), "config", "schema").stdout)
    assert {"app", "services", "volumes", "watch", "profiles", "name"} <= set(schema["properties"])


def test_events_are_followed_by_another_process(make: Make) -> None:
    folder = make(TOML, {"text": ""})
    with Up(folder) as up:
        up.wait("ready", service="app")
        with Following(folder) as following:

            def reload_seen() -> bool:
                save(folder / "text", "x")  # again: the follower may not have been there at the first
                return "reload" in following.names()

            wait_until(reload_seen)
            up.stop()
            wait_until(lambda: "stopped" in following.names())
            assert following.process.wait(10) == 0


class Following:
    """``devmount events --json`` as a subprocess, read in a thread."""

    def __init__(self, folder: Path) -> None:
        self.rows: list[dict[str, object]] = []
        self.process = subprocess.Popen(
            [*COMMAND, "events", "--json"], cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def names(self) -> list[object]:
        return [row["event"] for row in self.rows]

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.rows.append(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(5)


def test_a_reader_that_goes_away_ends_the_session(make: Make) -> None:
    folder = make(TOML)
    command = " ".join([*COMMAND, "up", "--json"])
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 3"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(done.stdout.splitlines()) == 3
    wait_until(lambda: containers(folder.name, running=True) == [])
    assert "Traceback" not in done.stderr


def test_containers_made_by_hand_with_our_names_are_left_alone(make: Make) -> None:
    folder = make(TOML)
    docker("create", "--name", f"{folder.name}-db", "debian:bookworm-slim", "true")
    try:
        done = devmount(folder, "up")
        assert done.returncode == 1
        assert f"{folder.name}-db exists and is not this project's" in done.stdout + done.stderr
    finally:
        docker("rm", f"{folder.name}-db")
        remove(folder.name)
