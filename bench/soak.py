"""Runs random operations under random rules for as long as it is told, and counts what is lost.

    python -m bench.soak [--minutes 30] [--seed S] [--write]

In turns: sequences against one session, whose program reports the tree that it read at its start; and against watchers
by events, by events of which three in ten reads are lost, and by looking. A loss is a path that the program, or the
batch, does not have when all is quiet. Each is printed with its seed and its operations. ``--write`` puts the figures
into bench/soak.md. The exit code is 1 if anything was lost.
"""

import argparse
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.figures import page, publish, table
from tests.harness import Up, remove
from tests.watch.rounds import ROUNDS, SessionRounds, against_watcher, losing_events

RESULTS = Path(__file__).with_name("soak.md")
SEQUENCES = 40  # of a session, before a new one
WATCHERS = 10  # of each kind, between two sessions


class Tally:
    """What one way of watching came to."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.sequences = self.operations = self.starts = self.losses = 0

    def row(self) -> list[str]:
        starts = str(self.starts) if self.starts else ""
        return [self.title, str(self.sequences), str(self.operations), starts, str(self.losses)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where the random numbers begin")
    parser.add_argument("--write", action="store_true", help=f"write the figures to bench/{RESULTS.name}")
    arguments = parser.parse_args()

    tallies = {
        kind: Tally(title)
        for kind, title in {
            "session": "`devmount up`, by what the program in the container read",
            "events": "the watcher, by events",
            "lost": "the watcher, events lost at random",
            "look": "the watcher, by looking",
        }.items()
    }
    print(f"seed {arguments.seed}", flush=True)
    seed = arguments.seed
    ends = time.monotonic() + arguments.minutes * 60
    while time.monotonic() < ends:
        seed += 1
        with tempfile.TemporaryDirectory(prefix="devmount-soak-") as folder:
            guarded(tallies["session"], partial(session, tallies["session"], Path(folder), seed))
            for number in range(WATCHERS):
                place = Path(folder) / f"watch-{number}"
                place.mkdir()
                watchers(tallies, place, seed * WATCHERS + number)
        rows = [tally.row() for tally in tallies.values()]
        print("; ".join(", ".join(row) for row in rows), flush=True)
    figures = table(["against", "sequences", "operations", "starts of the program", "losses"], rows)
    words = f"seed {arguments.seed}, {arguments.minutes:g} minutes, beside other work"
    publish(page("make soak", words, [figures]), RESULTS, write=arguments.write)
    return 1 if any(tally.losses for tally in tallies.values()) else 0


def session(tally: Tally, folder: Path, seed: int) -> int:
    """Sequences against one session."""
    name = f"dmsoak-{uuid.uuid4().hex[:8]}"
    rounds = SessionRounds(folder, name, seed)
    begun = rounds.model.count
    try:
        with Up(rounds.model.root) as up:
            tally.starts += rounds.run(up, SEQUENCES)
        tally.sequences += SEQUENCES
    finally:
        tally.operations += rounds.model.count - begun
        remove(name)
    return rounds.model.count - begun


def watchers(tallies: dict[str, Tally], folder: Path, seed: int) -> None:
    """One watcher of each kind."""

    def by_lost() -> int:
        with losing_events(seed) as rest:
            return against_watcher(folder / "lost", seed, rest=rest)

    kinds: dict[str, Callable[[], int]] = {
        "events": lambda: against_watcher(folder / "events", seed),
        "lost": by_lost,
        "look": lambda: against_watcher(folder / "look", seed, poll=0.005),
    }
    for kind, act in kinds.items():
        tally = tallies[kind]
        operations = guarded(tally, act)
        if operations is not None:
            tally.operations += operations
            tally.sequences += ROUNDS


def guarded(tally: Tally, act: Callable[[], int]) -> int | None:
    """How many operations; None where something was lost, which is counted and printed."""
    try:
        return act()
    except AssertionError as error:
        tally.losses += 1
        print(f"LOST: {tally.title}\n{error}", file=sys.stderr, flush=True)
        return None


if __name__ == "__main__":
    sys.exit(main())
