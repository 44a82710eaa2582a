"""Events for programs: one JSON object a line."""

from typing import TextIO

from devmount.events import Event, to_json
from devmount.ui import OutputClosed


class JsonPrinter:
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, event: Event) -> None:
        try:
            self._out.write(to_json(event) + "\n")
            self._out.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error

    def close(self) -> None:
        """Nothing is open."""
