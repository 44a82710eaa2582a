"""The volumes of a project: declared, named in mounts, and made for the folders that ``shadow`` names."""

import hashlib
import os
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from devmount.config import values
from devmount.config.positions import Path as Keys
from devmount.config.types import Problem
from devmount.model import MountType, Service, Shadow, Volume

KEY_LENGTH = 12  # hexadecimal digits: 48 bits tell the lock files of one project apart


def shadows(
    entries: Iterable[tuple[int, "str | dict[str, Any]"]],
    path: Keys,
    service: str,
    *,
    mount: str | None,
    taken: Collection[str],
) -> tuple[list[Shadow], list[Problem]]:
    """The ``shadow`` entries of the service at ``path``.

    Args:
        entries: each with its number in the list.
        mount: where the project folder is mounted, below which they lie: "" for the default place, None for nowhere.
        taken: the targets of the service's mounts.
    """
    made: list[Shadow] = []
    problems = []
    for number, entry in entries:
        here: Keys = (*path, "shadow", number)
        table = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(table.get("path"), str):
            continue  # said already
        keys: str | list[str] = table.get("keyed_by", [])
        try:
            folder = inside(table["path"], "shadow")
            keyed_by = tuple(inside(key, "keyed_by") for key in ([keys] if isinstance(keys, str) else keys) if key)
            if mount is None:
                raise values.Wrong(
                    f"{folder!r} lies in the project folder, which is not mounted",
                    'say where: mount = "/srv/app"; or use a volume: mounts = ["name:/path"]',
                )
            if mount and posixpath.join(mount, folder) in taken:
                raise values.Wrong(f"{posixpath.join(mount, folder)} is in mounts too", "keep one of the two")
            name = volume_name(service, folder)
            if any(one.volume == name for one in made):
                raise values.Wrong(f"{folder!r} would be the volume {name!r}, which another shadow is", "rename one")
        except values.Wrong as wrong:
            problems.append(Problem(here, wrong.message, wrong.hint))
            continue
        made.append(Shadow(folder, name, keyed_by))
    return made, problems


def volume_name(service: str, folder: str) -> str:
    """The name of a shadow's volume; no other volume has it by chance, for a service's name has no dot."""
    return service + "." + re.sub(r"[^A-Za-z0-9_.-]", "-", folder.replace("/", "."))


def inside(text: str, what: str) -> str:
    """A path below the project folder, normalised, relative to it."""
    path = os.path.normpath(text)
    if not text or path == "." or path.startswith(("/", "~")) or path.split("/")[0] == "..":
        raise values.Wrong(
            f"{what} {text!r} is not below the project folder", 'write it relative to that: "node_modules"'
        )
    return path


def volumes(
    declared: Mapping[str, Any], project: str, services: Mapping[str, Service], root: Path
) -> tuple[dict[str, Volume], list[Problem]]:
    """Those with a table of their own, then those that services merely name."""
    keyed = {shadow.volume: shadow.keyed_by for service in services.values() for shadow in service.shadows}
    used = {mount.source for service in services.values() for mount in service.mounts if mount.type is MountType.VOLUME}
    made = {}
    problems = []
    for name in [*declared, *sorted((used | keyed.keys()) - set(declared))]:
        table = declared.get(name, {})
        path: Keys = ("volumes", name)
        if not values.VOLUME_NAME.fullmatch(name):
            problems.append(Problem(path, f"{name!r} cannot be a volume's name", "letters, digits, _ . -", at_key=True))
        external = bool(table.get("external", False))
        if external and table.keys() - {"external", "exclusive"}:
            hint = "leave the other keys out: whoever made it has said them"
            problems.append(Problem(path, f"[volumes.{name}] is external and says more", hint))
        problems += linked_device(table.get("options", {}), (*path, "options", "device"))
        engine_name = name if external else f"{project}_{name}"
        if external and keyed.get(name):
            hint = "leave keyed_by out, or external"
            problems.append(Problem(path, f"[volumes.{name}] is external, so it cannot be filled anew", hint))
        elif keyed.get(name):
            engine_name += "." + key(root, keyed[name])
        made[name] = Volume(
            name,
            engine_name,
            table.get("driver", "local"),
            {key: values.text(value) for key, value in table.get("options", {}).items()},
            {key: values.text(value) for key, value in table.get("labels", {}).items()},
            external,
            bool(table.get("exclusive", False)),
        )
    return made, problems


def linked_device(options: Mapping[str, Any], path: Keys) -> Iterator[Problem]:
    """A folder that the volume stands for and that is reached through a link: the engine follows it at any start."""
    device, flags = str(options.get("device", "")), str(options.get("o", ""))
    if "bind" in flags and device.startswith("/") and (real := os.path.realpath(device)) != device:
        yield Problem(path, f"{device} is reached through a symbolic link", f"write where it leads: {real!r}")


def key(root: Path, files: Sequence[str]) -> str:
    """What tells apart the states of the lock files that a shadow is keyed by; one that is missing is a state too."""
    digest = hashlib.sha256()
    for file in files:
        content = "missing"
        with suppress(OSError):
            if (root / file).is_file():  # a link to a device would never end
                with (root / file).open("rb") as opened:
                    content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(content.encode() + b"\0")
    return digest.hexdigest()[:KEY_LENGTH]


def missing_keys(services: Mapping[str, Service], root: Path) -> Iterator[str]:
    """A line for each lock file that is not there: its name may be misspelt."""
    for service in services.values():
        for shadow in service.shadows:
            for file in shadow.keyed_by:
                if not (root / file).is_file():
                    yield f"there is no {file}, by which the shadow {shadow.path} of {service.name} is keyed"


def writers(volumes: Mapping[str, Volume], services: Mapping[str, Service]) -> Iterator[Problem]:
    """Exclusive volumes into which more than one service writes."""
    for volume in volumes.values():
        names = [service.name for service in services.values() if service.writes_into(volume.name)]
        if volume.exclusive and len(names) > 1:
            yield Problem(
                ("volumes", volume.name, "exclusive"),
                f"the volume {volume.name!r} is exclusive, and {' and '.join(names)} write into it",
                f'let all but one only read it ("{volume.name}:/path:ro"), or leave exclusive out',
                at_key=True,
            )
