"""Many files at once, one file all the time, and a program that writes where it is watched."""

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from devmount.loops import QUIET
from tests.e2e.conftest import Make
from tests.harness import COMMAND, Event, Up, environment, save, wait_until

pytestmark = pytest.mark.engine

BOUND = 60.0  # seconds
TELLS = "echo $(cat src/*/* | grep -c two) of two; while :; do sleep 0.1; done"
APP = '[app]\nimage = "debian:bookworm-slim"\ncommand = "sh main.sh"\n'


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where that is possible: a disk that others use too may need longer than a batch is held."""
    memory = "/dev/shm"
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dmtest-", dir=place) as folder:
        yield Path(folder)


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "gc.auto=0"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=BOUND)


def fill(folder: Path, folders: int, files: int, text: str) -> None:
    for number in range(folders):
        place = folder / "src" / str(number)
        place.mkdir(parents=True, exist_ok=True)
        for name in range(files):
            (place / str(name)).write_text(text)


def begins(text: str) -> Callable[[Event], bool]:
    return lambda row: row["line"].startswith(text)


def sentinel(up: Up, name: str, since: int) -> list[Event]:
    """The reloads since then, up to that of a file that is saved now."""
    (up.folder / name).touch()
    up.wait("reload", BOUND, lambda row: name in row["files"], since=since)
    return up.all("reload", since=since)


def test_a_checkout_of_ten_thousand_files_is_one_reload(make: Make) -> None:
    folder = make(APP, {"main.sh": TELLS})
    fill(folder, 100, 100, "one\n")
    git(folder, "init", "--quiet", "--initial-branch=one")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    git(folder, "checkout", "--quiet", "-b", "two")
    fill(folder, 100, 100, "two\n")
    git(folder, "commit", "--quiet", "--all", "--message", "two")
    with Up(folder) as up:
        up.wait("ready", BOUND)
        mark = up.mark()
        git(folder, "checkout", "--quiet", "one")
        up.wait("log", BOUND, lambda row: row["line"] == "0 of two", since=mark)
        (change,) = up.all("change", since=mark)
        folders = 101 if up.all("warning", since=mark) else 0  # more than the kernel keeps: the disk is compared
        assert 10_000 <= change["count"] <= 10_000 + folders
        assert len(change["files"]) == 1000
        assert len(sentinel(up, "after", mark)) == 2
        assert up.stop() == 130


def test_a_formatter_over_two_thousand_files_is_one_reload(make: Make) -> None:
    folder = make(APP, {"main.sh": TELLS})
    fill(folder, 20, 100, "one\n")
    with Up(folder) as up:
        up.wait("log", BOUND, lambda row: row["line"] == "0 of two")
        mark = up.mark()
        fill(folder, 20, 100, "two\n")  # in place, as formatters do
        up.wait("log", BOUND, lambda row: row["line"] == "2000 of two", since=mark)
        reloads = sentinel(up, "after", mark)
        assert sum(row["count"] for row in up.all("change", since=mark)) >= 2001
        assert len(reloads) <= 3  # two where the machine needs longer than two seconds for it
        assert up.stop() == 130


def test_a_generator_neither_starves_other_saves_nor_spins_the_app(make: Make) -> None:
    script = "echo $(cat text) $(cat generated); while :; do sleep 0.1; done"
    folder = make(APP, {"main.sh": script, "text": "first", "generated": "0"})
    last = 0
    ended = threading.Event()

    def generate() -> None:
        nonlocal last
        while not ended.wait(0.05):
            last += 1
            (folder / "generated").write_text(str(last))

    def has_come(goal: int) -> bool:
        return last >= goal

    with Up(folder) as up:
        up.wait("ready", BOUND)
        mark = up.mark()
        thread = threading.Thread(target=generate)
        thread.start()
        try:
            for text in ("second", "third", "fourth"):
                place = up.mark()
                goal = last + 60  # about three seconds of it
                wait_until(partial(has_come, goal), BOUND)
                save(folder / "text", text)
                up.wait("log", BOUND, begins(text), since=place)
        finally:
            ended.set()
            thread.join()
        up.wait("log", BOUND, lambda row: row["line"] == f"fourth {last}", since=mark)
        reloads = [row for row in sentinel(up, "after", mark) if "generated" in row["files"]]
        assert len(reloads) <= 8, reloads  # of some 200 writes
        assert up.stop() == 130


WRITES = {
    "app.log": "echo line >>app.log",
    "data.sqlite": 'perl -e \'open J, ">data.sqlite-journal"; open D, ">>data.sqlite"; print D 1; unlink <*-journal>\'',
    "logs/*.log": "mkdir -p logs; echo line >logs/$(date +%s%N).log",
}


@pytest.mark.parametrize(("pattern", "write"), WRITES.items(), ids=WRITES.keys())
def test_a_program_that_writes_into_its_mount_is_not_reloaded_for_ever(pattern: str, write: str, make: Make) -> None:
    folder = make(APP, {"main.sh": f"{write}; echo began; while :; do sleep 0.1; done"})
    with Up(folder) as up:
        words = f"{pattern} is written by the program itself"
        warning = up.wait("warning", BOUND, lambda row: row["message"].startswith(words))
        assert f'[watch] ignore = ["/{pattern}"]' in warning["hint"]
        assert len(up.all("reload")) <= 15
        mark = up.mark()
        assert [row["files"] for row in sentinel(up, "one", mark)] == [["one"]]
        mark = up.mark()
        assert [row["files"] for row in sentinel(up, "two", mark)] == [["two"]]  # not what the program wrote meanwhile
        assert up.stop() == 130


def test_a_program_that_counts_its_starts_in_its_mount_is_reloaded_ever_more_seldom(make: Make) -> None:
    folder = make(APP, {"main.sh": "echo $(($(cat count) + 1)) >count; while :; do sleep 0.1; done", "count": "0"})
    with Up(folder) as up:
        warning = up.wait("warning", BOUND, lambda row: row["message"].startswith("count changes after every start"))
        assert '[watch] ignore = ["/count"]' in warning["hint"]
        assert len(up.all("reload")) <= 60
        mark = up.mark()
        (folder / ".gitignore").write_text("count\n")
        up.wait("reload", BOUND, lambda row: ".gitignore" in row["files"], since=mark)
        mark = up.mark()
        assert [row["files"] for row in sentinel(up, "one", mark)] == [["one"]]
        assert up.stop() == 130


def test_what_a_program_wrote_and_somebody_reads_counts_again(make: Make) -> None:
    script = "[ -e done ] || date +%N >page; echo began; while :; do sleep 0.1; done"
    folder = make(APP, {"main.sh": script})
    with Up(folder) as up:
        words = "page is written by the program itself"
        up.wait("warning", BOUND, lambda row: row["message"].startswith(words))
        sentinel(up, "done", up.mark())
        (folder / "page").read_text()
        mark = up.mark()
        save(folder / "page", "by hand")
        up.wait("reload", BOUND, lambda row: row["files"] == ["page"], since=mark)
        assert up.stop() == 130


@pytest.mark.parametrize(("name", "times"), [("main.sh", 60), ("text", 30), ("unread", 10)])
def test_a_script_that_saves_and_looks_over_and_over_is_never_kept_waiting(name: str, times: int, make: Make) -> None:
    loop = "while :; do sleep 0.1; done"
    folder = make(APP, {"main.sh": f"cat text; {loop}", "text": "first", "unread": "first"})
    with Up(folder) as up:
        up.wait("ready", BOUND)
        for number in range(times):
            mark = up.mark()
            said = f"save {number}"
            save(folder / name, f"echo {said}; {loop}" if name == "main.sh" else said + "\n")
            if name == "unread":
                up.wait("reload", BOUND, since=mark)
            else:
                up.wait("log", BOUND, begins(said), since=mark)
        reloads = up.all("reload")
        assert [row["files"] for row in reloads] == [[name]] * times
        assert up.all("warning") == []
        assert max(row["milliseconds"] for row in reloads) < 1000 * QUIET  # none had to wait for a quiet time
        assert up.stop() == 130


def test_output_that_goes_to_a_file_of_the_project_is_no_change(make: Make) -> None:
    folder = make(APP, {"main.sh": "echo $(cat text); while :; do sleep 0.1; done", "text": "first"})
    path = folder / "what [it] said.txt"

    def has_said(event: str, **fields: str) -> bool:
        return any(row.items() >= {"event": event, **fields}.items() for row in rows())

    def rows() -> list[Event]:
        return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    with path.open("w") as output:
        up = subprocess.Popen([*COMMAND, "up", "--json"], cwd=folder, stdout=output, stderr=output, env=environment())
    try:
        wait_until(partial(has_said, "log", line="first"), BOUND)
        for text in ("second", "third"):
            save(folder / "text", text)
            wait_until(partial(has_said, "log", line=text), BOUND)
        changed = [[file["path"] for file in row["files"]] for row in rows() if row["event"] == "change"]
        assert changed == [["text"], ["text"]]
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(BOUND) == 130


def test_what_interpreters_and_test_runners_leave_behind_is_no_change(make: Make) -> None:
    folders = "__pycache__ .pytest_cache .mypy_cache"
    write = f"mkdir -p {folders}; for folder in {folders}; do date >$folder/file; done"
    folder = make(APP, {"main.sh": f"{write}; echo began; while :; do sleep 0.1; done"})
    with Up(folder) as up:
        up.wait("log", BOUND, lambda row: row["line"] == "began")
        mark = up.mark()
        assert [row["files"] for row in sentinel(up, "one", mark)] == [["one"]]
        assert [row["files"] for row in sentinel(up, "two", mark)] == [["one"], ["two"]]
        assert up.all("warning") == []
        assert up.stop() == 130


def test_same_content_is_left_out_and_said(make: Make) -> None:
    extra = '[watch]\nsame_content = "skip"\n'
    folder = make(APP + extra, {"main.sh": "echo $(cat text); while :; do sleep 0.1; done", "text": "one"})
    with Up(folder) as up:
        up.wait("ready", BOUND)
        mark = up.mark()
        save(folder / "text", "two")
        up.wait("log", BOUND, lambda row: row["line"] == "two", since=mark)
        up.wait("reload", BOUND, since=mark)
        up.wait("ready", BOUND, since=mark)
        mark = up.mark()
        save(folder / "text", "two")
        assert up.wait("change", BOUND, since=mark)["same_content"] == ["text"]
        assert [row["files"] for row in sentinel(up, "after", mark)] == [["after"]]
        assert up.stop() == 130
