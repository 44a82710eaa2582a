"""The frame of every command on volumes: the lock, what a killed command left put right, and the volume by its name."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devmount.engine import archive
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import UsageError
from devmount.model import Project, Volume
from devmount.volumes import fill, helper, store

VOLUME_LABEL = specs.LABEL + "volume"


@contextmanager
def work(engine: Engine, project: Project) -> Iterator[list[str]]:
    """Hold the project's lock for a command that changes volumes; yields what had to be put right first, a line each.

    Raises:
        DevmountError: another command holds the lock, or what was left cannot be put right yet.
    """
    with store.lock(project.name):
        yield tidy(engine, project)


def tidy(engine: Engine, project: Project) -> list[str]:
    """Put right what commands that were killed have left on this engine; call it with the lock held."""
    backups = store.backup_folder(project.name)
    if backups.is_dir():
        store.sweep(backups)
    return helper.recover(engine, project, fill.undo)


def look(engine: Engine, project: Project) -> list[str]:
    """For a command that only looks, or ``up``: put right what was left, unless a command is at work right now."""
    if not store.lock_file(project.name).exists():
        return []
    with suppress(store.LockedError), work(engine, project) as done:
        return done
    return []


def resolve(engine: Engine, project: Project, name: str) -> Volume:
    """The volume of that name in the file, or of the project on the engine.

    Raises:
        UsageError: there is none.
    """
    declared = by_any_name(project, name)
    if declared is not None:
        return declared
    undeclared = others(engine, project)
    for volume in undeclared:
        if name in (volume.name, volume.engine_name):
            return volume
    known = [*project.volumes, *(volume.name for volume in undeclared)]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise UsageError(f"the project has no volume {name!r}", str(project.files[0]), hint)


def by_any_name(project: Project, name: str) -> Volume | None:
    """The file's volume of that name, be it the file's own or the engine's."""
    for volume in project.volumes.values():
        if name in (volume.name, volume.engine_name):
            return volume
    return None


def others(engine: Engine, project: Project) -> list[Volume]:
    """The project's volumes on the engine that the file does not name."""
    declared = {volume.engine_name for volume in project.volumes.values()}
    rows = archive.volumes(engine, f"{specs.PROJECT_LABEL}={project.name}")
    return [described(project, row["Name"], row) for row in rows if row["Name"] not in declared]


def elsewhere(engine: Engine, project: Project, volume: Volume) -> str | None:
    """The folder of another checkout, which is still there, that made the volume; None where this one did."""
    labels = (engine.volume(volume.engine_name) or {}).get("Labels") or {}
    root = labels.get(specs.ROOT_LABEL, "")
    return root if root and Path(root) != project.root and Path(root).is_dir() else None


def all_volumes(engine: Engine, project: Project) -> list[Volume]:
    """Those that the file names, then those that only the engine has."""
    return [*project.volumes.values(), *others(engine, project)]


def described(project: Project, engine_name: str, row: dict[str, object]) -> Volume:
    """The engine's volume as the file would declare it."""
    target = fill.described(row)
    short = target.labels.get(VOLUME_LABEL, "")
    if not short or short in project.volumes:  # a shadow's, as it was before its lock file changed
        short = engine_name.removeprefix(f"{project.name}_")
    return Volume(short, engine_name, target.driver, target.options, target.labels)


def target(project: Project, name: str) -> Volume:
    """The volume of that name, to be made: as the file declares it, else a plain one of the project's.

    Raises:
        UsageError: the engine would not take the name.
    """
    declared = by_any_name(project, name)
    if declared is not None:
        return declared
    if not all(part.isascii() and (part.isalnum() or part in "_.-") for part in name) or not name[:1].isalnum():
        raise UsageError(f"{name!r} is no name for a volume", "", "use letters, digits, _ . and -")
    return Volume(name, f"{project.name}_{name}")


def labels(project: Project, volume: Volume) -> dict[str, str]:
    """The labels that a volume of the project's bears."""
    if volume.external:
        return dict(volume.labels)
    return {**volume.labels, **specs.labels(project), VOLUME_LABEL: volume.name}
