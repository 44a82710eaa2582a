"""``devmount init --editor``: files of editors, and what they make of a session's output."""

import itertools
import json
import os
import re
import signal
import subprocess
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devmount.init import jsonc
from devmount.init.editors import vscode
from tests.harness import COMMAND, devmount, environment, remove, save

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
EDITORS = ("vscode", "jetbrains", "zed", "neovim")


def init(folder: Path, *editors: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    chosen = [word for name in editors for word in ("--editor", name)]
    done = devmount(folder, "init", *chosen)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def everything(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_every_editor_gets_its_files_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    init(tmp_path, *EDITORS)
    files = everything(tmp_path)
    assert set(files) == {
        *("app.py", ".devmount.toml", ".gitignore", ".nvim.lua"),
        *(f".vscode/{name}.json" for name in ("tasks", "launch", "settings", "extensions", "devmount.schema")),
        *(".zed/tasks.json", ".zed/debug.json"),
        *(".run/devmount up.run.xml", ".run/devmount up (debug).run.xml"),
    }
    init(tmp_path, *EDITORS)
    assert everything(tmp_path) == files

    tasks = json.loads(files[".vscode/tasks.json"])["tasks"]
    assert [(task["label"], task["args"]) for task in tasks] == [
        ("devmount up", ["up"]),
        ("devmount up (debug)", ["up", "--profile", "debug"]),
    ]
    assert all(task["isBackground"] and task["problemMatcher"] for task in tasks)
    attach = json.loads(files[".vscode/launch.json"])["configurations"][0]
    assert attach["connect"] == {"host": "127.0.0.1", "port": 5678}
    assert attach["pathMappings"] == [{"localRoot": "${workspaceFolder}", "remoteRoot": "/workspace"}]
    association = json.loads(files[".vscode/settings.json"])["evenBetterToml.schema.associations"]
    ((pattern, place),) = association.items()
    assert re.search(pattern, "file:///home/me/shop/.devmount.toml")
    assert re.search(pattern, "file:///home/me/shop/.devmount.local.toml")
    assert not re.search(pattern, "file:///home/me/shop/pyproject.toml")
    assert json.loads((tmp_path / place).read_text())["title"] == "devmount project file (.devmount.toml)"
    assert [task["label"] for task in json.loads(files[".zed/tasks.json"])] == ["devmount up", "devmount up (debug)"]
    run = ElementTree.fromstring(files[".run/devmount up.run.xml"])
    options = {option.get("name"): option.get("value") for option in run.iter("option")}
    assert options["SCRIPT_TEXT"] == "devmount up"
    assert run[0].get("type") == "ShConfigurationType"
    assert files[".nvim.lua"].count("overseer.register_template") == 2


def test_a_node_project_gets_nodes_debugger(tmp_path: Path) -> None:
    (tmp_path / "server.js").write_text("x.listen(3000)")
    init(tmp_path, "vscode", "zed")
    attach = json.loads((tmp_path / ".vscode/launch.json").read_text())["configurations"][0]
    assert (attach["type"], attach["port"], attach["remoteRoot"]) == ("node", 9229, "/workspace")
    assert json.loads((tmp_path / ".zed/debug.json").read_text())[0]["port"] == 9229


def test_what_is_there_is_added_to_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x")
    before = {
        ".vscode/tasks.json": '{\n    // mine\n    "version": "2.0.0",\n    "tasks": [\n'
        '        { "label": "build" }, // keep\n    ]\n}\n',
        ".vscode/settings.json": '{\n\t"evenBetterToml.schema.associations": { "x": "y" }, /* z */\n\t"a": 1\n}\n',
        ".vscode/extensions.json": '{"recommendations": ["golang.go"]}',
        ".zed/tasks.json": '[\n  // none yet\n]\n',
        ".nvim.lua": "vim.opt.number = true",
        ".run/devmount up.run.xml": "<mine/>",
        ".devmount.toml": '[app]\nimage = "x"\nmount = "/srv/x"\n',
    }  # fmt: skip
    for name, text in before.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = init(tmp_path, *EDITORS)
    assert "added to .vscode/tasks.json" in done.stdout
    after = everything(tmp_path)
    assert after[".devmount.toml"] == before[".devmount.toml"]
    assert after[".run/devmount up.run.xml"] == "<mine/>"
    assert after[".nvim.lua"].startswith("vim.opt.number = true\n\n-- devmount: begin\n")
    for name in (".vscode/tasks.json", ".vscode/settings.json", ".zed/tasks.json"):
        rest = iter(after[name])
        assert all(char in rest for char in before[name] if not char.isspace()), after[name]
    tasks = jsonc.loads(after[".vscode/tasks.json"])["tasks"]
    assert [task["label"] for task in tasks] == ["build", "devmount up"]
    assert "// keep" in after[".vscode/tasks.json"]
    assert jsonc.loads(after[".vscode/settings.json"])["evenBetterToml.schema.associations"].keys() >= {"x"}
    assert jsonc.loads(after[".vscode/extensions.json"])["recommendations"] == ["golang.go", "tamasfe.even-better-toml"]
    assert not (tmp_path / ".vscode/launch.json").exists()
    assert "/srv/x/" in tasks[1]["problemMatcher"][0]["pattern"]["regexp"]


def test_files_that_are_not_what_an_editor_reads_are_errors_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / ".vscode").mkdir()
    init(tmp_path)
    for text, message in (
        ('{"tasks": [', "cannot be added to"),
        ('{"tasks": {}}', "tasks is not a list"),
        ("[]", "the file is not a table"),
        ("\udcff", "is not UTF-8"),
    ):
        (tmp_path / ".vscode/extensions.json").unlink(missing_ok=True)
        (tmp_path / ".vscode/tasks.json").write_bytes(os.fsencode(text))
        before = everything_bytes(tmp_path)
        done = devmount(tmp_path, "init", "--editor", "zed", "--editor", "vscode")
        assert done.returncode in (1, 2)
        assert message in done.stderr
        assert everything_bytes(tmp_path) == before
    assert "there is no editor 'vs'" in init(tmp_path, "vs", code=2).stderr


def everything_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("link", [".vscode", ".vscode/tasks.json", ".gitignore", ".devmount.toml"])
def test_no_link_leads_out_of_the_project(tmp_path: Path, link: str) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(FLASK)
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside if link == ".vscode" else outside / "file"
    if target != outside:
        target.write_text("")
    (folder / link).parent.mkdir(exist_ok=True)
    (folder / link).symlink_to(target)
    done = devmount(folder, "init", "--editor", "vscode", "--force")
    assert done.returncode == 2
    assert "leads out of the project" in done.stderr
    assert [path.read_text() for path in outside.iterdir()] in ([], [""])


SAMPLES = {
    "python": ('app      |   File "/workspace/shop/app.py", line 12, in page', "shop/app.py", 12),
    "node": ("app      |     at handle (/workspace/src/server.js:7:13)", "src/server.js", 7),
    "go": ("app      | ./main.go:5:2: undefined: x", "main.go", 5),
    "rust": ("app      |   --> src/main.rs:3:5", "src/main.rs", 3),
    "ruby": ("app      | /workspace/config.ru:2:in `block': boom (RuntimeError)", "config.ru", 2),
    "php": ("app      | PHP Parse error:  syntax error, unexpected '}' in /workspace/a.php on line 9", "a.php", 9),
}


@pytest.mark.parametrize("language", vscode.LANGUAGES)
def test_mistakes_in_the_log_are_found(language: str) -> None:
    line, file, number = SAMPLES[language]
    pattern = vscode.patterns("/workspace")[language]
    match = re.match(pattern["regexp"], line)
    assert match is not None
    assert (match[pattern["file"]], int(match[pattern["line"]])) == (file, number)
    assert match[pattern["message"]]
    assert not re.match(pattern["regexp"], "app      | ready after 0.10 s")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    name = f"test-editor-{uuid.uuid4().hex[:8]}"
    (tmp_path / "main.pl").write_text("$| = 1; print qq(one\\n); sleep 1000;")
    (tmp_path / ".devmount.toml").write_text(
        f'name = "{name}"\n[app]\nimage = "debian:bookworm-slim"\ncommand = "perl main.pl"\nmount = "/workspace"\n'
    )
    yield tmp_path
    remove(name)


@pytest.mark.engine
def test_the_background_patterns_follow_a_real_session(project: Path) -> None:
    init(project, "vscode")
    task = json.loads((project / ".vscode/tasks.json").read_text())["tasks"][0]
    matcher = task["problemMatcher"][0]
    states: list[str] = []
    problems: list[tuple[str, int]] = []
    python = vscode.patterns("/workspace")["python"]

    def read(line: str) -> None:
        """As VS Code does: a line may begin or end the work, and may be a problem."""
        if re.match(matcher["background"]["beginsPattern"], line):
            states.append("busy")
        elif re.match(matcher["background"]["endsPattern"], line):
            states.append("idle")
        if found := re.match(python["regexp"], line):
            problems.append((found[python["file"]], int(found[python["line"]])))

    traceback = '$| = 1; print STDERR qq(Traceback:\\n  File "/workspace/main.pl", line 3, in main\\n); exit 3;'
    saves: list[Any] = [traceback, "$| = 1; print qq(three\\n); sleep 1000;"]
    with subprocess.Popen(
        [*COMMAND, *task["args"]],
        cwd=project,
        env=environment(task["options"]["env"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        seen = ""
        reached = [
            lambda: "ready after" in seen,
            lambda: "exited with exit code 3" in seen,
            lambda: "| three" in seen and states.count("busy") == 3 and states[-1] == "idle",
        ]
        for line in process.stdout:
            seen += line
            read(line.rstrip("\n"))
            if reached and reached[0]():
                reached.pop(0)
                if saves:
                    save(project / "main.pl", saves.pop(0))
                else:
                    process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130, seen
    assert states[0] == "busy", seen
    assert states[-1] == "idle", seen
    assert states.count("busy") == 3, seen  # the start, and two reloads
    assert ("busy", "busy") not in itertools.pairwise(states), seen
    assert problems == [("main.pl", 3)], seen
