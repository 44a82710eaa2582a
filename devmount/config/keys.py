"""The keys of the project file: their types, and what the JSON Schema says of them. One table for both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

from devmount.model import Action, MountType

Path = tuple[str | int, ...]


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
    key = next((part for part in reversed(path) if isinstance(part, str)), "it")
    return Problem(path, f"{key} must be {wanted}, not {_kind(value)}")


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
                f"{path[-1]} cannot be {value!r}",
                (f"did you mean {near!r}? " if near else "") + "it is one of: " + ", ".join(self.choices),
            )

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
            yield from self.value.check(item, (*path, key))

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.value.schema()}


@dataclass(frozen=True, slots=True)
class Either:
    """One of several types, told apart by TOML's own."""

    types: tuple[Type, ...]
    name: str

    def check(self, value: object, path: Path) -> Iterator[Problem]:
        for kind in self.types:
            if _fits(kind, value):
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
                yield from self.keys[key].type.check(item, (*path, key))
            else:
                yield Problem((*path, key), f"unknown key {key!r}{_within(path)}", self._instead(key), at_key=True)
        for key, known in self.keys.items():
            if known.is_required and key not in value:
                yield Problem(
                    path, f"{key} is missing{_within(path)}", f"write, for example, {key} = {known.example!r}"
                )

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


def nearest(word: str, known: "Mapping[str, Any] | tuple[str, ...] | list[str]") -> str | None:
    """The known word that ``word`` was most likely meant to be."""
    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def table_name(path: Path) -> str:
    """A path as a TOML header writes it."""
    return ".".join(str(part) for part in path if isinstance(part, str))


def _within(path: Path) -> str:
    return f" in [{table_name(path)}]" if path else ""


def _fits(kind: Type, value: object) -> bool:
    if isinstance(kind, Scalar):
        return type(value) is kind.type
    if isinstance(kind, Listed):
        return isinstance(value, list)
    return isinstance(value, dict)


STRING = Scalar(str, "a string")
BOOLEAN = Scalar(bool, "true or false")
INTEGER = Scalar(int, "a number")
PORT = Scalar(int, "a port number", minimum=1, maximum=65535)
STRINGS = Listed(STRING, "a list of strings")
DURATION = Scalar(str, 'a duration such as "500ms" or "3s"')
COMMAND = Either((STRING, STRINGS), "a string or a list of strings")
ONE_OR_MORE = Either((STRING, STRINGS), "a string or a list of strings")
TEXTS = Mapped(
    Either((STRING, INTEGER, BOOLEAN, Scalar(float, "a number")), "a string, a number, true or false"),
    "a table of strings",
)

