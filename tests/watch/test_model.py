"""Random sequences of operations under random rules: nothing that counts is missed, nothing that is ignored is told."""

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, WatchDescriptor

from devmount.watch.inotify import Inotify
from tests.harness import wait_until
from tests.watch.model import TOPS, Model, operations
from tests.watch.recorder import Recorder, kernel_watches

WATCHERS = int(os.environ.get("DEVMOUNT_MODEL_WATCHERS", "25"))
ROUNDS = 8
FEW = 12  # watches of single names: folders above the root, git's excludes
Read = list[InotifyEvent]


def run(folder: Path, seed: int, *, poll: float | None = None, rest: Callable[[], None] | None = None) -> None:
    """Some rounds of operations against one watcher."""
    chance = random.Random(seed)
    top = chance.choice(TOPS)
    folder.mkdir()
    model = Model(folder, top)
    model.run(operations(chance, 30))
    model.begin()
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
                assert kernel_watches() <= len(model.folders()) + FEW, report
            expected = ("lead out", "more changed at once")
            assert all(any(text in warning.message for text in expected) for warning in recorder.warnings), report
            model.begin()


@pytest.mark.parametrize("seed", range(WATCHERS))
def test_by_events(tmp_path: Path, seed: int) -> None:
    run(tmp_path / "model", seed)


@pytest.mark.parametrize("seed", range(WATCHERS))
def test_by_events_that_get_lost(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the kernel's queue overflows, at any moment: nothing of a read is kept but the word of it."""
    chance = random.Random(seed)
    read_events = InotifyFD.read_events
    at_work = threading.Event()

    def lossy(self: InotifyFD, **options: int) -> Read:
        at_work.clear()
        events = list(read_events(self, **options))
        at_work.set()
        overflow = InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b"")
        return [overflow] if events and chance.random() < 0.3 else events

    def rest() -> None:
        """The disk has been compared when the next read begins."""
        wait_until(lambda: not at_work.is_set())

    monkeypatch.setattr(InotifyFD, "read_events", lossy)
    run(tmp_path / "model", seed + 10_000, rest=rest)


@pytest.mark.parametrize("seed", range(WATCHERS // 2))
def test_by_looking(tmp_path: Path, seed: int) -> None:
    run(tmp_path / "model", seed + 20_000, poll=0.005)
