"""Trees that move, links, names of all kinds, folders that cannot be read: what the watcher tells of each."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyEvent

from devmount.events import Kind
from devmount.watch.targets import Targets
from devmount.watch.watches import Descriptor
from tests.watch.elsewhere import run_as_somebody
from tests.watch.recorder import Recorder, kernel_watches

OUR_FEW = 12  # watches of single names: the folders above, git's excludes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def recorder(root: Path) -> Iterator[Recorder]:
    with Recorder(root) as recorder:
        yield recorder


def test_a_folder_made_with_content(recorder: Recorder, root: Path) -> None:
    def act() -> None:
        (root / "a/b/c").mkdir(parents=True)
        (root / "a/b/c/f").write_text("1")

    assert recorder.paths_caused(act) == {"a/b/c/f"}
    assert recorder.paths_caused(lambda: (root / "a/b/c/f").write_text("2")) == {"a/b/c/f"}


def test_an_empty_folder_is_no_change(recorder: Recorder, root: Path) -> None:
    assert recorder.paths_caused(lambda: (root / "a").mkdir()) == set()
    assert recorder.paths_caused(lambda: (root / "a").chmod(0o700)) == set()
    assert recorder.paths_caused(lambda: os.utime(root / "a")) == set()
    assert recorder.paths_caused(lambda: os.utime(root)) == set()
    assert recorder.paths_caused(lambda: (root / "a").rmdir()) == set()


def test_reading_is_no_change(recorder: Recorder, root: Path) -> None:
    (root / "f").write_text("1")
    recorder.flush()
    assert recorder.paths_caused(lambda: [(root / "f").read_text(), os.listdir(root)]) == set()


def test_a_file_made_by_opening_it_alone(recorder: Recorder, root: Path) -> None:
    assert recorder.paths_caused(lambda: (root / "f").touch()) == {"f"}


def test_a_folder_moved_in_out_and_within(recorder: Recorder, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "b").mkdir(parents=True)
    (outside / "f").write_text("1")
    (outside / "b/g").write_text("1")
    assert recorder.paths_caused(lambda: outside.rename(root / "in")) == {"in/f", "in/b/g"}
    assert recorder.paths_caused(lambda: (root / "in/b/g").write_text("2")) == {"in/b/g"}

    within = recorder.caused(lambda: (root / "in").rename(root / "there"))
    assert {(change.path, change.kind) for change in within} == {
        ("in", Kind.DELETED),
        ("there/f", Kind.MOVED),
        ("there/b/g", Kind.MOVED),
    }
    assert recorder.paths_caused(lambda: (root / "there/b/g").write_text("3")) == {"there/b/g"}

    assert recorder.paths_caused(lambda: (root / "there").rename(outside)) == {"there"}
    assert recorder.paths_caused(lambda: (outside / "b/g").write_text("4")) == set()


def test_a_file_moved_in_out_and_within(recorder: Recorder, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("1")

    def kinds(act: Callable[[], object]) -> dict[str, str]:
        return {change.path: change.kind.value for change in recorder.caused(act)}

    assert kinds(lambda: (tmp_path / "outside").rename(root / "a")) == {"a": "created"}
    assert kinds(lambda: (root / "a").rename(root / "b")) == {"a": "deleted", "b": "moved"}
    assert kinds(lambda: (root / "b").rename(tmp_path / "outside")) == {"b": "deleted"}


def test_a_tree_removed_at_once(recorder: Recorder, root: Path) -> None:
    for name in ("a/f", "a/b/g"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1")
    recorder.flush()
    assert recorder.paths_caused(lambda: shutil.rmtree(root / "a")) == {"a/f", "a/b/g"}
    assert recorder.watcher.count == 1
    (root / "a").mkdir()
    assert recorder.paths_caused(lambda: (root / "a/f").write_text("2")) == {"a/f"}


def test_a_folder_that_becomes_a_link(recorder: Recorder, root: Path, tmp_path: Path) -> None:
    (root / "a").mkdir()
    (root / "a/f").write_text("1")
    recorder.flush()

    def act() -> None:
        (root / "a").rename(tmp_path / "away")
        (root / "a").symlink_to(tmp_path / "away")

    assert recorder.paths_caused(act) == {"a"}
    assert "a" in recorder.wait_for_warning("symbolic links lead out of the project").message
    assert recorder.paths_caused(lambda: (tmp_path / "away/f").write_text("2")) == set()


def test_links(recorder: Recorder, root: Path) -> None:
    (root / "f").write_text("1")
    recorder.flush()
    assert recorder.paths_caused(lambda: (root / "broken").symlink_to("nowhere")) == {"broken"}
    assert recorder.paths_caused(lambda: (root / "broken").unlink()) == {"broken"}
    assert recorder.paths_caused(lambda: (root / "good").symlink_to("f")) == {"good"}
    assert recorder.paths_caused(lambda: (root / "f").write_text("2")) == {"f"}
    assert recorder.paths_caused(lambda: (root / "round").symlink_to(root)) == {"round"}
    assert recorder.warnings == []


def test_links_that_lead_out_are_told_at_the_start_once(root: Path, tmp_path: Path) -> None:
    for number in range(5):
        (root / f"link{number}").symlink_to(tmp_path)
    (root / "inside").symlink_to(root)
    with Recorder(root) as recorder:
        recorder.flush()
        messages = [warning.message for warning in recorder.warnings]
    assert len(messages) == 1
    assert "and 2 more" in messages[0]


@pytest.mark.parametrize(
    "name", ["\udcff\udcfe", "a\nb", "x" * 255, " ", "-rf", "é", "\\", "*", "'\"", "\t", "#hash", "!bang"], ids=ascii
)
def test_names_of_all_kinds(recorder: Recorder, root: Path, name: str) -> None:
    assert recorder.paths_caused(lambda: (root / name).write_text("1")) == {name}
    assert recorder.paths_caused(lambda: (root / name).unlink()) == {name}
    (root / name).mkdir()
    assert recorder.paths_caused(lambda: (root / name / name).write_text("1")) == {f"{name}/{name}"}


def test_a_file_written_through_a_mapping(recorder: Recorder, root: Path) -> None:
    import mmap

    (root / "f").write_text("1")
    recorder.flush()

    def act() -> None:
        with open(root / "f", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[:1] = b"2"

    assert recorder.paths_caused(act) == {"f"}
    assert recorder.paths_caused(lambda: open(root / "f", "r+b").close()) == set()


def test_folders_that_change_places(recorder: Recorder, root: Path) -> None:
    from tests.watch.model import AT_FDCWD, RENAME_EXCHANGE, libc

    for name in ("a/f", "b/g"):
        (root / name).parent.mkdir()
        (root / name).write_text("1")
    recorder.flush()

    def act() -> None:
        assert libc.renameat2(AT_FDCWD, bytes(root / "a"), AT_FDCWD, bytes(root / "b"), RENAME_EXCHANGE) == 0

    assert recorder.paths_caused(act) >= {"a/g", "b/f"}
    assert recorder.paths_caused(lambda: (root / "a/g").write_text("2")) == {"a/g"}
    assert recorder.paths_caused(lambda: (root / "b/f").write_text("2")) == {"b/f"}


def test_a_folder_replaced_many_times(recorder: Recorder, root: Path) -> None:
    def act() -> None:
        for number in range(50):
            (root / "a").mkdir()
            (root / "a/f").write_text(str(number))
            shutil.rmtree(root / "a")
        (root / "a").mkdir()

    recorder.caused(act)
    assert recorder.paths_caused(lambda: (root / "a/f").write_text("2")) == {"a/f"}


def test_ignored_folders_cost_no_watch(root: Path) -> None:
    (root / ".gitignore").write_text("build/\n")
    for number in range(300):
        (root / f"node_modules/m{number}").mkdir(parents=True)
        (root / f"build/b{number}").mkdir(parents=True)
    (root / "src").mkdir()
    before = kernel_watches()
    with Recorder(root) as recorder:
        assert recorder.watcher.count == 2
        assert kernel_watches() - before <= 2 + OUR_FEW
        (root / "build/c").mkdir()
        assert recorder.paths_caused(lambda: (root / "build/c/f").write_text("1")) == set()
        assert recorder.watcher.count == 2


def test_a_watch_a_folder_not_a_file(root: Path) -> None:
    for number in range(100):
        (root / f"f{number}").write_text("1")
    with Recorder(root) as recorder:
        assert recorder.watcher.count == 1
        changed = recorder.paths_caused(lambda: [(root / f"f{number}").write_text("2") for number in range(100)])
        assert len(changed) == 100


def test_rules_edited_while_running(recorder: Recorder, root: Path) -> None:
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/f").write_text("1")
    recorder.flush()
    assert recorder.paths_caused(lambda: (root / ".gitignore").write_text("a/\n")) == {".gitignore"}
    assert recorder.watcher.count == 1
    assert recorder.paths_caused(lambda: (root / "a/b/f").write_text("2")) == set()
    # it changed while it was ignored, and the program may have read it before
    told = recorder.paths_caused(lambda: (root / ".gitignore").unlink())
    # and the folders, where they were made so shortly ago that something may have gone from them
    assert {".gitignore", "a/b/f"} <= told <= {".gitignore", "a", "a/b", "a/b/f"}
    assert recorder.paths_caused(lambda: (root / "a/b/f").write_text("3")) == {"a/b/f"}


def test_what_was_ignored_goes_before_the_edit_of_the_rules_is_taken_in(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", root], check=True)
    rules = root / ".git/info/exclude"
    for name in ("ignored/f", "ignored/deep/f", "a/folder/f", "a/file", "kept/f", "kept/deep/f"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1")
    rules.parent.mkdir(exist_ok=True)

    def caused_while_held(recorder: Recorder, act: Callable[[], object]) -> set[str]:
        """What is caused when all of ``act`` is done before the watcher takes in the first of it."""
        waits, may_go_on = threading.Event(), threading.Event()
        handle = Descriptor.handle_event

        def hold(self: Descriptor, event: InotifyEvent) -> None:
            if event.name == b"begin":
                waits.set()
                assert may_go_on.wait(60)
            handle(self, event)

        with monkeypatch.context() as patch:
            patch.setattr(Descriptor, "handle_event", hold)
            mark = recorder.mark()
            (root / "begin").symlink_to("begin")
            assert waits.wait(60)
            act()
            may_go_on.set()
            recorder.flush()
        paths = {change.path for change in recorder.since(mark)}
        recorder.paths_caused((root / "begin").unlink)
        return paths - {"begin"}

    def edit(text: str, *paths: str) -> None:
        rules.write_text(text)
        for path in paths:
            full = root / path
            shutil.rmtree(full) if full.is_dir() else full.unlink()

    rules.write_text("/ignored\n/a/folder\n/a/file\n/kept\n")
    time.sleep(0.1)  # so that the times of what lies there are older than those of what follows
    with Recorder(root) as recorder:
        recorder.flush()
        assert caused_while_held(recorder, lambda: edit("/kept\n", "ignored/f", "a/folder", "a/file")) == {
            "ignored",
            "ignored/deep/f",  # the folder changed while it was ignored: what is in it may be something else
            "a/folder",
            "a/file",
        }
        assert recorder.paths_caused(lambda: (root / "ignored/deep/f").unlink()) == {"ignored/deep/f"}
        assert caused_while_held(recorder, lambda: edit("")) == set()
        assert recorder.paths_caused(lambda: (root / "kept/f").unlink()) == {"kept/f"}


@pytest.mark.parametrize("poll", [None, 0.02])
def test_a_rules_file_that_ignores_itself_goes(root: Path, poll: float | None) -> None:
    for folder in ("a", "b", "c"):
        (root / folder).mkdir()
    for folder in ("a", "b"):
        (root / folder / ".gitignore").write_text("*\n")
    (root / "c/.gitignore").write_text("x\n")
    with Recorder(root, poll=poll) as recorder:
        recorder.flush()
        assert recorder.paths_caused(lambda: (root / "a/.gitignore").unlink()) == {"a/.gitignore"}
        shutil.rmtree(root / "b")
        recorder.wait_for("b/.gitignore")
        assert recorder.paths_caused(lambda: (root / "c/.gitignore").write_text("*\n")) <= {"c/.gitignore"}
        assert recorder.paths_caused(lambda: (root / "c/.gitignore").unlink()) == {"c/.gitignore"}


def test_the_excludes_of_git_edited_while_running(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's file lies in a folder that is not there yet; a link leads to it later."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", os.fspath(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    subprocess.run(["git", "init", "--quiet", root], check=True)
    with Recorder(root) as recorder:
        (root / ".git/info").mkdir(exist_ok=True)
        recorder.caused(lambda: (root / ".git/info/exclude").write_text("*.one\n"))
        assert recorder.paths_caused(lambda: (root / "a.one").touch()) == set()
        (tmp_path / "dotfiles").write_text("*.two\n")
        (home / ".config/git").mkdir(parents=True)
        recorder.caused(lambda: (home / ".config/git/ignore").symlink_to(tmp_path / "dotfiles"))
        assert recorder.paths_caused(lambda: (root / "a.two").touch()) == set()
        recorder.caused(lambda: (tmp_path / "dotfiles").write_text("*.three\n"))
        assert recorder.paths_caused(lambda: (root / "b.two").touch()) == {"b.two"}
        assert recorder.paths_caused(lambda: (root / "b.three").touch()) == set()


def test_excludes_of_git_that_come_before_their_folder_is_watched(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", os.fspath(tmp_path / "config"))
    subprocess.run(["git", "init", "--quiet", root], check=True)
    refresh = Targets.refresh

    def late(self: Targets) -> None:
        if (tmp_path / "config/git").is_dir():
            (tmp_path / "config/git/ignore").write_text("*.one\n")
        refresh(self)

    with Recorder(root) as recorder:
        with monkeypatch.context() as patch:
            patch.setattr(Targets, "refresh", late)
            recorder.caused(lambda: (tmp_path / "config/git").mkdir(parents=True))
        assert recorder.paths_caused(lambda: (root / "a.one").touch()) == set()


def test_a_rules_file_above_the_project_edited_while_running(root: Path) -> None:
    subprocess.run(["git", "init", "--quiet", root], check=True)
    (root / "app").mkdir()
    with Recorder(root / "app") as recorder:
        recorder.caused(lambda: (root / ".gitignore").write_text("*.log\n"))
        assert recorder.paths_caused(lambda: (root / "app/a.log").touch()) == set()
        assert recorder.paths_caused(lambda: (root / "app/a.txt").touch()) == {"a.txt"}


def test_a_named_file_in_an_ignored_folder_that_is_replaced(root: Path) -> None:
    """As an env file may lie in one."""
    (root / ".gitignore").write_text("secret/\n")
    (root / "secret").mkdir()
    (root / "secret/.env").write_text("A=1")
    with Recorder(root, named=[root / "secret/.env"]) as recorder:
        assert recorder.paths_caused(lambda: (root / "secret/other").write_text("1")) == set()
        assert recorder.paths_caused(lambda: (root / "secret/.env").write_text("A=2")) == {"secret/.env"}
        assert recorder.paths_caused(lambda: shutil.rmtree(root / "secret")) == {"secret/.env"}
        (root / "secret").mkdir()
        assert recorder.paths_caused(lambda: (root / "secret/.env").write_text("A=3")) == {"secret/.env"}
        assert recorder.paths_caused(lambda: (root / "secret/.env").write_text("A=4")) == {"secret/.env"}


def test_a_named_file_that_is_a_link_out_of_the_project(root: Path, tmp_path: Path) -> None:
    (tmp_path / "shared.env").write_text("A=1")
    (root / ".env").symlink_to(tmp_path / "shared.env")
    with Recorder(root, named=[root / ".env"]) as recorder:
        assert recorder.paths_caused(lambda: (tmp_path / "shared.env").write_text("A=2")) == {".env"}
        assert recorder.paths_caused(lambda: (tmp_path / "sibling").write_text("1")) == set()


def test_the_root_is_renamed_and_comes_back(recorder: Recorder, root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "away")
    recorder.wait_for_warning("is gone")
    (tmp_path / "away").rename(root)
    assert recorder.wait_for(".").kind is Kind.MODIFIED
    assert recorder.paths_caused(lambda: (root / "f").write_text("1")) == {"f"}


def test_the_root_is_removed_and_made_again(recorder: Recorder, root: Path) -> None:
    root.rmdir()
    recorder.wait_for_warning("is gone")
    root.mkdir()
    assert recorder.wait_for(".").kind is Kind.CREATED
    assert recorder.paths_caused(lambda: (root / "f").write_text("1")) == {"f"}


def test_a_folder_above_the_root_is_renamed(tmp_path: Path) -> None:
    root = tmp_path / "a/b/project"
    root.mkdir(parents=True)
    with Recorder(root) as recorder:
        (tmp_path / "a").rename(tmp_path / "c")
        recorder.wait_for_warning("is gone")
        (tmp_path / "c").rename(tmp_path / "a")
        recorder.wait_for(".")
        assert recorder.paths_caused(lambda: (root / "f").write_text("1")) == {"f"}


def test_another_root_takes_the_place_at_once(recorder: Recorder, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for _ in range(3):
        mark = recorder.mark()
        root.rename(tmp_path / "was")
        other.rename(root)
        assert recorder.wait_for(".", mark).kind is Kind.CREATED
        assert recorder.paths_caused(lambda: (root / "f").write_text("1")) == {"f"}
        (tmp_path / "was").rename(other)


def test_the_root_is_lost_while_looking(root: Path, tmp_path: Path) -> None:
    with Recorder(root, poll=0.01) as recorder:
        root.rename(tmp_path / "away")
        recorder.wait_for_warning("is gone")
        root.mkdir()
        assert recorder.wait_for(".").kind is Kind.CREATED
        assert recorder.paths_caused(lambda: (root / "f").write_text("1")) == {"f"}


UNREADABLE = """
for name in ("closed/inner", "listed", "open", "second"):
    (root / name).mkdir(parents=True)
    (root / name / "f").write_text("1")
(root / "closed").chmod(0)
(root / "second").chmod(0o300)
(root / "listed").chmod(0o400)
with Recorder(root) as recorder:
    recorder.flush()
    told = sorted(warning.message for warning in recorder.warnings)
    assert [message.split(" ")[0] for message in told] == ["closed", "second"], told
    assert recorder.paths_caused(lambda: (root / "open/f").write_text("2")) == {"open/f"}
    recorder.caused(lambda: (root / "open").chmod(0o700))
    assert len(recorder.warnings) == 2, recorder.warnings
    caused = recorder.paths_caused(lambda: (root / "closed").chmod(0o700))
    assert caused == {"closed/inner/f"}, caused
    assert recorder.paths_caused(lambda: (root / "closed/inner/f").write_text("2")) == {"closed/inner/f"}
    (root / "second").chmod(0o700)
    (root / "listed").chmod(0o700)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user than root, who may read everything")
def test_folders_that_cannot_be_read() -> None:
    """Told once; watched as soon as they can be."""
    run_as_somebody(UNREADABLE)
