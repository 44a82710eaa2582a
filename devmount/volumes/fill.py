"""Putting content into a volume so that it is either all there, or the volume is as it was."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from devmount.engine import archive
from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Project
from devmount.volumes import compression, helper, manifest, transport, verify
from devmount.volumes.ahead import ahead
from devmount.volumes.checks import Checker
from devmount.volumes.remains import Remains, judge
from devmount.volumes.tarstream import Member, Reader

TOKEN_LABEL = specs.LABEL + "filled"  # tells a volume that is being filled from the one it replaces
EMPTY_LABEL = specs.LABEL + "empty"  # of a volume that was made by itself, not for a container


@dataclass(frozen=True, slots=True)
class Target:
    """A volume to be made."""

    name: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def fill(
    engine: Engine,
    project: Project,
    target: Target,
    content: Iterable[Member | memoryview],
    *,
    kept: Path | None = None,
) -> None:
    """Make the volume and fill it. One that exists is replaced: it must be unused, and empty or in the backup ``kept``.

    Raises:
        DevmountError: it failed; the volume is as it was, or the error says where its content is.
    """
    way = transport.way(engine, project, target.name)
    with remade(engine, project, target, way.image, kept=kept):
        transport.write(engine, project, way, target.name, content)


@contextmanager
def remade(engine: Engine, project: Project, target: Target, image: str, *, kept: Path | None = None) -> Iterator[None]:
    """A new volume, in the place of one that is there, to be filled in the block; see ``fill``.

    Args:
        image: any that is here, for the helper that remembers what must be put back.
    """
    token = secrets.token_hex(8)
    before = engine.volume(target.name)
    old = target if before is None else described(before)
    told = {
        "name": old.name,
        "driver": old.driver,
        "options": dict(old.options),
        "labels": dict(old.labels),
        "existed": before is not None,
        "kept": str(kept) if kept else "",
        "token": token,
    }
    journal = helper.create(engine, project, image, None, {helper.UNDO_LABEL: json.dumps(told)})
    try:
        if before is not None:
            engine.remove_volume(target.name)
        _create(engine, target, token)
        yield
    except BaseException as error:
        _put_back(engine, project, told, journal, error)
        raise
    archive.remove_helper(engine, journal)


def _put_back(engine: Engine, project: Project, told: Mapping[str, Any], journal: str, cause: BaseException) -> None:
    try:
        undo(engine, project, told)
        archive.remove_helper(engine, journal)
    except DevmountError as error:
        kept = f"its old content is in {told['kept']}; " if told["kept"] else ""
        raise DevmountError(
            f"{cause}; and the volume {told['name']} could not be put back: {error.message}",
            told["name"],
            f"{kept}the next devmount volume command tries again",
        ) from cause


def undo(engine: Engine, project: Project, told: Mapping[str, Any]) -> str:
    """Put a volume back as it was before ``fill``; what was done, in words. Can be begun again when it was cut off.

    Raises:
        DevmountError: the volume is in use, or the backup of its old content is gone or damaged.
    """
    target = Target(told["name"], told["driver"], told["options"], told["labels"])
    here = engine.volume(target.name)
    kept = Path(told["kept"]) if told["kept"] else None
    if here is not None and (here.get("Labels") or {}).get(TOKEN_LABEL) != told["token"]:
        found = _remains(engine, project, target.name, kept) if kept else _remains_empty(engine, project, told, here)
        if found is Remains.ALL:
            return f"the volume {target.name} is as it was"
        if found is Remains.OTHER:
            before = f"; what was in it before is in {kept}" if kept else ""
            return f"the volume {target.name} has been written to since{before}"
    if kept is not None and not kept.is_file():
        raise DevmountError(
            f"the backup of the old content of {target.name} is gone", str(kept), "put the file there again"
        )
    for user in archive.users(engine, target.name):
        if helper.HELPER_LABEL in user.labels:
            archive.remove_helper(engine, user.id)
    if here is not None:
        engine.remove_volume(target.name)
    if told["existed"] and kept is None:
        archive.create_volume(engine, target.name, target.driver, target.options, target.labels)
    if kept is not None:
        _create(engine, target, told["token"])
        way = transport.way(engine, project, target.name)
        with verify.open_backup(kept) as file:
            transport.write(engine, project, way, target.name, backup_content(file, str(kept), devices=True))
    return f"put the volume {target.name} back as it was"


def _remains_empty(engine: Engine, project: Project, told: Mapping[str, Any], here: Mapping[str, Any]) -> Remains:
    """Whether a volume that was empty, or not there, is so still.

    An engine that is killed while it makes a volume leaves one without labels.
    """
    if told["existed"] and described(here).labels == told["labels"]:
        return Remains.ALL
    if here.get("Labels") or archive.users(engine, told["name"]) or not is_empty(engine, project, told["name"]):
        return Remains.OTHER
    return Remains.PART


def _remains(engine: Engine, project: Project, name: str, kept: Path) -> Remains:
    """Whether the volume, which was to be removed, is whole: an engine that was killed may have begun to."""
    if not kept.is_file():
        return Remains.ALL  # it cannot be made whole
    way = transport.way(engine, project, name)
    try:
        with transport.reader(engine, project, way, name, {}) as reader:
            try:
                with reader.content() as read, verify.open_backup(kept) as file:
                    now = tar_content(read, name, manifest.TOP, devices=True)
                    return judge(now, backup_content(file, str(kept), devices=True))
            finally:
                archive.remove_helper(engine, reader.container)
    except DevmountError as error:
        if "no such file or directory" in error.message:  # of the volume there is only the name
            return Remains.PART
        raise


def described(row: Mapping[str, Any]) -> Target:
    """The volume of the engine's description."""
    labels = {key: value for key, value in (row.get("Labels") or {}).items() if key not in (TOKEN_LABEL, EMPTY_LABEL)}
    return Target(row["Name"], row["Driver"], row.get("Options") or {}, labels)


def _create(engine: Engine, target: Target, token: str) -> None:
    archive.create_volume(engine, target.name, target.driver, target.options, {**target.labels, TOKEN_LABEL: token})


def is_empty(engine: Engine, project: Project, volume: str) -> bool:
    """Whether nothing is in the volume."""
    image, _ = helper.find_image(engine, project, volume)
    with (
        helper.helper(engine, project, image, volume) as made,
        archive.download(engine, made, helper.MOUNT) as body,
        ahead(body.read) as read,
    ):
        return len(list(islice(Reader(read, volume), 2))) < 2  # the first is the top folder


def backup_content(file: BinaryIO, what: str, *, devices: bool) -> Iterator[Member | memoryview]:
    """The volume's members and their data out of a backup that has been verified."""
    file.seek(0)
    with ahead(compression.reader(file, what)) as read:
        source = Reader(read, what)
        checker = Checker(manifest.TOP, what, devices=devices)
        for member in source:
            if member.name in (manifest.MANIFEST, manifest.CHECKSUMS):
                for _ in source.data(member):
                    pass
                continue
            yield checker.check(member)
            yield from source.data(member)


def tar_content(read: Callable[[int], bytes], what: str, top: bytes, *, devices: bool) -> Iterator[Member | memoryview]:
    """The members and their data out of a tar stream whose members lie below ``top``."""
    source = Reader(read, what)
    checker = Checker(top, what, devices=devices)
    for member in source:
        yield checker.check(member)
        yield from source.data(member)
