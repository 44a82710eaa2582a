"""Kills devmount, its helper and the engine at many random moments of commands on volumes, and counts what is lost.

    python -m bench.faults [--moments 132] [--seed 1] [--write]

Takes root: it starts an engine of its own. Each moment is checked as ``tests/volumes/faults.py`` says; one that fails
is told with what is wrong, and the exit code is 1. ``--write`` puts the figures into bench/faults.md.
"""

import argparse
import collections
import random
import sys
import tempfile
from pathlib import Path

from bench.figures import page, publish, table
from tests import ownengine
from tests.volumes.faults import PAIRS, Outcome, started

RESULTS = Path(__file__).with_name("faults.md")
EARLIEST, LATEST = 0.25, 1.0  # of the command's length: before that Python starts, after that it has ended


def soak(moments: int, seed: int) -> tuple[list[Outcome], list[str]]:
    """The outcomes, and what failed."""
    dice = random.Random(seed)
    outcomes, failed = [], []
    with (
        tempfile.TemporaryDirectory(prefix="devmount-faults-", dir="/var/tmp") as folder,
        started(Path(folder)) as faults,
    ):
        number = late = 0
        while number < moments and late < moments:
            kind, operation = PAIRS[number % len(PAIRS)]
            part = dice.uniform(EARLIEST, LATEST)
            try:
                outcome = faults.moment(kind, operation, part)
            except AssertionError as error:
                failed.append(f"{kind} killed at {part:.3f} of {operation}: {error}")
                print(f"{number + 1}/{moments} FAILED {failed[-1]}", flush=True)
            else:
                told = f"{outcome.seconds:.2f} s, there was {outcome.stage}, then {outcome.state}"
                if outcome.late:
                    late += 1
                    print(f"too late for {kind} in {operation}: {told}; once more", flush=True)
                    continue
                outcomes.append(outcome)
                print(f"{number + 1}/{moments} {kind} killed in {operation}: {told}", flush=True)
            number += 1
    return outcomes, failed


def report(outcomes: list[Outcome], failed: list[str], seed: int) -> str:
    """The figures as Markdown."""
    rows = []
    for kind, operation in PAIRS:
        mine = [outcome for outcome in outcomes if (outcome.kind, outcome.operation) == (kind, operation)]
        busy = sum(outcome.stage != "nothing" for outcome in mine)
        states = collections.Counter(outcome.state for outcome in mine)
        told = ", ".join(f"{count} x {state}" for state, count in sorted(states.items()))
        rows.append([kind, operation, str(len(mine)), str(busy), told])
    parts = [
        "SIGKILL at a random moment while the command runs; "
        "then the engine is started again where it was the one, `devmount volume ls` is run, and all is looked at: "
        "every file of every volume, every backup, helpers, paused containers, unfinished files.",
        table(["killed", "during", "moments", "with a helper or file under way", "afterwards"], rows),
        f"Moments at which something was lost, half made or left: {len(failed)}.",
        *failed,
    ]
    return page("make soak-volumes", f"{len(outcomes) + len(failed)} moments, seed {seed}.", parts)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Kills what takes part in commands on volumes, and counts what is lost."
    )
    parser.add_argument("--moments", type=int, default=132, help="how many (default: 132)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    parser.add_argument("--write", action="store_true", help=f"write the figures to bench/{RESULTS.name}")
    arguments = parser.parse_args()
    reason = ownengine.missing()
    if reason:
        print(f"faults: it starts an engine of its own, which is not possible here: {reason}", file=sys.stderr)
        return 1
    outcomes, failed = soak(arguments.moments, arguments.seed)
    text = report(outcomes, failed, arguments.seed)
    publish(text, RESULTS, write=arguments.write)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
