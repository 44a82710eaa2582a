"""Values of env files and variables are not told, whoever words the message: an engine, a builder, a traceback.

What a program itself writes is its own affair, and is not touched. Short values are left alone: hiding every "1" or
"dev" would hide what the message says.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from devmount import events
from devmount.errors import MASK

SHORTEST = 6  # characters

_values: set[str] = set()  # of this process: one command line reads one project, again and again


def add(values: Iterable[str]) -> None:
    """Values that are to be masked from now on, and each line of those that have several."""
    _values.update(part for value in values for part in (value, *value.splitlines()) if len(part) >= SHORTEST)


def masked(text: str) -> str:
    """The text without the values."""
    for value in sorted(_values, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def masked_event(event: events.Event) -> events.Event:
    """The event without the values, where it is devmount, the engine or the builder that speaks."""
    if not _values or not isinstance(event, events.Error | events.Warning | events.Build):
        return event
    values = {one.name: getattr(event, one.name) for one in fields(event)}
    texts: dict[str, Any] = {name: masked(value) for name, value in values.items() if isinstance(value, str)}
    return replace(event, **texts)
