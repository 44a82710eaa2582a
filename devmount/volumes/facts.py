"""What there is to know of a project's volumes, gathered from the file, the engine and the backups."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devmount.engine import archive
from devmount.engine.engine import Engine
from devmount.model import MountType, Project, Volume
from devmount.volumes import users, work
from devmount.volumes.manifest import Manifest
from devmount.volumes.restore import backups


@dataclass(frozen=True, slots=True)
class Row:
    """One volume. Times are RFC 3339; ``size`` in bytes on the engine's disk, None where the driver does not tell."""

    volume: Volume
    declared: bool
    created: str | None  # None: there is none on the engine
    size: int | None
    mounted: tuple[str, ...]  # "db:/var/lib/data", "list:/srv (read-only)"
    newest: str | None  # of the backups
    backup: Path | None

    def to_json(self) -> dict[str, Any]:
        return {
            "volume": self.volume.name,
            "name": self.volume.engine_name,
            "driver": self.volume.driver,
            "external": self.volume.external,
            "exclusive": self.volume.exclusive,
            "declared": self.declared,
            "created": self.created,
            "size": self.size,
            "mounted": list(self.mounted),
            "newest_backup": self.newest,
            "backup": str(self.backup) if self.backup else None,
        }


def rows(engine: Engine, project: Project, named: Collection[str] = ()) -> list[Row]:
    """Of all that the file names, then of those that only the engine has.

    Args:
        named: the engine's names of volumes that the file declares too, in other profiles.
    """
    sizes = archive.sizes(engine)
    here = {row["Name"]: row for row in archive.volumes(engine)}
    return [_row(project, volume, here, sizes, named) for volume in work.all_volumes(engine, project)]


def on_engine(engine: Engine, project: Project) -> list[Row]:
    """Of the volumes that bear the project's label; external ones do not."""
    labelled = set(engine.volumes(project.name))
    return [row for row in rows(engine, project) if row.volume.engine_name in labelled]


def row(engine: Engine, project: Project, volume: Volume, named: Collection[str] = ()) -> Row:
    """Of one."""
    described = engine.volume(volume.engine_name)
    here = {} if described is None else {volume.engine_name: described}
    return _row(project, volume, here, archive.sizes(engine), named)


def _row(
    project: Project, volume: Volume, here: Mapping[str, Any], sizes: Mapping[str, int], named: Collection[str]
) -> Row:
    found = here.get(volume.engine_name)
    kept = [(path, told) for path, told in backups(project, volume) if isinstance(told, Manifest)]
    return Row(
        volume=volume,
        declared=volume.engine_name in named or work.by_any_name(project, volume.engine_name) is not None,
        created=found.get("CreatedAt", "") if found is not None else None,
        size=sizes.get(volume.engine_name),
        mounted=tuple(mounted(project, volume)),
        newest=kept[0][1].time if kept else None,
        backup=kept[0][0] if kept else None,
    )


def mounted(project: Project, volume: Volume) -> list[str]:
    """The services that mount the volume, and where; a shadow whose mount is the image's to say, by its folder."""
    return [
        f"{service.name}:{mount.target}" + (" (read-only)" if mount.read_only else "")
        for service in project.services.values()
        for mount in service.all_mounts(service.mount)
        if mount.type is MountType.VOLUME and project.volumes[mount.source].engine_name == volume.engine_name
    ]


def containers(engine: Engine, volume: Volume) -> list[dict[str, str]]:
    """The containers that have the volume now."""
    return [
        {
            "id": user.id,
            "name": user.name,
            "state": "paused" if user.paused else "running" if user.running else "stopped",
            "target": user.target,
            "mode": "read-only" if user.read_only else "writable",
        }
        for user in users.users(engine, volume.engine_name)
    ]
