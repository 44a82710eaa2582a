"""What becomes of the program at a change, and what is there before, beside and after it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Make
from tests.harness import Up, containers, devmount, docker, edit, save, wait_until

pytestmark = pytest.mark.engine

APP = '[app]\nimage = "debian:bookworm-slim"\n'
MAIN = f'{APP}command = "sh main.sh"\n'
WAIT = "while :; do sleep 0.05; done"


def says(text: str) -> Callable[[dict[str, object]], bool]:
    return lambda row: row["line"] == text


def test_a_program_that_reloads_itself_is_left_alone_until_it_has_died(make: Make) -> None:
    rule = '[[app.on_change]]\nfiles = ["*.sh"]\naction = "none"\n'
    # it looks at its own source, as a development server does, and dies of one that does not parse
    script = "echo {}; while sh -n main.sh; do sleep 0.05; done; exit 2"
    folder = make(MAIN + rule, {"main.sh": script.format("one")})
    with Up(folder) as up:
        up.wait("log", predicate=says("one"))
        mark = up.mark()
        save(folder / "main.sh", "# fine\n" + script.format("two"))
        up.wait("change", since=mark)
        save(folder / "main.sh", "if if if")
        assert up.wait("exited", since=mark)["code"] == 2
        assert up.all("reload") == []
        save(folder / "main.sh", script.format("three"))
        up.wait("log", predicate=says("three"), since=mark)
        up.wait("reload", since=mark)
        assert [row["action"] for row in up.all("reload")] == ["restart"]
        assert up.stop() == 130


def test_a_program_that_dies_of_its_reload_signal_is_brought_back_by_the_next_save(make: Make) -> None:
    rule = '[[app.on_change]]\nfiles = ["*.sh"]\naction = "signal"\nsignal = "HUP"\n'
    script = "trap 'exit 3' HUP; echo {}; " + WAIT
    folder = make(MAIN + rule, {"main.sh": script.format("one")})
    with Up(folder) as up:
        up.wait("log", predicate=says("one"))
        mark = up.mark()
        save(folder / "main.sh", script.format("two"))
        assert up.wait("reload", since=mark)["action"] == "signal"
        assert up.wait("exited", since=mark)["code"] == 3
        save(folder / "main.sh", script.format("three"))
        up.wait("log", predicate=says("three"), since=mark)
        up.wait("reload", predicate=lambda row: row["action"] == "restart", since=mark)
        assert [row["action"] for row in up.all("reload")] == ["signal", "restart"]
        assert up.stop() == 130


def test_the_whole_process_group_is_stopped(make: Make) -> None:
    script = "sh -c 'trap \"\" HUP; echo child $$; while :; do sleep 0.05; done' & echo parent {}; wait"
    folder = make(MAIN, {"main.sh": script.format("one")})
    with Up(folder) as up:
        up.wait("log", predicate=says("parent one"))
        mark = up.mark()
        save(folder / "main.sh", script.format("two"))
        up.wait("log", predicate=says("parent two"), since=mark)
        up.wait("log", predicate=lambda row: row["line"].startswith("child"), since=mark)
        running = docker("top", containers(folder.name)[0], "-eo", "pid,args").splitlines()
        assert len([row for row in running if "echo child" in row and "devmount" not in row]) == 1, running
        assert up.stop() == 130


def test_the_stop_signal_of_the_file_reaches_the_program_at_a_restart_and_at_the_end(make: Make) -> None:
    script = "trap 'echo interrupted; exit' INT; trap 'echo terminated' TERM; echo began; " + WAIT
    folder = make(MAIN + 'stop_signal = "INT"\nstop_timeout = "60s"\n', {"main.sh": script})
    with Up(folder) as up:
        up.wait("log", predicate=says("began"))
        mark = up.mark()
        save(folder / "main.sh", script + "\n")
        up.wait("log", predicate=says("interrupted"), since=mark)
        up.wait("log", predicate=says("began"), since=mark)
        mark = up.mark()
        assert up.stop() == 130
        assert [row["line"] for row in up.all("log", since=mark)] == ["interrupted"]


def test_a_new_container_that_cannot_start_leaves_the_old_one_at_work(make: Make) -> None:
    folder = make(MAIN + 'environment = { WORD = "one" }\n', {"main.sh": f"echo $WORD; {WAIT}"})
    file = folder / ".devmount.toml"
    with Up(folder) as up:
        up.wait("log", predicate=says("one"))
        container = containers(folder.name)
        mark = up.mark()
        edit(file, "[app]\n", '[app]\nuser = "nobody-here"\n')
        error = up.wait("error", since=mark)
        assert "nobody-here" in error["message"]
        wait_until(lambda: containers(folder.name, running=True) == container)
        assert containers(folder.name) == container
        up.wait("log", predicate=says("one"), since=mark)
        edit(file, 'user = "nobody-here"\n', "")
        edit(file, '"one"', '"two"')
        up.wait("log", predicate=says("two"), since=mark)
        assert up.stop() == 130
    assert len(containers(folder.name)) == 1


def test_a_first_start_that_fails_leaves_no_container(make: Make) -> None:
    folder = make(MAIN + 'user = "nobody-here"\n', {"main.sh": WAIT})
    done = devmount(folder, "up")
    assert done.returncode == 1
    assert "nobody-here" in done.stderr
    assert containers(folder.name) == []


def test_a_service_with_a_terminal_is_restarted_with_its_container(make: Make) -> None:
    script = "test -t 1 && echo a terminal {}; " + WAIT
    folder = make(MAIN + 'tty = true\nstop_timeout = "0s"\n', {"main.sh": script.format("one")})
    with Up(folder) as up:
        up.wait("log", predicate=says("a terminal one"))
        assert "terminal" in up.all("warning")[0]["message"]
        mark = up.mark()
        save(folder / "main.sh", script.format("two"))
        up.wait("log", predicate=says("a terminal two"), since=mark)
        assert up.stop() == 130
    with Up(folder) as up:
        up.wait("started")
        assert up.all("warning") == []


def test_a_shell_of_busybox_supervises_as_well(make: Make) -> None:
    dockerfile = """
