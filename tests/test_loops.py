"""Programs that reload themselves, and people who only look like them. Time is told, never waited for."""

from collections.abc import Callable

import pytest

from devmount import events
from devmount.events import FileChange, Kind
from devmount.loops import (
    CODE_IN_A_ROW,
    LONGEST_QUIET,
    LOOK,
    LOOKED_AT,
    QUIET,
    READ_IN_A_ROW,
    SOON,
    TELL,
    UNREAD_IN_A_ROW,
    LoopGuard,
)
from devmount.settle import Batch

RELOAD = 0.05  # seconds from a change to the start of the next program


class Readers:
    """Reads some files all the time, and the others never."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self._asked: set[str] = set()

    def was_read(self, key: str) -> bool:
        known = key in self._asked
        self._asked.add(key)
        return not known or key in self.read

    def forget(self, key: str) -> None:
        self._asked.discard(key)


class Clock:
    """A program that is started at every batch that the guard lets through, and what it or others write."""

    def __init__(self, *read: str) -> None:
        self.readers = Readers()
        self.readers.read.update(read)
        self.guard = LoopGuard(self.readers)
        self.now = 0.0
        self.started = 0.0
        self.reloads: list[str] = []
        self.warnings: list[events.Warning] = []

    def change(self, path: str, kind: Kind = Kind.MODIFIED) -> None:
        """A change now, as the session passes it on."""
        change = FileChange(path, kind, self.now)
        if not self.guard.absorb(change, self.now):
            self._batch(change)

    def wait(self, seconds: float) -> None:
        """Let time pass; what the guard has kept is acted on when it is due."""
        end = self.now + seconds
        while (due := self.guard.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            changes, warnings = self.guard.due(self.now)
            self.warnings += warnings
            for change in changes:
                self._batch(change)
        self.now = max(self.now, end)

    def _batch(self, change: FileChange) -> None:
        batch, warnings = self.guard.hold_off(Batch((change,), change.at), self.now, self.started)
        self.warnings += warnings
        if batch.changes:
            self.reloads.append(change.path)
            self.now += RELOAD
            self.started = self.now


def run(clock: Clock, program: Callable[[int], tuple[float, str, Kind]], starts: int = 60) -> None:
    """Let a program write after each of its starts: so many seconds later, that path."""
    seen = -1.0
    for number in range(starts):
        while clock.started == seen:
            due = clock.guard.deadline()
            if due is None:
                return  # it runs, and is not started again
            clock.wait(due - clock.now)
        seen = clock.started
        delay, path, kind = program(number)
        clock.wait(delay)
        clock.change(path, kind)


def test_a_file_written_at_every_start_is_held_off_and_named() -> None:
    clock = Clock()
    run(clock, lambda number: (0.2, "data.sqlite", Kind.MODIFIED))
    assert len(clock.reloads) == UNREAD_IN_A_ROW + 1
    (warning,) = clock.warnings
    assert "data.sqlite" in warning.message
    assert warning.hint is not None
    assert '[watch] ignore = ["/data.sqlite"]' in warning.hint
    clock.change("app.py")  # another is not
    assert clock.reloads[-1] == "app.py"


def test_a_program_that_starts_slowly_is_known_by_its_delay() -> None:
    clock = Clock()
    run(clock, lambda number: (4.0 + number % 3 * 0.05, "app.pid", Kind.MODIFIED))
    assert len(clock.reloads) <= UNREAD_IN_A_ROW + 2
    assert [warning.message for warning in clock.warnings if "app.pid" in warning.message]


def test_a_log_with_the_time_in_its_name_is_known_by_its_folder() -> None:
    clock = Clock()
    run(clock, lambda number: (0.1, f"logs/run-{number}.log", Kind.CREATED))
    assert len(clock.reloads) == UNREAD_IN_A_ROW + 1
    (warning,) = clock.warnings
    assert "/logs/*.log" in (warning.hint or "")
    clock.change("logs/run-0.log")
    clock.change("logs/notes.txt", Kind.CREATED)
    assert clock.reloads[-2:] == ["logs/run-0.log", "logs/notes.txt"]


def test_what_is_held_off_is_not_heard_of_again_until_it_is_asked_for() -> None:
    clock = Clock()
    run(clock, lambda number: (0.1, f"logs/run-{number}.log", Kind.CREATED))
    count = len(clock.reloads)
    clock.change("logs/new.log", Kind.CREATED)
    clock.change("logs/new.log", Kind.MODIFIED)  # of the one just made
    clock.wait(100)
    assert len(clock.reloads) == count
    clock.guard.reset()
    clock.change("logs/newer.log", Kind.CREATED)
    assert len(clock.reloads) == count + 1


def test_what_is_held_off_counts_again_once_somebody_reads_it() -> None:
    clock = Clock()
    run(clock, lambda number: (0.1, "page.txt", Kind.MODIFIED))
    count = len(clock.reloads)
    clock.wait(20)
    clock.change("page.txt")
    assert len(clock.reloads) == count
    clock.readers.read.add("page.txt")
    for _ in range(3):
        clock.wait(20)
        clock.change("page.txt")
    assert len(clock.reloads) == count + 3
    clock.readers.read.clear()
    run(clock, lambda number: (0.1, "page.txt", Kind.MODIFIED))
    assert len(clock.reloads) <= count + 3 + UNREAD_IN_A_ROW + 1
    assert len(clock.warnings) == 2


@pytest.mark.parametrize("path", ["app.py", "static/page.HTML"])
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.4, SOON - 0.1, SOON + 0.1, 3.4, 30])
def test_a_script_that_saves_code_and_looks_is_never_kept_waiting(path: str, seconds: float) -> None:
    clock = Clock(path)
    for number in range(CODE_IN_A_ROW):
        clock.wait(seconds)
        clock.change(path)
        clock.wait(LOOK if number + 1 in LOOKED_AT else 0)
        assert len(clock.reloads) == number + 1
    assert clock.warnings == []


@pytest.mark.parametrize("delay", [0.2, 4.0])
def test_a_program_that_reads_and_writes_a_file_is_reloaded_ever_more_seldom(delay: float) -> None:
    clock = Clock("state.json")
    run(clock, lambda number: (delay, "state.json", Kind.MODIFIED), READ_IN_A_ROW + 10)
    assert clock.now > 3 * LONGEST_QUIET
    (warning,) = clock.warnings
    assert '[watch] ignore = ["/state.json"]' in (warning.hint or "")
    clock.change("app.py")  # another is not
    assert clock.reloads[-1] == "app.py"
    last = clock.now
    clock.change("state.json")
    clock.wait(LONGEST_QUIET)
    assert clock.started > last  # nothing is lost


def test_a_person_who_saves_often_loses_nothing() -> None:
    clock = Clock("notes.txt")
    for _ in range(READ_IN_A_ROW):
        clock.wait(0.4)
        clock.change("notes.txt")
    assert clock.reloads.count("notes.txt") >= READ_IN_A_ROW - 1
    last = clock.now
    clock.wait(QUIET)
    assert clock.started >= last  # the last save was taken up
    clock.wait(5)
    clock.change("notes.txt")
    assert clock.started >= last + 5
    assert clock.warnings == []


def test_a_person_who_saves_at_any_time_is_never_kept_waiting() -> None:
    clock = Clock()
    for seconds in (2, 5, 3.1, 40, 2, 2.9, 7, 7.6, 1.5, 30, 90, 2.2, 61):
        clock.wait(seconds)
        clock.change("app.py")
        assert clock.now - clock.started < RELOAD
    assert len(clock.reloads) == 13


def test_a_generator_outside_starves_nobody_and_spins_nothing() -> None:
    """A file written some twenty times a second: few reloads of it, others at once, and its last state at the end."""
    clock = Clock("generated.py")
    saves = 0
    for step in range(600):
        clock.wait(0.04)
        clock.change("generated.py")
        if step % 100 == 50:
            clock.change("app.py")
            saves += 1
            assert clock.reloads[-1] == "app.py"
    last = clock.now
    clock.wait(QUIET + 1)
    assert clock.reloads.count("generated.py") <= LOOKED_AT[0]
    assert clock.reloads.count("app.py") == saves
    assert clock.reloads[-1] == "generated.py"
    assert clock.started >= last
    (warning,) = clock.warnings
    assert "generated.py" in warning.message
    clock.wait(10)
    clock.change("generated.py")
    assert clock.started > clock.now - 1


def test_the_user_is_told_of_a_wait_once() -> None:
    clock = Clock()
    for _ in range(int(TELL / 0.05) * 4):
        clock.wait(0.05)
        clock.change("generated.py")
    assert len(clock.warnings) == 1
