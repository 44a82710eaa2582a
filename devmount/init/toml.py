"""Values as a project file that people read; pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from devmount.config.types import BARE_KEY, toml

WIDE = 110  # columns
SHORT_TABLE = 3  # entries that stand on one line


def literal(value: object) -> str:
    """A value on one line."""
    return "".join(_char(char) for char in toml(_plain(value)))


def _plain(value: object) -> object:
    """What TOML has no word for, as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else str(value)


def _char(char: str) -> str:
    if char == "\x7f":  # JSON writes it as it is, TOML takes it only escaped
        return "\\u007f"
    return "\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char


def document(values: Mapping[str, Any], head: Iterable[str] = ()) -> str:
    """The whole file.

    Args:
        values: as ``tomllib`` would give them back; tables that are empty stay out.
        head: lines of the comment at the top.
    """
    blocks = ["\n".join(f"# {line}".rstrip() for line in head)] if head else []
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    if plain:
        blocks.append(_pairs(plain))
    for key in ("app", "services", "volumes", "watch", "profiles"):
        if isinstance(values.get(key), dict):
            blocks += _table((key,), values[key])
    return "\n\n".join(block for block in blocks if block) + "\n"


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> list[str]:
    """A table's blocks: its own keys, then the tables in it."""
    holds_tables = path[-1] in ("services", "volumes", "profiles") or (len(path) == 2 and path[0] == "profiles")
    if holds_tables:
        return [block for key, item in table.items() for block in _table((*path, key), item)]
    own = {key: value for key, value in table.items() if not _is_apart(key, value)}
    header = f"[{_name(path)}]"
    blocks = [f"{header}\n{_pairs(own)}" if own else header]
    for key, value in table.items():
        if key == "on_change":
            blocks += [f"[[{_name((*path, key))}]]\n{_pairs(entry)}" for entry in value]
        elif _is_apart(key, value):
            blocks.append(f"[{_name((*path, key))}]\n{_pairs(value)}")
    return blocks


def _is_apart(key: str, value: object) -> bool:
    """Whether it gets a header of its own."""
    if key == "on_change":
        return True
    return isinstance(value, dict) and (len(value) > SHORT_TABLE or len(literal(value)) > WIDE - 20)


def _pairs(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{_key(key)} = {_value(value, len(key))}" for key, value in table.items())


def _value(value: object, indent: int) -> str:
    line = literal(value)
    if isinstance(value, list | tuple) and value and len(line) + indent > WIDE:
        return "[\n" + "".join(f"    {literal(item)},\n" for item in value) + "]"
    return line


def _name(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) and key.isascii() else literal(key)
