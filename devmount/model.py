"""What the user declares: the project file after layering, interpolation and checking.

Plain immutable data. Paths on the host are absolute ``Path`` objects; paths in the container are POSIX strings;
durations are seconds.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Action(StrEnum):
    """What a rule does. Of the actions of one batch the strongest wins (``strength``)."""

    NONE = "none"
    TOUCH = "touch"
    SIGNAL = "signal"
    RESTART = "restart"
    RECREATE = "recreate"
    REBUILD = "rebuild"

    @property
    def strength(self) -> int:
        """Rank among the actions, 0 the weakest."""
        return list(Action).index(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """An ``on_change`` entry. ``files`` are gitignore patterns relative to the project folder."""

    files: tuple[str, ...]
    action: Action = Action.RESTART
    run: tuple[str, ...] | None = None  # argv, carried out in the container before the action
    run_user: str | None = None
    signal: str | None = None  # only with Action.SIGNAL; canonical name, "SIGHUP"


@dataclass(frozen=True, slots=True)
class Build:
    """How an image is built. ``context`` is a folder on the host, links resolved."""

    context: Path
    dockerfile: str = "Dockerfile"  # relative to the context
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    found: Path | None = None  # the Dockerfile, links resolved, as it was when the file was read

    @property
    def file(self) -> Path:
        """The Dockerfile."""
        return self.found or self.context / self.dockerfile


@dataclass(frozen=True, slots=True)
class Port:
    """A published port. ``host`` 0 lets the engine pick a free one."""

    container: int
    host: int
    address: str = "127.0.0.1"
    protocol: str = "tcp"


class MountType(StrEnum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


@dataclass(frozen=True, slots=True)
class Mount:
    """One ``mounts`` entry. ``source``: an absolute host path, the volume's name in the file, or "" for tmpfs.

    ``found``: what a bind's source led to when the file was read, links resolved; that is what is trusted and mounted.
    ``relabel``: give it the SELinux label that containers may read, as ``docker run -v`` does with ":z".
    """

    type: MountType
    source: str
    target: str
    read_only: bool = False
    found: str = ""
    relabel: bool = False

    @property
    def real(self) -> str:
        """What is mounted: for a bind the source without links."""
        return self.found or self.source


@dataclass(frozen=True, slots=True)
class Shadow:
    """A folder of the project mount that lives in a volume. Paths are relative to the project folder.

    ``volume``: its name as the file would declare it. ``keyed_by``: lock files; when one changes the volume is another.
    """

    path: str
    volume: str
    keyed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """When a service counts as ready: exactly one of the four is set. ``timeout`` in seconds."""

    port: int | None = None
    http: str | None = None  # a path; asked for on ``port``, else on the first published port
    command: tuple[str, ...] | None = None
    log: str | None = None  # a regular expression
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Dependency:
    """A ``depends_on`` entry. ``restart``: restart this service when ``service`` was recreated."""

    service: str
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A container of the project, "app" or one of ``[services]``."""

    name: str
    image: str | None = None
    build: Build | None = None
    command: tuple[str, ...] | None = None  # None: the image's own
    relabel: bool = False  # the project folder, see Mount
    mount: str | None = None  # where the project folder appears; only the app has it unless asked. "" = the default
    ports: tuple[Port, ...] = ()
    env_files: tuple[Path, ...] = ()  # in order, optional ones that are missing too: for watching
    environment: Mapping[str, str] = field(default_factory=dict)  # env_files and environment, merged
    user: str = "image"  # "host", "image", "root", or "uid:gid" / a name
    mounts: tuple[Mount, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    ready: Ready | None = None
    stop_signal: str | None = None  # None: the image's own, else SIGTERM
    stop_timeout: float = 3.0
    depends_on: tuple[Dependency, ...] = ()
    on_change: tuple[Rule, ...] = ()
    tty: bool = False
    network: str | None = None  # None: the project's own; "host", "none"
    cap_add: tuple[str, ...] = ()  # without "CAP_"
    privileged: bool = False

    @property
    def is_watched(self) -> bool:
        """Whether changes to the project act on this service."""
        return self.mount is not None or bool(self.on_change)

    def all_mounts(self, mount: str | None) -> tuple[Mount, ...]:
        """What is mounted besides the project folder; ``mount``: where that appears, None where it does not."""
        shadows = () if mount is None else self.shadows
        return self.mounts + tuple(
            Mount(MountType.VOLUME, shadow.volume, posixpath.join(mount or "", shadow.path)) for shadow in shadows
        )

    def volumes(self) -> set[str]:
        """The volumes it mounts, by their names in the file."""
        return {mount.source for mount in self.all_mounts("") if mount.type is MountType.VOLUME}

    def writes_into(self, volume: str) -> bool:
        """Whether it mounts that volume, by its name in the file, other than read-only."""
        return any(
            mount.type is MountType.VOLUME and mount.source == volume and not mount.read_only
            for mount in self.all_mounts("")
        )


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume. ``engine_name`` is the name the engine knows it by."""

    name: str
    engine_name: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    external: bool = False
    exclusive: bool = False  # one container at a time may write into it


@dataclass(frozen=True, slots=True)
class Watch:
    """``[watch]``. ``settle`` and ``poll`` in seconds; ``poll`` None means by events.

    ``skip_same_content``: a change that leaves a file as it was at the last reload is not acted on.
    """

    ignore: tuple[str, ...] = ()
    settle: float = 0.010
    poll: float | None = None
    skip_same_content: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """The whole of a project. ``services`` holds the app too, under "app"; in the file's order, the app first."""

    name: str
    root: Path
    files: tuple[Path, ...]  # the files it was read from, the project file first
    services: Mapping[str, Service]
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)

    @property
    def app(self) -> Service:
        return self.services["app"]

    def in_order(self, names: Iterable[str]) -> list[Service]:
        """The named services and what they depend on, dependencies first."""
        done: dict[str, Service] = {}

        def visit(name: str) -> None:
            service = self.services[name]
            for dependency in service.depends_on:
                visit(dependency.service)
            done.setdefault(name, service)

        for name in names:
            visit(name)
        return list(done.values())
