"""A bar for work whose bytes are counted."""

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

INTERVAL = 0.1  # seconds between two drawings
WIDTH = 24  # characters of the bar
UNITS = ("B", "kB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """Bytes for people: "1.2 GB", in powers of 1000 as docker shows them."""
    for unit in UNITS:
        if abs(size) < 999.5 or unit == UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.1f} {unit}"


class Bar:
    """One line on a terminal; nothing anywhere else. Call it with the bytes done and, where known, those in all.

    with Bar(sys.stderr, "data") as bar:
        bar(done, total)
    """

    def __init__(self, out: TextIO, label: str, now: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._name = self._label = label
        self._now = now
        self._began = now()
        self._next = self._began + INTERVAL
        self._live = out.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False

    def __enter__(self) -> "Self | None":
        """Itself, where there is a terminal to draw on."""
        return self if self._live else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._out.flush()

    def __call__(self, done: int, total: int | None) -> None:
        if not self._live or self._now() < self._next:
            return
        self._next = self._now() + INTERVAL
        self._out.write("\r\x1b[2K" + line(self._label, done, total, self._now() - self._began))
        self._out.flush()
        self._drawn = True

    def step(self, what: str) -> None:
        """Another part of the work begins."""
        self._label = f"{self._name}: {what}"
        self._began = self._now()


def line(label: str, done: int, total: int | None, seconds: float) -> str:
    """The bar as text. ``total`` None: how much there is to do is not known."""
    rate = f"{size_text(done / seconds)}/s" if seconds else ""
    if not total:
        return f"{label}  {size_text(done)}  {rate}"
    part = min(done / total, 1.0)  # what the engine said beforehand is what the disk holds, which may be less
    filled = round(part * WIDTH)
    return (
        f"{label}  {'█' * filled}{'░' * (WIDTH - filled)} {part:4.0%}  {size_text(done)} of {size_text(total)}  {rate}"
    )
