"""What a watching program costs: its memory, its CPU time while nothing happens and while much does, its delay."""

import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.reload import resident
from tests.harness import Up, environment, remove, save

BUSY_PAUSE = 0.05  # seconds between two saves of the busy minute; each goes with one write to what is ignored
SAVE_PAUSE = 0.1  # seconds between two saves whose time is taken

TOML = """\
name = "{name}"
[app]
image = "debian:bookworm-slim"
command = "sleep infinity"
stop_timeout = "0s"
[[app.on_change]]
files = ["*"]
action = "none"
"""


@dataclass
class Followed:
    """A watching program and when it told of which path."""

    pid: int
    told: dict[str, float] = field(default_factory=dict)
    overflows: int = 0  # of which it has complained


@contextmanager
def running_up(root: Path) -> Iterator[Followed]:
    """The whole of ``devmount up``, with its JSON on; a path is told of by the time in its ``change`` event."""
    name = f"dmbench-{uuid.uuid4().hex[:8]}"
    (root / ".devmount.toml").write_text(TOML.format(name=name))
    try:
        with Up(root) as up:
            up.wait("ready", 120)
            followed = Followed(up.process.pid)
            ended = threading.Event()

            def follow() -> None:
                place = 0
                while not ended.wait(0.2):
                    rows = up.events[place:]
                    place += len(rows)
                    for row in rows:
                        if row["event"] == "change":
                            at = datetime.fromisoformat(row["time"]).timestamp()
                            followed.told.update({item["path"]: at for item in row["files"]})

            thread = threading.Thread(target=follow)
            thread.start()
            yield followed
            ended.set()
            thread.join()
            up.stop()
    finally:
        remove(name)
        (root / ".devmount.toml").unlink()


@contextmanager
def running_peer(name: str, root: Path) -> Iterator[Followed]:
    command = [sys.executable, "-m", "bench.watchers", "run", name, str(root)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment())
    assert process.stdout is not None and process.stderr is not None  # noqa: PT018 - no test
    stream, errors = process.stdout, process.stderr
    stream.readline()
    followed = Followed(process.pid)

    def follow() -> None:
        for line in stream:
            at, _, path = line.strip().partition(" ")
            followed.told.setdefault(os.path.relpath(path, root), float(at))

    def count() -> None:
        for line in errors:
            followed.overflows += "overflowed" in line

    threads = [threading.Thread(target=target, daemon=True) for target in (follow, count)]
    for thread in threads:
        thread.start()
    try:
        yield followed
    finally:
        process.kill()
        process.wait()
        for thread in threads:
            thread.join(10)
        stream.close()
        errors.close()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its children so far (proc(5), fields 14 and 15 of stat)."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        if int(stat.parent.name) == pid or int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@dataclass
class Costs:
    """Memory in MiB, CPU in seconds over the two times, and each save's time until it was told, in milliseconds.

    ``lost``: saves that were never told of. ``overflows``: how often events were lost, as it said itself.
    """

    memory: float
    idle: float
    busy: float
    latencies: list[float]
    lost: int
    overflows: int

    @property
    def median(self) -> float:
        return statistics.median(self.latencies) if self.latencies else float("nan")

    @property
    def ninety_ninth(self) -> float:
        few = len(self.latencies) < 2
        return float("nan") if few else statistics.quantiles(self.latencies, n=100, method="inclusive")[98]


def costs(
    running: AbstractContextManager[Followed], root: Path, shape: tuple[int, int], seconds: float, saves: int
) -> Costs:
    """Run one way through the idle time, the busy time and the saves whose time is taken.

    Args:
        shape: how many folders lie in src and in node_modules, the second of which is ignored.
    """
    folders, ignored_folders = shape
    with running as followed:
        time.sleep(3)
        before = cpu_seconds(followed.pid)
        time.sleep(seconds)
        idle = cpu_seconds(followed.pid) - before
        before = cpu_seconds(followed.pid)
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            save(root / "src" / str(number % folders) / "0.py", f"{number}")
            save(root / "node_modules" / str(number % ignored_folders) / "0.py", f"{number}")
            number += 1
            time.sleep(BUSY_PAUSE)
        time.sleep(3)
        busy = cpu_seconds(followed.pid) - before
        memory = resident(followed.pid)
        saved: dict[str, float] = {}
        for number in range(saves):
            relative = f"src/{number % folders}/saved-{number}.py"
            save(root / relative, "x")
            saved[relative] = time.time()
            time.sleep(SAVE_PAUSE)
        time.sleep(3)
    latencies = [(followed.told[path] - at) * 1000 for path, at in saved.items() if path in followed.told]
    for path in saved:
        (root / path).unlink()
    return Costs(memory, idle, busy, sorted(latencies), saves - len(latencies), followed.overflows)