FROM debian:bookworm-slim AS made
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static
FROM scratch
COPY --from=made /bin/busybox /bin/busybox
RUN ["/bin/busybox", "--install", "/bin"]
"""
    script = "trap 'echo bye; exit 4' TERM; echo {}; while :; do sleep 0.05; done"
    folder = make(
        '[app]\nbuild = "."\ncommand = "sh main.sh"\n', {"Dockerfile": dockerfile, "main.sh": script.format(1)}
    )
    try:
        with Up(folder) as up:
            up.wait("log", timeout=120, predicate=says("1"))
            mark = up.mark()
            save(folder / "main.sh", script.format(2))
            up.wait("log", predicate=says("bye"), since=mark)
            up.wait("log", predicate=says("2"), since=mark)
            mark = up.mark()
            save(folder / "main.sh", "echo over; exit 5")
            assert up.wait("exited", since=mark)["code"] == 5
            save(folder / "main.sh", script.format(3))
            up.wait("log", predicate=says("3"), since=mark)
            assert up.all("warning") == []
            assert up.stop() == 130
    finally:
        devmount(folder, "down")
        docker("rmi", f"{folder.name}-app:devmount")


def test_dependents_that_ask_for_it_are_restarted_after_a_recreated_service(make: Make) -> None:
    folder = make(
        MAIN
        + """
