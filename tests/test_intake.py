"""What is taken up, and what is kept back, with real files and a clock that is told."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devmount.events import FileChange, Kind
from devmount.intake import Intake
from devmount.model import Watch
from devmount.settle import LONGEST, LONGEST_HOLD

SKIP = Watch(skip_same_content=True)


class Changes:
    """Changes a file, passes that to an intake, and tells what is taken."""

    def __init__(self, root: Path, watch: Watch) -> None:
        self.root = root
        self.intake = Intake(watch, root)
        self.now = 10.0
        self.warnings: list[str] = []

    def write(self, path: str, text: str, *, is_reloading: bool = False) -> None:
        (self.root / path).write_text(text)
        self.tell(path, Kind.MODIFIED, is_reloading=is_reloading)

    def tell(self, path: str, kind: Kind, *, is_reloading: bool = False) -> None:
        self.intake.add(FileChange(path, kind, self.now), self.now, is_reloading=is_reloading)

    def taken(self, *, has_failed: bool = False) -> tuple[list[str], list[str]]:
        """The paths to act on, and those left out, a good while later."""
        self.now += 5
        taken, warnings = self.intake.take(self.now, 0.0, has_failed=has_failed)
        self.warnings += [warning.message for warning in warnings]
        return ([change.path for change in taken.acted_on.changes], taken.same) if taken else ([], [])


@pytest.fixture
def skipping(tmp_path: Path) -> Changes:
    return Changes(tmp_path, SKIP)


def test_a_touch_is_acted_on_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    changes = Changes(tmp_path, Watch())
    for _ in range(3):
        changes.write("a", "one")
        assert changes.taken() == (["a"], [])


def test_same_content_is_left_out_from_the_second_change_on(skipping: Changes) -> None:
    skipping.write("a", "one")
    assert skipping.taken() == (["a"], [])  # what it was before is not known: the tree was not read
    skipping.write("a", "one")
    assert skipping.taken() == ([], ["a"])
    skipping.write("a", "one")
    skipping.write("b", "two")
    assert skipping.taken() == (["b"], ["a"])
    skipping.write("a", "two")
    assert skipping.taken() == (["a"], [])


def touched(path: Path) -> None:
    path.touch()


def permitted(path: Path) -> None:
    path.chmod(0o755)


def replaced_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


def replaced_by_copy(path: Path) -> None:
    path.rename(path.with_name("old"))
    path.write_text("one")


@pytest.mark.parametrize(
    ("act", "is_same"), [(touched, True), (replaced_by_copy, True), (permitted, False), (replaced_by_link, False)]
)
def test_what_same_content_is(act: Callable[[Path], None], is_same: bool, skipping: Changes) -> None:
    skipping.write("a", "one")
    skipping.taken()
    act(skipping.root / "a")
    skipping.tell("a", Kind.MODIFIED)
    assert skipping.taken() == (([], ["a"]) if is_same else (["a"], []))


def test_a_file_gone_and_back_with_a_batch_between_is_changed_twice(skipping: Changes) -> None:
    skipping.write("a", "one")
    skipping.taken()
    (skipping.root / "a").unlink()
    skipping.tell("a", Kind.DELETED)
    assert skipping.taken() == (["a"], [])
    skipping.write("a", "one")
    assert skipping.taken() == (["a"], [])


def test_same_content_counts_where_a_program_has_ended_with_an_error(skipping: Changes) -> None:
    skipping.write("a", "one")
    skipping.taken()
    skipping.write("a", "one")
    assert skipping.taken(has_failed=True)[0] == ["a"]


def test_same_content_counts_after_an_action_that_failed(skipping: Changes) -> None:
    skipping.write("a", "one")
    skipping.taken()
    skipping.intake.failed()
    skipping.write("a", "one")
    assert skipping.taken() == (["a"], [])


def test_same_content_counts_if_it_was_another_while_programs_were_started(skipping: Changes) -> None:
    skipping.write("a", "one")
    skipping.taken()
    skipping.write("a", "two", is_reloading=True)
    skipping.write("a", "one")
    assert skipping.taken() == (["a"], [])


def test_files_that_cannot_be_read_or_are_none_count(skipping: Changes) -> None:
    os.mkfifo(skipping.root / "pipe")
    for _ in range(2):
        skipping.tell("pipe", Kind.MODIFIED)
        skipping.tell("missing", Kind.MODIFIED)
        assert skipping.taken() == (["pipe", "missing"], [])


def test_nothing_is_read_at_the_start(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}").write_text("x")
    before = time.time_ns()
    Changes(tmp_path, SKIP)
    assert all(path.stat().st_atime_ns <= before for path in tmp_path.iterdir())


def test_a_batch_is_held_for_the_lock_of_git_and_the_lock_that_stays_is_named(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    changes = Changes(tmp_path, Watch())
    lock = tmp_path / ".git" / "index.lock"
    lock.touch()
    changes.write("a", "one")
    began = changes.now
    while not (taken := changes.intake.take(changes.now, 0.0, has_failed=False))[0]:
        assert changes.now < began + LONGEST + LONGEST_HOLD + 1
        assert taken[1] == []
        changes.now += 0.05
    assert changes.now >= began + LONGEST_HOLD
    (warning,) = taken[1]
    assert str(lock) in warning.message

    changes.write("a", "two")
    assert changes.taken() == (["a"], [])  # not held for the same lock again
    lock.unlink()
    changes.write("a", "three")
    lock.touch()  # another
    assert changes.taken() == ([], [])
    lock.unlink()
    assert changes.taken() == (["a"], [])
    assert changes.warnings == []
