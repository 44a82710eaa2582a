"""``devmount init`` as a user runs it."""

import json
import os
from pathlib import Path

import pytest

from devmount.init import gitignore
from tests.harness import devmount

FLASK = {"requirements.txt": "flask\n", "app.py": "from flask import Flask\napp = Flask(__name__)\n"}


def fill(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def test_it_writes_the_file_says_what_it_guessed_and_has_git_ignore_the_local_one(tmp_path: Path) -> None:
    folder = fill(tmp_path / "my shop", {**FLASK, ".gitignore": "*.log"})
    done = devmount(folder, "init", "--with", "postgres")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "wrote .devmount.toml\nadded .devmount.local.toml, which is yours alone, to .gitignore\n"
    )
    assert "requirements.txt asks for flask: the template flask\n" in done.stdout
    assert done.stdout.endswith("next: devmount up\n")
    assert (folder / ".gitignore").read_text() == "*.log\n.devmount.local.toml\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        ".devmount.toml",
        ".gitignore",
        "app.py",
        "requirements.txt",
    ]
    shown = devmount(folder, "config", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["app"]["image"] == "python:3.12-slim"


def test_a_file_that_exists_is_not_overwritten_unless_forced(tmp_path: Path) -> None:
    folder = fill(tmp_path, {**FLASK, ".devmount.toml": "mine"})
    refused = devmount(folder, "init")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == (
        f"error: .devmount.toml exists and is not overwritten\n  {folder}/.devmount.toml\n"
        "  use --force to put another in its place, or edit it\n"
    )
    assert (folder / ".devmount.toml").read_text() == "mine"
    assert not (folder / ".gitignore").exists()
    assert devmount(folder, "init", "--force").returncode == 0
    assert "flask" in (folder / ".devmount.toml").read_text()


def test_a_link_that_leads_nowhere_is_something_too(tmp_path: Path) -> None:
    folder = fill(tmp_path, FLASK)
    (folder / ".devmount.toml").symlink_to(tmp_path / "elsewhere")
    assert devmount(folder, "init").returncode == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_tells_nothing_is_an_error_that_names_the_templates(tmp_path: Path) -> None:
    done = devmount(tmp_path, "init")
    assert done.returncode == 2
    assert "nothing here tells what kind of project this is" in done.stderr
    assert "devmount init --template" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--template", "flsk"], "there is no template 'flsk'\n  did you mean 'flask'?"),
        (["--template", "../flask"], "there is no template '../flask'"),
        (["--template", "postgres"], "there is no template 'postgres'"),
        (["--with", "postgresql"], "there is no companion 'postgresql'\n  did you mean 'postgres'?"),
        (["--with", "flask"], "there is no companion 'flask'"),
    ],
)
def test_names_that_nothing_has_are_errors(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = devmount(fill(tmp_path, FLASK), "init", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / ".devmount.toml").exists()


def test_another_folder_and_another_file_can_be_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "shop", FLASK)
    done = devmount(tmp_path, "-C", "shop", "--file", "other.toml", "init", "--template", "python", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mistakes"] == []
    assert (folder / "other.toml").is_file()
    assert not (folder / ".devmount.toml").exists()


def test_hostile_folders_are_looked_at_without_harm(tmp_path: Path) -> None:
    folder = fill(
        tmp_path, {"package.json": "[" * 100_000, "Cargo.toml": "a = " + "[" * 100_000, "go.mod": "module x\n"}
    )
    os.mkfifo(folder / "app.py")
    os.mkfifo(folder / "pyproject.toml")
    (folder / "main.py").symlink_to("/dev/zero")
    (folder / "server.py").symlink_to("server.py")
    (folder / "deep").symlink_to(folder)
    (folder / "requirements.txt").write_bytes(b"\xff\xfe\x00" * 1000)
    (folder / os.fsdecode(b"\xff.py")).write_text("if __name__ == '__main__': 1")
    (folder / "huge.js").write_text("x" * 3_000_000)
    done = devmount(folder, "init", timeout=20)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = fill(tmp_path, FLASK)
    (folder / ".gitignore").mkdir()
    done = devmount(folder, "init")
    assert done.returncode == 1
    assert ".gitignore is not a file" in done.stderr
    assert not (folder / ".devmount.toml").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ".devmount.local.toml\n"),
        ("a", "a\n.devmount.local.toml\n"),
        ("a\r\n", "a\r\n.devmount.local.toml\r\n"),
        ("*.local.toml\n", "*.local.toml\n"),
        ("/.devmount.local.toml", "/.devmount.local.toml"),
        ("*.toml\n!.devmount.local.toml\n", "*.toml\n!.devmount.local.toml\n.devmount.local.toml\n"),
        ("# .devmount.local.toml\n", "# .devmount.local.toml\n.devmount.local.toml\n"),
    ],
)
def test_gitignore_gets_one_line_where_it_needs_one(before: str, after: str) -> None:
    assert gitignore.with_line(before, ".devmount.local.toml") == after
    assert gitignore.with_line(after, ".devmount.local.toml") == after
