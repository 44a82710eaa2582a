"""Commands that write files of the project: init, export."""

import contextlib
import json as jsonlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devmount.cli import completing
from devmount.cli.context import Context
from devmount.cli.parameters import Json
from devmount.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from devmount.init.plan import Plan
    from devmount.model import Service


def init(
    context: typer.Context,
    template: Annotated[
        str | None,
        typer.Option(
            "--template", metavar="NAME", help="The template, instead of a guess.", autocompletion=completing.templates
        ),
    ] = None,
    companions: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="NAME", help="A companion: postgres, mysql, redis.", autocompletion=completing.companions
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="FILE", help="Carry a compose file or a devcontainer.json over.")
    ] = None,
    app: Annotated[
        str | None, typer.Option("--app", metavar="SERVICE", help="With --from: the service you work on.")
    ] = None,
    editors: Annotated[
        list[str] | None,
        typer.Option("--editor", metavar="NAME", help="Tasks for an editor: vscode, jetbrains, zed, neovim."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Put it in the place of a file that exists.")] = False,
    json: Json = False,
) -> None:
    """Write a .devmount.toml that fits this folder, and say what was guessed.

    Example: devmount init --with postgres
    """
    from devmount.init import plan

    file = _target(context.obj)
    asked = template is not None or source is not None or bool(companions) or force
    if app is not None and source is None:
        raise UsageError("--app goes with --from", "", "name the file, or leave --app out")
    if source is not None and (template is not None or companions):
        raise UsageError("--from goes without --template and --with", "", "leave one of them out")
    edit = _editors(editors or [])
    made, done = plan.Plan(""), list[str]()
    if not editors or asked or not file.exists():
        if source is None:
            made = plan.from_folder(file.parent, template, companions or [])
        else:
            from devmount.init.carry import carry

            made = carry(file.parent / source, file.parent, app)
        done = plan.carry_out(made, file, force=force)
    mistakes = _mistakes(file)
    if not mistakes:
        done += edit(file)
    elif editors:
        done.append("no editor was set up, since the file is wrong: run it again when it is mended")
    _report(made, done, mistakes, json=json)


def _editors(names: list[str]) -> Callable[[Path], list[str]]:
    """What sets these editors up for a project file."""
    from devmount.init.templates import check

    if not names:
        return lambda file: []
    from devmount.init.editors import setup as editors

    for name in names:
        check(name, list(editors.EDITORS), "editor")

    def write(file: Path) -> list[str]:
        setup = editors.setup(file, os.environ)
        edits = [edit for name in dict.fromkeys(names) for edit in editors.EDITORS[name](setup)]
        return editors.carry_out(edits, file.parent)

    return write


def _target(given: Context) -> Path:
    """The project file that is to be written."""
    from devmount.config import FILE_NAME

    return Path(os.path.realpath(given.folder)) / (given.file or FILE_NAME)


def _mistakes(file: Path) -> list[str]:
    """What is still to be done before ``up`` takes the file."""
    from devmount.config import load

    try:
        load(file, profile=None, environ=os.environ)
    except ConfigError as error:
        return [" ".join(filter(None, (problem.message + ":", problem.hint))) for problem in error.problems]
    return []


def _report(made: "Plan", done: list[str], mistakes: list[str], *, json: bool) -> None:
    from devmount.ui.errors import printable

    if json:
        typer.echo(jsonlib.dumps({"done": done, "said": made.said, "left": made.left, "mistakes": mistakes}, indent=2))
        return
    blocks = [
        ("", done),
        ("what it took from here:", list(made.said)),
        ("not carried over:", list(made.left)),
        ("to do before devmount up:", mistakes),
    ]
    for head, lines in blocks:
        if head and lines:
            typer.echo(head)
        for line in lines:
            typer.echo(printable(("  " if head else "") + line).encode("utf-8", "backslashreplace").decode())
    if not mistakes:
        typer.echo("next: devmount up")
    sys.stdout.flush()


export_app = typer.Typer(
    help="The same project in the words of another tool.\n\nExample: devmount export compose", no_args_is_help=True
)


@export_app.command("compose")
def compose(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there; default: standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Put it in the place of a file that exists.")] = False,
) -> None:
    """The project as a compose file, for those who have no devmount.

    Example: devmount export compose --output compose.yaml
    """
    from devmount.export.compose import Surroundings, export
    from devmount.init import write
    from devmount.ui.errors import print_warning

    given: Context = context.obj
    loaded = given.loaded
    target = given.folder / output if output is not None else None
    folder = Path(os.path.realpath(target.parent)) if target is not None else loaded.project.root
    unsaid = [service for service in loaded.project.services.values() if service.mount == ""]
    mounts = {service.name: _image_mount(given, service) for service in unsaid}
    made = export(loaded, Surroundings(folder, os.getuid(), os.getgid(), mounts))
    for line in made.left:
        print_warning(f"not in the compose file: {line}", sys.stderr)
    if target is None:
        typer.echo(made.text, nl=False)
        return
    if not force:
        write.refuse_existing(target, "use --force to put another in its place, or name another file")
    write.create(target, made.text, replace=force)
    typer.echo(f"wrote {output}")


def _image_mount(given: Context, service: "Service") -> str:
    """Where the project's folder appears in a service that leaves it to its image, which the engine may know."""
    from devmount.engine import images, spec
    from devmount.errors import DevmountError
    from devmount.ui.errors import print_warning

    image = None
    with contextlib.suppress(DevmountError):
        image = images.inspect(given.engine, images.image_name(given.project, service))
    if image is None:
        why = f"has no mount, and its image is not here to say its WORKDIR: {spec.DEFAULT_MOUNT} is taken"
        print_warning(f"{service.name} {why}", sys.stderr)
    return spec.mount_target(service, image or spec.Image("")) or spec.DEFAULT_MOUNT
