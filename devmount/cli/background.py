"""``up --detach``: the same session in the background, its events in a log file, followed until all is ready."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TextIO

from devmount import events
from devmount.control import log_file
from devmount.errors import EXIT_FAILED
from devmount.model import Project
from devmount.ui import printer

POLL = 0.02  # seconds between two looks at the log


def follow_background(project: Project, services: Sequence[str], *, json: bool) -> int:
    """Start this same command line without --detach, and show its events until these services (none: all), and what
    they depend on, are ready. The exit code: 1 where one has failed or is not ready in time; the session goes on then.
    """
    path = log_file(project.root)
    arguments = [word for word in sys.argv[1:] if word not in ("-d", "--detach", "--json")]
    with open(path, "wb") as log:
        child = subprocess.Popen(
            # -P: a module in the project's folder must not stand in for one of ours
            [sys.executable, "-P", "-m", "devmount", *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    interrupted: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        interrupted.append(number)
        child.send_signal(number)  # until all is ready it belongs to this terminal, and ends as at a terminal

    handlers = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    show = printer(sys.stdout, sys.stderr, json=json, services=list(project.services), color=None)
    failed = False
    waiting = {service.name for service in project.in_order(services or project.services)}
    try:
        with open(path, encoding="utf-8", errors="replace") as written:
            for line in _lines(written, child):
                event = events.from_json(line)
                if event is None:
                    print(line, file=sys.stderr)
                    continue
                show.show(event)
                if event.name in ("ready", "exited") or events.is_late(event):
                    failed = failed or not (isinstance(event, events.Ready) or getattr(event, "code", None) == 0)
                    waiting.discard(event.service or "")
                    if not waiting and not interrupted:
                        return EXIT_FAILED if failed else 0
    finally:
        show.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return child.returncode or EXIT_FAILED


def _lines(log: TextIO, child: "subprocess.Popen[bytes]") -> Iterator[str]:
    """The whole lines of the file as they come, until the child has ended."""
    rest = ""
    while True:
        ended = child.poll() is not None
        rest += log.read()
        *whole, rest = rest.split("\n")
        yield from whole
        if ended:
            return
        time.sleep(POLL)
