"""What a person or a program sees of the events."""

import os
from collections.abc import Sequence
from typing import Protocol, TextIO

from devmount.events import Event


class OutputClosed(Exception):
    """Whoever read the output has gone."""


class Printer(Protocol):
    """Shows events, one by one, from one thread."""

    def show(self, event: Event) -> None:
        """Show one event.

        Raises:
            OutputClosed: nobody reads any more.
        """

    def close(self) -> None:
        """Leave the terminal as it was."""


def printer(out: TextIO, err: TextIO, *, json: bool, services: Sequence[str], color: bool | None) -> Printer:
    """The printer for these streams.

    Args:
        json: one JSON object a line, on ``out``.
        services: all that may speak, for the width of the prefixes.
        color: None: where ``out`` is a terminal and NO_COLOR is not set (no-color.org).
    """
    if json:
        from devmount.ui.jsonl import JsonPrinter

        return JsonPrinter(out)
    from devmount.ui.console import Console

    terminal = out.isatty() and os.environ.get("TERM") != "dumb"
    colored = color if color is not None else terminal and not os.environ.get("NO_COLOR")
    return Console(out, err, services=services, color=colored, live=terminal and err.isatty())
