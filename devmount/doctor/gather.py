"""Gathering the facts: the file, the engine, the kernel, the disk. A check that goes wrong itself is a fact too."""

import grp
import json
import os
import pwd
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from devmount import config
from devmount.control import Client, log_file
from devmount.doctor.facts import Facts, Foreign, ImageFact, Inotify, TakenPort
from devmount.engine import images, ports
from devmount.engine import spec as specs
from devmount.engine.about import About, about, image_architecture
from devmount.engine.engine import Container, Engine
from devmount.errors import ConfigError, DevmountError
from devmount.model import Project
from devmount.trust import standing
from devmount.watch.filesystem import limit, without_events
from devmount.watch.tree import Tree

Made = TypeVar("Made")
SELINUX = Path("/sys/fs/selinux/enforce")
BINFMT = Path("/proc/sys/fs/binfmt_misc")  # an interpreter a file, as the kernel's binfmt-misc document says
PROCESSES = Path("/proc")
# What qemu calls an architecture, and what images do.
QEMU = {"x86_64": "amd64", "aarch64": "arm64", "arm": "arm", "i386": "386"}
# What Docker Desktop shares where its settings do not say.
DESKTOP_SHARES = {"darwin": ("/Users", "/Volumes", "/private", "/tmp", "/var/folders"), "linux": ("/home",)}
DESKTOP_SETTINGS = (
    (".docker/desktop/settings-store.json", "FilesharingDirectories"),
    (".docker/desktop/settings.json", "filesharingDirectories"),
    ("Library/Group Containers/group.com.docker/settings-store.json", "FilesharingDirectories"),
    ("Library/Group Containers/group.com.docker/settings.json", "filesharingDirectories"),
)


@dataclass(slots=True)
class _Checks:
    """Runs checks, and keeps what goes wrong in one."""

    failed: list[tuple[str, DevmountError]]

    def run(self, check: str, ask: Callable[[], Made]) -> Made | None:
        try:
            return ask()
        except DevmountError as error:
            self.failed.append((check, error))
        except OSError as error:
            self.failed.append((check, DevmountError(error.strerror or str(error), str(error.filename or ""))))
        return None


def gather(
    folder: Path,
    find: Callable[[], Path],
    profile: str | None,
    connect: Callable[[], Engine],
    environ: Mapping[str, str],
    *,
    engine_url: str | None = None,
    can_ask: bool = False,
) -> Facts:
    """Look at everything, whatever is missing.

    Args:
        folder: where the command was started, absolute.
        find: gives the project file.
        profile: see ``config.load``.
        connect: gives the engine.
        environ: the caller's environment.
        engine_url: the engine that the user named.
        can_ask: there is a terminal.
    """
    checks = _Checks([])
    problems, loaded = _load(find, profile, environ)
    project = loaded.project if loaded is not None else None
    engine, described, no_engine = _connect(connect)
    known: dict[str, Any] = {}
    if loaded is not None:
        known["warnings"] = loaded.warnings
        try:
            known["standing"] = standing(loaded, profile=profile, environ=environ, engine_url=engine_url)
        except DevmountError as error:
            known["untold"] = error
    if described is not None:
        known["free_bytes"] = checks.run("disk", lambda: _free(described))
        if described.is_desktop:
            known["shared"] = desktop_shares(Path.home())
    if project is not None:
        root = project.root
        known["without_events"] = without_events(root)
        known["is_windows_drive"] = str(root).startswith("/mnt/") and _is_wsl()
        known["label"] = _label(root)
        known["inotify"] = checks.run("inotify", lambda: inotify(project))
        known["has_session"] = checks.run("session", lambda: _has_session(root))
        log = checks.run("session", lambda: log_file(root))
        known["session_log"] = log if log is not None and log.exists() else None
    if engine is not None and described is not None and project is not None:
        by_name = checks.run("containers", lambda: _by_name(engine, project)) or {}
        known["foreign"] = tuple(
            other for container in by_name.values() if (other := _foreign(project, container)) is not None
        )
        if described.is_on_this_machine:
            known["ports"] = checks.run("ports", lambda: _taken(engine, project, by_name)) or ()
        known["images"] = checks.run("images", lambda: _images(engine, project)) or ()
    return Facts(
        folder=folder,
        now=time.time(),
        problems=problems,
        project=project,
        engine=described,
        no_engine=no_engine,
        in_docker_group=in_group("docker"),
        selinux_enforcing=_read(SELINUX).strip() == "1",
        emulated=emulated(BINFMT),
        can_ask=can_ask,
        failed=tuple(checks.failed),
        **known,
    )


def _load(
    find: Callable[[], Path], profile: str | None, environ: Mapping[str, str]
) -> tuple[tuple[DevmountError, ...], config.Loaded | None]:
    try:
        return (), config.load(find(), profile=profile, environ=environ)
    except ConfigError as error:
        return tuple(error.problems), None
    except DevmountError as error:
        return (error,), None


