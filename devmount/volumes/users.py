"""The containers that use a volume: held still while it is read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from devmount.engine import archive
from devmount.engine import spec as specs
from devmount.engine.archive import User
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Project
from devmount.volumes import helper as helpers
from devmount.volumes import transport
from devmount.volumes.transport import Way

STOP_TIMEOUT = 10.0  # seconds, for containers whose service is not in the file


class Hold(StrEnum):
    """What is done to a volume's users while it is read."""

    PAUSE = "paused"
    STOP = "stopped"
    LIVE = "live"


def users(engine: Engine, volume: str) -> list[User]:
    """The containers that mount the volume, without devmount's helpers."""
    return [user for user in archive.users(engine, volume) if helpers.HELPER_LABEL not in user.labels]


@dataclass(frozen=True, slots=True)
class Opened:
    """A volume that is being read. ``users``: what is true of them: "paused", "stopped", "live" or "unused"."""

    read: Callable[[int], bytes]
    users: str
    way: Way


@contextmanager
def reading(engine: Engine, project: Project, volume: str, hold: Hold) -> Iterator[Opened]:
    """The content of a volume as a tar stream, its writing users held still for the block.

    The helper's labels name them before they are touched, so that they go on even if this process is killed.
    """
    way = transport.way(engine, project, volume)
    writers = [user for user in users(engine, volume) if user.running and not user.read_only]
    held = [user for user in writers if not user.paused] if hold is not Hold.LIVE else []
    label = helpers.PAUSED_LABEL if hold is Hold.PAUSE else helpers.STOPPED_LABEL
    labels = {label: " ".join(user.id for user in held)} if held else {}
    with transport.reader(engine, project, way, volume, labels) as reader:
        try:
            for user in held:
                if hold is Hold.PAUSE:
                    archive.pause(engine, user.id)
                else:
                    engine.stop(user.id, stop_timeout(project, user))
            live = hold is Hold.LIVE and bool(writers)
            with reader.content(live=live) as read:
                yield Opened(read, str(hold) if writers else "unused", way)
        finally:
            helpers.release(engine, labels)  # where this fails the helper stays, and the next command tries again
            archive.remove_helper(engine, reader.container)


def stop_timeout(project: Project, user: User) -> float:
    """Seconds the container gets to end."""
    service = project.services.get(user.labels.get(specs.SERVICE_LABEL, ""))
    return service.stop_timeout if service else STOP_TIMEOUT


def require_unused(engine: Engine, project: Project, volume: str, *, force: bool, purpose: str) -> None:
    """That no container has the volume; with ``force`` the project's own ones are removed (``up`` makes them again).

    Raises:
        DevmountError: one has it; all of them are named.
    """
    for user in require_removable(engine, project, volume, force=force, purpose=purpose):
        if user.paused:
            engine.unpause(user.id)
        if user.running:
            engine.stop(user.id, stop_timeout(project, user))
        engine.remove(user.id)


def require_removable(engine: Engine, project: Project, volume: str, *, force: bool, purpose: str) -> list[User]:
    """The containers to remove before the volume is free: the project's own, with ``force``.

    Raises:
        DevmountError: there are others, or there is no ``force``; all of them are named.
    """
    found = users(engine, volume)
    foreign = [user for user in found if user.labels.get(specs.PROJECT_LABEL) != project.name]
    if foreign or (found and not force):
        blocking = foreign if force else found
        raise DevmountError(
            f"the volume {volume} cannot be {purpose}: it is used by {names(blocking)}",
            volume,
            f"remove these containers first: docker rm -f {' '.join(user.name for user in foreign)}"
            if foreign
            else "take the containers away first (volumes stay): devmount down; or let it be done: --force",
        )
    return found


def services(engine: Engine, project: Project, volume: str) -> set[str]:
    """The project's services whose containers run and have the volume."""
    found = {user.labels.get(specs.SERVICE_LABEL, "") for user in users(engine, volume) if user.running}
    return found & project.services.keys()


def names(found: Sequence[User]) -> str:
    """The containers for a message."""
    return ", ".join(f"{user.name} ({'running' if user.running else 'stopped'})" for user in found)