[services.front]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo front began; exec sleep 1000"]
depends_on = [{ service = "app", restart = true }]
stop_timeout = "0s"
[services.other]
image = "debian:bookworm-slim"
command = ["sh", "-c", "echo other began; exec sleep 1000"]
depends_on = ["app"]
""",
        {"main.sh": WAIT},
    )
    with Up(folder) as up:
        for service in ("front", "other"):
            up.wait("ready", service=service)
        mark = up.mark()
        edit(folder / ".devmount.toml", "[app]\n", '[app]\nenvironment = { A = "1" }\n')
        up.wait("log", predicate=says("front began"), since=mark)
        up.wait("reload", service="app", since=mark)
        assert up.all("log", service="other", since=mark) == []
        assert up.stop() == 130


def test_a_service_that_comes_into_the_file_or_leaves_it_does_so_while_the_session_runs(make: Make) -> None:
    folder = make(MAIN, {"main.sh": WAIT})
    file = folder / ".devmount.toml"
    before = file.read_text()
    with Up(folder) as up:
        up.wait("ready", service="app")
        app = containers(folder.name)
        save(
            file,
            before + '[services.new]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\nstop_timeout = "0s"\n',
        )
        up.wait("ready", service="new")
        save(file, before)
        up.wait("stopped", service="new")
        assert containers(folder.name) == app
        assert up.stop() == 130


def test_places_of_mounts_inside_the_project_folder_belong_to_the_caller(make: Make) -> None:
    folder = make(
        MAIN + 'mounts = ["cache:/workspace/deep/cache", "./conf:/workspace/etc/conf:ro"]\n',
        {"main.sh": WAIT, "conf": "x"},
    )
    owner = 12345
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner, owner)
    group = Path("/var/run/docker.sock").stat().st_gid
    with Up(folder, user=owner, group=group) as up:
        up.wait("ready")
        for place in ("deep", "deep/cache", "etc", "etc/conf"):
            assert (folder / place).stat().st_uid == owner, place
        assert (folder / "etc/conf").is_file()
        assert up.stop() == 130


def test_a_container_stopped_by_someone_else_is_started_by_the_next_change(make: Make) -> None:
    folder = make(MAIN, {"main.sh": f"echo began; {WAIT}"})
    with Up(folder) as up:
        up.wait("ready")
        mark = up.mark()
        docker("stop", "--time", "0", containers(folder.name)[0])
        up.wait("exited", since=mark)
        save(folder / "main.sh", f"echo again; {WAIT}")
        up.wait("log", predicate=says("again"), since=mark)
        assert up.stop() == 130


def test_ctrl_c_while_it_starts_leaves_nothing_running(make: Make) -> None:
    for event in ("starting", "started"):
        folder = make(MAIN + 'ready = { log = "never" }\n', {"main.sh": WAIT})
        with Up(folder) as up:
            up.wait(event)
            up.interrupt()
            assert up.finished(20) == 130
        assert containers(folder.name, running=True) == []


def test_sigterm_during_a_restart_that_takes_long_ends_in_time(make: Make) -> None:
    script = "trap '' TERM; echo deaf; " + WAIT
    folder = make(MAIN + 'stop_timeout = "2s"\n', {"main.sh": script})
    with Up(folder) as up:
        up.wait("log", predicate=says("deaf"))
        save(folder / "main.sh", script + "\n")
        up.wait("change")
        up.process.send_signal(signal.SIGTERM)
        assert up.finished(20) == 0
    assert containers(folder.name, running=True) == []


def test_output_of_a_long_run_is_shown_as_it_comes(make: Make) -> None:
    rule = """[[app.on_change]]
files = ["list"]
run = "sh -c 'echo first; while [ ! -e go ]; do sleep 0.05; done; echo last'"
"""
    folder = make(MAIN + rule, {"main.sh": WAIT, "list": ""})
    with Up(folder) as up:
        up.wait("ready")
        mark = up.mark()
        save(folder / "list", "x")
        up.wait("log", predicate=says("first"), since=mark)
        (folder / "go").touch()
        up.wait("log", predicate=says("last"), since=mark)
        up.wait("reload", predicate=lambda row: row["files"] == ["list"], since=mark)
        assert up.stop() == 130
