"""What a project reaches for outside of its folder, and what weakens its containers. Pure.

Everything here goes by what was found when the project file was read (``Mount.found``, ``Build.found``, the files of
variables that were opened), so what is listed is what will be used.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devmount.errors import MASK
from devmount.model import Mount, MountType, Project, Service, Volume

VERSION = 1  # of the digest: raised when what counts changes, so that every project is asked about again

# capabilities(7): those that lead out of a container, or see what others do
CAPABILITIES = {
    "ALL": "everything that root may do",
    "BPF": "programs of its own in the kernel",
    "DAC_READ_SEARCH": "reading every file that it can get a handle of, on the host too",
    "NET_ADMIN": "changing networks and firewalls",
    "SYS_ADMIN": "mounting, and much else that leads out of the container",
    "SYS_BOOT": "restarting the machine",
    "SYS_MODULE": "loading kernel modules",
    "SYS_PTRACE": "looking into other processes",
    "SYS_RAWIO": "the machine's memory and ports",
    "SYS_TIME": "the machine's clock",
}
# below the home folder: what is kept there
KEPT = {
    ".ssh": "your SSH keys",
    ".gnupg": "your GnuPG keys",
    ".aws": "your AWS credentials",
    ".azure": "your Azure credentials",
    ".config/gcloud": "your Google Cloud credentials",
    ".config/gh": "your GitHub credentials",
    ".kube": "your Kubernetes credentials",
    ".docker": "your registry credentials",
    ".netrc": "your passwords",
    ".npmrc": "your registry credentials",
    ".pypirc": "your registry credentials",
    ".git-credentials": "your passwords",
    ".password-store": "your passwords",
    ".mozilla": "your browser's profile",
    ".config": "your programs' settings",
    ".local/share": "your programs' data",
    ".bashrc": "commands that your shell runs",
    ".profile": "commands that your shell runs",
    ".zshrc": "commands that your shell runs",
}
SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
HARMLESS_DEVICES = ("", "tmpfs", "none")


@dataclass(frozen=True, slots=True)
class Here:
    """What of this machine bears on how bad a path is; all paths without links.

    ``engines``: the sockets of container engines. ``agents``: of programs that hold keys. ``own``: where this program
    keeps what is trusted. ``owner``: who the project file belongs to, where that is someone else.
    """

    home: Path
    engines: tuple[Path, ...] = ()
    agents: tuple[Path, ...] = ()
    own: tuple[Path, ...] = ()
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """One thing that needs the user's word.

    Args:
        service: who gets it; "" for the project as a whole.
        words: what it is, for people, to be read after the service's name.
        key: where the file asks for it, dotted.
        facts: all that counts of it, for the digest.
    """

    service: str
    words: str
    key: str
    facts: tuple[str, ...]

    @property
    def is_volume(self) -> bool:
        """Whether it is what a volume really is."""
        return self.key.startswith("volumes.")


def reaches(project: Project, env_files: Mapping[Path, str], here: Here, secrets: Collection[str] = ()) -> list[Reach]:
    """What needs the user's word, in the order of the file.

    Args:
        env_files: the files of variables that were read, links resolved, and whose they are: ``Loaded.env_files``.
        secrets: dotted paths of values that are not to be told: ``Loaded.secrets``.
    """
    found = [*_of_project(project, env_files, here)]
    for service in project.services.values():
        found += _of_service(project, service, env_files, here)
    for volume in project.volumes.values():
        found += _of_volume(project, volume, secrets)
    return found


def digest(
    project: Project,
    found: list[Reach],
    *,
    texts: Mapping[str, str],
    profile: str | None,
    effective: Mapping[str, Any],
) -> str:
    """The content that a word is given for: the files as they are written, what they come to, and where it leads.

    The values of ``environment`` do not count, so that a new secret in an env file asks no question.

    Args:
        texts: the project's files, ``Loaded.texts``.
        effective: the resolved project in the file's words.
    """
    services = [effective["app"], *effective["services"].values()]
    plain = [{**service, "environment": sorted(service["environment"])} for service in services]
    content = {
        "version": VERSION,
        "root": str(project.root),
        "profile": profile,
        "texts": dict(texts),
        "effective": {**effective, "app": None, "services": plain},
        "reaches": [[one.service, one.key, *one.facts] for one in found],
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def taken(root: Path, found: list[Reach]) -> str:
    """As ``digest``, of what a project takes from other checkouts, whatever its file says."""
    text = json.dumps([VERSION, str(root), sorted(one.facts for one in found)])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _of_project(project: Project, env_files: Mapping[Path, str], here: Here) -> Iterator[Reach]:
    if here.owner is not None:
        yield Reach("", f"the project file belongs to {here.owner}, not to you", "", ("owner", here.owner))
    root = project.root
    if any(service.mount is not None for service in project.services.values()) and (held := _held(root, here)):
        yield Reach("", f"the project folder itself, {root}, holds {held}", "app", ("root", str(root)))
    for path, table in env_files.items():
        if not table and not path.is_relative_to(root):
            yield Reach("", f"takes variables from {path}, through .env", "", ("env", str(path)))


def _of_service(project: Project, service: Service, env_files: Mapping[Path, str], here: Here) -> Iterator[Reach]:
    table = "app" if service.name == "app" else f"services.{service.name}"
    name = service.name
    if service.privileged:
        words = "is privileged: all capabilities and devices, so it can do whatever root can on this machine"
        yield Reach(name, words, f"{table}.privileged", ("privileged",))
    for capability in service.cap_add:
        words = f"gets the capability {capability}"
        words += f": {CAPABILITIES[capability]}" if capability in CAPABILITIES else ""
        yield Reach(name, words, f"{table}.cap_add", ("cap_add", capability))
    if service.network == "host":
        words = "is on this machine's own network: it reaches all that listens here, on loopback too"
        yield Reach(name, words, f"{table}.network", ("network", "host"))
    for mount in service.mounts:
        if mount.type is MountType.BIND and (words := _bind(mount, project.root, here)):
            facts = ("bind", mount.real, mount.target, "ro" if mount.read_only else "rw")
            yield Reach(name, words, f"{table}.mounts", facts)
    if service.build is not None:
        build, root = service.build, project.root
        if not build.context.is_relative_to(root):
            words = f"is built from the folder {build.context}: all of it goes to the builder"
            yield Reach(name, words, f"{table}.build", ("context", str(build.context)))
        if not build.file.is_relative_to(root) and not build.file.is_relative_to(build.context):
            words = f"is built by the Dockerfile {build.file}"
            yield Reach(name, words, f"{table}.build", ("dockerfile", str(build.file)))
    for path, whose in env_files.items():
        if whose == table and not path.is_relative_to(project.root):
            words = f"gets the variables in {path}" + _kept(path, here)
            yield Reach(name, words, f"{table}.env_files", ("env", str(path)))


def _bind(mount: Mount, root: Path, here: Here) -> str:
    """What a bind gives away; "" for one within the project."""
    path = Path(mount.real)
    if path.is_relative_to(root):
        return ""
    if path in here.engines:
        words = f"can use the engine's socket {path}: whoever has it is root on this machine"
    elif path in here.agents:
        words = f"can use your keys through the agent's socket {path}"
    else:
        words = f"can {'read' if mount.read_only else 'read and change'} {path}"
        if held := _held(path, here):
            words += f", which holds {held}"
        else:
            words += _kept(path, here) or _system(path)
    source = Path(mount.source)
    if source != path and source.is_relative_to(root):
        words += f"; {source.relative_to(root)} in the project is a link to it"
    return words


def _held(path: Path, here: Here) -> str:
    """What of value lies below a folder, or is it."""
    known = [("an engine's socket: whoever has it is root on this machine", here.engines)]
    if here.home.is_relative_to(path):
        known += [("your home folder", (here.home,))]
    else:
        known += [("the socket of an agent with your keys", here.agents), ("what you trust", here.own)]
    return " and ".join(what for what, places in known if any(place.is_relative_to(path) for place in places))


def _kept(path: Path, here: Here) -> str:
    if not path.is_relative_to(here.home):
        return ""
    for below, what in KEPT.items():
        place = here.home / below
        if path.is_relative_to(place) or place.is_relative_to(path):
            return f", where {what} are" if what.endswith("s") else f", where {what} is"
    return ", in your home folder"


def _system(path: Path) -> str:
    return ", a part of this machine's system" if any(path.is_relative_to(place) for place in SYSTEM) else ""


def _of_volume(project: Project, volume: Volume, secrets: Collection[str]) -> Iterator[Reach]:
    users = [service.name for service in project.services.values() if volume.name in service.volumes()]
    service = users[0] if len(users) == 1 else ""
    key = f"volumes.{volume.name}"
    if volume.external:
        words = f"uses the volume {volume.engine_name}, which is not this project's own"
        yield Reach(service, words, key, ("external", volume.engine_name, *users))
        return
    options = dict(volume.options)
    facts = ("volume", volume.driver, *(f"{name}={value}" for name, value in sorted(options.items())), *users)
    told = {
        name: MASK if f"{key}.options.{name}" in secrets and name != "device" else options[name] for name in options
    }
    said = ", ".join(f"{name}={value}" for name, value in sorted(told.items()))
    if volume.driver != "local":
        words = f"has the volume {volume.name} made by the driver {volume.driver}" + (f" ({said})" if said else "")
        yield Reach(service, words, f"{key}.driver", facts)
    elif options and not _is_memory(options):
        words = f"has the volume {volume.name} mounted with {said}: it holds what that names"
        yield Reach(service, words, f"{key}.options", facts)


def _is_memory(options: Mapping[str, str]) -> bool:
    """Whether the local driver's options make a tmpfs and nothing else."""
    is_bind = "bind" in options.get("o", "")
    return options.get("type") == "tmpfs" and options.get("device", "") in HARMLESS_DEVICES and not is_bind
