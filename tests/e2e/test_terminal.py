"""What a person sees and types, in a pseudo-terminal."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.e2e.conftest import Make
from tests.harness import COMMAND, containers, environment, save, wait_until

pytestmark = pytest.mark.engine

Server = Callable[..., Path]
Open = Callable[..., "pexpect.spawn[str]"]
BOUND = 30  # seconds
SLEEPER = '[app]\nimage = "debian:bookworm-slim"\ncommand = "sleep 600"\nstop_timeout = "1s"\n'
COLORED = r"\x1b\[\d+m"


@pytest.fixture
def terminal() -> Iterator[Open]:
    """Run a devmount command in a terminal of 120 columns and 40 rows."""
    opened: list[pexpect.spawn[str]] = []

    def spawn(folder: Path, *arguments: str, **env: str) -> "pexpect.spawn[str]":
        given = {**environment(), "TERM": "xterm-256color", **env}
        child = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *arguments],
            cwd=folder,
            env=given,
            timeout=BOUND,
            encoding="utf-8",
            dimensions=(40, 120),
        )
        opened.append(child)
        return child

    yield spawn
    for child in opened:
        if child.isalive():
            child.sendintr()
            child.expect(pexpect.EOF)
        child.close()


def ended(child: "pexpect.spawn[str]") -> int | None:
    """The exit code, after the end."""
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


def test_a_session_in_a_terminal_has_colored_prefixes_and_one_line_a_reload(server: Server, terminal: Open) -> None:
    folder = server()
    child = terminal(folder, "up")
    child.expect(COLORED + r"app      \|\x1b\[0m serving")
    child.expect(r"ready after \d+\.\d\d s")
    save(folder / "text", "two")
    child.expect(r"changed: text")
    child.expect(r"restarted in \d+\.\d ms: text")
    child.expect("ready after")
    child.sendintr()
    child.expect("stopping")
    assert ended(child) == 130
    assert containers(folder.name, running=True) == []


def test_keys_restart_rebuild_pause_and_quit(server: Server, terminal: Open) -> None:
    folder = server()
    child = terminal(folder, "up")
    child.expect("ready after")
    child.send("?")
    for word in ("restart", "rebuild", "pause", "browser", "clear", "quit"):
        child.expect(word)
    child.send("r")
    child.expect("serving")
    child.expect("ready after")
    child.send("p")
    child.expect("paused")
    save(folder / "text", "two")
    child.send("p")
    child.expect("go on")
    child.expect(r"restarted in .* ms: text")
    child.expect("ready after")
    before = containers(folder.name)
    child.send("b")
    child.expect("started [0-9a-f]{12}")
    child.expect("ready after")
    assert containers(folder.name) != before
    child.send("\x1b[A")  # an arrow is no key of ours
    child.send("q")
    assert ended(child) == 0
    assert containers(folder.name, running=True) == []


def test_a_long_start_is_shown_as_it_goes_on(make: Make, terminal: Open) -> None:
    folder = make('[app]\nimage = "debian:bookworm-slim"\ncommand = "sleep 1000"\nready = { log = "never" }\n')
    child = terminal(folder, "up")
    child.expect("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] starting app")
    child.sendintr()
    assert ended(child) == 130
    assert not re.search("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", (child.before or "").rpartition("stopped")[2])


def test_the_terminal_is_as_before_when_a_session_has_ended(server: Server, terminal: Open) -> None:
    folder = server()
    script = " ".join(COMMAND)
    child = pexpect.spawn(
        "sh", ["-c", f"stty -a >before; {script} up; stty -a >after"], cwd=folder, env=environment(), encoding="utf-8"
    )
    child.expect("ready after", timeout=BOUND)
    child.send("q")
    child.expect(pexpect.EOF, timeout=BOUND)
    child.close()
    assert (folder / "before").read_text() == (folder / "after").read_text()


def test_without_colors_and_without_a_terminal_lines_are_plain(server: Server, terminal: Open) -> None:
    folder = server()
    child = terminal(folder, "up", NO_COLOR="1")
    child.expect(r"app      \| serving")
    child.expect("ready after")
    assert not re.search(COLORED, child.before or "")
    child.sendintr()
    assert ended(child) == 130
    with subprocess.Popen(
        [*COMMAND, "up"], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "ready after" not in lines[-1]:
            line = process.stdout.readline()
            assert line, "ended early"
            lines.append(line)
        process.send_signal(2)
        lines += process.stdout.readlines()
        assert process.wait(BOUND) == 130
    assert "\x1b" not in "".join(lines)
    assert lines[0] == "app      | starting\n"
    assert lines[-2:] == ["devmount | stopping\n", "devmount | stopped\n"]


def test_exec_and_shell_have_a_terminal_of_the_right_size(server: Server, terminal: Open) -> None:
    folder = server()
    session = terminal(folder, "up")
    session.expect("ready after")
    child = terminal(
        folder, "exec", "app", "--", "sh", "-c", "test -t 0 && test -t 1 && while stty size; do sleep 0.05; done"
    )
    child.expect("40 120")
    child.send("\x03")
    assert ended(child) == 130
    shell = terminal(folder, "shell")
    shell.send("echo $((6 * 7)); id -u\r")
    shell.expect("42")
    shell.expect(f"{os.getuid()}\r")
    shell.setwinsize(20, 70)
    wait_until(lambda: asked(shell, "stty size\r", "20 70"))
    shell.send("exit 9\r")
    assert ended(shell) == 9
    run = terminal(folder, "run", "--", "sh", "-c", "test -t 1 && echo a terminal")
    run.expect("a terminal")
    assert ended(run) == 0


def asked(child: "pexpect.spawn[str]", question: str, answer: str) -> bool:
    child.send(question)
    return child.expect([answer, r"\d+ \d+\r"]) == 0


def test_an_error_before_anything_started_is_three_lines(make: Make, terminal: Open) -> None:
    child = terminal(make('[app]\nimage = "x"\nprots = [1]\n'), "up", NO_COLOR="1")
    child.expect("error: unknown key 'prots'")
    child.expect("did you mean 'ports'")
    assert ended(child) == 2
    assert "Traceback" not in (child.before or "")


def test_ctrl_c_while_a_detached_session_starts_ends_it(make: Make, terminal: Open) -> None:
    folder = make(f'{SLEEPER}ready = {{ command = "false" }}\n')
    child = terminal(folder, "up", "--detach")
    child.expect("started")
    child.sendintr()
    child.expect("stopped")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert containers(folder.name, running=True) == []


def test_the_key_o_says_what_is_missing(make: Make, terminal: Open) -> None:
    folder = make(SLEEPER)
    child = terminal(folder, "up")
    child.expect("ready after")
    child.send("o")
    child.expect("publishes no port")
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
