"""Visual Studio Code: ``.vscode/tasks.json``, ``launch.json``, ``settings.json``, ``extensions.json``; pure.

https://code.visualstudio.com/docs/debugtest/tasks says what a background task's problem matcher means by its patterns.
Regular expressions are JavaScript's, within what Python's take too.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from devmount.config import schema
from devmount.init import jsonc
from devmount.init.editors import DEBUGPY, INSPECT, Edit, Setup, listed

SCHEMA = ".vscode/devmount.schema.json"
ASSOCIATIONS = "evenBetterToml.schema.associations"
PROJECT_FILES = r"^.*/\.devmount(\.local)?\.toml$"
PREFIX = r"^\S+\s*\| "  # of every line: whose it is
# devmount's own plain lines
BEGINS = PREFIX + r"(starting|(restarted|recreated|rebuilt) in [\d.]+ ms: .*)$"
ENDS = (
    PREFIX + r"(ready after [\d.]+ s|exited (by|with exit code) .*|error: .*|warning: is not ready after .*|stopped)$"
)
LANGUAGES = ("python", "node", "go", "rust", "ruby", "php")
EXTENSION = "tamasfe.even-better-toml"


def edits(setup: Setup) -> Iterator[Edit]:
    """All of them."""
    for label, arguments in setup.sessions:
        yield Edit(".vscode/tasks.json", partial(_with_task, _task(setup, label, arguments)))
    if setup.debug_port:
        yield Edit(".vscode/launch.json", lambda text: _with_attach(text, setup))
    yield Edit(SCHEMA, lambda text: json.dumps(schema(), indent=2) + "\n")  # nobody else writes it
    yield Edit(".vscode/settings.json", _with_schema)
    yield Edit(".vscode/extensions.json", _with_extension)


def _task(setup: Setup, label: str, arguments: list[str]) -> dict[str, Any]:
    return {
        "label": label,
        "type": "process",
        "command": "devmount",
        "args": arguments,
        "isBackground": True,
        # plain lines, which the matchers read
        "options": {"env": {"TERM": "dumb", "NO_COLOR": "1"}},
        "presentation": {"panel": "dedicated", "reveal": "always", "focus": False},
        "problemMatcher": [_matcher(setup, language) for language in setup.languages or LANGUAGES],
    }


def _matcher(setup: Setup, language: str) -> dict[str, Any]:
    return {
        "owner": f"devmount-{language}",
        "fileLocation": ["relative", "${workspaceFolder}"],
        "pattern": patterns(setup.mount)[language],
        "background": {"activeOnStart": True, "beginsPattern": BEGINS, "endsPattern": ENDS},
    }


def patterns(mount: str) -> dict[str, dict[str, Any]]:
    """What a mistake in the log looks like, by language. ``mount``: where the project's folder appears."""
    root = re.escape(mount.rstrip("/")).replace(r"\-", "-") + "/"
    at = {"file": 2, "line": 3}
    return {
        "python": {"regexp": rf'{PREFIX}\s+(File "{root}([^"]+)", line (\d+).*)$', "message": 1, **at},
        "node": {
            "regexp": rf"{PREFIX}\s*((?:at .*\(|at )?(?:file://)?{root}([^:()]+):(\d+)(?::\d+)?\)?)$",
            "message": 1,
            **at,
        },
        "go": {
            "regexp": rf"{PREFIX}\s*(?:\./|{root})?([^\s:]+\.go):(\d+):(\d+): (.*)$",
            **{"file": 1, "line": 2, "column": 3, "message": 4},
        },
        "rust": {"regexp": rf"{PREFIX}\s*(--> ([^:]+\.rs):(\d+):(\d+))$", "message": 1, **at, "column": 4},
        "ruby": {"regexp": rf"{PREFIX}\s*(?:from )?{root}([^:]+):(\d+):(.*)$", "file": 1, "line": 2, "message": 3},
        "php": {"regexp": rf"{PREFIX}.*?(PHP .* in {root}(\S+?)(?: on line |:)(\d+).*)$", "message": 1, **at},
    }


def _with_task(task: dict[str, Any], text: str) -> str:
    if not jsonc.strip(text).strip():
        text = jsonc.add(text, ("version",), "2.0.0")
    return listed(text, ("tasks",), task, "label")


def _with_attach(text: str, setup: Setup) -> str:
    if not jsonc.strip(text).strip():
        text = jsonc.add(text, ("version",), "0.2.0")
    entry: dict[str, Any] = {"name": "devmount: attach", "request": "attach"}
    if setup.debug_port == INSPECT:
        entry |= {
            "type": "node",
            "address": "127.0.0.1",
            "port": INSPECT,
            "localRoot": "${workspaceFolder}",
            "remoteRoot": setup.mount,
            "restart": True,  # a reload ends the program that it was attached to
        }
    else:
        entry |= {
            "type": "debugpy",
            "connect": {"host": "127.0.0.1", "port": DEBUGPY},
            "pathMappings": [{"localRoot": "${workspaceFolder}", "remoteRoot": setup.mount}],
            "justMyCode": True,
        }
    return listed(text, ("configurations",), entry, "name")


def _with_schema(text: str) -> str:
    return jsonc.add(text, (ASSOCIATIONS, PROJECT_FILES), f"./{SCHEMA}")


def _with_extension(text: str) -> str:
    known = jsonc.loads(text)
    given = known.get("recommendations") if isinstance(known, dict) else None
    if isinstance(given, list) and EXTENSION in given:
        return text
    return jsonc.append(text, ("recommendations",), EXTENSION)
