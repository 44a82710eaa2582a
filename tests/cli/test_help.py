"""--help of every command: quick, without a file or an engine, and with an example that is a real command line."""

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from devmount.cli.app import app
from devmount.cli.main import main
from tests.harness import COMMAND, devmount, environment

EXAMPLE = re.compile(r"^ *Example: (devmount .*)$", re.MULTILINE)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with the words that name it."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


ALL = list(commands(typer.main.get_command(app)))


def shown(*words: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main([*words, "--help"]) == 0
    assert err.getvalue() == ""
    return out.getvalue()


@pytest.mark.parametrize(("words", "command"), ALL, ids=[" ".join(words) or "devmount" for words, _ in ALL])
def test_every_command_has_help_with_an_example(words: tuple[str, ...], command: Any) -> None:
    text = shown(*words)
    assert text.startswith("Usage: " + " ".join(["devmount", *words]))
    (example,) = EXAMPLE.findall(text)
    said = shlex.split(example)
    assert said[: len(words) + 1] == ["devmount", *words]
    context = command.make_context("devmount", said[len(words) + 1 :], resilient_parsing=False)
    assert context is not None  # the parser takes it
    for parameter in command.params:
        assert parameter.help, f"{parameter.name} is not explained"


def test_help_needs_no_file_no_engine_and_nothing_slow(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom devmount.cli.main import main\n"
        "for words in (['--help'], ['up', '--help'], ['volume', 'backup', '-h']):\n    assert main(words) == 0\n"
        "print([name for name in ('docker', 'requests', 'watchdog', 'zstandard') if name in sys.modules])"
    )
    env = environment({"DOCKER_HOST": "unix:///no/such/socket"})
    done = subprocess.run([sys.executable, "-P", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_arguments_print_help(tmp_path: Path) -> None:
    done = devmount(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == devmount(tmp_path, "--help").stdout


def test_help_that_nobody_reads_to_its_end_is_no_error(tmp_path: Path) -> None:
    line = " ".join(shlex.quote(word) for word in COMMAND) + " --help | head -1"
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
