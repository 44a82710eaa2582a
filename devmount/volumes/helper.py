"""The helper container: mounts a volume, and remembers on the engine what is half done.

Its labels say whose it is and what must be undone if that process dies: containers to unpause or to start again, a
volume to put back as it was. ``recover`` does so; every command that works on volumes calls it first, under the lock.
Only a holder of the lock makes helpers, so one that the holder finds was left by a process that has died.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from devmount.engine import archive, images, pipes, streams
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import MountType, Project
from devmount.volumes import hosttar, store

HELPER_LABEL = specs.LABEL + "helper"
LOCK_LABEL = specs.LABEL + "lock"  # host and path of the lock under which it was made
PAUSED_LABEL = specs.LABEL + "paused"  # ids of containers to unpause
STOPPED_LABEL = specs.LABEL + "stopped"  # ids of containers to start
UNDO_LABEL = specs.LABEL + "undo"  # JSON: see ``fill``
TOP = "data"
FOLDER = "/devmount"
MOUNT = f"{FOLDER}/{TOP}"
NOTHING = ("/devmount-never-started",)
PIPE = "/devmount-pipe"
PIPE_SUFFIX = ".pipe"
PIPE_SECONDS = 5.0  # for a started tar to open a pipe; one on another kernel never does
PROBED_IMAGES = 8  # at most


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


@dataclass(frozen=True, slots=True)
class Tar:
    """A GNU tar that runs in a helper. ``packed``: a stream to unpack at ``/`` first, where the image has none.

    ``pipes``: a named pipe of this machine, mounted into the helper, is the same pipe there.
    """

    argv: tuple[str, ...] = ("tar",)
    packed: bytes = b""
    pipes: bool = False


_known: WeakKeyDictionary[Engine, dict[str, Tar | None]] = WeakKeyDictionary()  # by image id, which names its content


def find_image(engine: Engine, project: Project, volume: str) -> tuple[str, Tar | None]:
    """An image for the helper of a volume, and its GNU tar: the first that has one, else the first with this host's."""
    here = candidates(engine, project, volume)
    known = _known.setdefault(engine, {})
    for image in here[:PROBED_IMAGES]:
        if image not in known:
            known[image] = _probed(engine, project, image)
        if known[image] is not None:
            return image, known[image]
    given = hosttar.host_tar()
    if given is None or given.arch != engine.architecture():
        return here[0], None
    key = f"{here[0]} with this host's"
    if key not in known:
        known[key] = _tried(engine, project, here[0], Tar(given.argv, given.packed))
    return here[0], known[key]


def _probed(engine: Engine, project: Project, image: str) -> Tar | None:
    """The image's own tar, if it is GNU's."""
    with helper(engine, project, image, None, command=("tar",)) as made:
        if not any(engine.has_path(made, path) for path in ("/bin/tar", "/usr/bin/tar")):
            return None
    return _tried(engine, project, image, Tar())


def _tried(engine: Engine, project: Project, image: str, tar: Tar) -> Tar | None:
    """The tar as it proves to be, run in a helper: GNU's or not, and with pipes or without."""
    if engine.is_local():
        with pipe(project, "probe") as path:
            command = (*tar.argv, "--create", f"--file={PIPE}", "--label=devmount", "--files-from=/dev/null")
            try:
                with (
                    helper(engine, project, image, None, command=command, put=tar.packed, pipe=path) as made,
                    pipes.output(engine, made, path) as output,
                ):
                    if output.opened(PIPE_SECONDS) and b"devmount" in output.read(1 << 16):
                        return replace(tar, pipes=True)
            except DevmountError:
                pass  # it is no GNU tar; or a machine in between, SELinux or mapped user ids keep the pipe from it
    try:
        with (
            helper(engine, project, image, None, command=(*tar.argv, "--version"), put=tar.packed) as made,
            streams.output(engine, made) as output,
        ):
            return tar if b"GNU tar" in output.read(4096) else None
    except DevmountError:
        return None  # another platform's, or a tar that does not know --version


