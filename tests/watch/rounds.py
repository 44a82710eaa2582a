"""Rounds of random operations: against a watcher, and against a session."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, WatchDescriptor

from devmount.watch.inotify import Inotify
from tests.harness import Up, wait_until
from tests.watch.model import TOPS, Model, operations
from tests.watch.recorder import Recorder, kernel_watches
from tests.watch.session import Reports, project, wait_until_equal

ROUNDS = 8
PAUSE = (1.0, 2.5)  # seconds between a start of the program and the next changes
FEW = 12  # watches of single names: folders above the root, git's excludes
TOLD = ("lead out", "more changed at once")  # warnings that belong
Rest = Callable[[], None]


def against_watcher(folder: Path, seed: int, *, poll: float | None = None, rest: Rest | None = None) -> int:
    """Some rounds against one watcher; how many operations.

    Args:
        rest: waits for what is delivered with a sentinel.

    Raises:
        AssertionError: a change was not told, an ignored one was, or what is watched is not what counts.
    """
    chance = random.Random(seed)
    top = chance.choice(TOPS)
    folder.mkdir()
    model = Model(folder, top)
    model.run(operations(chance, 30))
    model.begin(anew=True)
    before = kernel_watches()
    with Recorder(model.root, top, poll=poll) as recorder:
        model.pause = recorder.flush
        recorder.rest = rest or recorder.rest
        for _ in range(ROUNDS):
            mark = recorder.mark()
            sequence = operations(chance, chance.randint(1, 15))
            model.run(sequence)
            model.close()
            recorder.flush()
            finding = model.check(recorder.since(mark))
            report = f"seed {seed}, top {top}\n{sequence}\n{recorder.report()}"
            assert not finding, f"{finding}\n{report}"
            way = recorder.watcher._way
            if isinstance(way, Inotify):
                assert set(way._watches.below("")) == model.folders(), report
                assert kernel_watches() - before <= len(model.folders()) + FEW, report
            unexpected = [warning for warning in recorder.warnings if not any(text in warning.message for text in TOLD)]
            assert not unexpected, f"{unexpected}\n{report}"
            model.begin()
    return model.count


@contextlib.contextmanager
def losing_events(seed: int) -> Iterator[Rest]:
    """As when the kernel's queue overflows, at any moment: nothing of a read is kept but the word of it."""
    chance = random.Random(seed)
    read_events = InotifyFD.read_events
    at_work = threading.Event()

    def lossy(self: InotifyFD, **options: int) -> list[InotifyEvent]:
        at_work.clear()
        events = list(read_events(self, **options))
        at_work.set()
        overflow = InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b"")
        return [overflow] if events and chance.random() < 0.3 else events

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InotifyFD, "read_events", lossy)
        yield lambda: wait_until(lambda: not at_work.is_set())  # the disk has been compared when the next read begins


class SessionRounds:
    """Sequences against one session, which ends with the ``with`` block; its containers are the caller's to remove.

    Args:
        timeout: seconds until the program has the tree that is on disk.
    """

    def __init__(self, folder: Path, name: str, seed: int, timeout: float = 60) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        self._timeout = timeout
        self.model = project(folder, name, self._chance.choice(TOPS))

    def run(self, up: Up, sequences: int) -> int:
        """That many sequences; how often the program was started.

        Raises:
            AssertionError: the program did not get the tree that is on disk.
        """
        reports = Reports(up)
        left = wait_until_equal(self.model, reports, self._timeout)
        assert not left, f"{left}\n{up.report()}"
        for _ in range(sequences):
            # as a person would: what follows each start at once, and alike, is taken for the program's own doing
            time.sleep(self._chance.uniform(*PAUSE))
            sequence = [step for step in operations(self._chance, self._chance.randint(1, 12)) if step[0] != "pause"]
            self.model.run(sequence)
            self.model.close()
            left = wait_until_equal(self.model, reports, self._timeout)
            assert not left, f"seed {self.seed}: {sequence}\n{left}\n{up.report()}"
            self.model.begin()
        return reports.count
