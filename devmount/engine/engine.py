"""The calls devmount makes to an engine, in its own terms. Every failure is a ``DevmountError``."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from devmount import supervisor
from devmount.engine import binds, stopping
from devmount.engine import spec as specs
from devmount.engine.channel import Channel
from devmount.engine.container import Container as Container
from devmount.engine.container import explained as explained
from devmount.engine.container import is_missing, parse, rootless
from devmount.errors import DevmountError
from devmount.model import Project, Volume

if TYPE_CHECKING:
    from docker import APIClient


class Engine:
    """An engine that answered."""

    def __init__(self, client: "APIClient") -> None:
        self.client: Any = client  # the SDK's types leave out half of what is called here
        self._is_podman: bool | None = None

    def version(self) -> str:
        with explained("the engine does not tell its version"):
            return str(self.client.version()["Version"])

    def architecture(self) -> str:
        """Of its machine, such as "amd64"; with another system than Linux that too."""
        with explained("the engine does not tell its version"):
            told = self.client.version()
        return str(told["Arch"]) if told["Os"] == "linux" else f"{told['Os']}/{told['Arch']}"

    def is_podman(self) -> bool:
        """Whether it is Podman behind the Docker API; asked once."""
        if self._is_podman is None:
            with explained("the engine does not tell its version"):
                components = self.client.version().get("Components") or ()
            self._is_podman = any("podman" in part.get("Name", "").lower() for part in components)
        return self._is_podman

    def is_rootless(self) -> bool:
        """Whether the engine maps its root to the user who runs it."""
        with explained("the engine does not answer"):
            return rootless(self.client.info())

    def is_local(self) -> bool:
        """Whether it listens on a socket of this machine, so that its paths are this machine's."""
        return str(self.client.base_url).startswith("http+docker://localhost")

    # containers

    def containers(self, project: str) -> list[Container]:
        """The project's containers, stopped ones too; one-off ones are left out."""
        rows = self._list([f"{specs.PROJECT_LABEL}={project}", specs.SERVICE_LABEL])
        return [self.inspect(row["Id"]) for row in rows]

    def projects_at(self, root: str) -> list[str]:
        """The names of the projects whose containers were made from this folder."""
        rows = self._list([f"{specs.ROOT_LABEL}={root}"])
        return sorted({row["Labels"][specs.PROJECT_LABEL] for row in rows})

    def one_offs(self, project: str) -> list[str]:
        """The ids of the containers that ``run`` made and that still exist."""
        return [row["Id"] for row in self._list([f"{specs.PROJECT_LABEL}={project}", specs.ONE_OFF_LABEL])]

    def _list(self, labels: list[str]) -> list[dict[str, Any]]:
        with explained("the containers cannot be listed"):
            rows: list[dict[str, Any]] = self.client.containers(all=True, filters={"label": labels})
        return rows

    def inspect(self, container: str) -> Container:
        """The container of that id or name."""
        with explained("the container cannot be inspected", container):
            data = self.client.inspect_container(container)
        return parse(data)

    def publisher(self, port: int) -> str:
        """The name of the container that publishes this host port; empty when none does."""
        with explained("the containers cannot be listed"):
            rows = self.client.containers()  # Podman 4 has no filter for it
        for row in rows:
            if any(entry.get("PublicPort") == port for entry in row.get("Ports") or ()):
                return str(row["Names"][0]).lstrip("/")
        return ""

    def exists(self, container: str) -> bool:
        """Whether a container of that id or name is there."""
        try:
            self.inspect(container)
        except DevmountError as error:
            if is_missing(error):
                return False
            raise
        return True

    def create(self, spec: specs.Spec) -> str:
        """Create the container; its id."""
        if self.is_podman() and self.is_local():
            _check_binds(spec)
        with explained(f"the container {spec.name} cannot be created"):
            return str(self.client.create_container_from_config(dict(spec.body), spec.name or None)["Id"])

    def start(self, container: str, name: str) -> None:
        with explained(f"the container {name} cannot be started"), self._held_binds(container):
            self.client.start(container)

    def rename(self, container: str, name: str) -> None:
        with explained(f"the container cannot be renamed to {name}", container):
            self.client.rename(container, name)

    def unpause(self, container: str) -> None:
        with explained("the container cannot be unpaused", container):
            self.client.unpause(container)

    def stop(self, container: str, timeout: float) -> None:
        """SIGTERM (or the container's own signal), then SIGKILL after ``timeout`` seconds, rounded up to whole ones."""
        with explained("the container cannot be stopped", container):
            stopping.stop(self.client, container, timeout, podman=self.is_podman())

    def restart(self, container: str, timeout: float) -> None:
        """Stop as ``stop`` does, and start the same container."""
        self.stop(container, timeout)
        self.start(container, container)

    def _held_binds(self, container: str) -> AbstractContextManager[None]:
        """The sources of its binds held as they are; paths of another machine are that machine's matter."""
        return binds.held(self.client, container) if self.is_local() else nullcontext()

    def kill(self, container: str, signal: str = "SIGKILL") -> None:
        with explained(f"{signal} cannot be sent", container):
            stopping.kill(self.client, container, signal, podman=self.is_podman())

    def remove(self, container: str) -> None:
        """Remove the container, running or not; what is gone already is no error. Its volumes stay."""
        try:
            with explained("the container cannot be removed", container):
                stopping.remove(self.client, container, podman=self.is_podman())
        except DevmountError as error:
            if not is_missing(error):
                raise

    def attach(self, container: str, receive: Callable[[bytes], None], closed: Callable[[], None]) -> Channel:
        """Open the container's streams from now on; see ``Channel``."""
        again = self.is_podman() and (found := self.inspect(container)).running and found.supervised
        with explained("the container's streams cannot be opened", container):
            raw = self.client.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            # Podman's conmon ends the container's standard input with the first connection: later ones enter by exec.
            commands = self._enter(container) if again else None
        return Channel(raw, receive, closed, commands)

    def _enter(self, container: str) -> Any:
        """The connection of a process in the container whose standard input goes to the supervisor's channel."""
        made = self.client.exec_create(container, supervisor.entrance(), stdin=True)
        return self.client.exec_start(made["Id"], socket=True)

    def has_path(self, container: str, path: str) -> bool:
        """Whether ``path`` is there in the container's file system, running or not."""
        url = self.client._url("/containers/{0}/archive", container)
        with explained("the container's files cannot be read", container):
            response = self.client.head(url, params={"path": path}, timeout=self.client.timeout)
        return bool(response.status_code == 200)

    def logs(
        self, container: str, *, follow: bool, since: float | None, tail: int | None, timestamps: bool = False
    ) -> Iterator[bytes]:
        """The multiplexed log stream (``logs.Demultiplexer``). ``since``: seconds since the epoch."""
        url = self.client._url("/containers/{0}/logs", container)
        params: dict[str, Any] = {"stdout": 1, "stderr": 1, "follow": int(follow), "timestamps": int(timestamps)}
        if since is not None:
            params["since"] = f"{since:.6f}"
        if tail is not None:
            params["tail"] = tail
        with explained("the log cannot be read", container):
            response = self.client.get(url, params=params, stream=True, timeout=None)
            self.client._raise_for_status(response)
            while chunk := response.raw.read1(65536):
                yield chunk

    def exec_output(self, container: str, argv: Sequence[str], user: str | None = None) -> tuple[int, bytes]:
        """Run ``argv`` in the running container; its exit code and what it wrote to either stream."""
        with explained(f"{argv[0]!r} cannot be run in the container", container):
            made = self.client.exec_create(container, list(argv), user=user or "")
            output = self.client.exec_start(made["Id"])
            return int(self.client.exec_inspect(made["Id"])["ExitCode"] or 0), output

    def exec_lines(
        self, container: str, argv: Sequence[str], user: str | None, receive: Callable[[str, str], None]
    ) -> int:
        """Run ``argv`` in the running container; ``receive`` gets stream and line as they come. Its exit code."""
        rest = {"stdout": b"", "stderr": b""}
        with explained(f"{argv[0]!r} cannot be run in the container", container):
            made = self.client.exec_create(container, list(argv), user=user or "")
            for pair in self.client.exec_start(made["Id"], stream=True, demux=True):
                for stream, data in zip(rest, pair, strict=True):
                    *lines, rest[stream] = (rest[stream] + (data or b"")).split(b"\n")
                    for line in lines:
                        receive(stream, line.decode(errors="replace").rstrip("\r"))
            for stream, line in rest.items():
                if line:
                    receive(stream, line.decode(errors="replace"))
            return int(self.client.exec_inspect(made["Id"])["ExitCode"] or 0)

    def wait(self, container: str) -> int:
        """Wait until the container's end; its exit code."""
        with explained("the container's end cannot be waited for", container):
            return int(self.client.wait(container, timeout=None)["StatusCode"])

    # networks and volumes

    def ensure_network(self, project: Project) -> None:
        """The project's network, made where it is missing."""
        name = specs.network_name(project)
        with explained(f"the network {name} cannot be created"):
            if not self.client.networks(names=[name], filters={"label": f"{specs.PROJECT_LABEL}={project.name}"}):
                self.client.create_network(name, driver="bridge", labels=specs.labels(project), check_duplicate=True)

    def remove_networks(self, project: str) -> list[str]:
        """Remove the networks that bear the project's label; their names."""
        names = []
        with explained("the project's network cannot be removed"):
            for row in self.client.networks(filters={"label": f"{specs.PROJECT_LABEL}={project}"}):
                self.client.remove_network(row["Id"])
                names.append(row["Name"])
        return names

    def ensure_volume(self, project: Project, volume: Volume, labels: Mapping[str, str] | None = None) -> None:
        """The volume, made where it is missing.

        Args:
            labels: what one that is made bears on top of its own.

        Raises:
            DevmountError: it is external and missing, or exists with another driver or other options.
        """
        existing = self.volume(volume.engine_name)
        where = str(project.files[0])
        if existing is None and volume.external:
            raise DevmountError(
                f"the external volume {volume.engine_name!r} does not exist",
                where,
                f"create it: docker volume create {volume.engine_name}",
            )
        if existing is None:
            with explained(f"the volume {volume.engine_name} cannot be created"):
                self.client.create_volume(
                    volume.engine_name,
                    volume.driver,
                    dict(volume.options),
                    {**volume.labels, **specs.labels(project), specs.LABEL + "volume": volume.name, **(labels or {})},
                )
            return
        if volume.external:
            return
        driver, options = existing["Driver"], existing.get("Options") or {}
        # names alone: an option may hold a password
        differing = [key for key in {**volume.options, **options} if volume.options.get(key) != options.get(key)]
        if driver != volume.driver or differing:
            other = [f"driver {driver}, where the file says {volume.driver}"] if driver != volume.driver else []
            other += [f"other options than the file says: {', '.join(differing)}"] if differing else []
            raise DevmountError(
                f"the volume {volume.engine_name} exists with {' and '.join(other)}",
                where,
                "change the file back; or let the content move: "
                + ", ".join(f"devmount volume {step} {volume.name}" for step in ("backup", "rm", "restore")),
            )

    def volume(self, name: str) -> dict[str, Any] | None:
        """The engine's description of a volume; None when there is none."""
        try:
            with explained("the volume cannot be inspected", name):
                return dict(self.client.inspect_volume(name))
        except DevmountError as error:
            if is_missing(error):
                return None
            raise

    def volumes(self, project: str) -> list[str]:
        """The names of the volumes that bear the project's label."""
        with explained("the volumes cannot be listed"):
            rows = self.client.volumes(filters={"label": f"{specs.PROJECT_LABEL}={project}"})["Volumes"] or []
        return sorted(row["Name"] for row in rows)

    def remove_volume(self, name: str) -> None:
        with explained("the volume cannot be removed", name):
            self.client.remove_volume(name)


def _check_binds(spec: specs.Spec) -> None:
    """Docker refuses a bind whose source is missing; Podman makes a folder of root's there."""
    for mount in spec.body["HostConfig"]["Mounts"]:
        if mount["Type"] == "bind" and not os.path.lexists(mount["Source"]):
            raise DevmountError(
                f"the container {spec.name} cannot be created: bind source path does not exist: {mount['Source']}"
            )