@contextmanager
def pipe(project: Project, name: str) -> Iterator[Path]:
    """A named pipe for the time of the block. Only the holder of the project's lock makes any."""
    folder = store.working_folder(project.name)
    store.make_folder(folder)
    path = folder / f"{name}{PIPE_SUFFIX}"
    pipes.make(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def create(
    engine: Engine,
    project: Project,
    image: str,
    volume: str | None,
    labels: Mapping[str, str],
    *,
    writable: bool = False,
    place: str | None = None,
    command: Sequence[str] = NOTHING,
    put: bytes = b"",
    pipe: Path | None = None,
) -> str:
    """Make a helper that mounts ``volume`` (None: no volume) to run ``command`` as root, without a network; its id.

    Args:
        place: mount it there, writable; the engine then puts the image's content at that place into an empty volume.
        put: a tar stream to unpack in it at ``/``.
        pipe: a named pipe that it gets at ``PIPE``.
    """
    mounts: list[dict[str, Any]] = []
    if volume is not None and place is not None:
        mounts.append({"Type": "volume", "Source": volume, "Target": place})
    elif volume is not None:
        mount = {"Type": "volume", "Source": volume, "Target": MOUNT, "ReadOnly": not writable}
        mounts.append({**mount, "VolumeOptions": {"NoCopy": True}})
    if pipe is not None:
        mounts.append({"Type": "bind", "Source": str(pipe), "Target": PIPE})
    body = {
        "Image": image,
        "User": "0:0",
        "Entrypoint": list(command),
        "Cmd": [],
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "NetworkDisabled": True,
        "StopSignal": "SIGKILL",  # an engine that shuts down need not wait for it
        "Labels": {**specs.labels(project), HELPER_LABEL: "1", LOCK_LABEL: _owner(project), **labels},
        # What passes through its streams is the volume's content: no log may keep it.
        "HostConfig": {"Mounts": mounts, "NetworkMode": "none", "LogConfig": {"Type": "none"}},
    }
    made = engine.create(specs.Spec("", body, "", False, "", None))
    if put:
        try:
            archive.upload(engine, made, "/", [put])
        except BaseException:
            _give_up(engine, made)
            raise
    return made


@contextmanager
def helper(
    engine: Engine,
    project: Project,
    image: str,
    volume: str | None,
    *,
    writable: bool = False,
    place: str | None = None,
    command: Sequence[str] = NOTHING,
    put: bytes = b"",
    pipe: Path | None = None,
) -> Iterator[str]:
    """A helper for the time of the block, as ``create`` makes it; its id."""
    made = create(
        engine, project, image, volume, {}, writable=writable, place=place, command=command, put=put, pipe=pipe
    )
    try:
        yield made
    except BaseException:
        _give_up(engine, made)
        raise
    archive.remove_helper(engine, made)


def _give_up(engine: Engine, made: str) -> None:
    with suppress(DevmountError):  # what went wrong first is what to tell; ``recover`` removes it later
        archive.remove_helper(engine, made)


def _owner(project: Project) -> str:
    return f"{socket.gethostname()}:{store.lock_file(project.name)}"


def recover(engine: Engine, project: Project, undo: Callable[[Engine, Project, Mapping[str, Any]], str]) -> list[str]:
    """Put right what commands that were killed have left; what was done, a line each. Call it with the lock held.

    Args:
        undo: puts a volume back as the undo label tells, and says what it did.

    Raises:
        DevmountError: it cannot be put right; or it is another user's, or host's, to put right.
    """
    require_settled(engine, project)
    labels = [f"{specs.PROJECT_LABEL}={project.name}", f"{LOCK_LABEL}={_owner(project)}", HELPER_LABEL]
    done = []
    for left in store.working_folder(project.name).glob(f"*{PIPE_SUFFIX}"):
        left.unlink(missing_ok=True)
    rows = archive.labelled(engine, labels)
    for row in rows:
        if UNDO_LABEL not in row["Labels"]:
            done += release(engine, row["Labels"])
            archive.remove_helper(engine, row["Id"])
    for row in rows:
        if UNDO_LABEL in row["Labels"]:
            told = json.loads(row["Labels"][UNDO_LABEL])
            done.append(undo(engine, project, told))
            archive.remove_helper(engine, row["Id"])
    return done


def require_settled(engine: Engine, project: Project) -> None:
    """That nobody who holds another lock (another user, another host) is filling a volume of the project's.

    Raises:
        DevmountError: somebody is, or was when it was killed.
    """
    for row in archive.labelled(engine, [f"{specs.PROJECT_LABEL}={project.name}", UNDO_LABEL]):
        owner = row["Labels"].get(LOCK_LABEL, "")
        if owner != _owner(project):
            raise DevmountError(
                f"the volume {json.loads(row['Labels'][UNDO_LABEL])['name']} is being filled by another devmount",
                owner,
                "wait until it has ended; if it was killed, run devmount volume ls there, which puts it right",
            )


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
