"""The facts that findings are made of. None everywhere: it is not known, or cannot be found out here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devmount.engine.about import About
from devmount.errors import DevmountError
from devmount.model import Port, Project
from devmount.trust import Standing


@dataclass(frozen=True, slots=True)
class Inotify:
    """The kernel's limits for this user, what the user's processes have of them, and what the project takes."""

    folders: int
    watches: int
    max_watches: int
    instances: int
    max_instances: int


@dataclass(frozen=True, slots=True)
class TakenPort:
    """A host port that a service publishes and that something else listens on; ``holder`` "" when unknown."""

    service: str
    port: Port
    holder: str


@dataclass(frozen=True, slots=True)
class ImageFact:
    """The image of a service; ``architecture`` None when it is not here yet."""

    service: str
    name: str
    is_built: bool
    architecture: str | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A container that stands where one of this project's would: ``root`` is the folder of the project that made it,
    "" when no devmount did."""

    name: str
    root: str
    root_exists: bool
    running: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """``problems``: of the project file, or that there is none. ``no_engine``: why none answers. ``failed``: checks
    that went wrong themselves. ``emulated``: architectures whose programs this machine can run besides its own.
    ``label``: the SELinux context of the project's folder. ``shared``: the folders that Docker Desktop shares.
    ``standing``: what the project asks the user's word for; ``untold``: why that cannot be told. ``can_ask``: there is
    a terminal to ask on."""

    folder: Path
    now: float
    problems: tuple[DevmountError, ...] = ()
    warnings: tuple[str, ...] = ()
    project: Project | None = None
    engine: About | None = None
    no_engine: DevmountError | None = None
    in_docker_group: bool | None = None
    selinux_enforcing: bool = False
    label: str | None = None
    shared: tuple[str, ...] | None = None
    free_bytes: int | None = None
    without_events: str | None = None
    is_windows_drive: bool = False
    inotify: Inotify | None = None
    ports: Sequence[TakenPort] = ()
    images: Sequence[ImageFact] = ()
    emulated: frozenset[str] = frozenset()
    foreign: Sequence[Foreign] = ()
    standing: Standing | None = None
    untold: DevmountError | None = None
    can_ask: bool = False
    has_session: bool | None = None
    session_log: Path | None = None
    failed: tuple[tuple[str, DevmountError], ...] = ()
