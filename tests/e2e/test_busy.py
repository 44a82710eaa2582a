"""What changes while something else is under way, and single files that are mounted."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Make
from tests.harness import Event, Up, containers, devmount, docker, edit, save, wait_until

pytestmark = pytest.mark.engine

BOUND = 60.0  # seconds
WAIT = "while :; do sleep 0.05; done"
APP = '[app]\nimage = "debian:bookworm-slim"\ncommand = "sh main.sh"\n'
TELLS = f"echo $(cat text); {WAIT}"


def says(text: str) -> Callable[[Event], bool]:
    return lambda row: row["line"] == text


def sentinel(up: Up, name: str, since: int) -> list[list[str]]:
    """The files of each reload since then, up to that of a file that is saved now."""
    (up.folder / name).touch()
    up.wait("reload", BOUND, lambda row: name in row["files"], since=since)
    return [row["files"] for row in up.all("reload", since=since)]


def test_saves_during_a_slow_stop_are_one_more_reload(make: Make) -> None:
    script = "trap 'echo stopping; while [ ! -e go ]; do sleep 0.05; done; exit' TERM; " + TELLS
    folder = make(APP + 'stop_timeout = "60s"\n', {"main.sh": script, "text": "one"})
    with Up(folder) as up:
        up.wait("log", BOUND, says("one"))
        mark = up.mark()
        save(folder / "text", "two")
        up.wait("log", BOUND, says("stopping"), since=mark)
        for text in ("three", "four", "five"):
            save(folder / "text", text)
            (folder / text).touch()
        (folder / "go").touch()
        up.wait("reload", BOUND, lambda row: "three" in row["files"], since=mark)
        up.wait("log", BOUND, says("five"), since=mark)
        reloads = [row["files"] for row in up.all("reload", since=mark)]
        assert reloads[0] == ["text"]
        assert sorted(reloads[1]) == ["five", "four", "go", "text", "three"]
        assert sentinel(up, "after", mark)[2:] == [["after"]]
        assert up.stop() == 130


def test_saves_during_a_rebuild_are_taken_up_after_it(make: Make) -> None:
    dockerfile = "FROM debian:bookworm-slim\nENV A={}\nRUN sleep 4\n"
    folder = make(
        APP.replace('image = "debian:bookworm-slim"', 'build = "."'),
        {"Dockerfile": dockerfile.format(1), "main.sh": f"echo $A $(cat text); {WAIT}", "text": "one"},
    )
    try:
        with Up(folder) as up:
            up.wait("log", BOUND, says("1 one"))
            mark = up.mark()
            edit(folder / "Dockerfile", "ENV A=1", "ENV A=2")
            up.wait("build", BOUND, lambda row: "sleep 4" in row["step"], since=mark)
            save(folder / "text", "two")
            save(folder / "text", "three")
            up.wait("reload", BOUND, lambda row: row["action"] == "rebuild", since=mark)
            up.wait("reload", BOUND, lambda row: row["files"] == ["text"], since=mark)
            up.wait("log", BOUND, says("2 three"), since=mark)
            assert sentinel(up, "after", mark)[1:] == [["text"], ["after"]]
            assert up.stop() == 130
    finally:
        devmount(folder, "down")
        docker("rmi", "--force", f"{folder.name}-app:devmount")


def test_a_rebuild_that_fails_does_not_lose_what_was_saved_meanwhile(make: Make) -> None:
    dockerfile = "FROM debian:bookworm-slim\nRUN sleep 1 && {}\n"
    folder = make(
        APP.replace('image = "debian:bookworm-slim"', 'build = "."'),
        {"Dockerfile": dockerfile.format("true"), "main.sh": TELLS, "text": "one"},
    )
    try:
        with Up(folder) as up:
            up.wait("log", BOUND, says("one"))
            mark = up.mark()
            edit(folder / "Dockerfile", "true", "false")
            up.wait("build", BOUND, lambda row: "false" in row["step"], since=mark)
            save(folder / "text", "two")
            up.wait("error", BOUND, since=mark)
            up.wait("log", BOUND, says("two"), since=mark)
            assert up.stop() == 130
    finally:
        devmount(folder, "down")
        docker("rmi", "--force", f"{folder.name}-app:devmount")


def test_saves_during_the_first_start_are_taken_up(make: Make) -> None:
    companion = """
