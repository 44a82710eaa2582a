"""Measures devmount against other ways to take up a save, in one run, in turns.

    python -m bench.reload [--rounds 15] [--write]

From the save until HTTP shows it: devmount, ``docker compose watch``, nodemon and entr on the host, and the floor (the
program started bare). Then: ``up`` until ready against ``docker compose up -d --wait``, ``devmount --version``, and
the memory of a session. What is not installed is left out with a line that says so. ``--write`` puts the tables into
bench/results.md.
"""

import argparse
import http.client
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench.figures import Target, page, publish, table, verdicts
from bench.ways import ComposeWatch, Devmount, Entr, Floor, Nodemon, Way, build_image, compose_down, program
from tests.harness import COMMAND, docker, environment, save

RESULTS = Path(__file__).with_name("results.md")
REST = 0.3  # seconds between two measurements, so that one way's work is over when the next is measured
SHOW_SECONDS = 15.0
UP_ROUNDS = 5
VERSION_ROUNDS = 15

OWN_UP, COMPOSE_UP = "devmount up until ready", "docker compose up -d --wait"

# What is to be reached. Times in milliseconds, memory in MiB.
MAX_OF_COMPOSE = 1 / 20
MAX_OF_FLOOR = 2.0
MAX_TO_SIGNAL = 20.0
MAX_UP_OF_COMPOSE = 1.0
MAX_VERSION = 150.0
MAX_MEMORY = 70.0


def shown(port: int) -> str:
    """What the page on this port shows; empty while nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def until_shown(port: int, text: str, began: float) -> float:
    """Milliseconds from ``began`` (``time.perf_counter``) until the page shows ``text``.

    Raises:
        TimeoutError: it did not within ``SHOW_SECONDS``.
    """
    while shown(port) != text:
        if time.perf_counter() - began > SHOW_SECONDS:
            raise TimeoutError(f"{text!r} does not show within {SHOW_SECONDS:g} s")
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000


def measure(way: Way, text: str) -> float:
    """One save, or for the floor one start, until ``text`` shows; in milliseconds."""
    source = program(text)
    if isinstance(way, Floor):
        way.file.write_text(source)
        began = time.perf_counter()
        way.start()
        try:
            return until_shown(way.port, text, began)
        finally:
            way.stop()
    began = time.perf_counter()
    save(way.file, source)
    return until_shown(way.port, text, began)


def reloads(folder: Path, rounds: int) -> tuple[dict[str, list[float]], list[float], float, list[str]]:
    """All ways in turns: their times, devmount's save-to-signal times, its memory in MiB, what was left out."""
    notes: list[str] = []
    ways: list[Way] = []
    for kind in (Devmount, ComposeWatch, Nodemon, Entr, Floor):
        reason = kind.missing()
        if reason is None:
            ways.append(kind(folder / kind.__name__.lower()))
        else:
            notes.append(f"{kind.title}: left out, {reason}.")
            print(notes[-1], flush=True)
    times: dict[str, list[float]] = {way.title: [] for way in ways}
    with ExitStack() as stack:
        for way in ways:
            if not isinstance(way, Floor):
                print(f"starting {way.title}", flush=True)
                stack.callback(way.stop)
                way.start()
        for turn in range(rounds + 1):  # the first warms up and is not counted
            for way in ways:
                time.sleep(REST)
                try:
                    taken = measure(way, f"round {turn}")
                except TimeoutError as error:
                    notes.append(f"{way.title}: a save was not taken up ({error}).")
                    print(notes[-1], flush=True)
                else:
                    if turn:
                        times[way.title].append(taken)
            print(f"round {turn} of {rounds}", flush=True)
        session = next(way for way in ways if isinstance(way, Devmount))
        to_signal = [float(row["milliseconds"]) for row in session.up.all("reload")][1:]
        memory = resident(session.up.process.pid)
    return times, to_signal, memory, notes


def resident(pid: int) -> float:
    """Resident memory of a process and its children, in MiB."""
    kibibytes = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        if str(pid) in (fields["Pid"].strip(), fields["PPid"].strip()) and "VmRSS" in fields:
            kibibytes += int(fields["VmRSS"].split()[0])
    return kibibytes / 1024


