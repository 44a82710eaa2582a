"""What a container is made from: pure translation of a service into the engine's words, and the hash of it."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from devmount import supervisor
from devmount.model import Mount, MountType, Project, Service

LABEL = "dev.devmount."
PROJECT_LABEL = LABEL + "project"
SERVICE_LABEL = LABEL + "service"
ROOT_LABEL = LABEL + "root"
HASH_LABEL = LABEL + "hash"
SUPERVISED_LABEL = LABEL + "supervised"
ONE_OFF_LABEL = LABEL + "one-off"

DEFAULT_MOUNT = "/workspace"
DEFAULT_STOP_SIGNAL = "SIGTERM"
WRITABLE_HOME = "/tmp"


@dataclass(frozen=True, slots=True)
class Image:
    """What an image says of itself."""

    id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str = ""
    stop_signal: str = ""
    environment: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """What of the host and the engine bears on a container: the caller's ids, and whether the engine maps them."""

    uid: int
    gid: int
    rootless: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """The body of a create call, and what a session must know of it."""

    name: str
    body: Mapping[str, Any]
    hash: str
    supervised: bool
    stop_signal: str
    mount: str | None


def this_host(*, rootless: bool) -> Host:
    """The caller's ids."""
    return Host(os.getuid(), os.getgid(), rootless)


def container_name(project: Project, service: Service) -> str:
    return f"{project.name}-{service.name}"


def network_name(project: Project) -> str:
    return f"{project.name}_devmount"


def labels(project: Project) -> dict[str, str]:
    return {PROJECT_LABEL: project.name, ROOT_LABEL: str(project.root)}


def mount_target(service: Service, image: Image) -> str | None:
    """Where the project folder appears in the service's container; None when it does not."""
    if service.mount is None:
        return None
    return service.mount or (image.working_dir if image.working_dir not in ("", "/") else DEFAULT_MOUNT)


def program(service: Service, image: Image) -> list[str]:
    """Entrypoint and command as one argv; a command in the file replaces the image's command, as compose has it."""
    return [*image.entrypoint, *(image.command if service.command is None else service.command)]


def user(service: Service, host: Host) -> str:
    """The engine's ``User``. A rootless engine maps its root to the caller, so there root is the host's user."""
    if service.user == "host":
        return "0:0" if host.rootless else f"{host.uid}:{host.gid}"
    return {"image": "", "root": "0:0"}.get(service.user, service.user)


def spec(project: Project, service: Service, image: Image, host: Host, *, supervised: bool) -> Spec:
    """The container of ``service``."""
    target = mount_target(service, image)
    stop_signal = service.stop_signal or image.stop_signal or DEFAULT_STOP_SIGNAL
    argv = program(service, image)
    environment = dict(service.environment)
    if service.user == "host" and not any(entry.startswith("HOME=") for entry in image.environment):
        environment.setdefault("HOME", WRITABLE_HOME)
    mounts = list(service.all_mounts(target))
    if target is not None:
        mounts.insert(0, Mount(MountType.BIND, str(project.root), target, relabel=service.relabel))
    body: dict[str, Any] = {
        "Image": image.id,
        "Hostname": service.name,
        "User": user(service, host),
        "Env": [f"{key}={value}" for key, value in sorted(environment.items())],
        "ExposedPorts": {f"{port.container}/{port.protocol}": {} for port in service.ports},
        # the supervisor takes SIGTERM and sends the program its own signal
        "StopSignal": DEFAULT_STOP_SIGNAL if supervised else stop_signal,
        "StopTimeout": max(1, round(service.stop_timeout + 0.5)),
        "Tty": service.tty,
        "OpenStdin": supervised or service.tty,
        "HostConfig": {
            "Init": True,
            "NetworkMode": service.network or network_name(project),
            "CapAdd": list(service.cap_add),
            "Privileged": service.privileged,
            "PortBindings": _port_bindings(service),
            "Mounts": [_mount(project, mount) for mount in mounts if not mount.relabel],
        },
        "NetworkingConfig": {}
        if service.network
        else {"EndpointsConfig": {network_name(project): {"Aliases": [service.name]}}},
    }
    if binds := [_labelled(mount) for mount in mounts if mount.relabel]:
        body["HostConfig"]["Binds"] = binds
    if target is not None:
        body["WorkingDir"] = target
    if supervised:
        body["Entrypoint"] = supervisor.command(argv, stop_signal)
        body["Cmd"] = []
    elif service.command is not None:
        body["Cmd"] = list(service.command)
        body["Entrypoint"] = list(image.entrypoint)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()
    body["Labels"] = {
        **labels(project),
        SERVICE_LABEL: service.name,
        HASH_LABEL: digest,
        SUPERVISED_LABEL: "1" if supervised else "0",
    }
    return Spec(container_name(project, service), body, digest, supervised, stop_signal, target)


def one_off(
    project: Project, service: Service, image: Image, host: Host, argv: Sequence[str], *, tty: bool, suffix: str
) -> Spec:
    """A container for one command: the service's mounts, user and environment, no ports and no alias on the network."""
    plain = spec(project, replace(service, ports=(), command=tuple(argv), tty=tty), image, host, supervised=False)
    body = dict(plain.body)
    body["Entrypoint"] = []
    body["Cmd"] = list(argv)
    body["OpenStdin"] = body["AttachStdin"] = True
    body["StdinOnce"] = True
    body["NetworkingConfig"] = {}
    body["Labels"] = {**labels(project), ONE_OFF_LABEL: "1"}
    return replace(plain, name=f"{plain.name}-{suffix}", body=body)


def _port_bindings(service: Service) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in service.ports:
        entry = {"HostIp": port.address, "HostPort": str(port.host) if port.host else ""}
        bindings.setdefault(f"{port.container}/{port.protocol}", []).append(entry)
    return bindings


def _labelled(mount: Mount) -> str:
    """A bind as ``docker run -v`` writes it: the engines' other form knows no labels."""
    return f"{mount.real}:{mount.target}:{'ro' if mount.read_only else 'rw'},z"


def _mount(project: Project, mount: Mount) -> dict[str, Any]:
    entry: dict[str, Any] = {"Type": str(mount.type), "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.type is MountType.VOLUME:
        entry["Source"] = project.volumes[mount.source].engine_name
    elif mount.type is MountType.BIND:
        entry["Source"] = mount.real
    return entry