[services.slow]
image = "debian:bookworm-slim"
command = ["sh", "-c", "sleep 1; echo up; exec sleep 1000"]
ready = { log = "up" }
stop_timeout = "0s"
"""
    folder = make(APP + 'depends_on = ["slow"]\n' + companion, {"main.sh": TELLS, "text": "one"})
    with Up(folder) as up:
        up.wait("started", BOUND, service="slow")
        save(folder / "text", "two")
        up.wait("starting", BOUND, service="app")
        save(folder / "text", "three")
        up.wait("log", BOUND, says("three"))
        save(folder / "text", "four")  # while its readiness is looked at
        up.wait("log", BOUND, says("four"))
        mark = up.mark()
        assert "after" in sentinel(up, "after", mark)[-1]  # and perhaps the last save, if "three" had read it already
        assert up.stop() == 130


def test_a_command_before_the_action_is_not_disturbed_and_what_comes_meanwhile_waits(make: Make) -> None:
    rule = """[[app.on_change]]
files = ["list"]
run = "sh -c 'echo began; while [ ! -e go ]; do sleep 0.05; done; echo ended'"
"""
    folder = make(APP + rule, {"main.sh": TELLS, "text": "one", "list": ""})
    with Up(folder) as up:
        up.wait("log", BOUND, says("one"))
        mark = up.mark()
        save(folder / "list", "a")
        up.wait("log", BOUND, says("began"), since=mark)
        save(folder / "text", "two")
        save(folder / "list", "b")
        (folder / "go").touch()
        up.wait("reload", BOUND, lambda row: "text" in row["files"], since=mark)
        reloads = [row["files"] for row in up.all("reload", since=mark)]
        assert reloads[0] == ["list"]
        assert sorted(reloads[1]) == ["go", "list", "text"]
        lines = ["began", "ended", "two", "began", "ended", "two"]
        wait_until(lambda: [row["line"] for row in up.all("log", since=mark)] == lines, BOUND, up.report)
        assert up.stop() == 130


def test_pause_keeps_changes_and_resume_makes_one_reload_of_them(make: Make) -> None:
    folder = make(APP, {"main.sh": TELLS, "text": "one"})
    with Up(folder) as up:
        up.wait("log", BOUND, says("one"))
        mark = up.mark()
        for _ in range(2):  # the second says the same again
            assert devmount(folder, "pause").returncode == 0
        wait_until(lambda: len(up.all("warning", since=mark)) == 2, BOUND, up.report)
        for text in ("two", "three"):
            save(folder / "text", text)
            save(folder / f"other-{text}", "")
        (folder / "passing").touch()
        (folder / "passing").unlink()
        assert devmount(folder, "resume").returncode == 0
        up.wait("log", BOUND, says("three"), since=mark)
        assert [sorted(files) for files in sentinel(up, "after", mark)] == [
            ["other-three", "other-two", "text"],
            ["after"],
        ]

        mark = up.mark()
        assert devmount(folder, "pause").returncode == 0
        assert devmount(folder, "resume").returncode == 0
        assert sentinel(up, "again", mark) == [["again"]]  # nothing had changed

        assert devmount(folder, "pause").returncode == 0
        save(folder / "text", "four")
        mark = up.mark()
        assert devmount(folder, "restart").returncode == 0  # what is asked for is not paused
        up.wait("log", BOUND, says("four"), since=mark)
        assert devmount(folder, "resume").returncode == 0
        assert up.stop() == 130


def test_the_end_of_a_session_is_heard_while_it_is_paused(make: Make) -> None:
    folder = make(APP, {"main.sh": TELLS, "text": "one"})
    with Up(folder) as up:
        up.wait("log", BOUND, says("one"))
        assert devmount(folder, "pause").returncode == 0
        save(folder / "text", "two")
        assert up.stop() == 130
    assert containers(folder.name, running=True) == []


def rename_over(path: Path, text: str) -> None:
    save(path, text)


def move_away(path: Path, text: str) -> None:
    """As vim with backupcopy=no."""
    path.rename(path.with_name(path.name + "~"))
    path.write_text(text)


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def sed(path: Path, text: str) -> None:
    subprocess.run(["sed", "-i", f"1c{text}", path.name], cwd=path.parent, check=True, timeout=BOUND)


WAYS = (rename_over, move_away, in_place, sed)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_mounted_file_is_seen_as_it_is_after_each_save(way: Callable[[Path, str], None], make: Make) -> None:
    script = "trap 'echo hup' HUP; echo $(cat /etc/one.conf) $(cat /etc/two.conf); " + WAIT
    extra = """mounts = ["./one.conf:/etc/one.conf:ro", "../two-{}.conf:/etc/two.conf"]
