"""The thread that carries out what the session decides: one job at a time, so that one action is in flight."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from devmount.errors import DevmountError
from devmount.provision import Cancelled
from devmount.session.messages import Done

Job = Callable[[], None]


class Worker(threading.Thread):
    """Called on the session's thread only.

    Args:
        report: takes the end of each job, on the worker's thread.
    """

    def __init__(self, report: Callable[[Done], None]) -> None:
        super().__init__(name="worker", daemon=True)
        self._report = report
        self._jobs: SimpleQueue[tuple[Job, bool] | None] = SimpleQueue()
        self._waiting: list[tuple[Job, bool]] = []
        self.is_busy = False

    def give(self, job: Job, *, fatal: bool = False) -> None:
        """Do a job, after those that were given before; ``fatal``: its failure ends the session."""
        if self.is_busy:
            self._waiting.append((job, fatal))
        else:
            self.is_busy = True
            self._jobs.put((job, fatal))

    def next(self) -> None:
        """The end of a job has been taken note of: do the next, if one waits."""
        self.is_busy = False
        if self._waiting:
            job, fatal = self._waiting.pop(0)
            self.give(job, fatal=fatal)

    def end(self) -> None:
        """Do nothing more after the job in flight."""
        self._jobs.put(None)

    def run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, fatal = item
            try:
                job()
            except Cancelled:
                self._report(Done())
            except DevmountError as error:
                self._report(Done(error, fatal))
            except Exception as error:
                # a defect of ours; it must end the session in words, not leave it deaf
                failure = DevmountError(f"internal error: {error!r}", "", "run again with --debug and report it")
                failure.__cause__ = error
                self._report(Done(failure, fatal=True))
            else:
                self._report(Done())
