"""Events for people: log lines with a prefix, one line a reload, a line at the bottom while something takes long.

Without a terminal the same lines come plain; editors match their words to know when a reload begins and ends, so the
words of ``_words`` are an interface.
"""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from devmount import events
from devmount.ui import OutputClosed

COLORS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)  # SGR foreground (ECMA-48), a service each
BOLD, DIM, RED, YELLOW = "1", "2", "31", "33"
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TICK = 0.1  # seconds
SHOWN_FILES = 3
PULL = "pulling "
PULL_INTERVAL = 2.0  # seconds between two lines about a pull, without a terminal
OWN = "devmount"

PAST = {
    "restart": "restarted",
    "signal": "signalled",
    "recreate": "recreated",
    "rebuild": "rebuilt",
    "touch": "touched",
    "none": "done",
}


class Console:
    """See the module.

    Args:
        live: both streams are one terminal, so a status line may stand below what is printed.
    """

    def __init__(self, out: TextIO, err: TextIO, *, services: Sequence[str], color: bool, live: bool) -> None:
        self._out = out
        self._err = err
        self._color = color
        self._width = max(map(len, (*services, OWN)))
        self._colors = {name: str(COLORS[place % len(COLORS)]) for place, name in enumerate(services)}
        self._pull_shown = 0.0
        self._status = _Status(out, self._paint) if live else None

    def show(self, event: events.Event) -> None:
        try:
            self._show(event)
        except BrokenPipeError as error:
            raise OutputClosed from error

    def close(self) -> None:
        if self._status:
            self._status.end()

    def _show(self, event: events.Event) -> None:
        self._follow_work(event)
        if isinstance(event, events.Log):
            stream = self._err if event.stream == "stderr" else self._out
            self._print(stream, event.service or "", event.line)
        elif isinstance(event, events.Build):
            self._show_build(event)
        elif isinstance(event, events.Warning):
            self._print(self._err, event.service or OWN, self._paint(YELLOW, f"warning: {event.message}"))
            self._hint(event.service, event.hint)
        elif isinstance(event, events.Error):
            self._print(self._err, event.service or OWN, self._paint(RED, f"error: {event.message}"))
            for line in (event.where or "").splitlines():
                self._print(self._err, event.service or OWN, f"  {line}")
            self._hint(event.service, event.hint)
        else:
            words = _words(event)
            if words:
                self._print(self._out, event.service or OWN, self._paint(_style(event), words))

    def _hint(self, service: str | None, hint: str | None) -> None:
        if hint:
            self._print(self._err, service or OWN, f"  {hint}")

    def _show_build(self, event: events.Build) -> None:
        if event.step.startswith(PULL):
            if self._status:
                self._status.set(event.service or OWN, event.step)
                return
            now = time.monotonic()
            if now - self._pull_shown < PULL_INTERVAL:
                return
            self._pull_shown = now
        self._print(self._out, event.service or OWN, self._paint(DIM, event.step))

    def _follow_work(self, event: events.Event) -> None:
        """What the status line says: a service that is starting, until it is ready or has failed."""
        if self._status is None:
            return
        if isinstance(event, events.Starting):
            self._status.set(event.service or OWN, f"starting {event.service}")
        elif isinstance(event, events.Build) and not event.step.startswith(PULL):
            self._status.set(event.service or OWN, f"building {event.service}")
        elif isinstance(event, events.Stopping):
            self._status.set(OWN, "stopping")
        elif isinstance(event, events.Ready | events.Exited | events.Error | events.Stopped):
            self._status.drop(event.service or OWN, everything=event.service is None)

    def _print(self, stream: TextIO, service: str, text: str) -> None:
        prefix = self._paint(self._colors.get(service, BOLD), f"{service:<{self._width}} |")
        line = f"{prefix} {text}\n"
        if self._status:
            self._status.print_above(stream, line)
            return
        stream.write(line)
        stream.flush()

    def _paint(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._color and style else text


class _Status:
    """One line at the bottom that moves while anything takes long."""

    def __init__(self, out: TextIO, paint: Callable[[str, str], str]) -> None:
        self._out = out
        self._paint = paint
        self._lock = threading.Lock()
        self._work: dict[str, str] = {}
        self._drawn = False
        self._turn = 0
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._thread.start()

    def set(self, key: str, text: str) -> None:
        with self._lock:
            self._work[key] = text
        self._wake.set()

    def drop(self, key: str, *, everything: bool) -> None:
        with self._lock:
            if everything:
                self._work.clear()
            self._work.pop(key, None)
            self._erase()

    def print_above(self, stream: TextIO, line: str) -> None:
        with self._lock:
            self._erase()
            self._out.flush()
            stream.write(line)
            stream.flush()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._work.clear()
            self._erase()
            self._out.flush()
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            if not self._work:
                self._wake.wait()
                self._wake.clear()
                continue
            time.sleep(TICK)  # not at once: what is over by then needs no line
            with self._lock:
                if self._work and not self._ended:
                    self._draw()

    def _draw(self) -> None:
        self._turn = (self._turn + 1) % len(SPINNER)
        text = f"{SPINNER[self._turn]} {' · '.join(self._work.values())}"
        columns = shutil.get_terminal_size().columns  # a wrapped line could not be erased
        try:
            self._out.write("\r\x1b[2K" + self._paint(DIM, text[: columns - 1]))
            self._out.flush()
        except OSError:
            self._ended = True  # the next event tells whoever must know
        self._drawn = True

    def _erase(self) -> None:
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._drawn = False


def _style(event: events.Event) -> str:
    if isinstance(event, events.Exited):
        return YELLOW
    return DIM if isinstance(event, events.Starting | events.Change | events.Stopping | events.Stopped) else BOLD


def _words(event: events.Event) -> str:
    """One line about an event; "" for one that people need not see."""
    if isinstance(event, events.Starting):
        return "starting"
    if isinstance(event, events.Started):
        ports = [port.removesuffix("/tcp") for port in event.ports]
        return f"started {event.container[:12]}" + (f", {', '.join(ports)}" if ports else "")
    if isinstance(event, events.Ready):
        return f"ready after {event.seconds:.2f} s"
    if isinstance(event, events.Change):
        words = f"changed: {_files([row['path'] for row in event.files], event.count)}"
        same = event.same_content
        return words + (f"; same content, left out: {_files(same, len(same))}" if same else "")
    if isinstance(event, events.Reload):
        files = _files(event.files, len(event.files))
        return f"{PAST.get(event.action, event.action)} in {event.milliseconds:.1f} ms: {files}"
    if isinstance(event, events.Exited):
        how = f"by {event.signal}" if event.signal else f"with exit code {event.code}"
        return f"exited {how}" + ("; the next change starts it again" if event.service == "app" else "")
    if isinstance(event, events.Stopping):
        return "stopping"
    return "stopped" if isinstance(event, events.Stopped) else ""


def _files(paths: Sequence[str], count: int) -> str:
    shown = [path.encode("utf-8", "backslashreplace").decode() for path in paths[:SHOWN_FILES]]
    names = ", ".join(path if path.isprintable() else repr(path) for path in shown)
    return names + (f" and {count - SHOWN_FILES} more" if count > SHOWN_FILES else "")
