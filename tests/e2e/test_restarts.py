"""Who is started, stopped and signalled, and who is left alone."""

from collections.abc import Callable

import pytest

from tests.e2e.conftest import Make
from tests.harness import Event, Up, containers, devmount, docker, edit, save

pytestmark = pytest.mark.engine

BOUND = 60.0  # seconds
WAIT = "while :; do sleep 0.05; done"
APP = '[app]\nimage = "debian:bookworm-slim"\ncommand = "sh main.sh"\n'


def says(text: str) -> Callable[[Event], bool]:
    return lambda row: row["line"] == text


def test_a_program_that_is_done_is_no_failure_and_the_next_save_runs_it_again(make: Make) -> None:
    folder = make(APP, {"main.sh": "echo one"})
    with Up(folder) as up:
        assert up.wait("exited", BOUND)["code"] == 0
        mark = up.mark()
        save(folder / "main.sh", "echo two; exit 0")
        up.wait("log", BOUND, says("two"), since=mark)
        assert up.wait("exited", BOUND, since=mark)["code"] == 0
        assert up.all("error") == []
        assert up.stop() == 130


def test_a_service_that_was_stopped_is_not_started_by_a_save(make: Make) -> None:
    extra = '[services.other]\nimage = "debian:bookworm-slim"\ncommand = "sh main.sh"\nmount = "/workspace"\n'
    folder = make(APP + 'mount = "/workspace"\n' + extra, {"main.sh": f"echo $(cat text); {WAIT}", "text": "one"})
    with Up(folder) as up:
        for service in ("app", "other"):
            up.wait("log", BOUND, says("one"), service=service)
        assert devmount(folder, "stop", "other").returncode == 0
        mark = up.mark()
        save(folder / "text", "two")
        up.wait("log", BOUND, says("two"), service="app", since=mark)
        up.wait("reload", BOUND, service="app", since=mark)
        assert up.all("reload", service="other", since=mark) == []
        assert len(containers(folder.name, running=True)) == 1
        assert devmount(folder, "start", "other").returncode == 0
        up.wait("log", BOUND, says("two"), service="other", since=mark)
        mark = up.mark()
        save(folder / "text", "three")
        for service in ("app", "other"):
            up.wait("log", BOUND, says("three"), service=service, since=mark)
        assert up.stop() == 130


def test_one_service_that_has_crashed_does_not_keep_the_other_from_its_reload(make: Make) -> None:
    extra = '[services.other]\nimage = "debian:bookworm-slim"\ncommand = "sh other.sh"\nmount = "/workspace"\n'
    files = {"main.sh": "echo app $(cat text); exit 3", "other.sh": f"echo other $(cat text); {WAIT}", "text": "one"}
    folder = make(APP + 'mount = "/workspace"\n' + extra, files)
    with Up(folder) as up:
        assert up.wait("exited", BOUND, service="app")["code"] == 3
        up.wait("log", BOUND, says("other one"))
        mark = up.mark()
        save(folder / "text", "two")
        up.wait("log", BOUND, says("other two"), since=mark)
        up.wait("log", BOUND, says("app two"), since=mark)
        assert up.stop() == 130


def test_a_signal_reaches_the_program_which_goes_on(make: Make) -> None:
    rule = '[[app.on_change]]\nfiles = ["*.conf"]\naction = "signal"\nsignal = "USR1"\n'
    script = f"trap 'echo usr1' USR1; trap 'echo term; exit' TERM; echo began; {WAIT}"
    folder = make(APP + rule, {"main.sh": script, "a.conf": "1"})
    with Up(folder) as up:
        up.wait("log", BOUND, says("began"))
        mark = up.mark()
        for text in ("2", "3"):
            place = up.mark()
            save(folder / "a.conf", text)
            up.wait("log", BOUND, says("usr1"), since=place)
            up.wait("reload", BOUND, since=place)
        assert [row["line"] for row in up.all("log", since=mark)] == ["usr1", "usr1"]
        assert up.all("exited") == []
        assert up.stop() == 130


def test_a_program_that_ends_within_its_time_is_not_killed_and_one_that_does_not_is(make: Make) -> None:
    folder = make(
        APP + 'stop_timeout = "4s"\n', {"main.sh": f"trap 'sleep 0.3; echo ended; exit' TERM; echo one; {WAIT}"}
    )
    with Up(folder) as up:
        up.wait("log", BOUND, says("one"))
        mark = up.mark()
        save(folder / "main.sh", f"trap 'echo deaf' TERM; echo two; {WAIT}")
        up.wait("log", BOUND, says("ended"), since=mark)
        up.wait("log", BOUND, says("two"), since=mark)
        assert up.all("warning", since=mark) == []
        mark = up.mark()
        save(folder / "main.sh", f"echo three; {WAIT}")
        assert "SIGKILL" in up.wait("warning", BOUND, since=mark)["message"]
        up.wait("log", BOUND, says("three"), since=mark)
        assert up.wait("log", BOUND, says("deaf"), since=mark)  # it had its chance
        assert up.stop() == 130


def test_a_rebuilt_service_does_not_touch_what_it_depends_on_and_stays_on_its_network(make: Make) -> None:
    companion = """
[services.db]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo db began; exec sleep 1000"]
stop_timeout = "0s"
"""
    folder = make(
        APP.replace('image = "debian:bookworm-slim"', 'build = "."') + 'depends_on = ["db"]\n' + companion,
        {"Dockerfile": "FROM debian:bookworm-slim\nENV A=1\n", "main.sh": f"echo $A; getent hosts db; {WAIT}"},
    )
    try:
        with Up(folder) as up:
            up.wait("log", BOUND, says("1"), service="app")
            (before,) = (one for one in containers(folder.name) if "db" in docker("inspect", "-f", "{{.Name}}", one))
            began = docker("inspect", "-f", "{{.State.StartedAt}}", before)
            mark = up.mark()
            edit(folder / "Dockerfile", "A=1", "A=2")
            up.wait("log", BOUND, says("2"), service="app", since=mark)
            up.wait("log", BOUND, lambda row: row["line"].endswith("db"), service="app", since=mark)
            assert docker("inspect", "-f", "{{.State.StartedAt}}", before) == began
            assert up.all("log", service="db", since=mark) == []
            assert up.stop() == 130
    finally:
        devmount(folder, "down")
        docker("rmi", "--force", f"{folder.name}-app:devmount")
