"""Named volumes: listed, made, removed. What reads and writes their content is in ``content``."""

import json as jsonlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devmount.cli import content, plain
from devmount.cli.context import Context
from devmount.cli.parameters import Json, Volume, Volumes, Yes
from devmount.errors import DevmountError

if TYPE_CHECKING:
    from devmount import model


volume_app = typer.Typer(
    no_args_is_help=True,
    help="Named volumes: data that outlives every container.\n\nExample: devmount volume backup data",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@volume_app.command("ls")
def ls(context: typer.Context, json: Json = False) -> None:
    """The project's volumes: size, driver, who mounts them and where, their newest backup.

    Example: devmount volume ls --json
    """
    from devmount.ui.progress import size_text
    from devmount.ui.tables import table
    from devmount.volumes import facts, work

    given: Context = context.obj
    content.say(work.look(given.engine, given.project))
    rows = facts.rows(given.engine, given.project, given.named_volumes(strict=False))
    if json:
        typer.echo(jsonlib.dumps([row.to_json() for row in rows], indent=2))
        return
    cells = [
        [
            row.volume.name + ("" if row.declared else " (not in the file)"),
            "not made yet" if row.created is None else "" if row.size is None else size_text(row.size),
            row.volume.driver,
            ", ".join(row.mounted),
            content.when(row.created),
            content.when(row.newest),
        ]
        for row in rows
    ]
    typer.echo(table(["VOLUME", "SIZE", "DRIVER", "MOUNTED", "MADE", "NEWEST BACKUP"], cells))


@volume_app.command("create")
def create(context: typer.Context, names: Volumes) -> None:
    """Make volumes, as the file declares them.

    Example: devmount volume create data
    """
    from devmount.volumes import fill, work

    given: Context = context.obj
    project, engine = given.project_of_volumes, given.engine
    targets = [work.target(project, name) for name in names]
    with work.work(engine, project) as done:
        content.say(done)
        for volume in targets:
            there = engine.volume(volume.engine_name) is not None
            engine.ensure_volume(project, volume, {fill.EMPTY_LABEL: "1"})
            typer.echo(f"{volume.name} is there already" if there else f"made {volume.name} ({volume.engine_name})")


@volume_app.command("inspect")
def inspect(context: typer.Context, name: Volume, json: Json = False) -> None:
    """All there is to know about a volume; with --json the engine's own keys, and ours under "devmount".

    Example: devmount volume inspect data
    """
    from devmount.ui.tables import table
    from devmount.volumes import backup, facts, work

    given: Context = context.obj
    volume = work.resolve(given.engine, given.project, name)
    described = backup.existing(given.engine, volume)
    row = facts.row(given.engine, given.project, volume, given.named_volumes(strict=False))
    containers = facts.containers(given.engine, volume)
    if json:
        typer.echo(jsonlib.dumps({**described, "devmount": {**row.to_json(), "containers": containers}}, indent=2))
        return
    from devmount.ui.progress import size_text

    lines = [
        ["name", volume.name + ("" if row.declared else " (not in the file)")],
        ["engine's name", volume.engine_name],
        ["driver", described["Driver"]],
        *_pairs("option", described.get("Options")),
        *_pairs("label", described.get("Labels")),
        ["mountpoint", described.get("Mountpoint", "")],
        ["made", content.when(row.created)],
        ["size", "not told" if row.size is None else size_text(row.size)],
        *([["exclusive", "one container at a time may write into it"]] if volume.exclusive else []),
        *[["mounted by", text] for text in row.mounted],
        *[["container", f"{one['name']} ({one['state']}) at {one['target']}, {one['mode']}"] for one in containers],
        ["newest backup", f"{content.when(row.newest)}  {row.backup}" if row.backup else "none"],
    ]
    typer.echo(table(["", ""], lines).lstrip("\n "))


def _pairs(word: str, pairs: "dict[str, str] | None") -> list[list[str]]:
    return [[word, f"{key}={value}"] for key, value in sorted((pairs or {}).items())]


@volume_app.command("rm")
def rm(
    context: typer.Context,
    names: Volumes,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="First stop and remove the project's containers that have it.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove volumes and all that is in them, after asking.

    Example: devmount volume rm data
    """
    from devmount.cli.lifecycle import ask_session
    from devmount.volumes import backup, users, work

    given: Context = context.obj
    engine, project = given.engine, given.project
    content.say(work.look(engine, project))
    volumes = list(
        {found.engine_name: found for name in names if (found := work.resolve(engine, project, name))}.values()
    )
    services: set[str] = set()
    for volume in volumes:
        backup.existing(engine, volume)
        if volume.external:
            hint = f"remove it where it was made, or: docker volume rm {volume.engine_name}"
            raise DevmountError(f"the volume {volume.name!r} is external", volume.engine_name, hint)
        users.require_removable(engine, project, volume.engine_name, force=force, purpose="removed")
        services |= users.services(engine, project, volume.engine_name)
    _confirm_loss(given, volumes, yes=yes)
    if services:  # before the lock is taken: the session may be waiting for it
        ask_session(given, "stop", sorted(services))
    with work.work(engine, project) as done:
        content.say(done)
        for volume in volumes:
            users.require_unused(engine, project, volume.engine_name, force=force, purpose="removed")
            engine.remove_volume(volume.engine_name)
            typer.echo(f"removed {volume.name} ({volume.engine_name})")


@volume_app.command("prune")
def prune(context: typer.Context, yes: Yes = False) -> None:
    """Remove this project's volumes that the file no longer names, after asking.

    Example: devmount volume prune --yes
    """
    from devmount.volumes import users, work

    given: Context = context.obj
    engine, project = given.engine, given.project
    named = given.named_volumes(strict=True)
    with work.work(engine, project) as done:
        content.say(done)
        found = [volume for volume in work.others(engine, project) if volume.engine_name not in named]
        if not found:
            typer.echo("nothing to remove: the file names all of this project's volumes", err=True)
            return
        unused = []
        for volume in found:
            used_by = users.users(engine, volume.engine_name)
            if used_by:
                typer.echo(f"{volume.name} is used by {users.names(used_by)}: left alone", err=True)
            elif (root := work.elsewhere(engine, project, volume)) is not None:
                typer.echo(f"{volume.name} was made by another checkout, {root}: left alone", err=True)
            else:
                unused.append(volume)
        if not unused:
            return
        _confirm_loss(given, unused, yes=yes)
        for volume in unused:
            engine.remove_volume(volume.engine_name)
            typer.echo(f"removed {volume.name} ({volume.engine_name})")


def _confirm_loss(given: Context, volumes: "list[model.Volume]", *, yes: bool) -> None:
    """Tell what would be lost, and go on only at a yes."""
    from devmount.volumes import facts

    if not yes:
        typer.echo("All that is in these volumes would be lost:", err=True)
        for volume in volumes:
            typer.echo(f"  {loss(facts.row(given.engine, given.project, volume))}", err=True)
    content.confirm("Remove them?", yes=yes)


def loss(row: Any) -> str:
    """What is lost with a volume: its size, and what a backup would bring back."""
    from devmount.ui.progress import size_text

    size = "of unknown size" if row.size is None else size_text(row.size)
    saved = f"newest backup {content.when(row.newest)}" if row.backup else "no backup"
    return f"{row.volume.name} ({row.volume.engine_name}), {size}, {saved}"


volume_app.command("backup")(content.backup)
volume_app.command("backups")(content.backups)
volume_app.command("restore")(content.restore)
volume_app.command("copy")(content.copy)
volume_app.command("import")(plain.import_)
volume_app.command("export")(plain.export)
