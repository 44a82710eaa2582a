"""The supervised program, its channel and its signals, on every engine."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from devmount import events, supervisor
from devmount.engine import images
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.model import Project, Service
from devmount.process import Process, State

pytestmark = pytest.mark.engine

BOUND = 20.0  # seconds within which an event must come
LOOP = "trap 'echo bye; exit 3' TERM; echo hello; while :; do sleep 0.02; done"

Start = Callable[[str], Process]


@pytest.fixture
def inbox() -> "SimpleQueue[events.Event]":
    return SimpleQueue()


@pytest.fixture
def start(engine: Engine, inbox: "SimpleQueue[events.Event]", tmp_path: Path) -> Iterator[Start]:
    name = f"devmount-test-{uuid.uuid4().hex[:8]}"
    processes: list[Process] = []

    def begin(script: str) -> Process:
        service = Service("app", image="debian:bookworm-slim", command=("sh", "-c", script), mount="", user="host")
        project = Project(name, tmp_path, (tmp_path / ".devmount.toml",), {"app": service})
        image = images.ensure(engine, project, service, lambda line: None, build=False)
        engine.ensure_network(project)
        host = specs.this_host(rootless=engine.is_rootless())
        container = engine.create(specs.spec(project, service, image, host, supervised=True))
        process = Process(engine, service, inbox.put, lambda lost: None)
        processes.append(process)
        process.mark(State.STARTING)
        process.run(engine.inspect(container))
        return process

    yield begin
    for process in processes:
        process.mark(State.STOPPED)
        process.detach()
        if process.container:
            engine.remove(process.container.id)
    engine.remove_networks(name)


def line(inbox: "SimpleQueue[events.Event]", text: str) -> None:
    """Wait for a line of the log."""
    while True:
        event = inbox.get(timeout=BOUND)
        if isinstance(event, events.Log) and event.line == text:
            return


def test_a_restart_stops_the_program_with_its_signal_and_starts_it_in_the_same_container(
    start: Start, inbox: "SimpleQueue[events.Event]"
) -> None:
    process = start(LOOP)
    line(inbox, "hello")
    before = process.container
    process.restart()
    line(inbox, "bye")
    line(inbox, "hello")
    assert process.state is State.RUNNING
    assert process.container == before


def test_the_same_pid_in_another_container_is_another_start(
    start: Start, engine: Engine, inbox: "SimpleQueue[events.Event]"
) -> None:
    process = start(LOOP)
    line(inbox, "hello")
    process.mark(State.STOPPED)
    process.detach()
    engine.remove(process.need().id)
    other = start(LOOP)
    line(inbox, "hello")
    other.mark(State.STOPPED)
    other.detach()
    engine.kill(other.need().id)
    engine.wait(other.need().id)
    generation = process.generation
    process.mark(State.STARTING)
    process.run(engine.inspect(other.need().id))
    assert process.generation == generation + 1


def test_a_crash_leaves_the_container_up_and_is_reported(
    engine: Engine, start: Start, inbox: "SimpleQueue[events.Event]"
) -> None:
    process = start("echo once; exit 7")
    line(inbox, "once")
    event = inbox.get(timeout=BOUND)
    assert isinstance(event, events.Exited)
    assert (event.code, event.signal) == (7, None)
    assert process.container is not None
    assert engine.inspect(process.container.id).running
    process.restart()
    line(inbox, "once")


def test_a_kill_that_comes_late_does_not_hit_the_program_that_was_started_meanwhile(
    start: Start, inbox: "SimpleQueue[events.Event]"
) -> None:
    process = start("trap 'echo alive' USR1; echo hello; while :; do sleep 0.02; done")
    line(inbox, "hello")
    process.mark(State.RELOADING)
    process._send(supervisor.restart("SIGTERM"))
    line(inbox, "hello")
    process._send(supervisor.kill())  # the host saw the stop timeout pass while the new program was being started
    process.signal("SIGUSR1")
    line(inbox, "alive")


def test_a_program_that_ignores_its_signal_is_killed_after_the_stop_timeout(
    start: Start, inbox: "SimpleQueue[events.Event]"
) -> None:
    process = start("trap '' TERM; echo deaf; while :; do sleep 1; done")
    line(inbox, "deaf")
    process.restart()
    kinds = []
    while "deaf" not in kinds:
        event = inbox.get(timeout=BOUND)
        kinds.append(event.line if isinstance(event, events.Log) else event.name)
    assert kinds == ["warning", "deaf"]


def test_a_signal_reaches_the_program_and_leaves_it_running(start: Start, inbox: "SimpleQueue[events.Event]") -> None:
    process = start("trap 'echo reread' HUP; echo hello; while :; do sleep 0.02; done")
    line(inbox, "hello")
    process.signal("SIGHUP")
    line(inbox, "reread")
    assert process.is_up


def test_files_made_inside_belong_to_the_caller(
    start: Start, inbox: "SimpleQueue[events.Event]", tmp_path: Path
) -> None:
    start("echo x >made; echo done; sleep 1000")
    line(inbox, "done")
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_a_stop_from_outside_is_forwarded_to_the_program(
    engine: Engine, start: Start, inbox: "SimpleQueue[events.Event]"
) -> None:
    process = start(LOOP)
    line(inbox, "hello")
    assert process.container is not None
    engine.stop(process.container.id, 10)
    line(inbox, "bye")
    assert engine.inspect(process.container.id).exit_code == 3


def test_a_session_takes_over_a_running_program_and_commands_it(
    engine: Engine, start: Start, inbox: "SimpleQueue[events.Event]"
) -> None:
    first = start(LOOP)
    line(inbox, "hello")
    container = first.container
    assert container is not None
    first.detach()
    later: SimpleQueue[events.Event] = SimpleQueue()
    second = Process(engine, first.service, later.put, lambda lost: None)
    second.attach(engine.inspect(container.id))
    second.adopt(BOUND)
    assert second.state is State.RUNNING
    second.restart()
    line(later, "bye")
    line(later, "hello")
    assert engine.inspect(container.id).started_at == container.started_at
    second.detach()


def test_a_command_reaches_the_program_within_milliseconds(start: Start, inbox: "SimpleQueue[events.Event]") -> None:
    process = start("trap 'echo got it' HUP; echo hello; while :; do sleep 0.01; done")
    line(inbox, "hello")
    took = []
    for _ in range(5):
        begun = time.monotonic()
        process.signal("SIGHUP")
        line(inbox, "got it")
        took.append(time.monotonic() - begun)
    assert min(took) < 0.2, took  # an engine's call to restart takes longer than that
