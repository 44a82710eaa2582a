"""The helper container: mounts a volume, and remembers on the engine what is half done.

Its labels say whose it is and what must be undone if that process dies: containers to unpause or to start again, a
volume to put back as it was. ``recover`` does so; every command that works on volumes calls it first, under the lock.
Only a holder of the lock makes helpers, so one that the holder finds was left by a process that has died.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from devmount.engine import archive, images, streams
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import MountType, Project
from devmount.volumes import store

HELPER_LABEL = specs.LABEL + "helper"
LOCK_LABEL = specs.LABEL + "lock"  # host and path of the lock under which it was made
PAUSED_LABEL = specs.LABEL + "paused"  # ids of containers to unpause
STOPPED_LABEL = specs.LABEL + "stopped"  # ids of containers to start
UNDO_LABEL = specs.LABEL + "undo"  # JSON: see ``fill``
TOP = "data"
FOLDER = "/devmount"
MOUNT = f"{FOLDER}/{TOP}"
NOTHING = ("/devmount-never-started",)
PROBED_IMAGES = 8  # at most

_with_tar: dict[str, bool] = {}  # by image id, which names its content


def candidates(engine: Engine, project: Project, volume: str) -> list[str]:
    """Images that are here: those of services which mount the volume, then all, the smallest first."""
    found: dict[str, None] = {}
    for service in project.services.values():
        if any(m.type is MountType.VOLUME and project.volumes[m.source].engine_name == volume for m in service.mounts):
            image = images.inspect(engine, images.image_name(project, service))
            if image is not None:
                found[image.id] = None
    found.update(dict.fromkeys(archive.local_images(engine)))
    return list(found) or [archive.empty_image(engine)]


def find_image(engine: Engine, project: Project, volume: str) -> tuple[str, bool]:
    """An image for the helper of a volume, and whether it has GNU tar: the first that has, else the first."""
    here = candidates(engine, project, volume)
    for image in here[:PROBED_IMAGES]:
        if image not in _with_tar:
            _with_tar[image] = _has_gnu_tar(engine, project, image)
        if _with_tar[image]:
            return image, True
    return here[0], False


def _has_gnu_tar(engine: Engine, project: Project, image: str) -> bool:
    with helper(engine, project, image, None, command=("tar", "--version")) as made:
        if not any(engine.has_path(made, path) for path in ("/bin/tar", "/usr/bin/tar")):
            return False
        try:
            with streams.output(engine, made) as output:
                return b"GNU tar" in output.read(4096)
        except DevmountError:
            return False  # another platform's, or a tar that does not know --version


def create(
    engine: Engine,
    project: Project,
    image: str,
    volume: str | None,
    labels: Mapping[str, str],
    *,
    writable: bool = False,
    command: Sequence[str] = NOTHING,
) -> str:
    """Make a helper that mounts ``volume`` (None: no volume) to run ``command`` as root, without a network; its id."""
    mounts: list[dict[str, Any]] = []
    if volume is not None:
        mount = {"Type": "volume", "Source": volume, "Target": MOUNT, "ReadOnly": not writable}
        mounts.append({**mount, "VolumeOptions": {"NoCopy": True}})
    body = {
        "Image": image,
        "User": "0:0",
        "Entrypoint": list(command),
        "Cmd": [],
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "NetworkDisabled": True,
        "Labels": {**specs.labels(project), HELPER_LABEL: "1", LOCK_LABEL: _owner(project), **labels},
        # What passes through its streams is the volume's content: no log may keep it.
        "HostConfig": {"Mounts": mounts, "NetworkMode": "none", "LogConfig": {"Type": "none"}},
    }
    return engine.create(specs.Spec("", body, "", False, "", None))


@contextmanager
def helper(
    engine: Engine,
    project: Project,
    image: str,
    volume: str | None,
    *,
    writable: bool = False,
    command: Sequence[str] = NOTHING,
) -> Iterator[str]:
    """A helper for the time of the block; its id."""
    made = create(engine, project, image, volume, {}, writable=writable, command=command)
    try:
        yield made
    except BaseException:
        with suppress(DevmountError):  # what went wrong first is what to tell; ``recover`` removes it later
            archive.remove_helper(engine, made)
        raise
    archive.remove_helper(engine, made)


def _owner(project: Project) -> str:
    return f"{socket.gethostname()}:{store.lock_file(project.name)}"


def recover(engine: Engine, project: Project, undo: Callable[[Engine, Project, Mapping[str, Any]], None]) -> list[str]:
    """Put right what commands that were killed have left; what was done, a line each. Call it with the lock held.

    Args:
        undo: puts a volume back as the undo label tells.
    """
    labels = [f"{specs.PROJECT_LABEL}={project.name}", f"{LOCK_LABEL}={_owner(project)}", HELPER_LABEL]
    done = []
    rows = archive.labelled(engine, labels)
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
            engine.unpause(container)
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
