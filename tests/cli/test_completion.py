"""What shells complete: by the protocol that their scripts speak, and in a real bash."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pytest

from tests.harness import COMMAND, REPOSITORY, environment

FILE = """
name = "shop"
[app]
image = "debian"
mounts = ["./seed:/seed", "uploads:/uploads"]
[services.db]
image = "debian"
mounts = ["data:/data"]
[services.cache]
image = "debian"
[profiles.ci.app]
command = "true"
[profiles.demo.services.mail]
image = "debian"
"""
LOCAL = '[profiles.mine.app]\ncommand = "true"\n'
NO_ENGINE = {"DOCKER_HOST": "unix:///no/such/socket"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "seed").mkdir()
    (tmp_path / ".devmount.toml").write_text(FILE)
    (tmp_path / ".devmount.local.toml").write_text(LOCAL)
    return tmp_path


ASK = """
import contextlib, io, json, os, sys
from devmount.cli.main import main
given = dict(os.environ)
answers = []
for variables in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update({**given, **variables})
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([])
        except SystemExit:
            pass
    answers.append([out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


def asked(shell: str, words: Sequence[str]) -> dict[str, str]:
    """What the shell's script sets for these words of a command line, the last of them incomplete."""
    line = " ".join(["devmount", *words])
    given = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    return {**given, "_DEVMOUNT_COMPLETE": f"complete_{shell}"}


def ask(folder: Path, shell: str, lines: Sequence[Sequence[str]]) -> list[str]:
    """What each command line gets; nothing goes to standard error."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASK],
        cwd=folder,
        env=environment(NO_ENGINE),
        input=json.dumps([asked(shell, words) for words in lines]),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)
    assert [err for _, err in answers] == [""] * len(lines)
    return [out for out, _ in answers]


def completed(folder: Path, *words: str) -> list[str]:
    return ask(folder, "bash", [words])[0].split()


CASES = [
    (["logs", ""], ["app", "cache", "db"]),
    (["logs", "app", "c"], ["cache"]),
    (["restart", "d"], ["db"]),
    (["exec", "a"], ["app"]),
    (["shell", ""], ["app", "cache", "db"]),
    (["up", "x"], []),
    (["--profile", "demo", "logs", "m"], ["mail"]),
    (["logs", "--profile", "demo", "m"], ["mail"]),
    (["volume", "backup", ""], ["data", "uploads"]),
    (["volume", "rm", "data", "u"], ["uploads"]),
    (["volume", "restore", "d"], ["data"]),
    (["--profile", ""], ["ci", "demo", "mine"]),
    (["logs", "--profile", "d"], ["demo"]),
    (["init", "--with", "p"], ["postgres"]),
    (["init", "--template", "fl"], ["flask"]),
    (["vol"], ["volume"]),
    (["volume", "ba"], ["backup", "backups"]),
]


def test_names_are_completed(folder: Path) -> None:
    found = ask(folder, "bash", [words for words, _ in CASES])
    assert [(words, said.split()) for (words, _), said in zip(CASES, found, strict=True)] == CASES


def test_from_another_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert completed(elsewhere, "logs", "") == []
    assert completed(elsewhere, "-C", str(folder), "logs", "c") == ["cache"]
    assert completed(elsewhere, "logs", "-C", str(folder), "c") == ["cache"]
    assert completed(elsewhere, "--file", str(folder / ".devmount.toml"), "logs", "c") == ["cache"]
    (folder / "below").mkdir()
    assert completed(folder / "below", "logs", "c") == ["cache"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same_in_their_own_form(folder: Path, shell: str) -> None:
    services, profiles = ask(folder, shell, [["logs", ""], ["logs", "--profile", "de"]])
    assert all(name in services for name in ("app", "db", "cache"))
    assert "demo" in profiles
    assert "app" not in profiles


@pytest.mark.parametrize(
    ("text", "services"),
    [
        (FILE.replace("[services.cache]", "[services.cache]\nprots = 1"), ["app", "cache", "db"]),
        (FILE + "env_files = ['missing']\n", ["app", "cache", "db"]),
        ("[app", ["app"]),
        ("", ["app"]),
        ("[services]\ndb = 1\n", ["app", "db"]),
        ("services = 3\n", ["app"]),
        ("\x00", ["app"]),
        ("a=" + "[" * 5000, ["app"]),
    ],
    ids=["unknown key", "no env file", "no TOML", "empty", "no table", "no services", "NUL", "deep"],
)
def test_a_wrong_file_gives_what_it_can_and_never_a_word_of_error(folder: Path, text: str, services: list[str]) -> None:
    (folder / ".devmount.toml").write_text(text)
    (folder / ".devmount.local.toml").unlink()
    assert completed(folder, "logs", "") == services


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_odd_command_lines_give_no_word_of_error(folder: Path, shell: str) -> None:
    lines = [["logs", "'"], ["logs", '"a'], ["exec", "app", "--", "l"], ["nothing", ""], ["-C"], ["-C", "/no/such", ""]]
    assert not any("Traceback" in said for said in ask(folder, shell, lines))


def test_nothing_slow_is_imported(folder: Path) -> None:
    """Pressing Tab must not wait for the engine's SDK, the watcher or the printers."""
    script = (
        "import sys\nfrom devmount.cli.main import main\n"
        "try:\n    main([])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('docker', 'requests', 'watchdog', 'rich', 'zstandard') if name in sys.modules])"
    )
    env = environment(
        {**NO_ENGINE, "COMP_WORDS": "devmount logs ", "COMP_CWORD": "2", "_DEVMOUNT_COMPLETE": "complete_bash"}
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, env=env, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
    assert "cache" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_person_presses_tab_in_bash(folder: Path) -> None:
    program = folder / "bin" / "devmount"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    script = subprocess.run(
        [*COMMAND, "--show-completion", "bash"],
        env=environment({"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (folder / "completion").write_text(script)
    env = environment({**NO_ENGINE, "PATH": f"{program.parent}:{os.environ['PATH']}", "PS1": "ready> ", "TERM": "dumb"})
    shell = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        cwd=str(folder),
        env=env,
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 200),
    )
    try:
        shell.expect_exact("ready> ")
        shell.sendline(". ./completion")
        shell.expect_exact("ready> ")
        shell.send("devmount logs ca\t")
        shell.expect_exact("devmount logs cache")
        shell.send("\x15devmount volume backup up\t")
        shell.expect_exact("uploads")
        (folder / ".devmount.toml").write_text("[app")
        shell.send("\x15devmount logs ca\t\x15echo still $((1 + 1)) here\r")
        shell.expect_exact("still 2 here")
        assert "rror" not in str(shell.before)
        assert "Traceback" not in str(shell.before)
    finally:
        shell.close(force=True)


def test_completion_is_said_in_the_documentation() -> None:
    assert "--install-completion" in (REPOSITORY / "docs" / "completion.md").read_text()
