"""Who reads a file, by the kernel's word, for real files."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devmount.watch import Reads


@pytest.fixture
def reads(tmp_path: Path) -> Iterator[Reads]:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.log").write_text("a")
    (tmp_path / "text").write_text("text")
    reads = Reads(os.fspath(tmp_path))
    yield reads
    reads.close()


def test_nobody_knows_at_first(reads: Reads) -> None:
    assert reads.was_read("text")
    assert not reads.was_read("text")


def test_a_read_is_told_once(reads: Reads, tmp_path: Path) -> None:
    reads.was_read("text")
    subprocess.run(["cat", tmp_path / "text"], check=True, capture_output=True)
    assert reads.was_read("text")
    assert not reads.was_read("text")


def test_a_write_is_no_read(reads: Reads, tmp_path: Path) -> None:
    reads.was_read("text")
    with (tmp_path / "text").open("r+") as file:
        file.read()
        file.write("more")
    (tmp_path / "new").write_text("new")
    (tmp_path / "new").rename(tmp_path / "text")
    assert not reads.was_read("text")
    (tmp_path / "text").read_text()  # it is another file now
    assert reads.was_read("text")


def test_what_a_program_holds_open_is_read_when_it_ends(reads: Reads, tmp_path: Path) -> None:
    reads.was_read("text")
    program = subprocess.Popen(
        [sys.executable, "-c", "import sys; file = open('text'); print(flush=True); sys.stdin.read()"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with program:
        assert program.stdout is not None
        program.stdout.readline()
        assert not reads.was_read("text")
        program.kill()
    assert reads.was_read("text")


def test_files_of_a_suffix_are_one_key(reads: Reads, tmp_path: Path) -> None:
    assert reads.was_read("logs/*.log")
    (tmp_path / "logs/b.log").write_text("b")
    (tmp_path / "logs/c.txt").write_text("c")
    (tmp_path / "logs/c.txt").read_text()
    (tmp_path / "text").read_text()
    assert not reads.was_read("logs/*.log")
    (tmp_path / "logs/b.log").read_text()
    assert reads.was_read("logs/*.log")


def test_of_what_was_forgotten_and_of_another_folder_nobody_knows(reads: Reads, tmp_path: Path) -> None:
    reads.was_read("text")
    reads.was_read("logs/a.log")
    reads.forget("text")
    reads.forget("text")
    assert reads.was_read("text")
    (tmp_path / "logs").rename(tmp_path / "old")
    assert reads.was_read("logs/a.log")  # there is no such folder
    (tmp_path / "logs").mkdir()
    assert reads.was_read("logs/a.log")
    assert not reads.was_read("logs/a.log")


def test_own_reads_do_not_count(reads: Reads, tmp_path: Path) -> None:
    with reads.disregarding():  # before anything is asked
        pass
    reads.was_read("text")
    reads.was_read("logs/a.log")
    (tmp_path / "logs/a.log").read_text()
    with reads.disregarding():
        (tmp_path / "text").read_text()
    assert not reads.was_read("text")
    assert reads.was_read("logs/a.log")


def test_more_reads_than_the_kernel_keeps_count_as_reads_of_all(reads: Reads, tmp_path: Path) -> None:
    reads.was_read("text")
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    (tmp_path / "other").touch()
    for number in range(limit + 2):  # equal ones after each other are one
        os.close(os.open(tmp_path / ("other" if number % 2 else "logs"), os.O_RDONLY))
    assert reads.was_read("text")
    assert not reads.was_read("text")


def test_where_the_kernel_does_not_hear_of_reads_nobody_knows(tmp_path: Path) -> None:
    reads = Reads(os.fspath(tmp_path), tells=False)
    assert reads.was_read("text")
    assert reads.was_read("text")
    reads.close()
