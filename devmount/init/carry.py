"""``init --from``: a compose file or a devcontainer.json, read from disk and carried over."""

import re
import shlex
from pathlib import Path
from typing import Any

from devmount.errors import DevmountError, UsageError
from devmount.init import jsonc, toml, write
from devmount.init.compose import files
from devmount.init.compose.convert import Converter
from devmount.init.devcontainer import Devcontainer
from devmount.init.guess import guess
from devmount.init.look import look
from devmount.init.notes import Notes
from devmount.init.plan import Plan

OVERRIDES = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


def carry(source: Path, root: Path, app: str | None) -> Plan:
    """The project file for what another tool's file says.

    Args:
        source: the file.
        root: the project's folder, absolute, links resolved.
        app: the compose service that becomes ``[app]``.

    Raises:
        UsageError: the file cannot be read, or is none of those.
    """
    if source.suffix == ".json":
        return _devcontainer(source, root, app)
    values, notes = _compose([source], root, app)
    beside = [name for name in OVERRIDES if (source.parent / name).is_file()]
    for name in beside:
        notes.leave((name,), "docker compose lays it over the file; what it says is not read here")
    return _plan(values, notes, source, root)


def _plan(values: dict[str, Any], notes: Notes, source: Path, root: Path) -> Plan:
    head = [f"From {_name(source, root)}. `devmount up` starts it."]
    return Plan(toml.document(values, head), tuple(notes.said), tuple(notes.left))


def _name(path: Path, root: Path) -> str:
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    return "".join(char if char.isprintable() else "?" for char in name)


def _compose(sources: list[Path], root: Path, app: str | None) -> tuple[dict[str, Any], Notes]:
    compose = files.load(sources, root)
    converter = Converter(compose, root, app, _workdirs(compose, root))
    return converter.convert(), converter.notes


def _workdirs(compose: files.Compose, root: Path) -> dict[str, str]:
    """The WORKDIR of the last stage of each service's Dockerfile, where one can be read."""
    found = {}
    services = compose.values.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        build = service.get("build") if isinstance(service, dict) else None
        table = {"context": build} if isinstance(build, str) else build if isinstance(build, dict) else None
        if table is None or table.get("target"):
            continue
        folder = compose.bases.get(name, root) / str(table.get("context", "."))
        try:
            text = write.read(folder / str(table.get("dockerfile", "Dockerfile")))
        except (DevmountError, UnicodeDecodeError, ValueError, OSError):
            continue
        last = re.split(r"(?im)^FROM\s", text)[-1]
        folders = re.findall(r"(?im)^WORKDIR\s+[\"']?(/[^\s\"'$]*)[\"']?\s*$", last)
        if folders:
            found[str(name)] = folders[-1].rstrip("/") or "/"
    return found


def _devcontainer(source: Path, root: Path, app: str | None) -> Plan:
    try:
        given = jsonc.loads(write.read(source))
    except jsonc.NotJson as error:
        raise UsageError(f"not JSON: {error.message}", f"{source}:{error.line}", "mend it first") from None
    except UnicodeDecodeError:
        raise UsageError(f"{source.name} is not UTF-8", str(source), "save it as UTF-8") from None
    if not isinstance(given, dict):
        raise UsageError(f"{source.name} is no devcontainer.json: it holds no table", str(source), "name another file")
    notes = Notes()
    found = Devcontainer(given, source.parent, root, notes, _program(root))
    below = None
    if found.compose_files:
        below, of_compose = _compose(found.compose_files, root, app or found.service)
        notes.said += of_compose.said
        notes.left += of_compose.left
    values = found.convert(below)
    return _plan(values, notes, source, root)


def _program(root: Path) -> str | None:
    """What a template would run in this folder, where that is one command."""
    import tomllib

    from devmount.init import templates

    made = guess(look(root))
    if made is None or made.template in ("dockerfile", "static"):
        return None
    text = templates.render(templates.text(made.template), made.slots, {})
    command = tomllib.loads(text)["app"].get("command")
    if isinstance(command, str):
        return command
    line = command[-1].strip().splitlines()[-1] if isinstance(command, list) and command[:2] == ["sh", "-ec"] else ""
    program = line.removeprefix("exec ")
    try:
        return program if line.startswith("exec ") and shlex.split(program) else None
    except ValueError:
        return None
