"""What may be in a session's inbox besides events."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from devmount import events
from devmount.errors import DevmountError
from devmount.process import Process


class Order(StrEnum):
    """What a person or a script may ask of a running session."""

    START = "start"
    RESTART = "restart"
    REBUILD = "rebuild"
    PAUSE = "pause"
    RESUME = "resume"
    TOGGLE = "toggle"
    STOP = "stop"
    REREAD = "reread"  # the project file, as if it had been saved


@dataclass(frozen=True, slots=True)
class Ask:
    """An order, for the named services (none: the session itself, or the app), and who is told of the outcome."""

    order: Order
    services: tuple[str, ...] = ()
    reply: Callable[[DevmountError | None], None] = lambda error: None


@dataclass(frozen=True, slots=True)
class Interrupted:
    """SIGINT, or SIGTERM."""

    signal: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A channel broke."""

    process: Process


@dataclass(frozen=True, slots=True)
class Done:
    """The worker is free again. ``fatal``: the session cannot go on."""

    error: DevmountError | None = None
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Anew:
    """What was held off before counts again: the user asked for a restart, or the rules are others."""


Message = events.Event | events.FileChange | Ask | Interrupted | Lost | Done | Anew
