"""Content without a manifest, in and out of volumes: import, export."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from devmount.cli.content import Devices, Force, Live, Replace, Stop, hold, say, tell
from devmount.cli.context import Context
from devmount.cli.parameters import Volume
from devmount.errors import UsageError


def import_(
    context: typer.Context,
    name: Volume,
    source: Annotated[Path, typer.Argument(help="A folder, or a tar: plain, gzip, bzip2, xz or zstd.")],
    replace: Replace = False,
    force: Force = False,
    devices: Devices = False,
) -> None:
    """Put a folder or a tar into a new or empty volume.

    Example: devmount volume import data ./seed
    """
    from devmount.ui.progress import Bar
    from devmount.volumes import work
    from devmount.volumes.plain import import_content

    given: Context = context.obj
    project, engine = given.project_of_volumes, given.engine
    volume = work.target(project, name)
    with work.work(engine, project) as done:
        say(done)
        with Bar(sys.stderr, volume.name) as bar:
            made = import_content(
                engine, project, volume, source, replace=replace, force=force, devices=devices, progress=bar
            )
    tell(f"imported {source} into {volume.name} ({made.engine_name})", made)


def export(
    context: typer.Context,
    name: Volume,
    out: Annotated[Path, typer.Argument(help='A new .tar file, an empty folder, or "-" for standard output.')],
    stop: Stop = False,
    live: Live = False,
) -> None:
    """Write a volume's content as a plain tar, or as files.

    Example: devmount volume export data data.tar
    """
    from devmount.ui.progress import Bar
    from devmount.volumes import work
    from devmount.volumes.plain import export_content

    given: Context = context.obj
    project, engine = given.project_of_volumes, given.engine
    if str(out) == "-" and sys.stdout.isatty():
        raise UsageError("a tar is not for a terminal", "", "send it somewhere: devmount volume export data - | tar t")
    with work.work(engine, project) as done:
        say(done)
        volume = work.resolve(engine, project, name)
        with Bar(sys.stderr, volume.name) as bar:
            to = sys.stdout.buffer if str(out) == "-" else out
            export_content(engine, project, volume, to, hold=hold(stop, live), progress=bar)
    if str(out) != "-":
        typer.echo(f"exported {volume.name} to {out}")
