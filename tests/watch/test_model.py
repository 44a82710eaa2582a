"""Random sequences of operations under random rules: nothing that counts is missed, nothing that is ignored is told."""

import os
import uuid
from pathlib import Path

import pytest

from tests.harness import Up, remove
from tests.watch.rounds import SessionRounds, against_watcher, losing_events

WATCHERS = int(os.environ.get("DEVMOUNT_MODEL_WATCHERS", "30"))
SEQUENCES = int(os.environ.get("DEVMOUNT_MODEL_SEQUENCES", "25"))


@pytest.mark.parametrize("seed", range(WATCHERS))
def test_by_events(tmp_path: Path, seed: int) -> None:
    against_watcher(tmp_path / "model", seed)


@pytest.mark.parametrize("seed", range(WATCHERS))
def test_by_events_that_get_lost(tmp_path: Path, seed: int) -> None:
    with losing_events(seed) as rest:
        against_watcher(tmp_path / "model", seed + 10_000, rest=rest)


@pytest.mark.parametrize("seed", range(WATCHERS // 2))
def test_by_looking(tmp_path: Path, seed: int) -> None:
    against_watcher(tmp_path / "model", seed + 20_000, poll=0.005)


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_what_runs_is_what_is_on_disk(tmp_path: Path) -> None:
    """In a session: when all is quiet, the program has read the tree that is there."""
    name = f"dmtest-{uuid.uuid4().hex[:8]}"
    rounds = SessionRounds(tmp_path, name, 1)
    try:
        with Up(rounds.model.root) as up:
            rounds.run(up, SEQUENCES)
    finally:
        remove(name)
