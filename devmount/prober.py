"""Looks again and again whether a service is ready, and says so once."""

import threading
import time
from collections.abc import Callable

from devmount import events
from devmount.engine import readiness
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.process import Process

INTERVAL = 0.02  # seconds between two looks at the socket table; a look costs well under one millisecond
SLOW_INTERVAL = 0.25  # where a look is a process in the container


class Prober:
    """See the module.

    Args:
        emit: takes the events; called from several threads.
        cancelled: set when nobody waits any more.
    """

    def __init__(self, engine: Engine, emit: Callable[[events.Event], None], cancelled: threading.Event) -> None:
        self._engine = engine
        self._emit = emit
        self._cancelled = cancelled

    def follow(self, process: Process) -> None:
        """Emit ``ready`` when the service is, from a thread of its own, until it is restarted or has ended."""
        name = f"ready-{process.service.name}"
        threading.Thread(target=self._wait, args=(process, process.generation), name=name, daemon=True).start()

    def wait(self, process: Process) -> bool:
        """Wait until the service is ready, which is emitted; False when it has ended, was restarted or is too slow."""
        return self._wait(process, process.generation)

    def _wait(self, process: Process, generation: int) -> bool:
        service, container = process.service, process.container
        if container is None:
            return False
        timeout = service.ready.timeout if service.ready else 0.0
        deadline = process.began + timeout
        slow = service.ready is not None and service.ready.command is not None
        while not self._cancelled.wait(SLOW_INTERVAL if slow else INTERVAL):
            if not process.is_attached:
                process.lost_channel()
            if process.generation != generation or not process.is_up:
                return False
            try:
                ready = readiness.is_ready(self._engine, container, service, list(process.lines))
            except DevmountError:
                ready = False  # the container went away under the look; the loop sees it by the state
            if ready:
                seconds = round(time.monotonic() - process.began, 4)
                self._emit(events.Ready(time=time.time(), service=service.name, seconds=seconds))
                return True
            if time.monotonic() > deadline:
                self._emit(
                    events.Warning(
                        time=time.time(),
                        service=service.name,
                        message=f"{events.LATE} {timeout:g} s",
                        hint="look at its log, or raise ready.timeout",
                    )
                )
                return False
        return False
