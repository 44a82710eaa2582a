"""What can be done to a project's services, each step of a plan carried out on an engine."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from devmount import events
from devmount.binds import SingleFiles
from devmount.engine import images
from devmount.engine import spec as specs
from devmount.engine.engine import Container, Engine
from devmount.errors import DevmountError
from devmount.model import Action, Project, Service
from devmount.prober import Prober
from devmount.process import Process, State
from devmount.provision import Provision, table_name
from devmount.rules import PROJECT_FILE, Step

REPLACED = "-replaced"  # ends the name of a container while its successor is tried


class Actions:
    """Carries out, one call at a time, on the worker's thread; ``stop`` may come from another.

    Args:
        emit: takes each event; called from several threads.
        lost: called with a process whose channel broke.
    """

    def __init__(
        self, engine: Engine, project: Project, emit: Callable[[events.Event], None], lost: Callable[[Process], None]
    ) -> None:
        self.engine = engine
        self.provision = Provision(engine, project, emit)
        self.processes: dict[str, Process] = {}
        self.started: list[str] = []  # services that this session started, in order
        self._emit = emit
        self._lost = lost
        self._prober = Prober(engine, emit, self.provision.cancelled)
        self._single_files = SingleFiles()

    @property
    def project(self) -> Project:
        return self.provision.project

    @project.setter
    def project(self, project: Project) -> None:
        self.provision.project = project

    # starting

    def start(self, names: Iterable[str], *, build: bool = False) -> None:
        """Bring the services up in the order of their dependencies, each after those it depends on are ready."""
        names = list(names)
        made = self.provision.prepare(names, build=build)
        existing = self.provision.existing()
        services = self.project.in_order(names)
        needed = {dependency.service for service in services for dependency in service.depends_on}
        for service in services:
            self.provision.check_cancelled()
            current = existing.get(service.name)
            if current is not None and current.is_made_from(made[service.name]):
                self._bring_up(service, made[service.name], current)
            else:
                self._replace(service, made[service.name], current)
            if service.name in needed:
                self._wait_for(service)
            else:
                self._prober.follow(self.processes[service.name])

    def adopted_from(self) -> float | None:
        """When the first of the programs that ran already was started, in seconds since the epoch."""
        times = [process.adopted_from for process in self.processes.values() if process.adopted_from is not None]
        return min(times, default=None)

    def _wait_for(self, service: Service) -> None:
        process = self.processes[service.name]
        if not self._prober.wait(process):
            self.provision.check_cancelled()
            reason = "ended before it was ready" if not process.is_up else "is not ready"
            raise DevmountError(
                f"{service.name} {reason}, and others depend on it",
                f"[{table_name(service)}]",
                f"look at its log: devmount logs {service.name}",
            )

    def _bring_up(self, service: Service, spec: specs.Spec, current: Container | None) -> None:
        """Make sure that the service runs and is followed: in its container, or else in a new one."""
        process = self.processes.get(service.name)
        if process is None:
            process = self.processes[service.name] = Process(self.engine, service, self._emit, self._lost)
        process.service = service
        process.stop_signal = spec.stop_signal
        self._emit(events.Starting(time=time.time(), service=service.name))
        if current is None or not current.running:
            self._single_files.note(service)  # one that runs may see files that have been replaced since
        if current is not None and current.paused:
            self.engine.unpause(current.id)
        if current is not None and current.running:
            process.attach(current)
            process.adopt(service.stop_timeout)
        else:
            self.provision.check_writers(service)
            process.mark(State.STARTING)
            container = current or self.provision.create(service, spec)
            if service.name not in self.started:
                self.started.append(service.name)  # before the start: a stop from now on must find it
            try:
                process.run(container)
            except DevmountError:
                process.mark(State.STOPPED)
                process.detach()
                if current is None:
                    self.engine.remove(container.id)
                raise
        container = self.engine.inspect(process.need().id)
        process.container = container
        self._emit(
            events.Started(time=time.time(), service=service.name, container=container.id, ports=list(container.ports))
        )

    def _replace(self, service: Service, spec: specs.Spec, current: Container | None) -> None:
        """Make the service's container anew; if the new one cannot be started the one before goes on."""
        if current is None:
            self._bring_up(service, spec, None)
            return
        process = self.processes.get(service.name)
        if process is not None:
            process.mark(State.STOPPED)
            process.detach()
        if current.running:
            self.engine.stop(current.id, service.stop_timeout)
        self.engine.rename(current.id, current.name + REPLACED)
        try:
            self.provision.check_ports(service)
            self._bring_up(service, spec, None)
        except DevmountError:
            self.engine.rename(current.id, current.name)
            if current.running and process is not None:
                process.mark(State.STARTING)
                process.run(self.engine.inspect(current.id))
            raise
        self.engine.remove(current.id)

    # reloading

    def carry_out(self, step: Step, newest: float) -> None:
        """One step of a plan. ``newest``: ``time.monotonic`` of the batch's newest event.

        Raises:
            DevmountError: it failed; what ran before runs on where that is possible.
        """
        process = self.processes[step.service]
        for argv, user in step.run:
            self._run(process, argv, user)
        action = step.action
        in_place = Action.NONE.strength < action.strength <= Action.RESTART.strength
        anew = action is Action.RESTART or (in_place and self._single_files.are_replaced(process.service))
        if anew:
            self._start_anew(process)
        elif action is Action.SIGNAL:
            for name in step.signals:
                process.signal(name)
        elif action is Action.TOUCH:
            self._touch(process, step.files)
        elif action in (Action.RECREATE, Action.REBUILD):
            self.recreate([step.service], build=action is Action.REBUILD)
        sent = max(process.last_signal, newest) if anew or action is Action.SIGNAL else time.monotonic()
        self._emit_reload(step, sent, newest)
        if anew:
            self._prober.follow(process)

    def _emit_reload(self, step: Step, sent: float, newest: float) -> None:
        self._emit(
            events.Reload(
                time=time.time(),
                service=step.service,
                action=str(step.action),
                files=list(step.files[: events.MAX_LISTED_FILES]),
                rule=step.rule,
                milliseconds=round((sent - newest) * 1000, 3),
            )
        )

    def apply(self, names: Iterable[str], newest: float, files: Sequence[str]) -> None:
        """Make what runs fit the project as it is now: replace what differs, start what is new, remove what is gone.

        Args:
            files: the project's files that changed, for the event.
        """
        existing = self.provision.existing()
        for name in [name for name in self.processes if name not in self.project.services]:
            process = self.processes.pop(name)
            process.mark(State.STOPPED)
            process.detach()
            if name in existing:
                self.engine.stop(existing[name].id, process.service.stop_timeout)
                self.engine.remove(existing[name].id)
            self._emit(events.Stopped(time=time.time(), service=name))
        for service in self.project.in_order(names):
            current, known = existing.get(service.name), self.processes.get(service.name)
            spec = self.provision.spec(service, build=False)
            if current is not None and known is not None and current.is_made_from(spec):
                known.service = service
                known.stop_signal = spec.stop_signal
                continue
            self.provision.ensure_surroundings([service])
            self.recreate([service.name])
            self._emit_reload(Step(service.name, Action.RECREATE, tuple(files), PROJECT_FILE), time.monotonic(), newest)

    def recreate(self, names: Iterable[str], *, build: bool = False) -> None:
        """Replace the containers of services; dependents marked ``restart`` are restarted."""
        for name in names:
            service = self.project.services[name]
            spec = self.provision.spec(service, build=build)  # a failed build ends here: the old container runs on
            self.provision.ensure_surroundings([service])
            self._replace(service, spec, self.provision.existing().get(name))
            self._prober.follow(self.processes[name])
            for other in self.project.services.values():
                if any(dependency.service == name and dependency.restart for dependency in other.depends_on):
                    self.restart([other.name])

    def is_attached(self, name: str) -> bool:
        """Whether the service's container is followed: it runs, or its end is known at once."""
        process = self.processes.get(name)
        return process is not None and process.is_attached

    def restart(self, names: Iterable[str]) -> None:
        """Restart the programs of services, as far as they have any."""
        for name in names:
            process = self.processes.get(name)
            if process is not None:
                self._start_anew(process)
                self._prober.follow(process)

    def _start_anew(self, process: Process) -> None:
        """Restart the program; its container to see a file that is bound; a new one in place of one that is gone."""
        try:
            if self._single_files.are_replaced(process.service):
                self._single_files.note(process.service)
                process.rebind()
            else:
                process.restart()
        except DevmountError:
            if process.container is None or self.engine.exists(process.container.id):
                raise
            spec = self.provision.spec(process.service, build=False)
            self.provision.ensure_surroundings([process.service])
            self._bring_up(process.service, spec, None)

    def _run(self, process: Process, argv: tuple[str, ...], user: str | None) -> None:
        container = process.container
        if container is None or not self.engine.inspect(container.id).running:
            raise DevmountError(f"{argv[0]!r} cannot be run: {process.service.name} is not running")

        def show(stream: str, line: str) -> None:
            self._emit(events.Log(time=time.time(), service=process.service.name, stream=stream, line=line))

        code = self.engine.exec_lines(container.id, argv, user, show)
        if code != 0:
            raise DevmountError(
                f"{' '.join(argv)!r} failed with exit code {code}; the old process runs on",
                process.service.name,
                "mend it and save again",
            )

    def _touch(self, process: Process, files: Iterable[str]) -> None:
        container = process.container
        image = images.inspect(self.engine, images.image_name(self.project, process.service))
        target = specs.mount_target(process.service, image) if image else None
        if container is None or target is None:
            return
        paths = [f"{target}/{path}" for path in files]
        self._run(process, ("touch", "-c", "-h", "--", *paths), None)

    # stopping

    def stop(self, names: Iterable[str], *, kill: bool = False) -> None:
        """Stop containers at once, within the longest ``stop_timeout``, and keep them. ``kill``: by SIGKILL."""
        threads = []
        for name in names:
            process = self.processes.get(name)
            if process is None or process.container is None:
                continue
            process.mark(State.STOPPED)
            thread = threading.Thread(target=self._stop_one, args=(process, kill), name=f"stop-{name}", daemon=True)
            thread.start()
            threads.append((thread, process.service.stop_timeout))
        for thread, timeout in threads:
            thread.join(timeout + 15)

    def _stop_one(self, process: Process, kill: bool) -> None:
        assert process.container is not None
        try:
            if kill:
                self.engine.kill(process.container.id)
            else:
                self.engine.stop(process.container.id, process.service.stop_timeout)
        except DevmountError as error:
            with suppress(DevmountError):  # it was removed by someone else: it is stopped
                if self.engine.inspect(process.container.id).running:
                    self._emit(events.Error(time=time.time(), service=process.service.name, message=error.message))
        if not kill:
            process.detach()