def starts(folder: Path) -> dict[str, list[float]]:
    """From the command until the page shows, containers not there, image present; in milliseconds."""
    times: dict[str, list[float]] = {}
    ways: list[Way] = [Devmount(folder / "up-devmount")]
    if ComposeWatch.missing() is None:
        ways.append(ComposeWatch(folder / "up-compose"))
    for turn in range(UP_ROUNDS + 1):
        for way in ways:
            time.sleep(REST)
            began = time.perf_counter()
            if isinstance(way, Devmount):
                title = OWN_UP
                way.start()
                taken = (time.perf_counter() - began) * 1000
                way.stop()
            else:
                title = COMPOSE_UP
                command = ["docker", "compose", "up", "--detach", "--wait"]
                subprocess.run(command, cwd=way.folder, capture_output=True, check=True)
                taken = until_shown(way.port, "start", began)
                compose_down(way.folder)
            if turn:
                times.setdefault(title, []).append(taken)
    return times


def versions() -> list[float]:
    """``devmount --version``, as installed beside this Python, else as a module; in milliseconds."""
    script = Path(sys.executable).with_name("devmount")
    command = [str(script)] if script.is_file() else COMMAND
    times = []
    for turn in range(VERSION_ROUNDS + 1):
        began = time.perf_counter()
        subprocess.run([*command, "--version"], check=True, capture_output=True, env=environment())
        if turn:
            times.append((time.perf_counter() - began) * 1000)
    return times


def times_table(times: dict[str, list[float]], first: str) -> str:
    """Median, least and greatest of each, and the ratio of its median to ``first``'s."""
    base = statistics.median(times[first])
    rows = []
    for title, values in times.items():
        median = statistics.median(values)
        cells = [f"{median:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}", f"{median / base:.2f}"]
        rows.append([title, *cells])
    return table(["way", "median ms", "min", "max", f"x {first}"], rows)


def targets(
    times: dict[str, list[float]], to_signal: list[float], up: dict[str, list[float]], version: float, memory: float
) -> list[Target]:
    """What is to be reached, as far as there is something to measure against."""
    medians = {title: statistics.median(values) for title, values in {**times, **up}.items()}
    ours = medians[Devmount.title]
    found = [
        Target("reload / floor", ours / medians[Floor.title], MAX_OF_FLOOR, "{:.2f}"),
        Target("save to signal, median ms", statistics.median(to_signal), MAX_TO_SIGNAL, "{:.1f}"),
        Target("devmount --version, median ms", version, MAX_VERSION, "{:.0f}"),
        Target("memory of a session, MiB", memory, MAX_MEMORY, "{:.0f}"),
    ]
    if ComposeWatch.title in medians:
        found.insert(0, Target("reload / compose watch", ours / medians[ComposeWatch.title], MAX_OF_COMPOSE, "{:.3f}"))
    if COMPOSE_UP in medians:
        found.append(
            Target("up / compose up --wait", medians[OWN_UP] / medians[COMPOSE_UP], MAX_UP_OF_COMPOSE, "{:.2f}")
        )
    return found


def report(folder: Path, rounds: int) -> str:
    """Measures everything; the tables as Markdown."""
    times, to_signal, memory, notes = reloads(folder, rounds)
    print("measuring up", flush=True)
    up = starts(folder)
    version = statistics.median(versions())
    engine = docker("version", "--format", "{{.Server.Version}}")
    return page(
        "make bench",
        f"engine {engine}; {rounds} rounds, in turns.",
        [
            "From the save until HTTP shows it:",
            times_table(times, Devmount.title),
            "From the command until the page answers, image present, no container:",
            times_table(up, OWN_UP),
            "Against what is to be reached:",
            verdicts(targets(times, to_signal, up, version, memory)),
            *notes,
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures devmount against other ways to take up a save.")
    parser.add_argument("--rounds", type=int, default=15, help="measurements of each way (default: 15)")
    parser.add_argument("--write", action="store_true", help=f"write the tables to bench/{RESULTS.name}")
    arguments = parser.parse_args()
    if shutil.which("docker") is None:
        print("bench: the docker command-line program is not on the PATH", file=sys.stderr)
        return 1
    build_image()
    with tempfile.TemporaryDirectory(prefix="devmount-bench-") as folder:
        text = report(Path(folder), arguments.rounds)
    publish(text, RESULTS, write=arguments.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
