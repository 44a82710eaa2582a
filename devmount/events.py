"""What happens: the events of a session, in the form that ``up --json`` prints.

The names and keys are an interface that editors and scripts rely on; a key whose value is None is left out.
"""

import json
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

MAX_LISTED_FILES = 1000
LATE = "is not ready after"  # begins the warning about a service that is not ready in time


@dataclass(frozen=True, slots=True)
class Event:
    """An event. ``time`` is seconds since the epoch, when it happened."""

    name: ClassVar[str] = ""
    time: float = field(kw_only=True)
    service: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Starting(Event):
    name: ClassVar[str] = "starting"


@dataclass(frozen=True, slots=True)
class Started(Event):
    """``container``: its full id. ``ports``: "127.0.0.1:8000->8000/tcp" each."""

    name: ClassVar[str] = "started"
    container: str = ""
    ports: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ready(Event):
    """``seconds`` since the process began."""

    name: ClassVar[str] = "ready"
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Log(Event):
    """A line the program wrote, without its line end. ``stream``: stdout or stderr."""

    name: ClassVar[str] = "log"
    stream: str = "stdout"
    line: str = ""


@dataclass(frozen=True, slots=True)
class Change(Event):
    """A batch. ``files``: at most ``MAX_LISTED_FILES`` of ``{"path", "kind"}``; ``count``: all of them.

    ``same_content``: the paths that are not acted on, for what they hold is what they held at the last reload.
    """

    name: ClassVar[str] = "change"
    files: list[dict[str, str]] = field(default_factory=list)
    count: int = 0
    same_content: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Reload(Event):
    """An action carried out. ``milliseconds``: from the batch's newest event to the signal sent."""

    name: ClassVar[str] = "reload"
    action: str = ""
    files: list[str] = field(default_factory=list)
    rule: str | None = None
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Exited(Event):
    """The program ended. Either ``code`` or ``signal`` (a name, "SIGKILL") is set."""

    name: ClassVar[str] = "exited"
    code: int | None = None
    signal: str | None = None


@dataclass(frozen=True, slots=True)
class Build(Event):
    """A line of a build's or a pull's output."""

    name: ClassVar[str] = "build"
    step: str = ""


@dataclass(frozen=True, slots=True)
class Warning(Event):
    name: ClassVar[str] = "warning"
    message: str = ""
    hint: str | None = None


def is_late(event: Event) -> bool:
    """Whether this is the warning about a service that is not ready in time."""
    return isinstance(event, Warning) and event.message.startswith(LATE)


@dataclass(frozen=True, slots=True)
class Error(Event):
    """Something failed and the session goes on."""

    name: ClassVar[str] = "error"
    message: str = ""
    where: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Stopping(Event):
    name: ClassVar[str] = "stopping"


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    name: ClassVar[str] = "stopped"


KINDS: dict[str, type[Event]] = {
    kind.name: kind
    for kind in (
        Starting,
        Started,
        Ready,
        Log,
        Change,
        Reload,
        Exited,
        Build,
        Warning,
        Error,
        Stopping,
        Stopped,
    )
}


def rfc3339(seconds: float) -> str:
    """``seconds`` since the epoch as RFC 3339 in UTC, with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_json(event: Event) -> str:
    """The event as one line of JSON, without a line end. Characters that are not UTF-8 are escaped."""
    row: dict[str, Any] = {"time": rfc3339(event.time), "event": event.name}
    for item in fields(event):
        value = getattr(event, item.name)
        if item.name != "time" and value is not None:
            row[item.name] = value
    return json.dumps(row)


def from_json(line: str) -> Event | None:
    """The event of a line that ``to_json`` made; None when it is something else."""
    try:
        row = json.loads(line)
        kind = KINDS[row.pop("event")]
        row["time"] = datetime.fromisoformat(row["time"]).timestamp()
        return kind(**row)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Kind(StrEnum):
    """What became of a path."""

    CREATED = "created"
    MODIFIED = "modified"
    DELETED = "deleted"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path below the project folder that differs, before settling; it travels inside, never to a printer.

    ``path``: relative, "/" between the parts, undecodable bytes as surrogate escapes (``os.fsdecode``). ``at``: seconds
    of ``time.monotonic`` when the event was read. ``complete``: the write is over (closed, renamed, removed).
    ``source``: with MOVED, the path before. ``replaces``: a file may have been there before, though this one is new.
    ``ends``: the file was closed, after writes that were told of before.
    """

    path: str
    kind: Kind
    at: float
    complete: bool = True
    is_dir: bool = False
    source: str = ""
    ends: bool = False
    replaces: bool = False
