"""Measures what watching costs, against watchfiles and plain watchdog, in one run.

    python -m bench.watch [--seconds 60] [--saves 300] [--write]

A tree of 100,000 files in 10,200 folders of which git ignores 10,000: the start of watching; the memory, and the CPU
time over an idle and a busy minute, of the whole of ``devmount up``; the time from a save until its batch is told. Then
a tree of 1,000,000 files of which 95 % are ignored: the start, against git's own walk of what is left. The trees lie in
memory where there is room, since the disk is not what is measured. ``--write`` puts the tables into
bench/watch.md.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.costs import SAVE_PAUSE, Costs, costs, running_peer, running_up
from bench.figures import Target, page, publish, table, verdicts
from bench.watchers import TITLES
from tests.harness import environment

RESULTS = Path(__file__).with_name("watch.md")
ROUNDS = 7  # of each start, after one that warms up
ROOM = 8 * 1024**3  # bytes that a place in memory must have free
GIT_WALK = ("git", "ls-files", "--others", "--exclude-standard")

# What is to be reached. Times in milliseconds, memory in MiB.
MAX_START_OF_WATCHDOG = 1 / 20
MAX_MEMORY = 70.0
MAX_IDLE_PERCENT = 0.1
MAX_MEDIAN = 15.0
MAX_99TH = 30.0
MAX_OF_GIT_WALK = 2.0


@dataclass(frozen=True)
class Shape:
    """How many folders count, how many are ignored, and the files in each of them."""

    folders: int
    files: int
    ignored_folders: int
    ignored_files: int

    @property
    def total(self) -> int:
        return self.folders * self.files + self.ignored_folders * self.ignored_files

    def make(self, root: Path) -> None:
        """Empty files, and a repository that has committed none of them."""
        for top, folders, files in (
            ("src", self.folders, self.files),
            ("node_modules", self.ignored_folders, self.ignored_files),
        ):
            for number in range(folders):
                place = root / top / str(number)
                place.mkdir(parents=True)
                for name in range(files):
                    os.close(os.open(f"{place}/{name}.py", os.O_CREAT | os.O_WRONLY, 0o644))
        (root / ".gitignore").write_text("node_modules/\n*.log\n/build/\n")
        subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)


LARGE = Shape(folders=199, files=10, ignored_folders=9_999, ignored_files=10)  # in each folder alike
HUGE = Shape(folders=5_000, files=10, ignored_folders=10_000, ignored_files=95)


def start_of(name: str, root: Path) -> float:
    """Milliseconds from the call until the way watches, in a process of its own."""
    command = [sys.executable, "-m", "bench.watchers", "start", name, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=environment())
    return float(done.stdout) * 1000


def git_walk(root: Path) -> float:
    """Milliseconds that git needs to list what it does not ignore."""
    began = time.perf_counter()
    subprocess.run(GIT_WALK, cwd=root, stdout=subprocess.DEVNULL, check=True, timeout=300)
    return (time.perf_counter() - began) * 1000


def in_turns(ways: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """What each way measures, in turns; the first round warms up and is not counted."""
    taken: dict[str, list[float]] = {title: [] for title in ways}
    for turn in range(ROUNDS + 1):
        for title, measure in ways.items():
            value = measure()
            if turn:
                taken[title].append(value)
    return taken


def place() -> str | None:
    """A folder in memory, if there is one with room."""
    memory = "/dev/shm"
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM:
        return memory
    return None


def starts_table(taken: dict[str, list[float]], first: str) -> str:
    base = statistics.median(taken[first])
    rows = [
        [title, f"{statistics.median(values):.1f}", f"{min(values):.1f}", f"{max(values):.1f}", f"{ratio:.2f}"]
        for title, values in taken.items()
        for ratio in [statistics.median(values) / base]
    ]
    return table(["start of watching", "median ms", "min", "max", f"x {first}"], rows)


def costs_table(all_costs: dict[str, Costs], seconds: float) -> str:
    head = ["", "memory MiB", f"CPU s of {seconds:g} idle s", f"CPU s of {seconds:g} busy s", "save to told, median ms"]
    rows = []
    for title, one in all_costs.items():
        cells = [f"{one.memory:.0f}", f"{one.idle:.2f}", f"{one.busy:.2f}", f"{one.median:.1f}"]
        rows.append([title, *cells, f"{one.ninety_ninth:.1f}", str(one.lost), str(one.overflows)])
    return table([*head, "99th", "not told", "overflows"], rows)


def report(seconds: float, saves: int) -> str:
    """Measures everything; the tables as Markdown."""
    devmount, watchdog, watchfiles = TITLES.values()
    up = "devmount up, whole"
    with tempfile.TemporaryDirectory(prefix="devmount-bench-", dir=place()) as folder:
        large = Path(folder) / "large"
        print(f"making {LARGE.total:,} files", flush=True)
        LARGE.make(large)
        print("starts", flush=True)
        starts = in_turns({title: partial(start_of, name, large) for name, title in TITLES.items()})
        all_costs = {}
        for title, running in (
            (up, running_up(large)),
            (watchdog, running_peer("watchdog", large)),
            (watchfiles, running_peer("watchfiles", large)),
        ):
            print(f"{title}: {2 * seconds + saves * SAVE_PAUSE:g} seconds", flush=True)
            all_costs[title] = costs(running, large, (LARGE.folders, LARGE.ignored_folders), seconds, saves)
        shutil.rmtree(large)
        huge = Path(folder) / "huge"
        print(f"making {HUGE.total:,} files", flush=True)
        HUGE.make(huge)
        walk = " ".join(GIT_WALK[:2]) + ", what it does not ignore"
        huge_starts = in_turns({walk: partial(git_walk, huge), devmount: partial(start_of, "devmount", huge)})
        print("clearing up", flush=True)
    own = all_costs[up]
    median = {title: statistics.median(values) for title, values in starts.items()}
    huge_median = {title: statistics.median(values) for title, values in huge_starts.items()}
    start = median[devmount] / median[watchdog]
    walked = huge_median[devmount] / huge_median[walk]
    targets = [
        Target("start / plain watchdog's", start, MAX_START_OF_WATCHDOG, "{:.3f}"),
        Target("memory of devmount up, MiB", own.memory, MAX_MEMORY, "{:.0f}"),
        Target("idle CPU, %", own.idle / seconds * 100, MAX_IDLE_PERCENT, "{:.3f}"),
        Target("save to batch, median ms", own.median, MAX_MEDIAN, "{:.1f}"),
        Target("save to batch, 99th percentile ms", own.ninety_ninth, MAX_99TH, "{:.1f}"),
        Target("start / git's walk, 1,000,000 files", walked, MAX_OF_GIT_WALK, "{:.2f}"),
    ]
    return page(
        "make bench-watch",
        f"{ROUNDS} starts of each, {saves} saves.",
        [
            f"{LARGE.total:,} files in {LARGE.folders + LARGE.ignored_folders + 2:,} folders, of which git ignores "
            f"{LARGE.ignored_folders + 1:,}:",
            starts_table(starts, devmount),
            "In the busy time 20 saves a second, and as many writes to what is ignored. watchdog tells of single "
            "events, devmount and watchfiles of batches; watchfiles waits 50 ms for more by default, devmount 10 ms.",
            costs_table(all_costs, seconds),
            f"{HUGE.total:,} files, of which {HUGE.folders * HUGE.files:,} in {HUGE.folders:,} folders are watched:",
            starts_table(huge_starts, walk),
            "Against what is to be reached:",
            verdicts(targets),
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures what watching costs, against watchfiles and watchdog.")
    parser.add_argument("--seconds", type=float, default=60, help="of the idle and the busy time (default: 60)")
    parser.add_argument("--saves", type=int, default=300, help="saves whose time is taken (default: 300)")
    parser.add_argument("--write", action="store_true", help=f"write the tables to bench/{RESULTS.name}")
    arguments = parser.parse_args()
    text = report(arguments.seconds, arguments.saves)
    publish(text, RESULTS, write=arguments.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