BUILD = Table(
    {
        "context": Key(STRING, "The folder that is sent to the builder, relative to the project.", "."),
        "dockerfile": Key(STRING, "The Dockerfile, relative to the context.", "docker/dev.Dockerfile"),
        "target": Key(STRING, "The stage to build.", "dev"),
        "args": Key(TEXTS, "Build arguments.", {"VERSION": "3.12"}),
    }
)
MOUNT = Table(
    {
        "type": Key(
            Scalar(str, "a string", tuple(str(kind) for kind in MountType)),
            "bind, volume or tmpfs.",
            "bind",
            is_required=True,
        ),
        "source": Key(STRING, "A path on the host, or the name of a volume; nothing for tmpfs.", "./data"),
        "target": Key(STRING, "The path in the container.", "/data", is_required=True),
        "read_only": Key(BOOLEAN, "Whether the container may only read it.", True),
    },
    others={"readonly": "read_only", "destination": "target", "dst": "target", "src": "source"},
)
READY = Table(
    {
        "port": Key(PORT, "Ready when the program listens on this port of the container.", 8000),
        "http": Key(STRING, "Ready when this path answers with a status below 400.", "/health"),
        "command": Key(COMMAND, "Ready when this command, in the container, ends with exit code 0.", "pg_isready"),
        "log": Key(STRING, "Ready when a line of the log matches this regular expression.", "listening on"),
        "timeout": Key(DURATION, "How long to wait before saying that it is not ready.", "60s"),
    }
)
RULE = Table(
    {
        "files": Key(
            ONE_OR_MORE, "Which files: gitignore patterns, relative to the project.", ["*.conf"], is_required=True
        ),
        "run": Key(COMMAND, "A command in the container, before the action.", "pip install -r requirements.txt"),
        "run_user": Key(STRING, "The user that runs it.", "root"),
        "action": Key(
            Scalar(str, "a string", tuple(str(action) for action in Action)),
            "What to do; restart when it is not said.",
            "restart",
        ),
        "signal": Key(STRING, 'With action = "signal": which.', "SIGHUP"),
    }
)
DEPENDENCY = Table(
    {
        "service": Key(STRING, "The service that must be ready first.", "db", is_required=True),
        "restart": Key(BOOLEAN, "Restart this one when that one was recreated.", True),
    }
)
SERVICE = Table(
    {
        "image": Key(STRING, "The image to run; or build.", "python:3.12-slim"),
        "build": Key(
            Either((STRING, BUILD), "a folder or a table"), "The folder with the Dockerfile, or a table.", "."
        ),
        "command": Key(
            COMMAND, "The program: split as a shell would, or a list. Default: the image's.", "python -m shop"
        ),
        "mount": Key(STRING, "Where the project folder appears in the container.", "/srv/shop"),
        "ports": Key(
            Listed(Either((PORT, STRING), "a number or a string"), "a list of ports"),
            'Published ports, on 127.0.0.1 unless an entry names an address: 8000, "80:8000", "0.0.0.0:80:8000".',
            [8000],
        ),
        "env_files": Key(STRINGS, 'Files of variables; one that may be missing ends in "?".', [".env", ".env.local?"]),
        "environment": Key(TEXTS, "Variables of the program; they win over env_files.", {"DEBUG": "1"}),
        "user": Key(STRING, '"host" (you), "image", "root", a name or "uid:gid".', "host"),
        "mounts": Key(
            Listed(Either((STRING, MOUNT), "a string or a table"), "a list of mounts"),
            "Folders and single files of the host, and volumes.",
            ["./conf:/etc/app:ro", "data:/var/lib/app"],
        ),
        "ready": Key(READY, "When the service counts as ready.", {"port": 8000}),
        "stop_signal": Key(STRING, "The signal that stops the program. Default: the image's, else SIGTERM.", "SIGINT"),
        "stop_timeout": Key(DURATION, "How long to wait for its end before SIGKILL.", "3s"),
        "depends_on": Key(
            Listed(Either((STRING, DEPENDENCY), "a service or a table"), "a list of services"),
            "Services that must be ready before this one starts.",
            ["db"],
        ),
        "on_change": Key(
            Listed(RULE, "a list of tables: [[app.on_change]]"),
            "What to do about which files; the first match wins.",
            [{"files": ["*.conf"], "action": "signal", "signal": "SIGHUP"}],
        ),
        "tty": Key(BOOLEAN, "Give the program a terminal; it is then restarted with its container.", True),
    },
    others={
        "env_file": "env_files",
        "env": "environment",
        "volumes": "mounts",
        "volume": "mounts",
        "healthcheck": "ready",
        "entrypoint": "command",
        "cmd": "command",
        "working_dir": "mount",
        "workdir": "mount",
        "stop_grace_period": "stop_timeout",
        "dockerfile": 'build = { dockerfile = "..." }',
    },
)
VOLUME = Table(
    {
        "driver": Key(STRING, "The volume driver.", "local"),
        "options": Key(TEXTS, "Options of the driver.", {"type": "tmpfs", "device": "tmpfs"}),
        "labels": Key(TEXTS, "Labels of the volume.", {"team": "shop"}),
        "external": Key(BOOLEAN, "Made by someone else, under exactly this name; never made or removed here.", True),
    },
    others={"driver_opts": "options", "opts": "options"},
)
WATCH = Table(
    {
        "ignore": Key(STRINGS, "gitignore patterns, on top of the .gitignore files.", ["*.log", "/build/"]),
        "settle": Key(DURATION, "Quiet time after a completed write.", "10ms"),
        "poll": Key(
            Either((BOOLEAN, DURATION), "true, false or a duration"),
            "Look at the files instead of waiting for events: for file systems that send none.",
            True,
        ),
    }
)
LAYER = {
    "app": Key(SERVICE, "The service you work on; it gets the project folder.", {"image": "python:3.12-slim"}),
    "services": Key(Mapped(SERVICE, "a table of services"), "Companions of the app.", {"db": {"image": "postgres:16"}}),
    "volumes": Key(
        Mapped(VOLUME, "a table of volumes"), "Named volumes, where they need more than a name.", {"data": {}}
    ),
    "watch": Key(WATCH, "How changes are noticed.", {"ignore": ["*.log"]}),
}
PROJECT = Table(
    {
        "name": Key(STRING, "The project's name. Default: the folder's.", "shop"),
        **LAYER,
        "profiles": Key(
            Mapped(Table(LAYER), "a table of profiles"), "Laid over the rest with --profile NAME.", {"ci": {"app": {}}}
        ),
    },
    others={"service": "services", "volume": "volumes", "profile": "profiles"},
)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft-07, which editors know) of the project file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "devmount project file (.devmount.toml)",
        **PROJECT.schema(),
    }
