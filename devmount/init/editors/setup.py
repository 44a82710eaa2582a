"""From a project to what its editors are told, and the writing of their files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from devmount.config import load
from devmount.errors import DevmountError, UsageError
from devmount.init import jsonc, write
from devmount.init.editors import DEBUGPY, INSPECT, Edit, Setup, others, vscode
from devmount.init.guess import guess
from devmount.init.look import look
from devmount.model import Project

EDITORS: Mapping[str, Callable[[Setup], Iterator[Edit]]] = {
    "vscode": vscode.edits,
    "jetbrains": others.jetbrains,
    "zed": others.zed,
    "neovim": others.neovim,
}
OF_TEMPLATE = {
    **dict.fromkeys(("python", "flask", "django", "fastapi"), "python"),
    **dict.fromkeys(("node", "vite", "next"), "node"),
    **{name: name for name in ("go", "rust", "ruby", "php")},
}
PROFILE = "debug"


def setup(file: Path, environ: Mapping[str, str]) -> Setup:
    """What a project file says to editors.

    Raises:
        ConfigError: the file is wrong.
        UsageError: it cannot be read.
    """
    project = load(file, profile=None, environ=environ).project
    port, profile = _debug_port(project), None
    if port is None:
        try:
            port = _debug_port(load(file, profile=PROFILE, environ=environ).project)
            profile = PROFILE if port else None
        except UsageError:
            port = None  # there is no such profile
    made = guess(look(file.parent))
    language = OF_TEMPLATE.get(made.template) if made else None
    return Setup(project.app.mount or "/workspace", port, profile, (language,) if language else ())


def _debug_port(project: Project) -> int | None:
    ports = {port.container for port in project.app.ports if port.host == port.container}
    return next((port for port in (DEBUGPY, INSPECT) if port in ports), None)


def carry_out(edits: list[Edit], root: Path) -> list[str]:
    """Write what differs; what was done, a line each. Nothing is written unless everything can be.

    Raises:
        UsageError: a file that is to be added to is not what its editor would read.
        DevmountError: one cannot be read or written.
    """
    texts: dict[str, str] = {}
    old: dict[str, str] = {}
    for edit in edits:
        path = root / edit.path
        if edit.path not in texts:
            write.refuse_outside(path, root)
            old[edit.path] = texts[edit.path] = _read(path)
        try:
            texts[edit.path] = edit.change(texts[edit.path])
        except jsonc.NotJson as error:
            message = f"{edit.path} cannot be added to: {error.message}"
            raise UsageError(message, f"{path}:{error.line}", "mend it, or move it away") from None
    done = []
    for name, text in texts.items():
        if text == old[name]:
            done.append(f"{name} has it already")
            continue
        write.create(root / name, text, replace=True)
        done.append(f"{'added to' if old[name] else 'wrote'} {name}")
    return done


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        return write.read(path)
    except UnicodeDecodeError:
        raise DevmountError(f"{path.name} is not UTF-8 and is left as it is", str(path), "save it as UTF-8") from None
