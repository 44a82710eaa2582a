"""The volumes that services mount, made where they are missing.

At its first use a volume takes the image's content at its place. The engine does that by itself when it makes the
container (docker-run(1), on volumes). Where a service runs as the host's user, that content would still belong to
whom it belongs to in the image, so there the volume is filled here, before the container is made, and given to the
user. Who kills devmount meanwhile finds no volume afterwards, and the next ``up`` begins again.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace

from devmount.engine import archive
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import MountType, Project, Service, Volume
from devmount.volumes import fill, helper, manifest, store, transport, users, work
from devmount.volumes.tarstream import Member

SPOOL = 4 << 20  # bytes kept in memory; more go to a temporary file
CHOWN = ("chown", "-R", "-h")  # -h: links themselves, not what they lead to (POSIX chown)

Images = Mapping[str, specs.Image]  # by service


def ensure(
    engine: Engine,
    project: Project,
    services: Sequence[Service],
    images: Images,
    host: specs.Host,
    wait: Callable[[str], None],
    begin: Callable[[Service, str], None],
) -> list[str]:
    """Make the volumes that these services mount; a line for each thing that a person should know.

    Args:
        services: in the order in which they start: the first whose image has something at a volume's place fills it.
        wait: called, with the id of the process, as long as another devmount works on the project's volumes.
        begin: called with what takes a while with many files, and for which service, before it is done.

    Raises:
        DevmountError: a volume cannot be made, is external and missing, or has another driver or other options.
    """
    names = sorted({name for service in services for name in service.volumes()})
    told: list[str] = []
    owners = {name: _owner(project, project.volumes[name], host) for name in names}
    if names:
        helper.require_settled(engine, project)
    with ExitStack() as held:
        # Without the file no command on this project's volumes has ever run here: there is nobody to wait for.
        if any(owners.values()) or (names and store.lock_file(project.name).exists()):
            held.enter_context(store.lock(project.name, wait))
            told += [f"left by a command that was killed: {line}" for line in work.tidy(engine, project)]
        for name in names:
            volume = project.volumes[name]
            found = engine.volume(volume.engine_name)
            owner = owners[name]
            if found is None:
                told += _superseded(engine, project, volume)
            if owner is not None and (found is None or _is_unused(engine, project, found)):
                mounting = [service for service in services if name in service.volumes()]
                begin(mounting[0], f"filling the volume {name} with what the image has for it")
                _fill(engine, project, volume, mounting, images, owner)
            else:
                engine.ensure_volume(project, volume)
    return told


def is_outdated(engine: Engine, project: Project, service: Service) -> bool:
    """Whether a lock file of a shadow has changed, so that what the image has for it is out of date too."""
    return any(
        shadow.keyed_by and engine.volume(project.volumes[shadow.volume].engine_name) is None
        for shadow in service.shadows
    )


def _superseded(engine: Engine, project: Project, volume: Volume) -> list[str]:
    """What to tell of the volumes that a shadow had before its lock file changed."""
    rows = archive.volumes(engine, f"{work.VOLUME_LABEL}={volume.name}")
    older = [row for row in rows if (row.get("Labels") or {}).get(specs.PROJECT_LABEL) == project.name]
    if not older:
        return []
    names = ", ".join(sorted(row["Name"] for row in older))
    return [f"{volume.name} is filled anew: its lock file changed. As it was before: {names} (devmount volume prune)"]


def _owner(project: Project, volume: Volume, host: specs.Host) -> str | None:
    """The ids of the host's user where a service that runs as such writes into a volume of the engine's own making.

    None where the content keeps its owner: a volume with options may be a folder of the host's or another machine's,
    with content that is not the image's; and a rootless engine maps its root to the user, who may write anyway.
    """
    if host.rootless or volume.external or volume.driver != "local" or volume.options:
        return None
    writers = [service for service in project.services.values() if service.writes_into(volume.name)]
    return next((specs.user(service, host) for service in writers if service.user == "host"), None)


def _is_unused(engine: Engine, project: Project, found: Mapping[str, object]) -> bool:
    """Whether ``volume create`` made the volume, and nothing has come into it since."""
    labels = found.get("Labels")
    name = str(found["Name"])
    if not isinstance(labels, dict) or fill.EMPTY_LABEL not in labels or users.users(engine, name):
        return False
    return fill.is_empty(engine, project, name)


def _fill(
    engine: Engine, project: Project, volume: Volume, services: Sequence[Service], images: Images, owner: str
) -> None:
    target = fill.Target(volume.engine_name, volume.driver, volume.options, work.labels(project, volume))
    with fill.remade(engine, project, target, images[services[0].name].id):
        for service in services:
            image = images[service.name]
            mounts = service.all_mounts(specs.mount_target(service, image))
            places = [mount.target for mount in mounts if (mount.type, mount.source) == (MountType.VOLUME, volume.name)]
            for place in places:
                with helper.helper(
                    engine, project, image.id, volume.engine_name, place=place, command=(*CHOWN, owner, place)
                ) as made:
                    _give(engine, project, made, volume.engine_name, owner)


def _give(engine: Engine, project: Project, made: str, volume: str, owner: str) -> None:
    """Make everything in the volume the owner's; ``made``: a helper that mounts it, to run chown."""
    if any(engine.has_path(made, f"{folder}/{CHOWN[0]}") for folder in ("/bin", "/usr/bin")):
        engine.start(made, "that gives the volume to you")
        code = engine.wait(made)
        if code:
            raise DevmountError(f"the volume {volume} cannot be given to {owner}: chown failed with exit code {code}")
        return
    with suppress(DevmountError):  # Podman fills a volume only when its container starts, and be it in vain
        engine.start(made, "that gives the volume to you")
    uid, gid = (int(part) for part in owner.split(":"))
    way = transport.way(engine, project, volume)
    with tempfile.SpooledTemporaryFile(SPOOL) as spool:
        with users.reading(engine, project, volume, users.Hold.LIVE) as opened:
            while piece := opened.read(archive.CHUNK):
                spool.write(piece)
        spool.seek(0)
        transport.write(engine, project, way, volume, _owned(spool.read, volume, uid, gid))


def _owned(read: Callable[[int], bytes], volume: str, uid: int, gid: int) -> Iterator[Member | memoryview]:
    for item in fill.tar_content(read, volume, manifest.TOP, devices=True):
        yield replace(item, uid=uid, gid=gid) if isinstance(item, Member) else item
