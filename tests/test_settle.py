"""When a batch is due and what is in it. Time is told, never waited for."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.events import FileChange, Kind
from devmount.settle import GONE, HALF_WRITTEN, LONGEST, LONGEST_HOLD, MANY, SEVERAL, Batch, Settler

SETTLE = 0.010


def made(path: str, at: float) -> list[FileChange]:
    return [FileChange(path, Kind.CREATED, at, complete=False), *written(path, at)]


def written(path: str, at: float) -> list[FileChange]:
    """The writing of a file in place, from its truncation to its close."""
    return [FileChange(path, Kind.MODIFIED, at, complete=False), FileChange(path, Kind.MODIFIED, at, ends=True)]


def gone(path: str, at: float) -> FileChange:
    return FileChange(path, Kind.DELETED, at)


def renamed(source: str, path: str, at: float) -> list[FileChange]:
    return [gone(source, at), FileChange(path, Kind.MOVED, at, source=source)]


def add(settler: Settler, changes: Iterable[FileChange]) -> None:
    for change in changes:
        settler.add(change, change.at)


def kinds(batch: Batch | None) -> dict[str, str]:
    assert batch is not None
    return {change.path: str(change.kind) for change in batch.changes}


def quiet_after(changes: Iterable[FileChange]) -> float:
    """Seconds from the last of the changes until the batch is due."""
    settler = Settler(SETTLE)
    changes = list(changes)
    add(settler, changes)
    deadline = settler.deadline()
    assert deadline is not None
    return round(deadline - changes[-1].at, 6)


def test_one_save_waits_for_the_settle_time() -> None:
    settler = Settler(SETTLE)
    assert settler.deadline() is None
    add(settler, written("a", 5.0))
    assert settler.deadline() == 5.0 + SETTLE
    assert settler.take(5.0) is None
    assert kinds(settler.take(5.0 + SETTLE)) == {"a": "modified"}
    assert settler.deadline() is None
    assert settler.take(9.0) is None


QUIET = {
    "a save in place": (written("a", 0.0), SETTLE),
    "a new file": (made("a", 0.0), SETTLE),
    "a temporary file renamed over it": ([*made(".a.tmp", 0.0), *renamed(".a.tmp", "a", 0.0)], SETTLE),
    "a write that is not over": (written("a", 0.0)[:1], HALF_WRITTEN),
    "a file gone that may come back": ([gone("a", 0.0)], GONE),
    "a file gone and back": ([gone("a", 0.0), *made("a", 0.0)], SETTLE),
    "a file renamed": (renamed("a", "b", 0.0), SEVERAL),
    "several files": ([*written("a", 0.0), *written("b", 0.0)], SEVERAL),
    "changes that go on": ([*written("a", 0.0), *written("a", 0.05)], SEVERAL),
    "changes that go on for long": ([*written("a", 0.0), *written("a", 0.15)], MANY),
    "many files": ([one for number in range(100) for one in written(f"{number}", 0.0)], SEVERAL),
}


@pytest.mark.parametrize(("changes", "quiet"), QUIET.values(), ids=QUIET.keys())
def test_quiet_time(changes: list[FileChange], quiet: float) -> None:
    assert quiet_after(changes) == quiet


KINDS = {
    "made and written": (made("a", 0.0), {"a": "created"}),
    "made and removed": ([*made("a", 0.0), gone("a", 0.0), *written("b", 0.0)], {"b": "modified"}),
    "removed and made": ([gone("a", 0.0), *made("a", 0.0)], {"a": "modified"}),
    "written and removed": ([*written("a", 0.0), gone("a", 0.0)], {"a": "deleted"}),
    "made, removed, made": ([*made("a", 0.0), gone("a", 0.0), *made("a", 0.0)], {"a": "created"}),
    "renamed": (renamed("a", "b", 0.0), {"a": "deleted", "b": "moved"}),
    "saved by a rename": ([*made("t", 0.0), *renamed("t", "a", 0.0)], {"a": "modified"}),
    "renamed twice": (
        [*renamed("a", "b", 0.0), *renamed("b", "c", 0.0)],
        {"a": "deleted", "b": "deleted", "c": "moved"},
    ),
    "the last state counts": (
        [*written("x", 0.0), *written("y", 0.0), *written("y", 0.0), *written("x", 0.0)],
        {"x": "modified", "y": "modified"},
    ),
}


@pytest.mark.parametrize(("changes", "expected"), KINDS.values(), ids=KINDS.keys())
def test_kinds(changes: list[FileChange], expected: dict[str, str]) -> None:
    settler = Settler(SETTLE)
    add(settler, changes)
    batch = settler.take(100.0)
    assert kinds(batch) == expected


def test_what_came_to_nothing_is_no_batch() -> None:
    settler = Settler(SETTLE)
    add(settler, [*made("a", 0.0), gone("a", 0.0)])
    assert settler.take(100.0) is None
    assert settler.deadline() is None


def test_the_end_of_a_write_that_was_taken_up_is_nothing_new() -> None:
    settler = Settler(SETTLE)
    add(settler, written("a", 0.0)[:1])
    assert kinds(settler.take(HALF_WRITTEN)) == {"a": "modified"}
    settler.add(FileChange("a", Kind.MODIFIED, 1.0, ends=True), 1.0)
    assert settler.deadline() is None
    add(settler, written("a", 2.0))
    assert kinds(settler.take(3.0)) == {"a": "modified"}


def test_a_write_after_what_was_taken_up_counts() -> None:
    settler = Settler(SETTLE)
    add(settler, written("a", 0.0)[:1])
    settler.take(HALF_WRITTEN)
    add(settler, written("a", 1.0))
    assert kinds(settler.take(2.0)) == {"a": "modified"}


def test_a_file_replaced_while_its_write_was_not_over_counts() -> None:
    settler = Settler(SETTLE)
    add(settler, written("a", 0.0)[:1])
    settler.take(HALF_WRITTEN)
    settler.add(FileChange("a", Kind.MODIFIED, 1.0, source=".#a"), 1.0)  # from a name that does not count
    assert kinds(settler.take(2.0)) == {"a": "modified"}


def test_a_generator_does_not_put_a_batch_off_for_ever() -> None:
    """A write every 50 ms for 30 seconds: a batch every 2 seconds, and the last holds the end."""
    settler = Settler(SETTLE)
    taken = []
    for step in range(600):
        now = step * 0.05
        add(settler, written("generated", now))
        if settler.take(now) is not None:
            taken.append(now)
    assert len(taken) == pytest.approx(30.0 / LONGEST, abs=1)
    deadline = settler.deadline()
    assert deadline is not None
    assert deadline <= 30.0 + MANY
    assert kinds(settler.take(deadline)) == {"generated": "modified"}


def test_a_long_settle_time_is_kept_while_saves_go_on() -> None:
    settler = Settler(2.0)
    for now in (1.0, 2.0, 3.0, 4.0):
        assert settler.take(now) is None
        add(settler, written("a", now))
    assert settler.deadline() == 6.0


def test_a_hundred_changes_of_two_files_are_one_batch() -> None:
    settler = Settler(SETTLE)
    for number in range(100):
        add(settler, written("ab"[number % 2], number * 0.001))
    assert kinds(settler.take(1.0)) == {"a": "modified", "b": "modified"}
    assert settler.deadline() is None


def test_a_file_that_is_written_and_never_closed_does_not_put_a_batch_off_for_ever() -> None:
    settler = Settler(SETTLE)
    add(settler, written("app.py", 0.0))
    for step in range(1000):
        now = step * 0.01
        settler.add(FileChange("app.log", Kind.MODIFIED, now, complete=False), now)
        batch = settler.take(now)
        if batch is not None:
            assert now <= LONGEST + 0.01
            assert "app.py" in kinds(batch)
            return
    raise AssertionError("never taken")


def test_a_batch_is_held_while_git_works_and_then_until_it_is_quiet() -> None:
    settler = Settler(SETTLE)
    now = 0.0
    for step in range(70):  # 3.5 seconds of a checkout
        now = step * 0.05
        add(settler, made(f"{step}", now))
        deadline = settler.deadline()
        if deadline is not None and deadline <= now:
            assert settler.hold(now + 0.05)
        assert settler.take(now) is None
    add(settler, made("last", now + 0.1))  # read late
    deadline = settler.deadline()
    assert deadline == pytest.approx(now + 0.1 + MANY)
    batch = settler.take(now + 0.1 + MANY)
    assert batch is not None
    assert len(batch.changes) == 71


def test_a_hold_is_bounded() -> None:
    settler = Settler(SETTLE)
    add(settler, written("a", 0.0))
    now = 1.0
    while settler.hold(now + 0.05):
        assert settler.take(now) is None
        now += 0.05
    assert now == pytest.approx(1.0 + LONGEST_HOLD, abs=0.11)
    assert kinds(settler.take(now + 0.05)) == {"a": "modified"}
    add(settler, written("a", 20.0))
    assert settler.hold(20.05)  # the next batch has a bound of its own


PATHS = st.sampled_from("abcd")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "make", "remove", "rename", "open", "attribute"]), PATHS, PATHS, st.floats(0, 0.3)
    ),
    max_size=40,
)


@given(STEPS)
def test_no_change_is_lost_and_none_waits_for_long(steps: list[tuple[str, str, str, float]]) -> None:
    """Whoever reads a file when its batch is taken has read what was last written to it."""
    settler = Settler(SETTLE)
    disk: dict[str, int] = {}
    read: dict[str, int] = {}
    waits_since: float | None = None
    now = 0.0

    def take() -> None:
        nonlocal waits_since
        batch = settler.take(now)
        if batch is not None:
            for change in batch.changes:
                read.pop(change.path, None)
                if change.path in disk:
                    read[change.path] = disk[change.path]
        if settler.deadline() is None:
            waits_since = None

    for number, (step, path, other, pause) in enumerate(steps):
        events: list[FileChange] = []
        if step == "write" and path in disk:
            disk[path] = number
            events = written(path, now)
        elif step == "open" and path in disk:
            disk[path] = number
            events = written(path, now)[:1]
        elif step == "make" and path not in disk:
            disk[path] = number
            events = made(path, now)
        elif step == "remove" and path in disk:
            del disk[path]
            events = [gone(path, now)]
        elif step == "rename" and path in disk and path != other:
            disk[other] = disk.pop(path)
            events = renamed(path, other, now)
        elif step == "attribute" and path in disk:
            events = [FileChange(path, Kind.MODIFIED, now, ends=True)]
        if events and waits_since is None:
            waits_since = now
        add(settler, events)
        deadline = settler.deadline()
        if deadline is not None and waits_since is not None:
            assert deadline <= waits_since + LONGEST + 1e-9
        now += pause
        take()
    now += LONGEST
    take()
    assert settler.deadline() is None
    assert read == disk