def _connect(connect: Callable[[], Engine]) -> tuple[Engine | None, About | None, DevmountError | None]:
    try:
        engine = connect()
        return engine, about(engine), None
    except DevmountError as error:
        return None, None, error


def _free(engine: About) -> int | None:
    """The bytes free for whoever may write where the engine keeps its data."""
    if not engine.is_on_this_machine or not engine.root or not os.path.exists(engine.root):
        return None
    status = os.statvfs(engine.root)
    return status.f_bavail * status.f_frsize


def desktop_shares(home: Path) -> tuple[str, ...]:
    """The folders that Docker Desktop shares with its containers, by its settings, else by its defaults."""
    for name, key in DESKTOP_SETTINGS:
        try:
            shared = json.loads((home / name).read_text()).get(key)
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(shared, list):
            return tuple(str(folder) for folder in shared)
    return DESKTOP_SHARES.get(sys.platform, ())


def inotify(project: Project) -> Inotify | None:
    """The kernel's limits and what of them is used; None where there is no inotify."""
    if not limit("max_user_watches"):
        return None
    tree = Tree(project.root, project.watch.ignore, (), lambda folder, error: None)
    watches, instances = used_inotify(os.getuid(), PROCESSES)
    return Inotify(
        sum(1 for _ in tree.walk()), watches, limit("max_user_watches"), instances, limit("max_user_instances")
    )


def used_inotify(user: int, processes: Path) -> tuple[int, int]:
    """Watches and instances of a user's processes, by proc(5)'s fdinfo; of those that may be looked at."""
    watches = instances = 0
    for process in processes.glob("[0-9]*"):
        try:
            if process.stat().st_uid != user:
                continue
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) == "anon_inode:inotify":
                    instances += 1
                    text = (process / "fdinfo" / descriptor.name).read_text()
                    watches += sum(1 for line in text.splitlines() if line.startswith("inotify wd:"))
        except OSError:
            continue  # another's, or gone
    return watches, instances


def emulated(binfmt: Path) -> frozenset[str]:
    """The architectures that the kernel hands to an emulator."""
    try:
        names = [entry.name for entry in binfmt.iterdir() if _read(entry).startswith("enabled")]
    except OSError:
        return frozenset()
    return frozenset(QEMU[name.removeprefix("qemu-")] for name in names if name.removeprefix("qemu-") in QEMU)


def in_group(name: str) -> bool | None:
    """Whether the user database has the caller in the group; None when there is no such group or user."""
    try:
        group = grp.getgrnam(name)
        user = pwd.getpwuid(os.getuid())
    except KeyError:
        return None
    return user.pw_name in group.gr_mem or user.pw_gid == group.gr_gid


def _by_name(engine: Engine, project: Project) -> dict[str, Container]:
    """The containers that bear the project's label or a name that one of its services would take."""
    found = {container.name: container for container in engine.containers(project.name)}
    for service in project.services.values():
        name = specs.container_name(project, service)
        if name not in found and engine.exists(name):
            found[name] = engine.inspect(name)
    return found


def _foreign(project: Project, container: Container) -> Foreign | None:
    """None when it is this project's own."""
    root = container.labels.get(specs.ROOT_LABEL, "")
    is_marked = container.labels.get(specs.PROJECT_LABEL) == project.name
    if is_marked and (not root or Path(root) == project.root):
        return None
    return Foreign(container.name, root if is_marked else "", bool(root) and Path(root).exists(), container.running)


def _taken(engine: Engine, project: Project, containers: Mapping[str, Container]) -> list[TakenPort]:
    """The ports that are not free, of services that do not run already."""
    taken = []
    for service in project.services.values():
        current = containers.get(specs.container_name(project, service))
        if current is not None and current.running and _foreign(project, current) is None:
            continue
        for port in service.ports:
            if ports.is_taken(port):
                publisher = engine.publisher(port.host)
                holder = f"the container {publisher}" if publisher else ports.holder(port.host)
                taken.append(TakenPort(service.name, port, holder))
    return taken


def _images(engine: Engine, project: Project) -> list[ImageFact]:
    made = []
    for service in project.services.values():
        name = images.image_name(project, service)
        made.append(ImageFact(service.name, name, service.build is not None, image_architecture(engine, name)))
    return made


def _has_session(root: Path) -> bool:
    client = Client.connect(root)
    if client is None:
        return False
    client.close()
    return True


def _label(folder: Path) -> str | None:
    """The SELinux context of a folder."""
    try:
        return os.getxattr(folder, "security.selinux").rstrip(b"\0").decode(errors="replace")
    except (OSError, AttributeError):
        return None


def _is_wsl() -> bool:
    return "microsoft" in _read(Path("/proc/version")).lower()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
