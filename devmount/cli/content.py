"""What reads and writes the content of volumes: backup, restore, copy, import, export."""

import json as jsonlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devmount.cli import completing
from devmount.cli.context import Context
from devmount.cli.parameters import Json, Volume, Yes
from devmount.errors import DevmountError, UsageError

if TYPE_CHECKING:
    from devmount.volumes.manifest import Manifest
    from devmount.volumes.restore import Restored
    from devmount.volumes.users import Hold

Stop = Annotated[bool, typer.Option("--stop", help="Stop what writes into it meanwhile; else it is paused.")]
Live = Annotated[bool, typer.Option("--live", help="Let it be written into meanwhile: not consistent.")]
Replace = Annotated[bool, typer.Option("--replace", help="In the place of what is there, kept as a backup first.")]
Force = Annotated[bool, typer.Option("--force", help="First stop and remove the project's containers that have it.")]
Devices = Annotated[bool, typer.Option("--devices", help="Let device nodes in.")]

BOMB_BYTES = 1 << 30  # what unpacks to more than this,
BOMB_RATIO = 1000  # and to more than this many times its own size, is asked about


def backup(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(help="Volumes, by their names in the file.", autocompletion=completing.volumes)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every volume of the project.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")] = None,
    stop: Stop = False,
    live: Live = False,
    json: Json = False,
) -> None:
    """Write a volume into one file.

    Its users are paused for the time. The file is a .tar.zst with checksums, readable for you alone; any tar reads it.

    Example: devmount volume backup data
    """
    from devmount.ui.progress import Bar, size_text
    from devmount.volumes import work
    from devmount.volumes.backup import backup as write

    given: Context = context.obj
    project, engine = given.project_of_volumes, given.engine
    if bool(names) == every:
        raise UsageError("say which volumes, or --all", "", "devmount volume backup data")
    if output is not None and (every or len(names or []) > 1):
        raise UsageError("--output takes one volume", str(output), "leave it out: each gets a file of its own")
    with work.work(engine, project) as done:
        say(done)
        if every:
            volumes = [volume for volume in work.all_volumes(engine, project) if engine.volume(volume.engine_name)]
        else:
            volumes = [work.resolve(engine, project, name) for name in names or []]
        made = []
        for volume in volumes:
            with Bar(sys.stderr, volume.name) as bar:
                one = write(engine, project, volume, hold=hold(stop, live), output=output, progress=bar)
            made.append(one)
            told = one.manifest
            _warn_plain(told)
            if not json:
                sizes = f"{size_text(told.content_bytes)} in {told.files} files"
                packed = size_text(told.archive_bytes)
                typer.echo(f"{volume.name}: {sizes}, {packed} packed, {_users(told)}\n{one.path}")
        if json:
            rows = [{"path": str(one.path), **jsonlib.loads(one.manifest.to_json())} for one in made]
            typer.echo(jsonlib.dumps(rows, indent=2))


def backups(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Of this volume alone.", autocompletion=completing.volumes)] = None,
    json: Json = False,
) -> None:
    """The backups that were made without --output, newest first.

    Example: devmount volume backups data
    """
    from devmount.ui.progress import size_text
    from devmount.ui.tables import table
    from devmount.volumes import restore as restoring
    from devmount.volumes import work

    given: Context = context.obj
    project = given.project
    volume = work.target(project, name) if name else None
    found = restoring.backups(project, volume)
    if json:
        rows = [
            {"path": str(path), "error": told.message}
            if isinstance(told, DevmountError)
            else {"path": str(path), **jsonlib.loads(told.to_json())}
            for path, told in found
        ]
        typer.echo(jsonlib.dumps(rows, indent=2))
        return
    cells = [
        ["?", "", "", told.message, str(path)]
        if isinstance(told, DevmountError)
        else [told.volume, when(told.time), size_text(told.archive_bytes), _users(told), str(path)]
        for path, told in found
    ]
    typer.echo(table(["VOLUME", "TIME", "SIZE", "STATE", "FILE"], cells))


