"""The ways to reload that are measured against each other. All run the same program and take the same save.

Each way runs in a folder of its own and publishes on a port of its own, so that all can be up at once and be measured
in turn.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

from tests.harness import Up, devmount, free_port, wait_for_page

IMAGE = "devmount-bench"
START_SECONDS = 60.0
COMPOSE_MINIMUM = (2, 32)  # the first that restarts on a watched path

DOCKERFILE = """\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /workspace
"""

PROGRAM = """\
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "{text}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = TEXT.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""

DEVMOUNT_FILE = """\
name = "{name}"

[app]
image = "{image}"
command = "python3 app.py 8000"
ports = ["{port}:8000"]
ready = {{ http = "/" }}
"""

COMPOSE_FILE = """\
name: {name}
services:
  app:
    image: {image}
    command: python3 app.py 8000
    init: true
    working_dir: /workspace
    volumes: [".:/workspace"]
    ports: ["127.0.0.1:{port}:8000"]
    develop:
      watch:
        - action: restart
          path: .
"""


def program(text: str) -> str:
    """The program's source; the page shows ``text``."""
    return PROGRAM.format(text=text)


def build_image() -> None:
    """The image the container ways share.

    Raises:
        subprocess.CalledProcessError: the build failed; its output has been shown.
    """
    subprocess.run(["docker", "build", "--quiet", "--tag", IMAGE, "-"], input=DOCKERFILE.encode(), check=True)


def compose_version() -> tuple[int, ...] | None:
    """The version of docker's compose plugin, None without one."""
    done = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True)
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if done.returncode == 0 and found else None


class Way(ABC):
    """One way to reload. ``url`` shows what the program says."""

    title = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.name = f"bench-{type(self).__name__.lower()}-{os.getpid()}"
        folder.mkdir()
        self.file = folder / "app.py"
        self.file.write_text(program("start"))

    @staticmethod
    def missing() -> str | None:
        """Why this way can not be measured here; None: it can."""
        return None

    @abstractmethod
    def start(self) -> None:
        """Returns when the page shows and changes are watched."""

    @abstractmethod
    def stop(self) -> None: ...


class Devmount(Way):
    title = "devmount"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        text = DEVMOUNT_FILE.format(name=self.name, image=IMAGE, port=self.port)
        (folder / ".devmount.toml").write_text(text)

    def start(self) -> None:
        self.up = Up(self.folder)
        self.up.wait("ready", START_SECONDS)

    def stop(self) -> None:
        self.up.stop()
        devmount(self.folder, "down", "--volumes", "--yes")


class ComposeWatch(Way):
    title = "docker compose watch"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "compose.yaml").write_text(COMPOSE_FILE.format(name=self.name, image=IMAGE, port=self.port))

    @staticmethod
    def missing() -> str | None:
        version = compose_version()
        if version is None:
            return "docker's compose plugin is not installed"
        if version < COMPOSE_MINIMUM:
            return f"compose {'.'.join(map(str, version))} does not restart on a watched path; {COMPOSE_MINIMUM} does"
        return None

    def start(self) -> None:
        self.log = (self.folder.parent / f"{self.name}.log").open("w+")
        self.process = subprocess.Popen(
            ["docker", "compose", "watch"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        wait_for_page(self.url, "start", START_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while "watch enabled" not in Path(self.log.name).read_text().lower():
            if time.monotonic() > deadline:
                raise TimeoutError(f"docker compose watch does not watch:\n{Path(self.log.name).read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        end(self.process)
        self.log.close()
        compose_down(self.folder)


class OnHost(Way):
    """A watcher on the host that runs the program itself, without a container."""

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.arguments(),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(b"app.py\n")  # what entr is to watch; nodemon does not read it
        self.process.stdin.close()
        wait_for_page(self.url, "start", START_SECONDS)

    def stop(self) -> None:
        # The watcher and the program it runs: the whole session.
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Nodemon(OnHost):
    title = "nodemon (host)"

    @staticmethod
    def missing() -> str | None:
        return None if shutil.which("nodemon") else "nodemon is not installed"

    def arguments(self) -> list[str]:
        run = f"{sys.executable} app.py {self.port}"
        return ["nodemon", "--quiet", "--watch", "app.py", "--exec", run]


class Entr(OnHost):
    title = "entr -r (host)"

    @staticmethod
    def missing() -> str | None:
        return None if shutil.which("entr") else "entr is not installed"

    def arguments(self) -> list[str]:
        return ["entr", "-n", "-r", sys.executable, "app.py", str(self.port)]


class Floor(Way):
    """The program started bare, on the host: what no way can beat by much. Its ``start`` is what is measured."""

    title = "floor (bare start)"

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "app.py", str(self.port)], cwd=self.folder)

    def stop(self) -> None:
        end(self.process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and SIGKILL after ten seconds."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def compose_down(folder: Path) -> None:
    command = ["docker", "compose", "down", "--timeout", "0", "--volumes"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
