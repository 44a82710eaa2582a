"""The program of one service, as a session sees it: its state, its log and the commands it takes.

A supervised program is commanded through its container's channel and reports through its log. Another one (an image
without a shell, a companion as its image starts it) is the container itself, and the engine commands it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from devmount import events, supervisor
from devmount.engine.channel import Channel
from devmount.engine.engine import Container, Engine
from devmount.errors import DevmountError
from devmount.logs import Line, LogParser, Record, last_start
from devmount.model import Service

Emit = Callable[[events.Event], None]

START_WAIT = 10.0  # seconds for a supervisor to come up; a shell takes a few milliseconds
KILL_WAIT = 10.0  # seconds after SIGKILL; only a process in uninterruptible sleep takes longer
RECALLED_LINES = 10_000  # of a log, to find when its program was last started
REMEMBERED_LINES = 1000  # for readiness by log


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    CRASHED = "crashed"
    STOPPED = "stopped"


class Process:
    """See the module. Methods may be called from the worker's thread; the channel's thread feeds it.

    Args:
        emit: takes each event; called from any thread.
        lost: called with this process when its channel has ended though nobody closed it.
    """

    def __init__(self, engine: Engine, service: Service, emit: Emit, lost: Callable[["Process"], None]) -> None:
        self.service = service
        self.state = State.STOPPED
        self.container: Container | None = None
        self.stop_signal = "SIGTERM"
        self.began = time.monotonic()  # when the program was last started
        self.generation = 0  # counts its starts
        self.lines: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self.adopted_from: float | None = None  # when a program taken over was started, in seconds since the epoch
        self.last_signal = 0.0  # time.monotonic of the last signal sent
        self._engine = engine
        self._emit = emit
        self._lost = lost
        self._channel: Channel | None = None
        self._parser = LogParser()
        self._changed = threading.Condition()
        self._reopening = threading.Lock()
        self._pid: int | None = None
        self._last_exit: events.Exited | None = None

    @property
    def is_up(self) -> bool:
        """Whether the program runs."""
        return self.state in (State.STARTING, State.RUNNING, State.RELOADING)

    @property
    def has_failed(self) -> bool:
        """Whether the program has ended of itself and not with exit code 0: nobody but a change brings it back."""
        return self.state is State.CRASHED and (self._last_exit is None or self._last_exit.code != 0)

    def attach(self, container: Container) -> None:
        """Follow this container from now on."""
        self.container = container
        self._parser = LogParser(tty=container.tty)
        channel: Channel

        def closed() -> None:
            if self._channel is channel:
                self._show(self._parser.flush())
                with self._changed:
                    self._channel = None
                    self._changed.notify_all()
                self._lost(self)

        self._channel = channel = self._engine.attach(container.id, self._receive, closed)

    def detach(self) -> None:
        """Stop following; the container goes on."""
        channel, self._channel = self._channel, None
        if channel:
            channel.close()
            channel.join(1.0)

    @property
    def is_attached(self) -> bool:
        """Whether its log and its end will be heard of."""
        return self._channel is not None

    def run(self, container: Container) -> None:
        """Start a container that does not run, and follow it; returns when its program has begun.

        Raises:
            DevmountError: the engine cannot start it.
        """
        self.lines.clear()
        self._pid = None  # the program of another container often has the same one
        self.attach(container)
        generation = self.generation
        self._engine.start(container.id, container.name)
        self.container = started = self._engine.inspect(container.id)
        if not started.supervised:
            self._on_started(started.pid)
        self._wait(lambda: self.generation > generation or self._channel is None, START_WAIT)

    def adopt(self, timeout: float) -> None:
        """Ask a container that ran before this session how its program is."""
        if self.container and self.service.ready and self.service.ready.log:
            self._recall(self.container)
        if self.container and self.container.supervised:
            log = self._engine.logs(self.container.id, follow=False, since=None, tail=RECALLED_LINES, timestamps=True)
            self.adopted_from = last_start(log) or datetime.fromisoformat(self.container.started_at).timestamp()
            self._send(supervisor.status())
            self._wait(lambda: self.state is not State.STOPPED, timeout)
        elif self.container:
            self._on_started(self.container.pid)

    def _recall(self, container: Container) -> None:
        """Take what the program has logged so far as read."""
        parser = LogParser(tty=container.tty)
        for data in self._engine.logs(container.id, follow=False, since=None, tail=REMEMBERED_LINES):
            for item in parser.feed(data):
                if isinstance(item, Line):
                    self.lines.append(item.text)
                elif isinstance(item, supervisor.ProcessExited):
                    self.lines.clear()

    def restart(self) -> None:
        """Stop the program's process group and start it again; with the stop timeout, then SIGKILL.

        Raises:
            DevmountError: it does not come up again.
        """
        container = self.need()
        generation = self.generation
        if not container.supervised:
            self._restart_container(container)
            return
        self._to(State.RELOADING)
        self._send(supervisor.restart(self.stop_signal))
        self.last_signal = time.monotonic()
        if self._wait(lambda: self._is_past(generation), self.service.stop_timeout):
            return
        self._emit(self._too_slow())
        self._send(supervisor.kill())
        if not self._wait(lambda: self._is_past(generation), KILL_WAIT):
            raise DevmountError(f"{self.service.name} does not end after SIGKILL", container.name, "look at it with ps")

    def signal(self, name: str) -> None:
        """Send the program a signal."""
        container = self.need()
        if container.supervised:
            self._send(supervisor.signal(name))
        else:
            self._engine.kill(container.id, name)
        self.last_signal = time.monotonic()

    def rebind(self) -> None:
        """Restart the container itself, so that single-file binds are made anew."""
        self._restart_container(self.need())

    def lost_channel(self) -> None:
        """The channel has ended: open it again if the container runs, else the program has ended with it."""
        with self._reopening:
            if self._channel is not None or not self.is_up:
                return  # someone else has seen to it
            container = self.need()
            try:
                container = self._engine.inspect(container.id)
            except DevmountError:
                self._ended(events.Exited(time=time.time(), service=self.service.name))
                return
            if container.running:
                self.attach(container)
                self.adopt(self.service.stop_timeout)
            else:
                self.container = container
                self._ended(exited(self.service.name, container.exit_code))

    def mark(self, state: State) -> None:
        """Set the state from outside, at a stop."""
        self._to(state)

    def _restart_container(self, container: Container) -> None:
        """The engine's own restart; the channel does not survive it."""
        self._to(State.RELOADING)
        self.detach()
        if container.running:
            self.last_signal = time.monotonic()
            self._engine.stop(container.id, self.service.stop_timeout)
        self.run(self._engine.inspect(container.id))

    def need(self) -> Container:
        """The container it runs in.

        Raises:
            DevmountError: there is none yet.
        """
        if self.container is None:
            raise DevmountError(f"{self.service.name} has no container", "", "start it: devmount up")
        return self.container

    def _send(self, line: bytes) -> None:
        channel = self._channel
        try:
            if channel is None:
                raise OSError("closed")
            channel.send(line)
        except OSError:
            self._reopen(line)

    def _reopen(self, line: bytes) -> None:
        container = self._engine.inspect(self.need().id)
        if not container.running:
            self._restart_container(container)
            return
        self.attach(container)
        assert self._channel is not None
        try:
            self._channel.send(line)
        except OSError as error:
            raise DevmountError(f"{self.service.name} cannot be reached: {error}", container.name) from error

    def _receive(self, data: bytes) -> None:
        self._show(self._parser.feed(data))

    def _show(self, items: "list[Line | Record]") -> None:
        for item in items:
            if isinstance(item, supervisor.ProcessStarted):
                self._on_started(item.pid)
            elif isinstance(item, supervisor.ProcessExited):
                self._on_exited(item)
            elif isinstance(item, supervisor.Signalled):
                self.last_signal = time.monotonic()
            else:
                self.lines.append(item.text)
                self._emit(events.Log(time=time.time(), service=self.service.name, stream=item.stream, line=item.text))

    def _on_started(self, pid: int) -> None:
        with self._changed:
            if self._pid == pid and self.is_up and self.state is not State.RELOADING:
                return  # a repeated report
            self._pid = pid
            self.began = time.monotonic()
            self.generation += 1
            self.state = State.RUNNING
            self._changed.notify_all()

    def _on_exited(self, record: "supervisor.ProcessExited") -> None:
        with self._changed:
            expected = self.state in (State.RELOADING, State.STOPPED)
            self.lines.clear()  # not when the next one is reported: by then it may have said something
        if not expected:
            self._ended(
                events.Exited(time=time.time(), service=self.service.name, code=record.code, signal=record.signal)
            )

    def _ended(self, event: events.Exited) -> None:
        if self.state is State.STOPPED:
            return
        self._last_exit = event
        self._to(State.CRASHED)
        self._emit(event)

    def _is_past(self, generation: int) -> bool:
        """Whether it was started anew, or is not to be any more."""
        return self.generation > generation or self.state is State.STOPPED

    def _to(self, state: State) -> None:
        with self._changed:
            self.state = state
            self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def _too_slow(self) -> events.Warning:
        return events.Warning(
            time=time.time(),
            service=self.service.name,
            message=f"did not end within {self.service.stop_timeout:g} s of {self.stop_signal}, sent SIGKILL",
            hint="raise stop_timeout if it needs longer",
        )


def exited(service: str, status: int) -> events.Exited:
    """The event of an exit status as a shell gives it: above 128 it is a signal's number."""
    code, signal = supervisor.split_status(status)
    return events.Exited(time=time.time(), service=service, code=code, signal=signal)
