"""The session's lock and socket: real ones, in a runtime folder of the test's own."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devmount import events
from devmount.control import Client, Command, Server, SessionLock
from devmount.errors import DevmountError
from devmount.runtime import runtime_folder
from tests.harness import wait_until

BOUND = 20  # seconds


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder / "devmount"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Callable[[Command], None]], Server]]:
    """A server for ``tmp_path`` that listens; closed at the end."""
    servers: list[Server] = []

    def start(deliver: Callable[[Command], None]) -> Server:
        server = Server(tmp_path, deliver)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


def client(root: Path) -> Client:
    found = Client.connect(root)
    assert found is not None
    return found


def socket_of(runtime: Path) -> Path:
    [path] = runtime.glob("*.sock")
    return path


def raw(runtime: Path, data: bytes) -> bytes:
    """What the server answers to these bytes, after which nothing follows."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(BOUND)
        connection.connect(str(socket_of(runtime)))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while more := connection.recv(4096):
                answer += more
        except ConnectionResetError:
            pass  # closed with some of ours unread
    return answer


# the runtime folder


def test_the_runtime_folder_is_the_users_alone(runtime: Path) -> None:
    assert runtime_folder() == runtime
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_runtime_folder_that_others_may_enter_is_refused(runtime: Path, mode: int) -> None:
    runtime.mkdir()
    runtime.chmod(mode)
    with pytest.raises(DevmountError) as caught:
        runtime_folder()
    assert str(runtime) in caught.value.message


def test_a_runtime_folder_that_is_a_link_is_refused(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DevmountError):
        runtime_folder()


# the lock


def test_the_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    first, second = SessionLock(tmp_path), SessionLock(tmp_path)
    first.acquire()
    with pytest.raises(DevmountError) as caught:
        second.acquire()
    assert f"process {os.getpid()}" in caught.value.message
    assert "devmount stop" in caught.value.hint
    first.release()
    second.acquire()
    second.release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from devmount.control import SessionLock\n"
        "SessionLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DevmountError) as caught:
            SessionLock(tmp_path).acquire()
        assert f"process {holder.pid}" in caught.value.message
        holder.kill()
    lock = SessionLock(tmp_path)
    lock.acquire()
    lock.release()


def test_two_folders_have_a_lock_each(tmp_path: Path) -> None:
    locks = [SessionLock(tmp_path / "a"), SessionLock(tmp_path / "b")]
    for lock in locks:
        lock.acquire()
    for lock in locks:
        lock.release()


# the socket


def test_without_a_session_there_is_no_client(tmp_path: Path, runtime: Path) -> None:
    assert Client.connect(tmp_path) is None
    # one that was killed leaves its socket's file
    killed = Server(tmp_path, lambda command: None)
    killed.start()
    left = socket_of(runtime)
    killed.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(left))
    assert left.exists()
    assert Client.connect(tmp_path) is None
    again = Server(tmp_path, lambda command: command.reply(True, None))
    again.start()
    with client(tmp_path) as asks:
        asks.request("restart")
    again.close()
    assert not left.exists()


def test_a_request_is_delivered_and_answered(tmp_path: Path, runtime: Path, serve: Callable[..., Server]) -> None:
    asked: list[Command] = []

    def deliver(command: Command) -> None:
        asked.append(command)
        error = DevmountError("it is broken", "file.toml", "mend it") if command.name == "rebuild" else None
        command.reply(error is None, error)

    serve(deliver)
    assert stat.S_IMODE(socket_of(runtime).stat().st_mode) == 0o600
    with client(tmp_path) as asks:
        asks.request("restart", ["app", "redis"])
        with pytest.raises(DevmountError) as caught:
            asks.request("rebuild")
        asks.request("pause")
    assert [(one.name, one.services) for one in asked] == [
        ("restart", ("app", "redis")),
        ("rebuild", ()),
        ("pause", ()),
    ]
    assert (caught.value.message, caught.value.where, caught.value.hint) == ("it is broken", "file.toml", "mend it")


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"[]\n",
        b"7\n",
        b"null\n",
        b'{"services": ["app"]}\n',
        b'{"command": "restart", "services": 3}\n',
        b"\xff\xfe\n",
        b"{" * 5000 + b"\n",
        b"x" * 100_000 + b"\n",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_request_is_refused_and_harms_nobody(
    tmp_path: Path, runtime: Path, serve: Callable[..., Server], data: bytes
) -> None:
    asked: list[str] = []

    def deliver(command: Command) -> None:
        asked.append(command.name)
        command.reply(True, None)

    serve(deliver)
    answers = [json.loads(line) for line in raw(runtime, data).splitlines()]
    assert answers
    assert {(answer["ok"], answer["message"]) for answer in answers} == {(False, "not a request")}
    assert asked == []
    with client(tmp_path) as asks:
        asks.request("pause")
    assert asked == ["pause"]


def test_a_client_that_goes_before_its_answer_harms_nobody(
    tmp_path: Path, runtime: Path, serve: Callable[..., Server]
) -> None:
    gone, asked = threading.Event(), threading.Event()

    def deliver(command: Command) -> None:
        asked.set()
        assert gone.wait(BOUND)
        command.reply(True, None)

    serve(deliver)
    with client(tmp_path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as leaves:
        leaves.connect(str(socket_of(runtime)))
        leaves.sendall(b'{"command": "restart"}\n')
        assert asked.wait(BOUND)
    gone.set()
    with client(tmp_path) as asks:
        asks.request("pause")


def test_followers_get_every_event_until_the_end(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(lambda command: command.reply(True, None))
    seen: list[list[str]] = [[], []]
    followed = [threading.Event(), threading.Event()]

    def follow(place: int) -> None:
        with client(tmp_path) as follower:
            rows = follower.events()
            for row in rows:
                seen[place].append(row["event"])
                followed[place].set()

    threads = [threading.Thread(target=follow, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()

    def greeted() -> bool:
        server.publish(events.Starting(time=0.0, service="app"))
        return all(one.is_set() for one in followed)

    wait_until(greeted, BOUND)
    server.publish(events.Stopped(time=1.0))
    server.close()
    for thread in threads:
        thread.join(BOUND)
        assert not thread.is_alive()
    for names in seen:
        assert set(names[:-1]) == {"starting"}
        assert names[-1] == "stopped"


def test_a_session_that_ends_before_it_answers_is_an_error(
    tmp_path: Path, runtime: Path, serve: Callable[..., Server]
) -> None:
    socket_path = runtime_folder() / "probe"
    serve(lambda command: None)
    path = socket_of(runtime)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(socket_path))
        listener.listen()
        os.rename(socket_path, path)

        def answer_nothing() -> None:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.close()

        thread = threading.Thread(target=answer_nothing)
        thread.start()
        with client(tmp_path) as asks, pytest.raises(DevmountError) as caught:
            asks.request("restart")
        thread.join(BOUND)
    assert "ended before it answered" in caught.value.message


def test_waiting_for_the_end_ends_with_the_lock(tmp_path: Path, serve: Callable[..., Server]) -> None:
    serve(lambda command: command.reply(True, None))
    lock = SessionLock(tmp_path)
    lock.acquire()
    with client(tmp_path) as asks:
        with pytest.raises(DevmountError) as caught:
            asks.wait_closed(0.05)
        assert "still runs" in caught.value.message
        lock.release()
        asks.wait_closed(BOUND)