def restore(
    context: typer.Context,
    name: Volume,
    file: Annotated[Path | None, typer.Argument(help="The backup. Default: the newest of this volume.")] = None,
    replace: Replace = False,
    force: Force = False,
    devices: Devices = False,
    yes: Yes = False,
) -> None:
    """Put a backup into a new or empty volume.

    All of the backup is verified before anything is touched. A failure half-way leaves what was there.

    Example: devmount volume restore --replace data data.tar.zst
    """
    from devmount.ui.progress import Bar
    from devmount.volumes import restore as restoring
    from devmount.volumes import verify, work

    given: Context = context.obj
    project, engine = given.project_of_volumes, given.engine
    volume = work.target(project, name)
    path = file
    if path is None:
        kept = [found for found, told in restoring.backups(project, volume) if not isinstance(told, DevmountError)]
        if not kept:
            raise DevmountError(
                f"there is no backup of {name!r}", "", "name a file; devmount volume backups lists them"
            )
        path = kept[0]
    told = verify.read_manifest(path)
    with work.work(engine, project) as done:
        say(done)
        _confirm_size(told, path, yes=yes)
        with Bar(sys.stderr, volume.name) as bar:
            made = restoring.restore(
                engine, project, volume, path, replace=replace, force=force, devices=devices, progress=bar
            )
    if made.leading_out:
        _warn(f"{made.leading_out} symbolic links in it lead outside the volume; they are kept as they are")
    tell(f"restored {volume.name} ({made.engine_name}) as of {when(told.time)}", made)


def copy(
    context: typer.Context,
    source: Volume,
    new: Annotated[str | None, typer.Argument(help="The copy's name. With --to, by default the same.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="URL", help="Another engine: ssh://user@host")] = None,
    replace: Replace = False,
    force: Force = False,
    stop: Stop = False,
    live: Live = False,
) -> None:
    """Copy a volume, here or to another engine.

    Example: devmount volume copy data data2
    """
    from devmount.engine.connect import connect
    from devmount.engine.engine import Engine
    from devmount.ui.progress import Bar
    from devmount.volumes import restore as restoring
    from devmount.volumes import work

    given: Context = context.obj
    project, engine = given.project_of_volumes, given.engine
    if new is None and to is None:
        raise UsageError("say the copy's name, or another engine", "", "devmount volume copy data data2")
    with work.work(engine, project) as done:
        say(done)
        volume = work.resolve(engine, project, source)
        target = work.target(project, new) if new else volume
        other = Engine(connect(to, os.environ, "--to")) if to else None
        if other is not None:
            say(work.tidy(other, project))
        with Bar(sys.stderr, volume.name) as bar:
            made = restoring.copy(
                engine,
                project,
                volume,
                target,
                other=other,
                hold=hold(stop, live),
                replace=replace,
                force=force,
                progress=bar,
            )
    tell(f"copied {volume.name} to {made.engine_name}" + (f" on {to}" if to else ""), made)


def say(lines: list[str]) -> None:
    """What had to be put right first."""
    for line in lines:
        typer.echo(f"left by a command that was killed: {line}", err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Go on only at a yes.

    Raises:
        DevmountError: the answer was no, or there is nobody to ask.
    """
    from devmount.ui.ask import ask

    answer = True if yes else ask(question)
    if not answer:
        raise DevmountError("nothing was done", "", "answer yes, or use --yes" if answer is None else "")


def when(time: str | None) -> str:
    """A time as people read it, in their own zone; empty for none."""
    from datetime import datetime

    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M") if time else ""


def hold(stop: bool, live: bool) -> "Hold":
    """What is to be done to the volume's users.

    Raises:
        UsageError: both were asked for.
    """
    from devmount.volumes.users import Hold

    if stop and live:
        raise UsageError("--stop and --live exclude each other", "", "keep one of them")
    return Hold.STOP if stop else Hold.LIVE if live else Hold.PAUSE


def _confirm_size(told: "Manifest", path: Path, *, yes: bool) -> None:
    """A small file that unpacks to very much may be meant to fill the disk."""
    from devmount.ui.progress import size_text

    if told.content_bytes > BOMB_BYTES and told.content_bytes > BOMB_RATIO * told.archive_bytes and not yes:
        typer.echo(
            f"{path} has {size_text(told.archive_bytes)} and unpacks to {size_text(told.content_bytes)}.", err=True
        )
        confirm("Unpack it?", yes=yes)


def tell(line: str, made: "Restored") -> None:
    """What was done, and where the content is that was there before."""
    typer.echo(line)
    if made.kept is not None:
        typer.echo(f"what was there before is kept: {made.kept}")


def _users(told: "Manifest") -> str:
    """What its users did meanwhile."""
    words = {"unused": "not in use", "live": "written to meanwhile"}
    return words.get(told.users, f"users {told.users}")


def _warn_plain(told: "Manifest") -> None:
    if told.way != "tar":
        _warn("no image here has GNU tar: extended attributes and holes in files are not in the backup")
    if not told.consistent:
        _warn(f"{told.volume} was written to meanwhile: the backup may not be consistent")


def _warn(line: str) -> None:
    typer.echo(f"warning: {line}", err=True)