[[app.on_change]]
files = ["one.conf"]
action = "signal"
signal = "HUP"
"""
    folder = make(APP, {"main.sh": script, "one.conf": "one\n"})
    outside = folder.parent / f"two-{folder.name}.conf"
    outside.write_text("two\n")
    file = folder / ".devmount.toml"
    file.write_text(file.read_text() + extra.format(folder.name))
    assert devmount(folder, "trust", "--yes").returncode == 0
    with Up(folder) as up:
        up.wait("log", BOUND, says("one two"))
        container = containers(folder.name)
        mark = up.mark()
        way(folder / "one.conf", "1\n")
        if way is in_place:
            up.wait("log", BOUND, says("hup"), since=mark)  # it is the same file, so the rule's signal will do
        else:
            up.wait("log", BOUND, says("1 two"), since=mark)
            up.wait("ready", BOUND, since=mark)
        way(outside, "2\n")
        up.wait("log", BOUND, says("1 2"), since=mark)
        way(outside, "II\n")
        up.wait("log", BOUND, says("1 II"), since=mark)
        assert containers(folder.name) == container
        assert up.stop() == 130


def test_a_mounted_file_that_is_gone_for_a_while(make: Make) -> None:
    script = "echo $(cat /etc/one.conf); " + WAIT
    folder = make(APP + 'mounts = ["./one.conf:/etc/one.conf"]\n', {"main.sh": script, "one.conf": "one\n"})
    with Up(folder) as up:
        up.wait("log", BOUND, says("one"))
        mark = up.mark()
        os.unlink(folder / "one.conf")
        up.wait("log", BOUND, says("one"), since=mark)  # the old one is better than none
        mark = up.mark()
        (folder / "one.conf").write_text("two\n")
        up.wait("log", BOUND, says("two"), since=mark)
        assert up.all("error") == []
        assert up.stop() == 130


def test_a_restart_that_is_asked_for_sees_a_mounted_file_anew_for_each_service(make: Make) -> None:
    extra = """mounts = ["./one.conf:/etc/one.conf"]
[[app.on_change]]
files = ["one.conf"]
action = "none"
[services.other]
image = "debian:bookworm-slim"
command = ["sh", "-c", "cat /etc/one.conf; exec sleep 1000"]
mounts = ["./one.conf:/etc/one.conf"]
stop_timeout = "0s"
"""
    script = "cat /etc/one.conf; " + WAIT
    folder = make(APP + extra, {"main.sh": script, "one.conf": "one\n"})
    with Up(folder) as up:
        for service in ("app", "other"):
            up.wait("log", BOUND, says("one"), service=service)
        mark = up.mark()
        save(folder / "one.conf", "two\n")
        up.wait("change", BOUND, since=mark)
        assert devmount(folder, "restart", "app", "other").returncode == 0
        for service in ("app", "other"):
            up.wait("log", BOUND, says("two"), service=service, since=mark)
        assert up.stop() == 130
