"""The life of one ``up``: everything that happens is put into one inbox, and one thread takes it out and decides.

``file changes -> intake -> plan -> worker``. Actions run on the worker, one in flight; what comes meanwhile waits in
the intake, so the next plan is made from all of it and the last state wins.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from types import FrameType

from devmount import events
from devmount.actions import Actions
from devmount.engine.engine import Engine
from devmount.errors import EXIT_FAILED, EXIT_INTERRUPTED, ConfigError, DevmountError
from devmount.intake import Intake
from devmount.model import Action, Project, Service
from devmount.process import State
from devmount.rules import Plan, plan
from devmount.session.messages import Anew, Ask, Done, Interrupted, Lost, Message, Order
from devmount.session.sources import moved_binds, named_files, own_outputs, project_files
from devmount.session.worker import Worker
from devmount.watch import Watcher

STOP_GRACE = 0.5  # seconds that an action under way gets to notice that the session stops
AT_ONCE = 256  # messages taken out before the next look at what is due


class Session:
    """See the module.

    Args:
        show: takes every event, on the session's thread.
        reread: reads the project file again; raises DevmountError while it is wrong.
    """

    def __init__(
        self,
        project: Project,
        engine: Engine,
        show: Callable[[events.Event], None],
        reread: Callable[[], Project],
        *,
        services: Sequence[str] = (),
        build: bool = False,
        keep: bool = False,
        watch: bool = True,
    ) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self._project = project
        self._show = show
        self._reread = reread
        self._names = list(services) or list(project.services)
        self._build = build
        self._keep = keep
        self._actions = Actions(engine, project, self.inbox.put, lambda process: self.inbox.put(Lost(process)))
        self._intake = Intake(project.watch, project.root)
        self._watcher = self._make_watcher()
        self._watch = watch
        self._worker = Worker(self.inbox.put)
        self._paused = False
        self._exit: int | None = None

    def run(self) -> int:
        """Start, follow, stop; the exit code. Signal handlers are set for the time."""
        handlers = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        self._worker.start()
        try:
            if self._watch:
                self._watcher.start()  # before the containers, so that no change made during their start is missed
            self._worker.give(self._start, fatal=True)
            while self._exit is None:
                self._step()
            return self._stop()
        finally:
            self._watcher.stop()
            self._intake.close()
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _start(self) -> None:
        """Bring all up; what was saved since a program that runs already was started is a change too."""
        self._actions.start(self._names, build=self._build)
        since = self._actions.adopted_from()
        if self._watch and since is not None:
            self._watcher.tell_changed_since(since)

    # the loop

    def _step(self) -> None:
        try:
            self._take(self.inbox.get(timeout=self._timeout()))
            for _ in range(AT_ONCE):
                self._take(self.inbox.get_nowait())
        except Empty:
            pass
        self._settle()

    def _timeout(self) -> float | None:
        """Seconds until a batch is due; None while there is none, or nothing could be done with it."""
        deadline = self._intake.deadline()
        if deadline is None or self._worker.is_busy or self._paused:
            return None
        return max(0.0, deadline - time.monotonic())

    def _take(self, message: Message) -> None:
        if isinstance(message, events.FileChange):
            self._intake.add(message, time.monotonic(), is_reloading=self._worker.is_busy)
        elif isinstance(message, events.Event):
            self._show(message)
        elif isinstance(message, Done):
            self._done(message)
        elif isinstance(message, Ask):
            self._ask(message)
        elif isinstance(message, Anew):
            self._intake.reset(self._project.watch)
        elif isinstance(message, Lost):
            self._worker.give(message.process.lost_channel)
        else:
            self._exit = EXIT_INTERRUPTED if message.signal == signal.SIGINT else 0

    def _settle(self) -> None:
        deadline = self._intake.deadline()
        now = time.monotonic()
        if deadline is None or deadline > now or self._worker.is_busy or self._paused:
            return
        processes = self._actions.processes.values()
        began = max((process.began for process in processes), default=0.0)
        taken, warnings = self._intake.take(now, began, has_failed=any(process.has_failed for process in processes))
        for warning in warnings:
            self._show(warning)
        if taken is None:
            return
        changes, batch = taken.batch.changes, taken.acted_on
        listed = [{"path": change.path, "kind": str(change.kind)} for change in changes[: events.MAX_LISTED_FILES]]
        same = taken.same[: events.MAX_LISTED_FILES] or None
        self._show(events.Change(time=time.time(), files=listed, count=len(changes), same_content=same))
        if not batch.changes:
            return
        root = self._project.root
        files = {os.path.relpath(path, root) for path in project_files(self._project)}
        failed = {name for name, process in self._actions.processes.items() if process.has_failed}
        made = plan(batch, self._present(), root=root, project_files=files, failed=failed)
        moved = moved_binds(self._project)
        if moved:
            made = replace(made, reread=True)  # it leads elsewhere now: that is another project, to be looked at anew
        if made.steps or made.reread:
            changed = (*(change.path for change in batch.changes if change.path in files), *moved)
            self._worker.give(lambda: self._carry_out(made, batch.newest, changed))

    def _present(self) -> list[Service]:
        """The services that a change may act on; not those that someone has stopped."""
        return [
            self._project.services[name]
            for name, process in self._actions.processes.items()
            if name in self._project.services and process.state is not State.STOPPED
        ]

    def _carry_out(self, made: Plan, newest: float, changed_files: Sequence[str]) -> None:
        """On the worker. What fails for one service does not keep the others from theirs."""
        failures: list[DevmountError] = []
        if made.reread:
            try:
                self._take_up_project(newest, changed_files)
            except DevmountError as error:
                failures.append(error)
        for step in made.steps:
            if step.service not in self._actions.processes or (failures and step.action is Action.RECREATE):
                continue  # an env file that cannot be read changes nothing
            try:
                self._actions.carry_out(step, newest)
            except DevmountError as error:
                failures.append(error)
        for failure in failures[:-1]:
            self._report(failure)
        if failures:
            raise failures[-1]

    def _take_up_project(self, newest: float, changed_files: Sequence[str]) -> None:
        before, project = self._project, self._reread()
        if project.name != before.name:
            raise DevmountError(
                f"the project's name is {project.name} now, and was {before.name}",
                str(project.files[0]),
                "end this session, run devmount down under the old name, and start again",
            )
        self._actions.project = self._project = project
        self.inbox.put(Anew())
        if self._watch and (project.watch != before.watch or named_files(project) != named_files(before)):
            before_it, watcher = self._watcher, self._make_watcher()
            watcher.start()  # before the other stops, so that no change is missed
            self._watcher = watcher
            before_it.stop()
        if changed_files:
            names = [name for name in project.services if name in self._names or name not in before.services]
            self._actions.apply(names, newest, changed_files)

    def _make_watcher(self) -> Watcher:
        project = self._project
        watch = project.watch
        ignore = [*watch.ignore, *own_outputs(project.root)]
        return Watcher(project.root, ignore, self.inbox.put, poll=watch.poll, named=named_files(project))

    # orders

    def _ask(self, ask: Ask) -> None:
        if ask.order is Order.STOP and not ask.services:
            self._exit = 0
        elif ask.order in (Order.PAUSE, Order.RESUME, Order.TOGGLE):
            self._paused = ask.order is Order.PAUSE or (ask.order is Order.TOGGLE and not self._paused)
            self._show(
                events.Warning(
                    time=time.time(),
                    message="reloads are paused; changes wait" if self._paused else "reloads go on",
                )
            )
        else:
            names = ask.services or ("app",)
            unknown = [name for name in names if name not in self._project.services]
            if unknown:
                ask.reply(DevmountError(f"there is no service {unknown[0]!r}", "", "see devmount ps"))
            else:
                self._worker.give(lambda: self._ordered(ask, names))
            return
        ask.reply(None)

    def _ordered(self, ask: Ask, names: Sequence[str]) -> None:
        try:
            self.inbox.put(Anew())
            if ask.order is Order.REBUILD:
                self._actions.recreate(names, build=True)
            elif ask.order is Order.STOP:
                self._actions.stop(names)
            elif ask.order is Order.START:
                self._actions.start(names)
            elif ask.order is Order.REREAD:
                self._take_up_project(time.monotonic(), [self._project.files[0].name])
            else:
                stopped = [name for name in names if not self._actions.is_attached(name)]
                self._actions.restart(name for name in names if name not in stopped)
                if stopped:
                    self._actions.start(stopped)
        except DevmountError as error:
            ask.reply(error)
            raise
        ask.reply(None)

    # what the worker reports

    def _done(self, done: Done) -> None:
        if done.error is not None:
            self._intake.failed()
            for event in _error_events(done.error):
                self._show(event)
            if done.fatal:
                self._exit = done.error.exit_code or EXIT_FAILED
        self._worker.next()

    def _report(self, error: DevmountError) -> None:
        for event in _error_events(error):
            self.inbox.put(event)

    # the end

    def _stop(self) -> int:
        """Stop what this session started. A second signal kills."""
        self._actions.provision.cancelled.set()
        self._worker.end()
        self._show(events.Stopping(time=time.time()))
        stopper = threading.Thread(target=self._stop_all, name="stop", daemon=True)
        stopper.start()
        killed = False
        while stopper.is_alive() or not self.inbox.empty():
            try:
                message = self.inbox.get(timeout=0.05)
            except Empty:
                continue
            if isinstance(message, Interrupted) and not killed:
                killed = True
                self._actions.stop(self._actions.started, kill=True)
            elif isinstance(message, events.Event):
                self._show(message)
            elif isinstance(message, Ask):
                message.reply(None if message.order is Order.STOP else DevmountError("the session is stopping"))
        self._show(events.Stopped(time=time.time()))
        assert self._exit is not None
        return self._exit

    def _stop_all(self) -> None:
        """Stop; and what the worker was just about to start too, once it has ended."""
        self._worker.join(STOP_GRACE)
        if not self._keep:
            self._actions.stop(list(self._actions.started))
        if self._worker.is_alive():
            self._worker.join()
            if not self._keep:
                self._actions.stop(list(self._actions.started))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.inbox.put(Interrupted(number))  # SimpleQueue.put is reentrant: its documentation names this use


def _error_events(error: DevmountError) -> list[events.Error]:
    problems = error.problems if isinstance(error, ConfigError) else [error]
    return [
        events.Error(time=time.time(), message=one.message, where=one.where or None, hint=one.hint or None)
        for one in problems
    ]
