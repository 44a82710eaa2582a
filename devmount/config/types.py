"""What a value of the project file may be: each type checks, and tells the JSON Schema what it takes."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Protocol

Path = tuple[str | int, ...]
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at a path. ``at_key``: it is the key that is wrong, not its value."""

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False


class Type(Protocol):
    """What a value may be. ``name`` is said to the user after "must be"."""

    @property
    def name(self) -> str: ...

    def check(self, value: object, path: Path) -> Iterator[Problem]: ...

    def schema(self) -> dict[str, Any]: ...


def _kind(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def _mismatch(wanted: str, value: object, path: Path) -> Problem:
    return Problem(path, f"{_place(path)} must be {wanted}, not {_kind(value)}")


def _place(path: Path) -> str:
    """What a person calls the value at ``path``: the key, or an entry of its list."""
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "it")
    return f"entry {path[-1] + 1} of {key}" if path and isinstance(path[-1], int) else key


@dataclass(frozen=True, slots=True)
class Scalar:
    """A TOML type, and for strings what they may be."""

    type: type
    name: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None

    def check(self, value: object, path: Path) -> Iterator[Problem]:
        if type(value) is not self.type:
            yield _mismatch(self.name, value, path)
        elif self.choices and value not in self.choices:
            near = nearest(str(value), self.choices)
            yield Problem(
                path,
                f"{_place(path)} cannot be {value!r}",
                (f"did you mean {near!r}? " if near else "") + "it is one of: " + ", ".join(self.choices),
            )
        elif isinstance(value, int) and not self._is_within(value):
            yield Problem(
                path, f"{_place(path)} cannot be {value}: it is {self.name} from {self.minimum} to {self.maximum}"
            )

    def _is_within(self, value: int) -> bool:
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    def schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": {str: "string", bool: "boolean", int: "integer", float: "number"}[self.type]}
        if self.choices:
            made["enum"] = list(self.choices)
        if self.minimum is not None:
            made["minimum"] = self.minimum
        if self.maximum is not None:
            made["maximum"] = self.maximum
        return made


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of one type."""

    item: Type
    name: str

    def check(self, value: object, path: Path) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield _mismatch(self.name, value, path)
            return
        for number, item in enumerate(value):
            if item is not None:  # one that was wrong and has been taken out
                yield from self.item.check(item, (*path, number))

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Mapped:
    """A table whose keys are the user's own."""

    value: Type
    name: str

    def check(self, value: object, path: Path) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _mismatch(self.name, value, path)
            return
        for key, item in value.items():
            here = (*path, key)
            for problem in self.value.check(item, here):
                plain = not problem.hint and problem.path == here
                yield replace(problem, hint=self._instead(here)) if plain else problem

    def _instead(self, path: Path) -> str:
        if isinstance(self.value, Table):
            return f"write [{table_name(path)}], and its keys below"
        return f'write, for example, {path[-1]} = "text"'

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.value.schema()}


@dataclass(frozen=True, slots=True)
class Either:
    """One of several types, told apart by TOML's own."""

    types: tuple[Type, ...]
    name: str

    def check(self, value: object, path: Path) -> Iterator[Problem]:
        for kind in self.types:
            if fits(kind, value):
                yield from kind.check(value, path)
                return
        yield _mismatch(self.name, value, path)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [kind.schema() for kind in self.types]}


@dataclass(frozen=True, slots=True)
class Key:
    type: Type
    doc: str
    example: Any
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with these keys and no others."""

    keys: Mapping[str, Key]
    name: str = "a table"
    others: Mapping[str, str] = field(default_factory=dict)  # words of other tools, and what to write here

    def check(self, value: object, path: Path) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _mismatch(self.name, value, path)
            return
        for key, item in value.items():
            if key in self.keys:
                yield from self._check_key(key, item, (*path, key))
            else:
                yield Problem((*path, key), f"unknown key {key!r}{_within(path)}", self._instead(key), at_key=True)
        for key, known in self.keys.items():
            if known.is_required and key not in value:
                yield Problem(path, f"{key} is missing{_within(path)}", _example(key, known))

    def _check_key(self, key: str, value: object, path: Path) -> Iterator[Problem]:
        """A mistake that says nothing of its mend gets the key's example."""
        for problem in self.keys[key].type.check(value, path):
            plain = not problem.hint and all(isinstance(part, int) for part in problem.path[len(path) :])
            yield replace(problem, hint=_example(key, self.keys[key])) if plain else problem

    def _instead(self, key: str) -> str:
        if key in self.others:
            return f"write {self.others[key]}"
        near = nearest(key, self.keys)
        return f"did you mean {near!r}?" if near else "known keys: " + ", ".join(self.keys)

    def schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {**key.type.schema(), "description": key.doc, "examples": [key.example]}
                for name, key in self.keys.items()
            },
        }
        required = [name for name, key in self.keys.items() if key.is_required]
        return {**made, "required": required} if required else made


def toml(value: object) -> str:
    """A value as one line of TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = ", ".join(
            f"{key if BARE_KEY.fullmatch(key) else toml(key)} = {toml(item)}" for key, item in value.items()
        )
        return f"{{ {pairs} }}" if pairs else "{}"
    return str(value)


def _example(key: str, known: "Key") -> str:
    return f"write, for example, {key} = {toml(known.example)}"


def nearest(word: str, known: "Mapping[str, Any] | tuple[str, ...] | list[str]") -> str | None:
    """The known word that ``word`` was most likely meant to be."""
    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def table_name(path: Path) -> str:
    """A path as a TOML header writes it."""
    return ".".join(str(part) for part in path if isinstance(part, str))


def _within(path: Path) -> str:
    return f" in [{table_name(path)}]" if path else ""


def fits(kind: Type, value: object) -> bool:
    """Whether a value is of the TOML type that ``kind`` takes."""
    if isinstance(kind, Scalar):
        return type(value) is kind.type
    if isinstance(kind, Listed):
        return isinstance(value, list)
    return isinstance(value, dict)
