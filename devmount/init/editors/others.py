"""JetBrains' run configurations, Zed's tasks, Neovim's with overseer.nvim; pure."""

import json
import shlex
from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.sax.saxutils import quoteattr

from devmount.init.editors import DEBUGPY, INSPECT, Edit, Setup, listed

BEGIN, END = "-- devmount: begin", "-- devmount: end"
ERRORFORMAT = (  # :help errorformat; %f is relative to the project
    '%.%#| %.%#File "{mount}/%f"\\, line %l%.%#',
    "%.%#| %.%#{mount}/%f:%l:%c%.%#",
    "%.%#| ./%f:%l:%c: %m",
)


def jetbrains(setup: Setup) -> Iterator[Edit]:
    """A shell configuration in ``.run``, which every IDE of theirs with the shell plugin reads."""
    for label, arguments in setup.sessions:
        text = _configuration(label, shlex.join(["devmount", *arguments]))
        yield Edit(f".run/{label}.run.xml", partial(_unless_there, text))


def _unless_there(text: str, old: str) -> str:
    return old or text


def _configuration(name: str, command: str) -> str:
    options = {
        "SCRIPT_TEXT": command,
        "INDEPENDENT_SCRIPT_PATH": "true",
        "SCRIPT_PATH": "",
        "SCRIPT_OPTIONS": "",
        "INDEPENDENT_SCRIPT_WORKING_DIRECTORY": "true",
        "SCRIPT_WORKING_DIRECTORY": "$PROJECT_DIR$",
        "INDEPENDENT_INTERPRETER_PATH": "true",
        "INTERPRETER_PATH": "/bin/sh",
        "INTERPRETER_OPTIONS": "",
        "EXECUTE_IN_TERMINAL": "true",
        "EXECUTE_SCRIPT_FILE": "false",
    }
    lines = [f"    <option name={quoteattr(key)} value={quoteattr(value)} />" for key, value in options.items()]
    return "\n".join(
        [
            '<component name="ProjectRunConfigurationManager">',
            f'  <configuration default="false" name={quoteattr(name)} type="ShConfigurationType">',
            *lines,
            "    <envs />",
            '    <method v="2" />',
            "  </configuration>",
            "</component>",
            "",
        ]
    )


def zed(setup: Setup) -> Iterator[Edit]:
    """``.zed/tasks.json``, and ``.zed/debug.json`` where a debugger can attach."""
    for label, arguments in setup.sessions:
        task: dict[str, Any] = {
            "label": label,
            "command": "devmount",
            "args": arguments,
            "cwd": "$ZED_WORKTREE_ROOT",
            "use_new_terminal": False,
            "allow_concurrent_runs": False,
            "reveal": "no_focus",
        }
        yield Edit(".zed/tasks.json", partial(_with_entry, task))
    if setup.debug_port:
        yield Edit(".zed/debug.json", partial(_with_entry, _zed_attach(setup)))


def _with_entry(entry: dict[str, Any], text: str) -> str:
    return listed(text, (), entry, "label")


def _zed_attach(setup: Setup) -> dict[str, Any]:
    entry: dict[str, Any] = {"label": "devmount: attach", "request": "attach"}
    if setup.debug_port == INSPECT:
        places = {"localRoot": "$ZED_WORKTREE_ROOT", "remoteRoot": setup.mount}
        return {**entry, "adapter": "JavaScript", "type": "pwa-node", "address": "127.0.0.1", "port": INSPECT, **places}
    return {
        **entry,
        "adapter": "Debugpy",
        "connect": {"host": "127.0.0.1", "port": DEBUGPY},
        "pathMappings": [{"localRoot": "$ZED_WORKTREE_ROOT", "remoteRoot": setup.mount}],
    }


def neovim(setup: Setup) -> Iterator[Edit]:
    """Templates of overseer.nvim in the project's own ``.nvim.lua``, between two marks."""
    formats = ",".join(line.replace("{mount}", setup.mount.rstrip("/")) for line in ERRORFORMAT)
    lines = [
        BEGIN,
        "-- Tasks for overseer.nvim: :OverseerRun. Neovim reads this file with :set exrc, once you have said :trust.",
        'local has_overseer, overseer = pcall(require, "overseer")',
        "if has_overseer then",
        "  local root = vim.fn.getcwd()",
    ]
    for label, arguments in setup.sessions:
        command = ", ".join(json.dumps(word) for word in ["devmount", *arguments])
        lines += [
            "  overseer.register_template({",
            f"    name = {json.dumps(label)},",
            "    condition = { dir = root },",
            "    builder = function()",
            "      return {",
            f"        cmd = {{ {command} }},",
            "        cwd = root,",
            '        env = { TERM = "dumb" },',
            f'        components = {{ {{ "on_output_quickfix", errorformat = [==[{formats}]==] }}, "default" }},',
            "      }",
            "    end,",
            "  })",
        ]
    block = "\n".join([*lines, "end", END])
    yield Edit(".nvim.lua", lambda text: _between(text, block))


def _between(text: str, block: str) -> str:
    """The text with the block between its marks, in the place of an older one."""
    begin, end = text.find(BEGIN), text.find(END)
    if begin != -1 and end > begin:
        return text[:begin] + block + text[end + len(END) :]
    gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
    return f"{text}{gap}{block}\n"
