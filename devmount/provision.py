"""From a declared service to a container that can be started: image, ports, volumes, network, the container itself.

Everything that can fail before the first container is touched fails here.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from devmount import events
from devmount.engine import images, ports
from devmount.engine import spec as specs
from devmount.engine.engine import Container, Engine
from devmount.errors import DevmountError
from devmount.model import MountType, Project, Service
from devmount.volumes import exclusive, first_use

LOCK_INTERVAL = 0.1  # seconds between two tries to get the lock of the project's volumes


class Cancelled(Exception):
    """The session stops: what is under way is given up."""


class Provision:
    """Makes what services need. ``cancelled``, once set, ends a pull or a build that is under way.

    Args:
        emit: takes each event: the lines of builds and pulls, warnings.
    """

    def __init__(self, engine: Engine, project: Project, emit: Callable[[events.Event], None]) -> None:
        self.project = project
        self.cancelled = threading.Event()
        self._engine = engine
        self._emit = emit
        self._host = specs.this_host(rootless=engine.is_rootless())

    def prepare(self, names: Iterable[str], *, build: bool) -> dict[str, specs.Spec]:
        """What containers are to be made of, by service, with all that can be made or found wrong beforehand.

        Raises:
            DevmountError: an image cannot be had, a port is taken, a volume or a container is not this project's.
        """
        existing = self.existing()
        services = self.project.in_order(names)
        for service in services:
            if service.name in existing:
                require_own(self.project, existing[service.name])
        made = {service.name: self.spec(service, build=build) for service in services}
        for service in services:
            current = existing.get(service.name)
            if current is None or not current.running:
                self.check_ports(service)
            self.check_writers(service)
        self.ensure_surroundings(services)
        return made

    def existing(self) -> dict[str, Container]:
        """The project's containers by service, running or not."""
        return {container.service: container for container in self._engine.containers(self.project.name)}

    def ensure_surroundings(self, services: Sequence[Service]) -> None:
        """The volumes that these services mount, and the project's network; their images are here."""
        found = {
            service.name: image
            for service in services
            if (image := images.inspect(self._engine, images.image_name(self.project, service))) is not None
        }
        told = first_use.ensure(
            self._engine, self.project, services, found, self._host, self._patience(), self._progress
        )
        for line in told:
            self._emit(events.Warning(time=time.time(), message=line))
        self._engine.ensure_network(self.project)

    def _patience(self) -> Callable[[str], None]:
        """What to call, with the id of the process that is waited for, as often as it is found at work still."""
        told = False

        def wait(holder: str) -> None:
            nonlocal told
            if not told:
                message = f"waiting for process {holder}, which works on the project's volumes"
                self._emit(events.Warning(time=time.time(), message=message))
                told = True
            if self.cancelled.wait(LOCK_INTERVAL):
                raise Cancelled

        return wait

    def check_writers(self, service: Service, *, one_off: bool = False) -> None:
        """That nobody else writes into the service's exclusive volumes; see ``exclusive.require_sole_writer``."""
        exclusive.require_sole_writer(self._engine, self.project, service, one_off=one_off)

    def image(self, service: Service, *, build: bool = False) -> specs.Image:
        """The service's image, pulled or built where it is missing."""
        return images.ensure(
            self._engine, self.project, service, lambda line: self._progress(service, line), build=build
        )

    def spec(self, service: Service, *, build: bool) -> specs.Spec:
        """What the service's container is to be made of. ``build``: build its image even where there is one."""
        outdated = service.build is not None and first_use.is_outdated(self._engine, self.project, service)
        image = self.image(service, build=build or outdated)
        if not specs.program(service, image):
            raise DevmountError(
                f"{service.name} has nothing to run: the image has no command of its own",
                str(self.project.files[0]),
                f"give [{table_name(service)}] a command",
            )
        supervised = service.is_watched and not service.tty
        return specs.spec(self.project, service, image, self._host, supervised=supervised)

    def one_off(self, service: Service, argv: list[str], *, tty: bool) -> specs.Spec:
        """What a container for one command is to be made of; its surroundings are made.

        Raises:
            DevmountError: containers of another checkout run under this name, whose network it would be on.
        """
        for container in self.existing().values():
            if container.running:
                require_own(self.project, container)
        outdated = service.build is not None and first_use.is_outdated(self._engine, self.project, service)
        image = self.image(service, build=outdated)
        self.check_writers(service, one_off=True)
        self.ensure_surroundings([service])
        suffix = f"run-{time.time_ns():x}"
        return specs.one_off(self.project, service, image, self._host, argv, tty=tty, suffix=suffix)

    def check_ports(self, service: Service) -> None:
        """That the host ports it publishes are free.

        Raises:
            DevmountError: one is taken; by whom, where the system tells.
        """
        for port in service.ports:
            if not ports.is_taken(port):
                continue
            publisher = self._engine.publisher(port.host)
            who = f"the container {publisher}" if publisher else ports.holder(port.host)
            raise DevmountError(
                f"port {port.host} of {port.address} is taken" + (f" by {who}" if who else ""),
                f"[{table_name(service)}] ports in {self.project.files[0]}",
                f'stop it, or publish another one: ports = ["{port.host + 1}:{port.container}"]',
            )

    def create(self, service: Service, spec: specs.Spec) -> Container:
        """The container, created and not started."""
        if self._engine.exists(spec.name):
            raise DevmountError(
                f"a container named {spec.name} exists and is not this project's",
                str(self.project.root),
                f'remove it (docker rm {spec.name}) or give this project another name = "..."',
            )
        self._make_mount_points(service, spec)
        self._warn_of_unnamed(service, spec)
        container = self._engine.create(spec)
        if spec.supervised and not self._engine.has_path(container, "/bin/sh"):
            self._engine.remove(container)
            self._warn(service, "the image has no shell: reloads restart the whole container, which takes longer")
            image = images.inspect(self._engine, str(spec.body["Image"]))
            assert image is not None
            plain = specs.spec(self.project, service, image, self._host, supervised=False)
            # the hash stays the asked-for one, so that the next ``up`` knows the container again
            plain.body["Labels"][specs.HASH_LABEL] = spec.hash
            container = self._engine.create(plain)
        elif service.tty and service.is_watched:
            self._warn(service, "it has a terminal: reloads restart the whole container, which takes longer")
        return self._engine.inspect(container)

    def _warn_of_unnamed(self, service: Service, spec: specs.Spec) -> None:
        """Tell of the places for which the image asks a volume (VOLUME in a Dockerfile) and the file names none."""
        image = images.inspect(self._engine, str(spec.body["Image"]))
        named = {mount.target for mount in service.all_mounts(spec.mount)} | {spec.mount}
        for place in sorted(image.volumes if image else ()):
            if os.path.normpath(place) not in named:
                self._emit(
                    events.Warning(
                        time=time.time(),
                        service=service.name,
                        message=f"what it writes to {place} is lost when its container is made anew",
                        hint=f'keep it in a volume: mounts = ["{service.name}_data:{place}"]',
                    )
                )

    def _make_mount_points(self, service: Service, spec: specs.Spec) -> None:
        """Make the places of mounts that lie inside the project folder as the caller; the engine would as root."""
        if spec.mount is None:
            return
        for mount in service.all_mounts(spec.mount):
            inside = os.path.relpath(mount.target, spec.mount)
            if inside == "." or inside.startswith(".."):
                continue
            is_folder = mount.type is not MountType.BIND or Path(mount.real).is_dir()
            with suppress(OSError):  # what is in the way, a link too, is for the engine to resolve in the container
                _make_below(self.project.root, inside.split("/"), is_folder=is_folder)

    def _progress(self, service: Service, line: str) -> None:
        self.check_cancelled()
        if line:
            self._emit(events.Build(time=time.time(), service=service.name, step=line))

    def check_cancelled(self) -> None:
        """Raises ``Cancelled`` once the session stops."""
        if self.cancelled.is_set():
            raise Cancelled

    def _warn(self, service: Service, message: str) -> None:
        self._emit(events.Warning(time=time.time(), service=service.name, message=message))


def _make_below(root: Path, parts: Sequence[str], *, is_folder: bool) -> None:
    """Make a folder or an empty file where nothing is yet, and the folders above it; no link is followed on the way.

    Raises:
        OSError: something else is in the way.
    """
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts if is_folder else parts[:-1]:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=folder)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        if not is_folder:
            os.close(os.open(parts[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=folder))
    finally:
        os.close(folder)


def require_own(project: Project, container: Container) -> None:
    """That a container of this project's name was made from this folder.

    Raises:
        DevmountError: it is of another checkout, which is still there.
    """
    root = container.labels.get(specs.ROOT_LABEL, "")
    if root and Path(root) != project.root and Path(root).exists():
        raise DevmountError(
            f"{container.name} belongs to another checkout of a project with this name",
            root,
            'give one of them another name = "...", in .devmount.local.toml where it is yours alone',
        )


def table_name(service: Service) -> str:
    """The service's table in the project file."""
    return service.name if service.name == "app" else f"services.{service.name}"
