"""Single keys from the terminal, without waiting for a line end."""

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Keys:
    """While the ``with`` block runs, ``callback`` gets each key, on a thread of its own. Without a terminal: nothing.

    Ctrl-C stays the terminal's own, and output is as before. The terminal is put back at the end.
    """

    def __init__(self, callback: Callable[[str], None]) -> None:
        self._callback = callback
        self._before: list[object] | None = None
        self._wake: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.tcgetpgrp(0) != os.getpgrp():
            return self
        self._before = termios.tcgetattr(0)
        tty.setcbreak(0, termios.TCSANOW)
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, name="keys", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._wake is None or self._before is None:
            return
        os.write(self._wake[1], b"!")
        if self._thread:
            self._thread.join(1)
        termios.tcsetattr(0, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]
        for descriptor in self._wake:
            os.close(descriptor)

    def _read(self) -> None:
        assert self._wake is not None
        while True:
            ready, _, _ = select.select([0, self._wake[0]], [], [])
            if self._wake[0] in ready:
                return
            try:
                data = os.read(0, 64)
            except OSError:
                return  # the terminal has gone
            if not data:
                return
            if data.startswith(b"\x1b"):
                continue  # an arrow or a function key
            for char in data.decode(errors="replace"):
                self._callback(char)
