"""Reading compose files: what one includes and extends is put together; paths become relative to the project."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devmount.errors import DevmountError, UsageError
from devmount.init import write
from devmount.init.compose import yaml

MOST_FILES = 50
NOT_EXTENDED = ("depends_on", "extends", "profiles")  # as compose has it: these stay with the service that says them


@dataclass
class Compose:
    """Compose files put together.

    ``lines``: where each path stands, "compose.yaml:12". ``bases``: the folder that a service's paths are relative to.
    """

    values: dict[str, Any]
    lines: dict[yaml.Path, str] = field(default_factory=dict)
    bases: dict[str, Path] = field(default_factory=dict)

    def where(self, path: yaml.Path) -> str:
        """The place of a path, or of the nearest thing around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return ""


def load(paths: list[Path], root: Path) -> Compose:
    """The files, the later laid over the earlier.

    Args:
        root: the project's folder; files are named relative to it.

    Raises:
        UsageError: one cannot be read, or is no compose file, or extends itself.
    """
    reader = _Files(root)
    made = Compose({})
    for path in paths:
        _lay_over(made, reader.whole(path, ()))
    return made


class _Files:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[Path, Compose] = {}

    def whole(self, path: Path, trail: tuple[Path, ...]) -> Compose:
        """A file with what it includes; its services with what they extend."""
        path = Path(os.path.normpath(path))
        if path in trail:
            raise UsageError(f"{self._name(path)} includes itself", str(trail[-1]), "leave one include out")
        own = self._one(path)
        made = Compose({})
        for entry in _listed(own.values.get("include")):
            wanted = entry.get("path") if isinstance(entry, dict) else entry
            for name in _listed(wanted):
                if isinstance(name, str):
                    _lay_over(made, self.whole(path.parent / name, (*trail, path)))
        services = own.values.get("services")
        extended = Compose({**own.values}, dict(own.lines), dict(own.bases))
        if isinstance(services, dict):
            extended.values["services"] = {
                name: self._extended(own, path, name, (), extended.lines) for name in services
            }
        _lay_over(made, extended)
        return made

    def _one(self, path: Path) -> Compose:
        if path in self._read:
            return self._read[path]
        if len(self._read) >= MOST_FILES:
            raise UsageError(f"more than {MOST_FILES} files include each other", str(path), "carry one over at a time")
        if not os.path.lexists(path):
            raise UsageError(f"there is no file {self._name(path)}", str(path.parent), "check the name")
        try:
            text = write.read(path)
        except DevmountError as error:
            raise UsageError(error.message, error.where, error.hint) from error
        except UnicodeDecodeError:
            raise UsageError(f"{path.name} is not UTF-8", str(path), "save it as UTF-8") from None
        tree = yaml.parse(text.removeprefix("\ufeff"), str(path))
        if not isinstance(tree.values, dict):
            raise UsageError(f"{path.name} is no compose file: it holds no mapping", str(path), "name another file")
        name = self._name(path)
        made = Compose(tree.values, {key: f"{name}:{line}" for key, line in tree.lines.items()})
        services = tree.values.get("services")
        made.bases = dict.fromkeys(services, path.parent) if isinstance(services, dict) else {}
        self._read[path] = made
        return made

    def _extended(
        self, own: Compose, path: Path, name: str, trail: tuple[tuple[Path, str], ...], lines: dict[yaml.Path, str]
    ) -> Any:
        """A service with what it extends; the lines of what comes from elsewhere are put into ``lines``."""
        services = own.values.get("services")
        service = services.get(name) if isinstance(services, dict) else None
        if not isinstance(service, dict) or "extends" not in service:
            return service
        if (path, name) in trail:
            circle = " -> ".join([*(one for _, one in trail[trail.index((path, name)) :]), name])
            raise UsageError(f"services extend each other in a circle: {circle}", str(path), "leave one extends out")
        extends = service["extends"]
        wanted = extends if isinstance(extends, dict) else {"service": extends}
        other_name = wanted.get("service")
        file = wanted.get("file")
        other_path = Path(os.path.normpath(path.parent / file)) if isinstance(file, str) else path
        other = self._one(other_path)
        known = other.values.get("services")
        if not isinstance(other_name, str) or not isinstance(known, dict) or other_name not in known:
            where = own.where(("services", name, "extends"))
            raise UsageError(f"there is no service {other_name!r} to extend", where or str(path), "check extends")
        base = self._extended(other, other_path, other_name, (*trail, (path, name)), lines)
        base = {key: value for key, value in base.items() if key not in NOT_EXTENDED} if isinstance(base, dict) else {}
        base = _rebased(base, other_path.parent, path.parent)
        for key, place in other.lines.items():
            if key[:2] == ("services", other_name):
                lines.setdefault(("services", name, *key[2:]), place)
        return _merged(base, {key: value for key, value in service.items() if key != "extends"})

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._root)


def _rebased(service: dict[str, Any], old: Path, new: Path) -> dict[str, Any]:
    """A service with its relative paths as another folder's file would write them."""
    if old == new:
        return service

    def path(text: Any) -> Any:
        if not isinstance(text, str) or not text.startswith("."):
            return text
        made = os.path.relpath(old / text, new)
        return made if made.startswith(".") else f"./{made}"

    made = dict(service)
    build = made.get("build")
    if isinstance(build, dict):
        made["build"] = {**build, "context": path(build.get("context", "."))}
    elif isinstance(build, str):
        made["build"] = path(build)
    for key in ("env_file", "volumes"):
        if key in made:
            made[key] = [
                {**entry, **{word: path(entry[word]) for word in ("path", "source") if word in entry}}
                if isinstance(entry, dict)
                else path(entry)
                if key == "volumes" or not isinstance(entry, str)
                else path(entry if entry.startswith((".", "/", "~", "$")) else f"./{entry}")
                for entry in _listed(made[key])
            ]
    return made


def _lay_over(made: Compose, other: Compose) -> None:
    made.values = _merged(made.values, other.values)
    made.lines |= other.lines
    made.bases |= other.bases


APPENDED = ("ports", "expose", "dns", "cap_add", "env_file", "secrets", "configs", "tmpfs")
BY_TARGET = ("volumes", "devices")


def _merged(base: Any, over: Any, key: str = "") -> Any:
    """Two values as compose merges them: mappings by key, lists of some keys appended, anything else replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {
            **base,
            **{name: _merged(base[name], item, name) if name in base else item for name, item in over.items()},
        }
    if key in ("environment", "labels") and base and over:
        return {**_as_mapping(base), **_as_mapping(over)}
    if key in APPENDED and isinstance(base, list) and isinstance(over, list):
        return [*base, *(item for item in over if item not in base)]
    if key in BY_TARGET and isinstance(base, list) and isinstance(over, list):
        taken = {_target(item) for item in over}
        return [*(item for item in base if _target(item) not in taken), *over]
    if key == "depends_on" and base and over:
        return {**_dependencies(base), **_dependencies(over)}
    return over


def _as_mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    pairs = [str(entry).partition("=") for entry in _listed(value)]
    return {name: text if equals else None for name, equals, text in pairs}


def _dependencies(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {str(name): {"condition": "service_started"} for name in _listed(value)}


def _target(entry: Any) -> str:
    if isinstance(entry, dict):
        return str(entry.get("target"))
    parts = str(entry).split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
