"""Rules about the engine and the machine it is on."""

from collections.abc import Iterator
from pathlib import PurePath

from devmount.doctor.facts import Facts
from devmount.doctor.finding import Finding, Level, error, warning
from devmount.model import MountType

OLDEST_API = (1, 41)  # of Docker 20.10, which the tests run on
OLDEST_PODMAN = (4, 3)
LITTLE_BYTES = 2 * 10**9  # free; an image with its build takes about that
NO_BYTES = 100 * 10**6
SKEW_SECONDS = 2.0  # make(1) and Python's .pyc files go by whole seconds
CONTAINER_TYPES = ("container_file_t", "container_ro_file_t", "svirt_sandbox_file_t")


def engine(facts: Facts) -> Iterator[Finding]:
    if facts.engine is None:
        if facts.no_engine is not None:
            failed = facts.no_engine
            yield Finding("engine", Level.ERROR, failed.message, failed.where, _start_engine(failed.where, facts))
        return
    engine = facts.engine
    said = f"{engine.name} {engine.version}, API {engine.api}, {engine.architecture}"
    yield Finding("engine", Level.OK, said, engine.address)
    if engine.is_podman:
        if (version := _numbers(engine.version)) and version < OLDEST_PODMAN:
            wanted = ".".join(map(str, OLDEST_PODMAN))
            yield warning(
                "api", f"Podman {engine.version} is older than what devmount is tested with", f"use {wanted} or newer"
            )
    elif (version := _numbers(engine.api)) and version < OLDEST_API:
        yield warning(
            "api",
            f"its API {engine.api} is older than what devmount is tested with, {'.'.join(map(str, OLDEST_API))}",
            "use Docker 20.10 or newer",
        )


def _start_engine(tried: str, facts: Facts) -> str:
    if "permission denied" in tried and "docker.sock" in tried:
        if facts.in_docker_group:
            return "log in again: you are in the group docker, and this login does not know it yet"
        return "join the group docker, then log in again: sudo usermod -aG docker $USER"
    if facts.no_engine is not None and "no such socket" in tried:
        return "start Docker (sudo systemctl start docker) or install Podman, which needs no daemon"
    return (facts.no_engine.hint if facts.no_engine else "") or "start Docker or Podman"


def users(facts: Facts) -> Iterator[Finding]:
    engine = facts.engine
    if engine is None:
        return
    if engine.remaps_users:
        yield warning(
            "users",
            "the engine maps the users in containers to other ids (userns-remap): files made inside are not yours, "
            "and the program may not write into your folder",
            'take "userns-remap" out of /etc/docker/daemon.json, or use a rootless engine, whose root is you',
        )
    elif engine.is_rootless:
        yield Finding("users", Level.OK, "rootless: root in a container is you, so files made inside are yours")
    else:
        yield Finding("users", Level.OK, 'not rootless: with user = "host" files made inside are yours')


def selinux(facts: Facts) -> Iterator[Finding]:
    if not facts.selinux_enforcing or facts.engine is None or not facts.engine.is_on_this_machine:
        return
    if not facts.engine.has_selinux and not facts.engine.is_podman:
        yield Finding("selinux", Level.OK, "enforcing, and the engine does not separate containers by it")
        return
    kind = (facts.label or "").split(":")[2:3]
    if kind and kind[0] in CONTAINER_TYPES:
        yield Finding("selinux", Level.OK, f"enforcing; the project's folder is labelled for containers ({kind[0]})")
        return
    yield warning(
        "selinux",
        "enforcing: containers may not read the project's folder" + (f", which is labelled {kind[0]}" if kind else ""),
        'add ":z" to the mount, which labels the folder for containers: mount = "/workspace:z"; '
        'the same in mounts: "./data:/data:z"',
        str(facts.folder),
    )


def desktop(facts: Facts) -> Iterator[Finding]:
    engine = facts.engine
    if engine is None or not engine.is_desktop or facts.shared is None:
        return
    unshared = [path for path in _binds(facts) if not any(_is_within(path, folder) for folder in facts.shared)]
    if not unshared:
        yield Finding("sharing", Level.OK, "Docker Desktop shares the project's folder with its containers")
    for path in unshared:
        yield error(
            "sharing",
            f"Docker Desktop does not share {path} with its containers",
            "add it: Docker Desktop, Settings, Resources, File sharing",
            "shared: " + (", ".join(facts.shared) or "nothing"),
        )


def _binds(facts: Facts) -> list[str]:
    """The folders and files of the host that containers get."""
    paths = [str(facts.project.root if facts.project else facts.folder)]
    if facts.project is not None:
        for service in facts.project.services.values():
            paths += [mount.real for mount in service.mounts if mount.type is MountType.BIND]
    return list(dict.fromkeys(paths))


def disk(facts: Facts) -> Iterator[Finding]:
    if facts.free_bytes is None or facts.engine is None:
        return
    free = _size(facts.free_bytes)
    prune = "podman system prune" if facts.engine.is_podman else "docker system prune"
    mend = f"make room: {prune} removes containers that are stopped and images without a name"
    if facts.free_bytes < NO_BYTES:
        yield error("disk", f"the engine's disk is full: {free} are free", mend, facts.engine.root)
    elif facts.free_bytes < LITTLE_BYTES:
        yield warning("disk", f"the engine's disk is nearly full: {free} are free", mend, facts.engine.root)
    else:
        yield Finding("disk", Level.OK, f"{free} are free for the engine", facts.engine.root)


def clock(facts: Facts) -> Iterator[Finding]:
    if facts.engine is None or facts.engine.time is None:
        return
    skew = facts.engine.time - facts.now
    if abs(skew) <= SKEW_SECONDS:
        yield Finding("clock", Level.OK, "the engine's clock and yours agree")
        return
    direction = "ahead of" if skew > 0 else "behind"
    mend = "restart Docker Desktop" if facts.engine.is_desktop else "set both by NTP: timedatectl set-ntp true"
    yield warning(
        "clock",
        f"the engine's clock is {abs(skew):.0f} s {direction} yours: programs that compare the times of files "
        "(make, compilers, .pyc files) may take old for new",
        mend,
    )


def _numbers(version: str) -> tuple[int, int] | None:
    """Major and minor; None when the text is no version."""
    parts = version.split(".")
    if len(parts) < 2 or not parts[0].isdigit() or not parts[1].isdigit():
        return None
    return int(parts[0]), int(parts[1])


def _is_within(path: str, folder: str) -> bool:
    return PurePath(path).is_relative_to(folder)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"
