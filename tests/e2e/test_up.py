"""From a folder to a running, reloading container."""

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Make
from tests.e2e.relay import Relay
from tests.harness import Up, containers, devmount, docker, get, leftovers, save, wait_for_page, wait_until

pytestmark = pytest.mark.engine

Server = Callable[..., Path]

LOOP = """
[app]
image = "debian:bookworm-slim"
command = ["sh", "-c", "cat text; while :; do sleep 0.05; done"]
"""


def line(text: str) -> Callable[[dict[str, object]], bool]:
    return lambda row: row["line"] == text


def in_place(path: Path, text: str) -> None:
    with path.open("r+") as file:
        file.write(text)
        file.truncate()


def truncate_and_write(path: Path, text: str) -> None:
    path.write_text(text)


def unlink_and_create(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


@pytest.mark.parametrize("how", [in_place, truncate_and_write, unlink_and_create, save])
def test_a_save_is_taken_up_however_it_is_done(server: Server, how: Callable[[Path, str], None]) -> None:
    folder = server()
    with Up(folder) as up:
        up.wait("ready", service="app")
        container = up.all("started")[0]["container"]
        assert get(up.url()) == "one"
        mark = up.mark()
        how(folder / "text", "two")
        reload = up.wait("reload", since=mark)
        wait_for_page(up.url(), "two")
        up.wait("ready", since=mark)
        assert reload["action"] == "restart"
        assert reload["files"] == ["text"]
        assert reload["service"] == "app"
        assert 0 <= reload["milliseconds"] < 5000
        change = up.wait("change", since=mark)
        assert [row["path"] for row in change["files"]] == ["text"]
        assert change["count"] == 1
        assert len(up.all("reload", since=mark)) == 1
        assert docker("ps", "-q", "--no-trunc", "--filter", f"id={container}") == container
        assert up.stop() == 130
    assert up.all("stopped")


def test_a_crash_leaves_the_container_up_and_the_next_change_starts_the_program(make: Make) -> None:
    command = 'command = ["sh", "-c", "cat text; exit $(cat code)"]'
    folder = make(f'[app]\nimage = "debian:bookworm-slim"\n{command}', {"text": "hello\n", "code": "3\n"})
    with Up(folder) as up:
        assert up.wait("exited")["code"] == 3
        assert len(containers(folder.name, running=True)) == 1
        mark = up.mark()
        save(folder / "code", "0\n")
        up.wait("log", predicate=line("hello"), since=mark)
        assert up.wait("exited", since=mark)["code"] == 0


def test_the_first_matching_rule_decides(make: Make) -> None:
    folder = make(
        """
[app]
image = "debian:bookworm-slim"
command = ["sh", "-c", "trap 'echo reread' HUP; echo began; while :; do sleep 0.05; done"]
[[app.on_change]]
files = ["*.conf"]
action = "signal"
signal = "HUP"
[[app.on_change]]
files = ["list"]
run = "sh -c 'echo installing $(cat list)'"
[[app.on_change]]
files = ["bad"]
run = "sh -c 'echo no; exit 4'"
[[app.on_change]]
files = ["*.md"]
action = "none"
""",
        {"a.conf": "", "list": "", "bad": "", "x.md": "", "main": ""},
    )
    with Up(folder) as up:
        up.wait("log", predicate=line("began"))
        mark = up.mark()
        save(folder / "a.conf", "1")
        up.wait("log", predicate=line("reread"), since=mark)
        assert up.wait("reload", since=mark)["action"] == "signal"
        mark = up.mark()
        save(folder / "list", "flask")
        up.wait("log", predicate=line("installing flask"), since=mark)
        assert up.wait("reload", since=mark)["action"] == "restart"
        up.wait("log", predicate=line("began"), since=mark)
        mark = up.mark()
        save(folder / "bad", "x")
        assert "exit code 4" in up.wait("error", since=mark)["message"]
        save(folder / "x.md", "x")
        up.wait("change", predicate=lambda row: row["files"][0]["path"] == "x.md", since=mark)
        save(folder / "main", "x")
        reload = up.wait("reload", predicate=lambda row: row["action"] == "restart", since=mark)
        assert reload["files"] == ["main"]
        assert up.stop() == 130


def test_a_changed_env_file_or_project_file_replaces_the_container(make: Make) -> None:
    toml = LOOP.replace("cat text", "echo $WORD $OTHER") + 'env_files = [".env"]\n'
    folder = make(toml, {".env": "WORD=one\n"})
    with Up(folder) as up:
        up.wait("log", predicate=line("one"))
        mark = up.mark()
        save(folder / ".env", "WORD=two\n")
        up.wait("log", predicate=line("two"), since=mark)
        assert up.wait("reload", since=mark)["action"] == "recreate"
        mark = up.mark()
        file = folder / ".devmount.toml"
        save(file, file.read_text() + 'environment = { OTHER = "more" }\n')
        up.wait("log", predicate=line("two more"), since=mark)
        mark = up.mark()
        save(file, file.read_text() + "[app\n")
        error = up.wait("error", since=mark)
        assert ".devmount.toml" in error["where"]
        assert up.stop() == 130


def test_a_failed_build_leaves_the_old_container_running(make: Make) -> None:
    good = 'FROM debian:bookworm-slim\nCMD ["sh", "-c", "echo one; while :; do sleep 0.05; done"]\n'
    folder = make('[app]\nbuild = "."\n', {"Dockerfile": good})
    with Up(folder) as up:
        up.wait("log", predicate=line("one"))
        before = containers(folder.name, running=True)
        mark = up.mark()
        save(folder / "Dockerfile", good + "RUN false\n")
        assert "cannot be built" in up.wait("error", since=mark)["message"]
        assert containers(folder.name, running=True) == before
        mark = up.mark()
        save(folder / "Dockerfile", good.replace("echo one", "echo two"))
        up.wait("log", predicate=line("two"), since=mark)
        assert up.wait("reload", since=mark)["action"] == "rebuild"
        assert up.stop() == 130
    assert devmount(folder, "down").returncode == 0
    docker("rmi", f"{folder.name}-app:devmount")


def test_a_second_up_takes_over_what_runs_and_replaces_what_differs(make: Make) -> None:
    folder = make(LOOP, {"text": "hello\n"})
    with Up(folder, "--keep") as up:
        first = up.wait("started")["container"]
        assert up.stop() == 130
    assert containers(folder.name, running=True)
    with Up(folder) as up:
        assert up.wait("started")["container"] == first
        up.wait("ready")
        mark = up.mark()
        save(folder / "text", "again\n")
        up.wait("log", predicate=line("again"), since=mark)
        up.stop()
    file = folder / ".devmount.toml"
    file.write_text(file.read_text() + 'environment = { A = "1" }\n')
    with Up(folder) as up:
        assert up.wait("started")["container"] != first
        wait_until(lambda: len(containers(folder.name)) == 1)  # the old one is kept until its successor runs


def test_what_was_saved_between_two_sessions_is_taken_up_by_the_second(make: Make) -> None:
    folder = make(LOOP, {"text": "one\n"})
    with Up(folder, "--keep") as up:
        first = up.wait("started")["container"]
        mark = up.mark()
        up.wait("log", predicate=line("one"))
        save(folder / "text", "two\n")
        up.wait("log", predicate=line("two"), since=mark)
        assert up.stop() == 130
    with Up(folder, "--keep") as up:  # nothing was saved: it goes on as it is
        up.wait("ready")
        assert up.stop() == 130
        assert up.all("change") == up.all("reload") == []
    save(folder / "text", "three\n")
    with Up(folder) as up:
        assert up.wait("started")["container"] == first
        assert up.wait("reload")["files"] == ["text"]
        up.wait("log", predicate=line("three"))
        assert up.stop() == 130


def test_after_kill_9_the_next_up_goes_on_and_down_leaves_nothing(make: Make) -> None:
    folder = make(LOOP, {"text": "hello\n"})
    with Up(folder) as up:
        up.wait("ready")
        up.kill()
    with Up(folder) as up:
        up.wait("ready")
        mark = up.mark()
        save(folder / "text", "again\n")
        up.wait("log", predicate=line("again"), since=mark)
        up.kill()
    assert devmount(folder, "down").returncode == 0
    assert leftovers(folder.name) == []


def test_two_sessions_in_one_project_are_one_too_many(make: Make) -> None:
    folder = make(LOOP, {"text": "hello\n"})
    with Up(folder) as up:
        up.wait("ready")
        second = devmount(folder, "up")
        assert second.returncode == 1
        assert str(up.process.pid) in second.stderr
        assert up.stop() == 130


def test_a_taken_port_is_found_before_anything_is_created(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        folder = make(LOOP + f"ports = [{port}]\n", {"text": ""})
        done = devmount(folder, "up")
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in done.stdout + done.stderr
    assert f"process {os.getpid()}" in done.stdout + done.stderr
    assert leftovers(folder.name) == []


def test_a_wrong_file_creates_nothing(make: Make) -> None:
    folder = make('[app]\nimagee = "debian:bookworm-slim"\n')
    done = devmount(folder, "up")
    assert done.returncode == 2
    assert "imagee" in done.stderr
    assert ".devmount.toml:3" in done.stderr
    assert leftovers(folder.name) == []


def test_without_an_engine_the_exit_code_is_3_and_the_message_lists_what_was_tried(make: Make) -> None:
    folder = make(LOOP)
    done = devmount(folder, "--engine", "unix:///nowhere.sock", "up")
    assert done.returncode == 3
    assert "unix:///nowhere.sock" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_waits_for_the_stop_timeout_and_a_second_one_does_not(make: Make) -> None:
    deaf = LOOP.replace("cat text", "trap '' TERM; echo deaf") + 'stop_timeout = "60s"\n'
    folder = make(deaf)
    with Up(folder) as up:
        up.wait("log", predicate=line("deaf"))
        up.interrupt()
        up.wait("stopping")
        up.interrupt()
        assert up.finished(20) == 130
    assert containers(folder.name, running=True) == []


def test_ctrl_c_during_a_build_ends_it(make: Make) -> None:
    folder = make('[app]\nbuild = "."\n', {"Dockerfile": "FROM debian:bookworm-slim\nRUN sleep 300\n"})
    with Up(folder) as up:
        up.wait("build")
        up.interrupt()
        assert up.finished(10) == 130


def test_sigterm_and_q_end_a_session_as_done(make: Make) -> None:
    folder = make(LOOP, {"text": ""})
    with Up(folder) as up:
        up.wait("ready")
        up.process.send_signal(signal.SIGTERM)
        assert up.finished() == 0
    assert containers(folder.name, running=True) == []


def test_files_made_in_the_container_belong_to_an_unprivileged_caller(make: Make) -> None:
    folder = make(LOOP.replace("cat text", "echo x >made; echo $HOME; touch ~/there && echo done"))
    owner = 12345
    for path in (folder, folder / ".devmount.toml"):
        os.chown(path, owner, owner)
    group = os.stat("/var/run/docker.sock").st_gid
    with Up(folder, user=owner, group=group) as up:
        up.wait("log", predicate=line("done"))
        assert (folder / "made").stat().st_uid == owner
        assert up.stop() == 130


def test_an_image_without_a_shell_is_restarted_by_the_engine(make: Make) -> None:
    folder = make(
        '[app]\nbuild = "."\ncommand = ["/cat", "/workspace/text", "-"]\ntty = false\n',
        {
            "Dockerfile": "FROM debian:bookworm-slim AS made\nRUN apt-get update && apt-get install -y busybox-static\n"
            "FROM scratch\nCOPY --from=made /bin/busybox /tail\n",
            "text": "hello\n",
        },
    )
    file = folder / ".devmount.toml"
    file.write_text(file.read_text().replace('["/cat", "/workspace/text", "-"]', '["/tail", "-f", "/workspace/text"]'))
    with Up(folder) as up:
        up.wait("log", timeout=120, predicate=line("hello"))
        assert "no shell" in up.all("warning")[0]["message"]
        mark = up.mark()
        save(folder / "text", "again\n")
        up.wait("reload", since=mark)
        up.wait("log", predicate=line("again"), since=mark)
        assert up.stop() == 130
    with Up(folder) as up:
        up.wait("started")
        assert len(up.all("started")) == 1
    assert devmount(folder, "down").returncode == 0
    docker("rmi", f"{folder.name}-app:devmount")


def test_dependencies_are_ready_before_those_that_need_them(make: Make) -> None:
    folder = make(
        """
[app]
image = "debian:bookworm-slim"
command = "sh -c 'getent hosts db >/dev/null && echo found; sleep 1000'"
depends_on = ["db"]
[services.db]
image = "debian:bookworm-slim"
command = "sh -c 'sleep 0.3; echo accepting; sleep 1000'"
ready = { log = "^accepting$" }
"""
    )
    with Up(folder) as up:
        up.wait("log", predicate=line("found"))
        names = [(row["event"], row.get("service")) for row in up.events]
        assert names.index(("ready", "db")) < names.index(("starting", "app"))
        assert up.stop() == 130


def test_a_dependency_that_ends_before_it_is_ready_fails_up_and_is_named(make: Make) -> None:
    folder = make(
        """
[app]
image = "debian:bookworm-slim"
command = "sleep 1000"
depends_on = ["db"]
[services.db]
image = "debian:bookworm-slim"
command = "false"
ready = { log = "never" }
"""
    )
    done = devmount(folder, "up", "--json")
    assert done.returncode == 1
    messages = [row["message"] for row in map(json.loads, done.stdout.splitlines()) if row["event"] == "error"]
    assert "db ended before it was ready" in messages[0]
    assert containers(folder.name, running=True) == []


def test_detached_it_goes_on_and_down_ends_it(server: Server) -> None:
    folder = server()
    done = devmount(folder, "up", "--detach", "--json")
    assert done.returncode == 0, done.stderr
    started = next(row for row in map(json.loads, done.stdout.splitlines()) if row["event"] == "started")
    url = "http://" + started["ports"][0].partition("->")[0]
    assert get(url) == "one"
    save(folder / "text", "two")
    wait_for_page(url, "two")
    assert devmount(folder, "restart").returncode == 0
    wait_for_page(url, "two")
    assert devmount(folder, "down").returncode == 0
    assert leftovers(folder.name) == []


def test_a_single_file_that_is_bound_is_seen_anew_after_a_save_by_renaming(make: Make) -> None:
    folder = make(
        LOOP.replace("cat text", "cat /etc/one.conf") + 'mounts = ["./one.conf:/etc/one.conf:ro"]\n',
        {"one.conf": "one\n"},
    )
    with Up(folder) as up:
        up.wait("log", predicate=line("one"))
        mark = up.mark()
        save(folder / "one.conf", "two\n")
        up.wait("log", predicate=line("two"), since=mark)
        assert up.stop() == 130


def test_no_watch_leaves_changes_alone_and_paused_ones_wait(make: Make) -> None:
    folder = make(LOOP, {"text": "one\n"})
    with Up(folder) as up:
        up.wait("ready")
        assert devmount(folder, "pause").returncode == 0
        mark = up.mark()
        save(folder / "text", "two\n")
        save(folder / "text", "three\n")
        assert devmount(folder, "resume").returncode == 0
        up.wait("log", predicate=line("three"), since=mark)
        assert len(up.all("reload", since=mark)) == 1
        assert up.stop() == 130
    with Up(folder, "--no-watch") as up:
        up.wait("ready")
        mark = up.mark()
        save(folder / "text", "four\n")
        assert devmount(folder, "restart").returncode == 0
        up.wait("log", predicate=line("four"), since=mark)
        assert up.all("change", since=mark) == []


def test_the_channel_is_opened_again_when_the_engines_connection_breaks(make: Make, tmp_path: Path) -> None:
    folder = make(LOOP, {"text": "one\n"})
    with Relay(tmp_path / "s", "/var/run/docker.sock") as relay, Up(folder, options=["--engine", relay.url]) as up:
        up.wait("log", predicate=line("one"))
        up.wait("ready")  # by then no call is under way
        relay.cut()
        mark = up.mark()
        save(folder / "text", "two\n")
        up.wait("log", predicate=line("two"), since=mark)
        assert up.stop() == 130
