"""Measures ``devmount volume backup`` and ``restore`` against tar in a container by hand, in one run, in turns.

    python -m bench.volumes [--rounds 5] [--mebibytes 1024] [--files 10000] [--big 5120] [--write]

By hand: ``docker run --rm -v VOLUME:/data -v FOLDER:/backup IMAGE tar --zstd …``, which is what people type. Both
compress with zstd's level 3. devmount does more in that time: a checksum of each file, the file on the disk before it
bears its name; and at a restore all of the archive is verified before anything is touched. Then the most memory that
devmount has for a small volume and for a big one. ``--write`` puts the tables into bench/volumes.md.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import Target, page, publish, table, verdicts
from tests.harness import COMMAND, docker, environment

RESULTS = Path(__file__).with_name("volumes.md")
IMAGE = "devmount-bench-tar"
DOCKERFILE = """\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends zstd && rm -rf /var/lib/apt/lists/*
"""
MAX_RATIO = 1.1
SMALL = 64  # MiB
LIMIT = 900.0  # seconds for one command
FOLDERS = 100
HAND, PIPE, OURS = "by hand: tar --zstd in the container", "by hand: tar to zstd -T0 on the host", "devmount"


class Volumes:
    """One volume with content, one to restore into, and the folder for archives.

    Args:
        folder: where the project, its backups and the archives by hand lie.
        mebibytes: of content.
        files: how many.
    """

    def __init__(self, folder: Path, mebibytes: int, files: int) -> None:
        self.folder = folder
        self.project = f"dmbench-{os.getpid()}"
        self.source, self.target = f"{self.project}_data", f"{self.project}_back"
        self.archives = folder / "archives"
        self.archives.mkdir()
        self.env = environment({"XDG_DATA_HOME": str(folder / "home")})
        app = f'[app]\nimage = "{IMAGE}"\ncommand = "true"\nmounts = ["data:/data"]\n[volumes.big]\n'
        (folder / ".devmount.toml").write_text(f'name = "{self.project}"\n{app}')
        plant(folder / "content", mebibytes, files)
        self.devmount("import", "data", str(folder / "content"))
        shutil.rmtree(folder / "content")

    def devmount(self, *arguments: str) -> None:
        """``devmount volume …``, which must work."""
        run([*COMMAND, "volume", *arguments], cwd=self.folder, env=self.env)

    def clear(self) -> None:
        """Take away what the last measurement made, and let the disk be quiet."""
        docker("volume", "rm", "--force", self.target)
        shutil.rmtree(self.archives)
        self.archives.mkdir()
        os.sync()

    def close(self) -> None:
        docker("volume", "rm", "--force", self.source, self.target)

    def backup_hand(self) -> Path:
        path = self.archives / "hand.tar.zst"
        tar = ["tar", "--create", "--zstd", "--file=/backup/hand.tar.zst", "--directory=/data", "."]
        run(["docker", "run", "--rm", "-v", f"{self.source}:/data:ro", "-v", f"{self.archives}:/backup", IMAGE, *tar])
        return path

    def restore_hand(self, path: Path) -> None:
        tar = ["tar", "--extract", "--zstd", f"--file=/backup/{path.name}", "--directory=/data"]
        mounts = ["-v", f"{self.target}:/data", "-v", f"{self.archives}:/backup:ro"]
        run(["docker", "run", "--rm", *mounts, IMAGE, *tar])

    def backup_pipe(self) -> Path:
        path = self.archives / "pipe.tar.zst"
        tar = f"docker run --rm -v {self.source}:/data:ro {IMAGE} tar --create --file=- --directory=/data ."
        run(["sh", "-c", f"{tar} | zstd -q -3 -T0 -o {path}"])
        return path

    def restore_pipe(self, path: Path) -> None:
        tar = f"docker run --rm -i -v {self.target}:/data {IMAGE} tar --extract --file=- --directory=/data"
        run(["sh", "-c", f"zstd -q -d -c {path} | {tar}"])

    def backup_ours(self) -> Path:
        path = self.archives / "ours.tar.zst"
        self.devmount("backup", "data", "--output", str(path))
        return path

    def restore_ours(self, path: Path) -> None:
        self.devmount("restore", "back", str(path))


def run(command: list[str], **options: object) -> None:
    """A command that must work.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


def plant(folder: Path, mebibytes: int, files: int) -> None:
    """Files of different sizes, the same in every run: half of each is words, half is noise, as in real data."""
    dice = random.Random(1)
    words = [dice.randbytes(5).hex().encode() for _ in range(1000)]
    shares = [dice.expovariate(1.0) + 0.05 for _ in range(files)]
    scale = (mebibytes << 20) / sum(shares)
    for number, share in enumerate(shares):
        where = folder / f"{number % FOLDERS:02d}"
        where.mkdir(parents=True, exist_ok=True)
        size = int(share * scale)
        text = b" ".join(dice.choices(words, k=size // 22 + 1))[: size // 2]
        (where / f"{number:05d}").write_bytes(text + dice.randbytes(size - len(text)))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(volumes: Volumes, rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, int]]:
    """Seconds of each backup and of each restore, and the archives' sizes in bytes, by way."""
    ways: dict[str, tuple[Callable[[], Path], Callable[[Path], None]]] = {
        OURS: (volumes.backup_ours, volumes.restore_ours),
        HAND: (volumes.backup_hand, volumes.restore_hand),
    }
    if shutil.which("zstd"):
        ways[PIPE] = (volumes.backup_pipe, volumes.restore_pipe)
    else:
        print(f"{PIPE}: left out, zstd is not on the PATH", flush=True)
    backups: dict[str, list[float]] = {title: [] for title in ways}
    restores: dict[str, list[float]] = {title: [] for title in ways}
    sizes: dict[str, int] = {}
    for turn in range(rounds + 1):  # the first warms up and is not counted
        for title, (backup, restore) in ways.items():
            volumes.clear()
            path = Path()

            def write(backup: Callable[[], Path] = backup) -> None:
                nonlocal path
                path = backup()

            wrote = seconds(write)
            os.sync()
            read = seconds(lambda restore=restore, path=path: restore(path))  # type: ignore[misc]
            sizes[title] = path.stat().st_size
            if turn:
                backups[title].append(wrote)
                restores[title].append(read)
        print(f"round {turn} of {rounds}", flush=True)
    volumes.clear()
    return backups, restores, sizes


def times_table(times: dict[str, list[float]], sizes: dict[str, int]) -> str:
    base = statistics.median(times[HAND])
    rows = []
    for title, values in times.items():
        median = statistics.median(values)
        cells = [f"{median:.2f}", f"{min(values):.2f}", f"{max(values):.2f}", f"{median / base:.2f}"]
        rows.append([title, *cells, f"{sizes[title] / (1 << 20):,.0f}"])
    return table(["way", "median s", "min", "max", "x by hand", "archive, MiB"], rows)


def peaks(volumes: Volumes, mebibytes: int) -> tuple[float, float]:
    """The most memory, in MiB, of a backup and a restore of one file of that size, which packs well."""
    size = mebibytes << 20
    script = f"yes 'a line of text, of which there are many' | head -c {size} > /data/big"
    run(["docker", "run", "--rm", "-v", f"{volumes.project}_big:/data", IMAGE, "sh", "-c", script])
    path = volumes.archives / "big.tar.zst"
    found = []
    try:
        for arguments in (("backup", "big", "--output", str(path)), ("restore", "back", str(path), "--yes")):
            command = [*COMMAND, "volume", *arguments]
            process = subprocess.Popen(command, cwd=volumes.folder, env=volumes.env, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise RuntimeError(f"{' '.join(command)} failed")
            found.append(usage.ru_maxrss / 1024)
    finally:
        docker("volume", "rm", "--force", f"{volumes.project}_big")
        volumes.clear()
    return found[0], found[1]


def report(rounds: int, mebibytes: int, files: int, big: int) -> str:
    """Measures everything; the tables as Markdown."""
    with tempfile.TemporaryDirectory(prefix="devmount-bench-") as folder:
        volumes = Volumes(Path(folder), mebibytes, files)
        try:
            backups, restores, sizes = measure(volumes, rounds)
            print("measuring memory", flush=True)
            memory = [(size, *peaks(volumes, size)) for size in (SMALL, big)]
        finally:
            volumes.close()
    engine = docker("version", "--format", "{{.Server.Version}}")
    return page(
        "make bench-volumes",
        f"engine {engine}; {mebibytes} MiB in {files:,} files, {rounds} rounds, in turns.",
        [
            "Backup, zstd level 3:",
            times_table(backups, sizes),
            "Restore into a new volume; devmount reads and verifies all of the archive first:",
            times_table(restores, sizes),
            "The most memory that devmount has resident, for a volume with one file:",
            table(
                ["volume, MiB", "backup, MiB", "restore, MiB"],
                [[f"{size:,}", f"{backup:.0f}", f"{restore:.0f}"] for size, backup, restore in memory],
            ),
            "Against what is to be reached:",
            verdicts(
                Target(
                    f"{what} / by hand",
                    statistics.median(times[OURS]) / statistics.median(times[HAND]),
                    MAX_RATIO,
                    "{:.2f}",
                )
                for what, times in (("backup", backups), ("restore", restores))
            ),
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures backup and restore of a volume against tar by hand.")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each way (default: 5)")
    parser.add_argument("--mebibytes", type=int, default=1024, help="of content (default: 1024)")
    parser.add_argument("--files", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--write", action="store_true", help=f"write the tables to bench/{RESULTS.name}")
    parser.add_argument("--big", type=int, default=5120, help="MiB of the volume for the memory (default: 5120)")
    arguments = parser.parse_args()
    if shutil.which("docker") is None:
        print("bench: the docker command-line program is not on the PATH", file=sys.stderr)
        return 1
    run(["docker", "build", "--quiet", "--tag", IMAGE, "-"], input=DOCKERFILE)
    text = report(arguments.rounds, arguments.mebibytes, arguments.files, arguments.big)
    publish(text, RESULTS, write=arguments.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
