"""What programs without a terminal do to files, command by command or call by call."""

import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.editors.conftest import BOUND, Watched, git, thrice

pytestmark = pytest.mark.engine


def vscode(path: Path, data: bytes) -> None:
    """VS Code truncates the file as it opens it, and writes it in pieces of 256 KiB at most."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    piece = 256 * 1024
    for place in range(0, len(data), piece):
        os.write(descriptor, data[place : place + piece])
    os.fdatasync(descriptor)
    os.close(descriptor)


def vscode_atomic(path: Path, data: bytes) -> None:
    """Its atomic write: a file with .vsctmp behind the name, which is renamed over."""
    beside = path.with_name(path.name + ".vsctmp")
    vscode(beside, data)
    beside.replace(path)


def jetbrains(path: Path, data: bytes) -> None:
    """The safe write of JetBrains: the new one beside, the old one away, the new one to its place, the old one gone."""
    new, old = path.with_name(path.name + "___jb_tmp___"), path.with_name(path.name + "___jb_old___")
    new.write_bytes(data)
    path.rename(old)
    new.rename(path)
    old.unlink()


def jetbrains_before_2016(path: Path, data: bytes) -> None:
    """As above, by another name, and the new one is written once more when it is in its place."""
    new, old = path.with_name(path.name + "___jb_bak___"), path.with_name(path.name + "___jb_old___")
    new.write_bytes(data)
    path.rename(old)
    new.rename(path)
    os.utime(path)
    old.unlink()


def gedit(path: Path, data: bytes) -> None:
    """GLib's replacement of contents: .goutputstream-XXXXXX, synced, renamed over."""
    beside = path.with_name(".goutputstream-A1B2C3")
    vscode(beside, data)
    beside.replace(path)


def kate(path: Path, data: bytes) -> None:
    """Kate's swap file, and Qt's QSaveFile: FILE.XXXXXX, renamed over."""
    swap = path.with_name(f".{path.name}.kate-swp")
    swap.write_bytes(b"swap")
    beside = path.with_name(path.name + ".AbCdEf")
    vscode(beside, data)
    beside.replace(path)
    swap.unlink()


def linked(path: Path, data: bytes) -> None:
    """A backup by a hard link, as some editors make it, then a rename over the name."""
    backup, new = path.with_name(path.name + "~"), path.with_name(path.name + ".new")
    os.link(path, backup)
    new.write_bytes(data)
    new.replace(path)
    backup.unlink()


REPLAYS = (vscode, vscode_atomic, jetbrains, jetbrains_before_2016, gedit, kate, linked)


@pytest.mark.parametrize("save", REPLAYS, ids=lambda save: save.__name__)
@thrice
def test_replayed(save: Callable[[Path, bytes], None], watched: Watched) -> None:
    path = watched.new_file("first\n")
    for data in (b"second\n", b"x" * 1_000_000):
        save(path, data)
        assert watched.reloaded() == {path.name: "modified"}
    watched.quiet()


@thrice
def test_a_file_that_is_written_and_closed_much_later(watched: Watched) -> None:
    path = watched.new_file("first\n")
    with path.open("w") as file:
        file.write("second\n")
        file.flush()
        assert watched.reloaded() == {path.name: "modified"}
    watched.quiet()  # closing it adds nothing


COMMANDS = {
    "sed -i": ["sed", "-i", "s/first/second/"],
    "sed -i with a backup": ["sed", "-i~", "s/first/second/"],
    "perl -i": ["perl", "-p", "-i", "-e", "s/first/second/"],
    "touch": ["touch"],
    "truncate": ["truncate", "--size=0"],
    "chmod": ["chmod", "755"],
    "append": ["sh", "-c", 'echo second >>"$0"'],
    "cp over it": ["sh", "-c", 'cp .git/HEAD "$0"'],
    "install over it": ["install", ".git/HEAD"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
@thrice
def test_commands(command: list[str], watched: Watched) -> None:
    path = watched.new_file("first\n")
    subprocess.run([*command, path.name], cwd=watched.folder, check=True, timeout=BOUND)
    assert watched.reloaded() == {path.name: "modified"}
    watched.quiet()


READS = {
    "read": ["cat"],
    "opened for writing, not written": ["sh", "-c", ': <>"$0"'],
    "listed": ["ls", "-l"],
    "linked to and away": ["sh", "-c", 'ln "$0" "$0~" && rm "$0~"'],
}


@pytest.mark.parametrize("command", READS.values(), ids=READS.keys())
@thrice
def test_what_changes_nothing(command: list[str], watched: Watched) -> None:
    path = watched.new_file("first\n")
    subprocess.run([*command, path.name], cwd=watched.folder, check=True, timeout=BOUND)
    watched.quiet()


@thrice
def test_git(watched: Watched) -> None:
    """Checkout, stash, reset, merge, rebase: each is one reload, of what it wrote; the rest of git is none."""
    folder = watched.folder
    main, other = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("main", "other"))
    one, two, three = (f"{name}-{uuid.uuid4().hex[:8]}.py" for name in ("one", "two", "three"))
    changed = {one: "modified", two: "created", three: "deleted"}  # from the second commit to the first
    git(folder, "checkout", "--quiet", "--orphan", main)
    for name in (one, two):
        watched.new_file("first\n", name)
    git(folder, "add", one, two)
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "status")
    git(folder, "diff")
    git(folder, "checkout", "--quiet", "-b", other)
    watched.quiet()

    (folder / one).write_text("second\n")
    assert watched.reloaded() == {one: "modified"}
    (folder / two).unlink()
    assert watched.reloaded() == {two: "deleted"}
    watched.new_file("first\n", three)
    git(folder, "add", one, two, three)
    git(folder, "commit", "--quiet", "--message", "second")
    watched.quiet()

    watched.later()
    git(folder, "checkout", "--quiet", main)
    assert watched.reloaded() == changed
    git(folder, "merge", "--quiet", other)
    assert watched.reloaded() == {one: "modified", two: "deleted", three: "created"}
    git(folder, "reset", "--quiet", "--hard", "HEAD~1")
    assert watched.reloaded() == changed
    watched.quiet()

    watched.later()
    (folder / one).write_text("third\n")
    assert watched.reloaded() == {one: "modified"}
    git(folder, "stash", "--quiet")
    assert watched.reloaded() == {one: "modified"}
    watched.later()
    git(folder, "stash", "pop", "--quiet")
    assert watched.reloaded() == {one: "modified"}
    git(folder, "checkout", "--quiet", "--", one)
    assert watched.reloaded() == {one: "modified"}
    watched.quiet()
