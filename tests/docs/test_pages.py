"""Every command that the documentation shows is run, and prints what the page says."""

import json
import os
import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
import typer

from devmount.cli.app import app
from devmount.cli.words import parted
from tests.docs.page import Block, Command, File, Interrupt, Line, inline_commands, shown_commands, steps
from tests.harness import COMMAND, REPOSITORY, docker, environment, remove, save, wait_until

NAME = re.compile(r"(?<![A-Za-z0-9])shop(?![A-Za-z0-9])")
DOCS = REPOSITORY / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md"))
SECONDS = 60  # for a line to come,
BUILD_SECONDS = 400  # until the first service is ready: the first build of a page downloads packages
RUN = [page for page in PAGES if any(isinstance(step, Command) for step in steps(page.read_text()))]


def name(page: Path) -> str:
    return str(page.relative_to(DOCS).with_suffix(""))


class Reader:
    """Somebody who does what a page says, in a folder of their own. The project's name is ``shop`` on every page."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder / project
        self.folder.mkdir()
        self.project = project
        home, tools = folder / "home", folder / "bin"
        home.mkdir()
        tools.mkdir()
        (tools / "devmount").write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
        (tools / "devmount").chmod(0o755)
        self.environment = {
            **{key: value for key, value in environment().items() if key not in ("XDG_STATE_HOME", "XDG_DATA_HOME")},
            "HOME": str(home),
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "COLUMNS": "200",
            "SHELL": "/bin/bash",
        }
        self.up: pexpect.spawn[str] | None = None
        self.last: pexpect.spawn[str] | None = None
        self.last_text = ""
        self.is_built = False

    def do(self, page: str) -> None:
        for step in steps(NAME.sub(self.project, page)):
            if isinstance(step, File):
                path = self.folder / step.path
                path.parent.mkdir(parents=True, exist_ok=True)
                # The engine picks the port: several checkouts run these at once.
                save(path, re.sub(r'"?8000(:\d+)?"?\]', '"0:8000"]', step.text) if ".toml" in step.path else step.text)
            elif isinstance(step, Command):
                self.finish()
                self.begin(step)
            elif isinstance(step, Block):
                self.finish()
            elif isinstance(step, Line):
                self.wait(step)
            else:
                self.interrupt(step)
        self.finish()
        if self.up is not None:
            self.interrupt(Interrupt())

    def begin(self, command: Command) -> None:
        text = command.text
        if "127.0.0.1:8000" in text:
            text = text.replace("127.0.0.1:8000", self.address())
        spawned = self.spawn(text)
        if command.goes_on:
            self.up = spawned
        else:
            self.last, self.last_text = spawned, command.text

    def spawn(self, text: str) -> "pexpect.spawn[str]":
        return pexpect.spawn(
            "/bin/bash",
            ["-c", text],
            cwd=str(self.folder),
            env=self.environment,
            encoding="utf-8",
            codec_errors="replace",
            timeout=SECONDS,
            dimensions=(50, 200),
            echo=False,
        )

    def wait(self, line: Line) -> None:
        process = self.last or self.up
        assert process is not None, f"no command runs that could print {line.text!r}"
        whose = self.last_text if process is self.last else "devmount up"
        try:
            process.expect(
                line.pattern, timeout=BUILD_SECONDS if "devmount up" in whose and not self.is_built else SECONDS
            )
        except (pexpect.EOF, pexpect.TIMEOUT):
            pytest.fail(f"{line.text!r} does not come from: {whose}\nsince the line before:\n{process.before}")
        self.is_built = self.is_built or "ready after" in line.text
        if line.answer:
            process.sendline(line.answer)
        if process is self.up and line.text.startswith("error:"):  # it has ended
            self.up = None
            process.expect(pexpect.EOF)
            process.wait()
            process.close()

    def finish(self) -> None:
        """Let the last command end; it must have worked, but for those that show an error."""
        if self.last is None:
            return
        process, self.last = self.last, None
        process.expect(pexpect.EOF)
        process.wait()
        process.close()
        shows_error = "error:" in str(process.before) or (process.exitstatus == 1 and "doctor" in self.last_text)
        assert process.exitstatus == 0 or shows_error, f"{self.last_text}: {process.exitstatus}\n{process.before}"

    def interrupt(self, step: Interrupt) -> None:
        self.finish()
        assert self.up is not None, "nothing runs that could be interrupted"
        process, self.up = self.up, None
        process.sendintr()
        process.expect(pexpect.EOF)
        process.wait()
        process.close()
        assert process.exitstatus == 130, process.before

    def address(self) -> str:
        """Where the app's port is published."""
        found: list[str] = []

        def is_published() -> bool:
            asked = subprocess.run(
                [*COMMAND, "ps", "--json"], cwd=self.folder, env=self.environment, capture_output=True, text=True
            )
            rows: list[dict[str, Any]] = json.loads(asked.stdout or "[]")
            found[:] = [port.partition("->")[0] for row in rows for port in row["ports"]]
            return bool(found)

        wait_until(is_published, SECONDS, lambda: "no port is published")
        return found[0]

    def close(self) -> None:
        for process in (self.last, self.up):
            if process is not None:
                process.close(force=True)
        subprocess.run([*COMMAND, "down"], cwd=self.folder, env=self.environment, capture_output=True, timeout=60)
        remove(self.project)
        for image in docker("images", "--quiet", f"{self.project}-*").split():
            docker("rmi", "--force", image)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path, f"dmdocs-{uuid.uuid4().hex[:8]}")
    yield made
    made.close()


@pytest.mark.engine
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN, ids=name)
def test_a_page_does_what_it_says(page: Path, reader: Reader) -> None:
    reader.do(page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_is_shown_is_run(page: Path) -> None:
    assert list(shown_commands(page.read_text())) == [], "put it into a console block: see tests/docs/page.py"


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "README.md"], ids=lambda page: page.stem)
def test_every_command_within_a_sentence_exists(page: Path) -> None:
    for text in inline_commands(page.read_text()):
        words = shlex.split(text.replace("…", ""))[1:]
        command: Any = typer.main.get_command(app)
        words = parted(words)[1]
        while words and hasattr(command, "commands") and not words[0].startswith("-"):
            assert words[0] in command.commands, f"{text}: there is no {words[0]}"
            command, words = command.commands[words[0]], words[1:]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        end = words.index("--") if "--" in words else len(words)
        unknown = {word.partition("=")[0] for word in words[:end] if word.startswith("-")} - known - {"--help", "-h"}
        assert not unknown, f"{text}: there is no {unknown}"
