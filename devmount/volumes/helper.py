"""The helper container: mounts a volume, is never started, and remembers on the engine what is half done.

Its labels say who made it and what must be undone if that process dies: containers to unpause or to start again, a
volume to put back as it was. ``recover`` does so; every command that works on volumes calls it first, under the lock.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from devmount.engine import archive, images
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import MountType, Project
from devmount.volumes import maker

HELPER_LABEL = specs.LABEL + "helper"
MAKER_LABEL = specs.LABEL + "maker"
PAUSED_LABEL = specs.LABEL + "paused"  # ids of containers to unpause
STOPPED_LABEL = specs.LABEL + "stopped"  # ids of containers to start
UNDO_LABEL = specs.LABEL + "undo"  # JSON: see ``restoring``
MOUNT = "/devmount/data"


def image(engine: Engine, project: Project, volume: str) -> str:
    """An image that is here already: that of a service which mounts the volume, else the smallest one."""
    for service in project.services.values():
        if any(m.type is MountType.VOLUME and project.volumes[m.source].engine_name == volume for m in service.mounts):
            found = images.inspect(engine, images.image_name(project, service))
            if found is not None:
                return found.id
    here = archive.local_images(engine)
    return here[0] if here else archive.empty_image(engine)


def create(engine: Engine, project: Project, volume: str | None, labels: Mapping[str, str], *, writable: bool) -> str:
    """Make a helper that mounts ``volume`` (None: no volume), bearing the maker's and these labels; its id."""
    mounts: list[dict[str, Any]] = []
    if volume is not None:
        mount = {"Type": "volume", "Source": volume, "Target": MOUNT, "ReadOnly": not writable}
        mounts.append({**mount, "VolumeOptions": {"NoCopy": True}})
    body = {
        "Image": image(engine, project, volume or ""),
        "Entrypoint": ["/devmount-never-started"],
        "Cmd": [],
        "NetworkDisabled": True,
        "Labels": {**specs.labels(project), HELPER_LABEL: "1", MAKER_LABEL: maker.me(), **labels},
        "HostConfig": {"Mounts": mounts, "NetworkMode": "none"},
    }
    return engine.create(specs.Spec("", body, "", False, "", None))


@contextmanager
def helper(
    engine: Engine,
    project: Project,
    volume: str | None,
    labels: Mapping[str, str] | None = None,
    *,
    writable: bool = False,
) -> Iterator[str]:
    """A helper for the time of the block; its id."""
    made = create(engine, project, volume, labels or {}, writable=writable)
    try:
        yield made
    except BaseException:
        with suppress(DevmountError):  # what went wrong first is what to tell; ``recover`` removes it later
            archive.remove_helper(engine, made)
        raise
    archive.remove_helper(engine, made)


def leftovers(engine: Engine, project: Project) -> list[dict[str, Any]]:
    """The helpers of this project whose maker is dead."""
    labels = [f"{specs.PROJECT_LABEL}={project.name}", f"{specs.ROOT_LABEL}={project.root}", HELPER_LABEL]
    rows = archive.labelled(engine, labels)
    return [row for row in rows if maker.is_dead((row.get("Labels") or {}).get(MAKER_LABEL, ""))]


def recover(engine: Engine, project: Project, undo: Callable[[Engine, Project, Mapping[str, Any]], None]) -> list[str]:
    """Put right what commands that were killed have left; what was done, a line each. Call it with the lock held.

    Args:
        undo: puts a volume back as the undo label tells.
    """
    done = []
    rows = leftovers(engine, project)
    for row in rows:
        if UNDO_LABEL not in row["Labels"]:
            done += release(engine, row["Labels"])
            archive.remove_helper(engine, row["Id"])
    for row in rows:
        if UNDO_LABEL in row["Labels"]:
            told = json.loads(row["Labels"][UNDO_LABEL])
            undo(engine, project, told)
            archive.remove_helper(engine, row["Id"])
            done.append(f"put the volume {told['name']} back as it was")
    return done


def release(engine: Engine, labels: Mapping[str, str]) -> list[str]:
    """Let the containers go on that a helper's labels name; a line for each that had to be."""
    done = []
    for container in labels.get(PAUSED_LABEL, "").split():
        if _state(engine, container) == "paused":
            archive.unpause(engine, container)
            done.append(f"unpaused {container[:12]}")
    for container in labels.get(STOPPED_LABEL, "").split():
        if _state(engine, container) == "stopped":
            engine.start(container, container[:12])
            done.append(f"started {container[:12]}")
    return done


def _state(engine: Engine, container: str) -> str:
    if not engine.exists(container):
        return "gone"
    found = engine.inspect(container)
    return "paused" if found.paused else "running" if found.running else "stopped"
