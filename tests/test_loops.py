"""Programs that reload themselves, and people who only look like them. Time is told, never waited for."""

from collections.abc import Callable

from devmount import events
from devmount.events import FileChange, Kind
from devmount.loops import ALIKE_IN_A_ROW, IN_A_ROW, QUIET, TELL, LoopGuard
from devmount.settle import Batch

RELOAD = 0.05  # seconds from a change to the start of the next program


class Clock:
    """A program that is started at every batch that the guard lets through, and what it or others write."""

    def __init__(self) -> None:
        self.guard = LoopGuard()
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
    assert len(clock.reloads) == IN_A_ROW + 1
    (warning,) = clock.warnings
    assert "data.sqlite" in warning.message
    assert warning.hint is not None
    assert '[watch] ignore = ["/data.sqlite"]' in warning.hint
    clock.change("app.py")  # another is not
    assert clock.reloads[-1] == "app.py"


def test_a_program_that_starts_slowly_is_known_by_its_delay() -> None:
    clock = Clock()
    run(clock, lambda number: (4.0 + number % 3 * 0.05, "app.pid", Kind.MODIFIED))
    assert len(clock.reloads) <= ALIKE_IN_A_ROW + 2
    assert [warning.message for warning in clock.warnings if "app.pid" in warning.message]


def test_a_log_with_the_time_in_its_name_is_known_by_its_folder() -> None:
    clock = Clock()
    run(clock, lambda number: (0.1, f"logs/run-{number}.log", Kind.CREATED))
    assert len(clock.reloads) == IN_A_ROW + 1
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


def test_a_person_who_saves_often_loses_nothing() -> None:
    clock = Clock()
    for _ in range(20):
        clock.wait(0.3)
        clock.change("app.py")
    assert clock.reloads.count("app.py") >= IN_A_ROW
    last = clock.now
    clock.wait(QUIET)
    assert clock.started >= last  # the last save was taken up
    clock.wait(5)
    clock.change("app.py")
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
    """A file written every 50 ms for 30 seconds: few reloads of it, others at once, and its last state at the end."""
    clock = Clock()
    saves = 0
    for step in range(600):
        clock.wait(0.05)
        clock.change("generated.json")
        if step % 100 == 50:
            clock.change("app.py")
            saves += 1
            assert clock.reloads[-1] == "app.py"
    last = clock.now
    clock.wait(QUIET + 1)
    assert clock.reloads.count("generated.json") <= IN_A_ROW + 1
    assert clock.reloads.count("app.py") == saves
    assert clock.reloads[-1] == "generated.json"
    assert clock.started >= last
    (warning,) = clock.warnings
    assert "generated.json" in warning.message
    clock.wait(10)
    clock.change("generated.json")
    assert clock.started > clock.now - 1


def test_the_user_is_told_of_a_wait_once() -> None:
    clock = Clock()
    for _ in range(int(TELL / 0.05) * 4):
        clock.wait(0.05)
        clock.change("generated.json")
    assert len(clock.warnings) == 1
