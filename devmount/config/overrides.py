"""Variables of the caller's environment that are laid over the file: ``DEVMOUNT_APP__STOP_TIMEOUT=5s``.

The parts of a key are joined by two underscores, since keys hold single ones. A value is the text itself where the
key takes text, and else what TOML makes of it: ``DEVMOUNT_APP__PORTS='[8000]'``.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devmount.config.keys import PROJECT
from devmount.config.positions import Path as Keys
from devmount.config.types import Either, Key, Mapped, Scalar, Table, Type, fits

PREFIX = "DEVMOUNT_"
BETWEEN = "__"


@dataclass
class Overrides:
    """The values, and the name of the variable that each came from."""

    values: dict[str, Any] = field(default_factory=dict)
    names: dict[Keys, str] = field(default_factory=dict)

    def locate(self, path: Keys, *, at_key: bool = False) -> tuple[tuple[int, int], str]:
        """As ``Document.locate``: variables have no lines."""
        return (0, 0), f"{self._name(path)} in the environment"

    def label(self, path: Keys) -> str:
        """Where a value came from, in short."""
        return self._name(path)

    def _name(self, path: Keys) -> str:
        """The variable that set ``path``, something around it, or else something in it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.names:
                return self.names[path[:end]]
        return next(name for known, name in self.names.items() if known[: len(path)] == path)


def read(environ: Mapping[str, str], below: Sequence[Mapping[str, Any]]) -> Overrides:
    """The overrides among the variables of ``environ``.

    Args:
        below: the values that they are laid over, which know how names of services and volumes are written.
    """
    made = Overrides()
    for variable in sorted(environ):
        parts = variable.removeprefix(PREFIX).split(BETWEEN)
        is_key = len(parts) > 1 or parts[0].lower() in PROJECT.keys
        if not variable.startswith(PREFIX) or not is_key:
            continue  # DEVMOUNT_PROFILE, DEVMOUNT_ENGINE and others' own
        path, kind = _find(parts, below)
        holder: Any = made.values
        for part in path[:-1]:
            holder = holder.setdefault(part, {}) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder[path[-1]] = _value(kind, environ[variable])
        made.names[path] = variable
    return made


def _find(parts: list[str], below: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], Type | None]:
    """The key that a variable's parts name, and its type; None for one that does not exist."""
    path: tuple[str, ...] = ()
    kind: Type | None = PROJECT
    tables = list(below)
    for number, part in enumerate(parts):
        name = part.lower()
        if isinstance(kind, Either):
            kind = next((one for one in kind.types if isinstance(one, Table)), None)
        if isinstance(kind, Table):
            key: Key | None = kind.keys.get(name)
            kind = key.type if key else None
        elif isinstance(kind, Mapped) and isinstance(kind.value, Table):
            known = {_plain(str(key)): str(key) for table in tables for key in table}
            name, kind = known.get(_plain(part), name), kind.value
        elif isinstance(kind, Mapped):
            return (*path, BETWEEN.join(parts[number:])), kind.value  # a name of the user's own, as it is written
        else:
            kind = None
        path = (*path, name)
        tables = [table[name] for table in tables if isinstance(table.get(name), dict)]
    return path, kind


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _value(kind: Type | None, text: str) -> Any:
    if kind is None or (isinstance(kind, Scalar) and kind.type is str):
        return text
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = found.pop("value")
    takes_text = isinstance(kind, Either) and any(fits(one, "") for one in kind.types)
    is_other = (
        isinstance(value, list | dict | bool)
        and isinstance(kind, Either)
        and any(fits(one, value) for one in kind.types)
    )
    return text if found or (takes_text and not is_other) else value
