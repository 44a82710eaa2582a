"""Restoring, copying and importing: three sources of content, one way into a volume."""

import contextlib
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Project, Volume
from devmount.volumes import manifest, store, transport, users, verify, work
from devmount.volumes.backup import Progress, backup, existing, total_size
from devmount.volumes.fill import Target, backup_content, described, fill, is_empty, tar_content
from devmount.volumes.tarstream import Member
from devmount.volumes.users import Hold


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of it. ``kept``: the backup of what was there before; ``leading_out``: links to the outside."""

    engine_name: str
    kept: Path | None = None
    leading_out: int = 0


def restore(
    engine: Engine,
    project: Project,
    volume: Volume,
    path: Path,
    *,
    replace: bool = False,
    force: bool = False,
    devices: bool = False,
    progress: Progress | None = None,
) -> Restored:
    """Verify a backup, then make the volume what it was when the backup was written.

    Args:
        replace: put it in the place of what is there, which is kept as a backup first.
        force: take the project's containers that have the volume away; ``up`` makes them again.
        devices: let device nodes in.

    Raises:
        DevmountError: it failed; the volume is as it was, or the error says where its content is.
    """
    with verify.open_backup(path) as file:
        step(progress, "verifying")
        with ThreadPoolExecutor(1) as meanwhile:
            looked = meanwhile.submit(transport.way, engine, project, volume.engine_name)
            told, out = verify.verify(file, str(path), devices=devices, progress=progress)
            looked.result()  # is remembered
        declared = work.by_any_name(project, volume.name) is not None
        target = Target(
            volume.engine_name,
            volume.driver if declared else told.driver,
            volume.options if declared else told.options,
            {**told.labels, **work.labels(project, volume)},
        )
        content = counted(backup_content(file, str(path), devices=devices), told.content_bytes, progress)
        kept = into(engine, project, volume, target, content, replace=replace, force=force, progress=progress)
    return Restored(volume.engine_name, kept, out)


def into(
    engine: Engine,
    project: Project,
    volume: Volume,
    target: Target,
    content: Iterable[Member | memoryview],
    *,
    replace: bool,
    force: bool,
    progress: Progress | None = None,
) -> Path | None:
    """Fill a new or empty volume, or with ``replace`` any; the backup of what was there, if anything was."""
    found = engine.volume(volume.engine_name)
    if found is None:
        fill(engine, project, target, content)
        return None
    empty = is_empty(engine, project, volume.engine_name)
    if not empty and not replace:
        raise DevmountError(
            f"the volume {volume.name!r} is not empty",
            volume.engine_name,
            "put it in the place of what is there, which is kept as a backup: --replace; or name a new volume",
        )
    old = described(found)
    if not empty and (old.driver != "local" or old.options):
        raise DevmountError(
            f"the volume {volume.name!r} has driver {old.driver} and options {dict(old.options)}: it cannot be emptied",
            volume.engine_name,
            "restore into a new volume",
        )
    users.require_unused(engine, project, volume.engine_name, force=force, purpose="replaced")
    kept = None if empty else verified_backup(engine, project, volume, progress)
    remade = Target(old.name, old.driver, old.options, old.labels)
    fill(engine, project, remade, content, kept=kept)
    return kept


def verified_backup(engine: Engine, project: Project, volume: Volume, progress: Progress | None = None) -> Path:
    """A backup of a volume that is about to be replaced, read back before that."""
    step(progress, "keeping what is there")
    path = backup(engine, project, volume, hold=Hold.LIVE, progress=progress).path
    with verify.open_backup(path) as file:
        step(progress, "verifying what is kept")
        verify.verify(file, str(path), devices=True, progress=progress)
    return path


def step(progress: Progress | None, what: str) -> None:
    """Tell of another part of the work, where somebody listens."""
    if progress is not None:
        progress.step(what)


def copy(
    engine: Engine,
    project: Project,
    source: Volume,
    new: Volume,
    *,
    other: Engine | None = None,
    hold: Hold = Hold.PAUSE,
    replace: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Restored:
    """Copy a volume's content into a new or empty one, of this engine or of ``other``.

    Raises:
        DevmountError: it failed; the source is untouched, and the target as it was.
    """
    existing(engine, source)
    if other is None and source.engine_name == new.engine_name:
        raise DevmountError("a volume cannot be copied onto itself", source.engine_name, "name another")
    total = total_size(engine, source, progress)
    target = Target(new.engine_name, new.driver, new.options, work.labels(project, new))
    with contextlib.closing(_read_when_asked(engine, project, source, hold)) as content:
        kept = into(
            other or engine,
            project,
            new,
            target,
            counted(content, total, progress),
            replace=replace,
            force=force,
            progress=progress,
        )
    return Restored(new.engine_name, kept)


def _read_when_asked(
    engine: Engine, project: Project, volume: Volume, hold: Hold
) -> Generator[Member | memoryview, None, None]:
    """The volume's members, whose users are held still only from the first one on."""
    with reading(engine, project, volume, hold) as content:
        yield from content


@contextlib.contextmanager
def reading(engine: Engine, project: Project, volume: Volume, hold: Hold) -> Iterator[Iterator[Member | memoryview]]:
    """The volume's members, while its users are held still."""
    with users.reading(engine, project, volume.engine_name, hold) as opened:
        yield tar_content(opened.read, volume.engine_name, manifest.TOP, devices=True)


def counted(
    content: Iterable[Member | memoryview], total: int | None, progress: Progress | None, what: str = "filling"
) -> Iterator[Member | memoryview]:
    """The same content, its bytes told to ``progress`` as they go by, under the name ``what``."""
    done = 0
    step(progress, what)
    for item in content:
        yield item
        if progress and not isinstance(item, Member):
            done += len(item)
            progress(done, total)


def backups(project: Project, volume: Volume | None = None) -> list[tuple[Path, manifest.Manifest | DevmountError]]:
    """The backups in the project's folder, of one volume or of all, newest first; an unreadable one with its error."""
    rows: list[tuple[Path, manifest.Manifest | DevmountError]] = []
    for path in sorted(store.backup_folder(project.name).glob(f"*{store.SUFFIX}")):
        try:
            told: manifest.Manifest | DevmountError = verify.read_manifest(path)
        except DevmountError as error:
            told = error
        if volume is None or (isinstance(told, manifest.Manifest) and told.engine_name == volume.engine_name):
            rows.append((path, told))
    return sorted(rows, key=lambda row: row[1].time if isinstance(row[1], manifest.Manifest) else "", reverse=True)
