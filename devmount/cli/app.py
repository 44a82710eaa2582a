"""The command line: its groups, and the options that all commands share."""

from pathlib import Path
from typing import Annotated

import typer

from devmount.cli import completing, creation, doctor, inspection, lifecycle, programs, trust, up, volume
from devmount.cli.context import Context
from devmount.errors import UsageError

app = typer.Typer(
    name="devmount",
    help="Run a project's code in a container, and reload it at every save.\n\nExample: devmount up",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def common(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option("-C", metavar="DIR", help="Act as if started in DIR.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", envvar="DEVMOUNT_FILE", help="The project file, instead of looking for one."),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            envvar="DEVMOUNT_PROFILE",
            help="Lay [profiles.NAME] over the file.",
            autocompletion=completing.profiles,
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option("--engine", metavar="URL", help="The engine to use.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    start = folder or Path.cwd()
    if not start.is_dir():
        raise UsageError(f"there is no folder {folder}", "", "check -C")
    context.obj = Context(start.absolute(), file, profile, engine)


app.command("init")(creation.init)
app.command("up")(up.up)
app.command("down")(lifecycle.down)
app.command("ps")(inspection.ps)
app.command("logs")(inspection.logs)
app.command("restart")(lifecycle.restart)
app.command("stop")(lifecycle.stop)
app.command("start")(lifecycle.start)
app.command("pause")(lifecycle.pause)
app.command("resume")(lifecycle.resume)
app.command("events")(inspection.events)
app.command("exec")(programs.execute)
app.command("shell")(programs.shell)
app.command("run")(programs.run)
app.command("trust")(trust.trust)
app.command("doctor")(doctor.doctor)
app.add_typer(inspection.config_app, name="config")
app.add_typer(creation.export_app, name="export")
app.add_typer(volume.volume_app, name="volume")
