"""What tests on a real engine share: a session as a subprocess, its events, edits as editors make them, HTTP, clean-up.

with Up(folder) as up:
    up.wait("ready", service="app")
    mark = up.mark()
    save(folder / "app.py", text)
    up.wait("reload", since=mark)
    assert up.stop() == 130
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Event = dict[str, Any]

PROJECT_LABEL = "dev.devmount.project"
# -P: a module of the tested project must not stand in for one of devmount's.
COMMAND = (sys.executable, "-P", "-m", "devmount")
REPOSITORY = Path(__file__).resolve().parent.parent


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the repository importable, whether or not devmount is installed."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **(extra or {})}


def devmount(
    folder: Path, *arguments: str, timeout: float = 60, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """One devmount command in ``folder``, to its end; its exit code is not checked."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(env),
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def as_user(user: int, group: int) -> list[str]:
    """What to put before a command to run it as this uid, with this gid and no other; takes root.

    It may read everything all the same, since the Python that runs the tests may lie in a folder of root's.
    """
    capability = "+dac_read_search"
    ids = [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    return ["setpriv", *ids, f"--inh-caps={capability}", f"--ambient-caps={capability}"]


class Up:
    """``devmount up --json`` in a folder, as a subprocess whose events are read in a thread.

    Args:
        folder: where it starts; the project's folder, or one below it.
        arguments: more of them, after ``up --json``.
        env: additions to the environment.
        options: the common options, before ``up``.
        user: the uid to run as instead of this process's; takes root. HOME is then a missing folder,
            the XDG folders unset unless env names them.
        group: the gid to go with it; there are no other groups.

    Leaving the ``with`` block ends the process whatever happened; the containers are the test's to remove (``down``).
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        options: Iterable[str] = (),
        user: int | None = None,
        group: int | None = None,
    ) -> None:
        self.folder = folder
        given = environment(env)
        prefix: list[str] = []
        if user is not None:
            given = {**given, "HOME": "/nonexistent", **(env or {})}
            for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME"):
                if name not in (env or {}):
                    given.pop(name, None)
            prefix = as_user(user, user if group is None else group)
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._stderr: list[str] = []
        self._open = 2  # streams not yet at their end
        self.process = subprocess.Popen(
            [*prefix, *COMMAND, *options, "up", "--json", *arguments],
            cwd=folder,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_events, self._read_stderr)]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._finish()

    def mark(self) -> int:
        """The place in the events reached so far, for ``since``."""
        with self._changed:
            return len(self.events)

    def wait(
        self,
        event: str,
        timeout: float = 60,
        predicate: Callable[[Event], bool] = lambda row: True,
        *,
        service: str | None = None,
        since: int = 0,
    ) -> Event:
        """The first event of this name, service and predicate at or after ``since``; ``timeout`` in seconds.

        Raises:
            AssertionError: it did not come in time, or the process ended without it; the message holds what did come.
        """
        deadline = time.monotonic() + timeout
        place = since
        with self._changed:
            while True:
                for row in self.events[place:]:
                    if row["event"] == event and service in (None, row.get("service")) and predicate(row):
                        return row
                place = max(place, len(self.events))
                if not self._open:
                    raise AssertionError(f"devmount ended before the event {event!r}\n{self.report()}")
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    raise AssertionError(f"no event {event!r} within {timeout} s\n{self.report()}")

    def all(self, event: str, *, service: str | None = None, since: int = 0) -> list[Event]:
        """The events of this name that have come."""
        with self._changed:
            rows = self.events[since:]
        return [row for row in rows if row["event"] == event and service in (None, row.get("service"))]

    def url(self, path: str = "/", *, service: str = "app", port: int | None = None) -> str:
        """The address at which the service's first published port (or the one of this container port) answers."""
        started = self.all("started", service=service)[-1]
        for entry in started["ports"]:
            address, _, inner = entry.partition("->")
            if port is None or inner.partition("/")[0] == str(port):
                return f"http://{address}{path}"
        raise AssertionError(f"no such port in {started}")

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def stop(self, timeout: float = 20) -> int:
        """Ctrl-C, and the exit code; ``timeout`` in seconds."""
        if self.process.poll() is None:
            self.interrupt()
        return self.finished(timeout)

    def finished(self, timeout: float = 20) -> int:
        """The exit code of a process that ends of itself.

        Raises:
            AssertionError: it still runs after ``timeout`` seconds.
        """
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"devmount still runs after {timeout} s\n{self.report()}") from None
        self._finish()
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL to devmount alone."""
        self.process.kill()
        self._finish()

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        with self._changed:
            return "".join(self._stderr)

    def report(self) -> str:
        """For a failing test's message: the exit code, the last events, the last of standard error."""
        with self._changed:
            rows = [json.dumps(row) for row in self.events[-40:]]
            errors = "".join(self._stderr[-40:])
        return "\n".join([f"exit code: {self.process.poll()}", "events:", *rows, "stderr:", errors])

    def _finish(self) -> None:
        self.process.wait(20)
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                row = json.loads(line)
            except ValueError:
                row = {"event": "not-json", "line": line}
            with self._changed:
                self.events.append(row)
                self._changed.notify_all()
        self._ended()

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self._stderr.append(line)
        self._ended()

    def _ended(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()


def save(path: Path, content: str | bytes) -> None:
    """A save as most editors do it: a temporary file beside, then a rename over the old one."""
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(data)
    if path.exists():
        beside.chmod(path.stat().st_mode)
    beside.replace(path)


def edit(path: Path, old: str, new: str) -> None:
    """Replaces ``old``, which must be there, and saves."""
    text = path.read_text()
    assert old in text, f"{path} does not hold {old!r}"
    save(path, text.replace(old, new))


def get(url: str, timeout: float = 5) -> str:
    """The body that ``url`` answers with; ``timeout`` in seconds.

    Raises:
        OSError: nothing answers, or not with 200.
    """
    with urllib.request.urlopen(url, timeout=timeout) as response:
        body: bytes = response.read()
    return body.decode()


def wait_for_page(url: str, text: str, timeout: float = 30) -> str:
    """The first body of ``url`` that holds ``text``; a server that is just restarting is asked again.

    Raises:
        AssertionError: none held it within ``timeout`` seconds.
    """
    last = ""

    def shows() -> bool:
        nonlocal last
        try:
            last = get(url)
        except (OSError, ValueError) as error:
            last = repr(error)
        return text in last

    wait_until(shows, timeout, lambda: f"{url} does not show {text!r}; last: {last}")
    return last


def wait_until(
    condition: Callable[[], bool],
    timeout: float = 30,
    message: Callable[[], str] = lambda: "condition not met",
    *,
    interval: float = 0.005,
) -> None:
    """Looks every ``interval`` seconds until the condition holds.

    Raises:
        AssertionError: it did not within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"{message()} (within {timeout} s)")
        time.sleep(interval)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def docker(*arguments: str, timeout: float = 60) -> str:
    """The output of a docker CLI command, without its last line end.

    Raises:
        AssertionError: it failed.
    """
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def containers(project: str, *, running: bool = False) -> list[str]:
    """The ids of the project's containers; ``running``: of those that run."""
    state = [] if running else ["--all"]
    return docker("ps", "--quiet", *state, "--filter", f"label={PROJECT_LABEL}={project}").split()


def leftovers(project: str) -> list[str]:
    """What the engine still has of the project but its images: containers, networks, volumes."""
    mine = ("--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    found = containers(project)
    for kind in ("network", "volume"):
        found += docker(kind, "ls", *mine).split()
    return found


def remove(project: str) -> None:
    """Takes everything of the project away through the engine, whether or not devmount still can."""
    mine = ("--quiet", "--filter", f"label={PROJECT_LABEL}={project}")
    for container in containers(project):
        docker("rm", "--force", container)
    for kind in ("network", "volume"):
        for name in docker(kind, "ls", *mine).split():
            docker(kind, "rm", name)
