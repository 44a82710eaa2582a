"""What can be done to a project's services, each step of a plan carried out on an engine."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from devmount import events
from devmount.engine import images, ports, readiness
from devmount.engine import spec as specs
from devmount.engine.engine import Container, Engine
from devmount.errors import DevmountError
from devmount.model import Action, MountType, Project, Service
from devmount.process import Process, State
from devmount.rules import PROJECT_FILE, Step

PROBE_INTERVAL = 0.02  # seconds between two looks at the socket table; a look costs well under one millisecond
SLOW_PROBE_INTERVAL = 0.25  # where a look is a process in the container
RUN_LINES = 20  # of a failed ``run``, shown


class Cancelled(Exception):
    """The session stops: what is under way is given up."""


class Actions:
    """Carries out, one call at a time, on the worker's thread.

    Args:
        emit: takes each event; called from several threads.
        lost: called with a process whose channel broke.
    """

    def __init__(
        self, engine: Engine, project: Project, emit: Callable[[events.Event], None], lost: Callable[[Process], None]
    ) -> None:
        self.engine = engine
        self.project = project
        self.processes: dict[str, Process] = {}
        self.cancelled = threading.Event()
        self.started: list[str] = []  # services that this session started, in order
        self._emit = emit
        self._lost = lost
        self._host = specs.this_host(rootless=engine.is_rootless())
        self._files: dict[str, tuple[int, int]] = {}  # single-file binds: device and inode seen at the last start

    # starting

    def prepare(self, names: Iterable[str], *, build: bool) -> dict[str, specs.Spec]:
        """Everything that can fail before the first container is touched: images, taken ports, volumes, the network."""
        existing = self._existing()
        made: dict[str, specs.Spec] = {}
        for service in self.in_order(names):
            made[service.name] = self._spec(service, build=build)
        for service in self.in_order(names):
            current = existing.get(service.name)
            if current is None or not current.running:
                self._check_ports(service)
        self.ensure_surroundings(self.in_order(names))
        return made

    def ensure_surroundings(self, services: Iterable[Service]) -> None:
        """The volumes that these services mount, and the project's network."""
        mounted = {mount.source for service in services for mount in service.mounts if mount.type is MountType.VOLUME}
        for name in sorted(mounted):
            self.engine.ensure_volume(self.project, self.project.volumes[name])
        self.engine.ensure_network(self.project)

    def image(self, service: Service, *, build: bool = False) -> specs.Image:
        """The service's image, pulled or built where it is missing."""
        return images.ensure(
            self.engine, self.project, service, lambda line: self._progress(service, line), build=build
        )

    def start(self, names: Iterable[str], *, build: bool = False) -> None:
        """Bring the services up in the order of their dependencies, each after those it depends on are ready."""
        names = list(names)
        made = self.prepare(names, build=build)
        existing = self._existing()
        needed = {dependency.service for service in self.in_order(names) for dependency in service.depends_on}
        for service in self.in_order(names):
            self._check_cancelled()
            self._bring_up(service, made[service.name], existing.get(service.name))
            if service.name in needed:
                self._wait_ready(service)
            else:
                self.follow_readiness(service.name)

    def in_order(self, names: Iterable[str]) -> list[Service]:
        """The named services and what they depend on, dependencies first."""
        done: dict[str, Service] = {}

        def visit(name: str) -> None:
            service = self.project.services[name]
            for dependency in service.depends_on:
                visit(dependency.service)
            done.setdefault(name, service)

        for name in names:
            visit(name)
        return list(done.values())

    def _existing(self) -> dict[str, Container]:
        return {container.service: container for container in self.engine.containers(self.project.name)}

    def _spec(self, service: Service, *, build: bool) -> specs.Spec:
        image = self.image(service, build=build)
        supervised = service.is_watched and not service.tty
        if not specs.program(service, image):
            raise DevmountError(
                f"{service.name} has nothing to run: the image has no command of its own",
                str(self.project.files[0]),
                f"give [{_table(service)}] a command",
            )
        return specs.spec(self.project, service, image, self._host, supervised=supervised)

    def _progress(self, service: Service, line: str) -> None:
        self._check_cancelled()
        if line:
            self._emit(events.Build(time=time.time(), service=service.name, step=line))

    def _check_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled

    def _check_ports(self, service: Service) -> None:
        for port in service.ports:
            if ports.is_taken(port):
                who = self._publisher(port.host) or ports.holder(port.host)
                raise DevmountError(
                    f"port {port.host} of {port.address} is taken" + (f" by {who}" if who else ""),
                    f"[{_table(service)}] ports in {self.project.files[0]}",
                    f'stop it, or publish another one: ports = ["{port.host + 1}:{port.container}"]',
                )

    def _publisher(self, port: int) -> str:
        for row in self.engine.client.containers(filters={"publish": str(port)}):
            return f"the container {row['Names'][0].lstrip('/')}"
        return ""

    def _bring_up(self, service: Service, spec: specs.Spec, current: Container | None) -> None:
        process = self.processes.get(service.name)
        if process is None:
            process = self.processes[service.name] = Process(self.engine, service, self._emit, self._lost)
        process.service = service
        process.stop_signal = spec.stop_signal
        self._emit(events.Starting(time=time.time(), service=service.name))
        self._note_files(service)
        same = current is not None and _made_from(current, spec)
        if current is not None and not same:
            self.remove(service.name, current)
            current = None
        if current is not None and current.paused:
            self.engine.client.unpause(current.id)
        if current is not None and current.running:
            process.attach(current)
            process.adopt(service.stop_timeout)
        else:
            process.mark(State.STARTING)
            container = current or self._create(service, spec)
            process.attach(container)
            generation = process.generation
            self.engine.start(container.id, container.name)
            process.begun(self.engine.inspect(container.id), generation)
            self.started.append(service.name)
        container = self.engine.inspect(process.container.id) if process.container else container
        process.container = container
        self._emit(
            events.Started(time=time.time(), service=service.name, container=container.id, ports=list(container.ports))
        )

    def _create(self, service: Service, spec: specs.Spec) -> Container:
        if self.engine.exists(spec.name):
            raise DevmountError(
                f"a container named {spec.name} exists and is not this project's",
                str(self.project.root),
                f'remove it (docker rm {spec.name}) or give this project another name = "..."',
            )
        container = self.engine.create(spec)
        if spec.supervised and not self.engine.has_path(container, "/bin/sh"):
            self.engine.remove(container)
            self._emit(
                events.Warning(
                    time=time.time(),
                    service=service.name,
                    message="the image has no shell: reloads restart the whole container, which takes longer",
                )
            )
            image = images.inspect(self.engine, str(spec.body["Image"]))
            assert image is not None
            plain = specs.spec(self.project, service, image, self._host, supervised=False)
            # the hash stays the asked-for one, so that the next ``up`` knows the container again
            plain.body["Labels"][specs.HASH_LABEL] = spec.hash
            container = self.engine.create(plain)
        return self.engine.inspect(container)

    # readiness

    def follow_readiness(self, name: str) -> None:
        """Emit ``ready`` when the service is, from a thread of its own, until it is restarted or has ended."""
        process = self.processes[name]
        threading.Thread(
            target=self._probe, args=(process, process.generation), name=f"ready-{name}", daemon=True
        ).start()

    def _wait_ready(self, service: Service) -> None:
        process = self.processes[service.name]
        if not self._probe(process, process.generation):
            reason = "ended before it was ready" if not process.is_up else "is not ready"
            raise DevmountError(
                f"{service.name} {reason}, and others depend on it",
                f"[{_table(service)}]",
                f"look at its log: devmount logs {service.name}",
            )

    def _probe(self, process: Process, generation: int) -> bool:
        service, container = process.service, process.container
        if container is None:
            return False
        timeout = service.ready.timeout if service.ready else 0.0
        deadline = process.began + timeout
        slow = service.ready is not None and service.ready.command is not None
        while not self.cancelled.wait(SLOW_PROBE_INTERVAL if slow else PROBE_INTERVAL):
            if not process.is_attached:
                process.lost_channel()
            if process.generation != generation or not process.is_up:
                return False
            try:
                ready = readiness.is_ready(self.engine, container, service, list(process.lines))
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
                        message=f"is not ready after {timeout:g} s",
                        hint="look at its log, or raise ready.timeout",
                    )
                )
                return False
        return False

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
        if (
            action.strength <= Action.RESTART.strength
            and action is not Action.NONE
            and self._binds_replaced(process.service)
        ):
            process.rebind()
        elif action is Action.RESTART:
            process.restart()
        elif action is Action.SIGNAL:
            for name in step.signals:
                process.signal(name)
        elif action is Action.TOUCH:
            self._touch(process, step.files)
        elif action in (Action.RECREATE, Action.REBUILD):
            self.recreate([step.service], build=action is Action.REBUILD)
        sent = max(process.last_signal, newest) if action in (Action.RESTART, Action.SIGNAL) else time.monotonic()
        self._emit_reload(step, sent, newest)
        if action is Action.RESTART:
            self.follow_readiness(step.service)

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
        for name in [name for name in self.processes if name not in self.project.services]:
            container = self._existing().get(name)
            if container is not None:
                self.remove(name, container)
            del self.processes[name]
            self._emit(events.Stopped(time=time.time(), service=name))
        existing = self._existing()
        for service in self.in_order(names):
            current, process = existing.get(service.name), self.processes.get(service.name)
            if current is not None and process is not None and _made_from(current, self._spec(service, build=False)):
                process.service = service
                continue
            self.ensure_surroundings([service])
            self.recreate([service.name])
            self._emit_reload(Step(service.name, Action.RECREATE, tuple(files), PROJECT_FILE), time.monotonic(), newest)

    def recreate(self, names: Iterable[str], *, build: bool = False) -> None:
        """Replace the containers of services whose making differs; dependents marked ``restart`` are restarted."""
        for name in names:
            service = self.project.services[name]
            spec = self._spec(service, build=build)  # a failed build ends here: the old container runs on
            current = self._existing().get(name)
            if current is not None:
                self.remove(name, current)
            self._check_ports(service)
            self.engine.ensure_network(self.project)
            self._bring_up(service, spec, None)
            self.follow_readiness(name)
            for other in self.project.services.values():
                if any(dependency.service == name and dependency.restart for dependency in other.depends_on):
                    dependent = self.processes.get(other.name)
                    if dependent is not None:
                        dependent.restart()
                        self.follow_readiness(other.name)

    def remove(self, name: str, container: Container) -> None:
        """Stop and remove a service's container."""
        process = self.processes.get(name)
        if process is not None:
            process.mark(State.STOPPED)
            process.detach()
        service = self.project.services.get(name)
        if container.running:
            self.engine.stop(container.id, service.stop_timeout if service else 3.0)
        self.engine.remove(container.id)

    def _run(self, process: Process, argv: tuple[str, ...], user: str | None) -> None:
        container = process.container
        if container is None or not self.engine.inspect(container.id).running:
            raise DevmountError(f"{argv[0]!r} cannot be run: {process.service.name} is not running")
        code, output = self.engine.exec_output(container.id, argv, user)
        lines = output.decode(errors="replace").splitlines()
        for line in lines:
            self._emit(events.Log(time=time.time(), service=process.service.name, stream="stdout", line=line))
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

    def _note_files(self, service: Service) -> None:
        for path, identity in _single_files(service):
            self._files[path] = identity

    def _binds_replaced(self, service: Service) -> bool:
        """Whether a single file that is bound has another inode now: the container goes on seeing the old one."""
        replaced = any(self._files.get(path) != identity for path, identity in _single_files(service))
        self._note_files(service)
        return replaced

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
            if self._still_runs(process.container.id):
                self._emit(events.Error(time=time.time(), service=process.service.name, message=error.message))
        process.detach()

    def _still_runs(self, container: str) -> bool:
        try:
            return self.engine.inspect(container).running
        except DevmountError:
            return False  # removed by someone else: it is stopped


def _single_files(service: Service) -> list[tuple[str, tuple[int, int]]]:
    """The bound single files with their device and inode numbers; (0, 0) where there is none now."""
    found = []
    for mount in service.mounts:
        if mount.type is MountType.BIND and not os.path.isdir(mount.source):
            try:
                status = os.stat(mount.source)
                found.append((mount.source, (status.st_dev, status.st_ino)))
            except OSError:
                found.append((mount.source, (0, 0)))
    return found


def _made_from(container: Container, spec: specs.Spec) -> bool:
    labels: Mapping[str, str] = container.labels
    return labels.get(specs.HASH_LABEL) == spec.hash


def _table(service: Service) -> str:
    """The service's table in the project file."""
    return service.name if service.name == "app" else f"services.{service.name}"
