"""The user's word: asked for before anything is started, given, looked at and taken back."""

import json as jsonlib
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from devmount.cli.parameters import Yes
from devmount.errors import EXIT_FAILED, DevmountError, UsageError

if TYPE_CHECKING:
    from devmount.cli.context import Context
    from devmount.config import Loaded
    from devmount.trust import Standing


def stand(given: "Context", loaded: "Loaded") -> "Standing":
    """How the project stands as it was read."""
    from devmount.trust import standing

    return standing(loaded, profile=given.profile, environ=os.environ, engine_url=given.engine_url)


def require(given: "Context", loaded: "Loaded", *, goes_on: bool = False, only_volumes: bool = False) -> None:
    """Return only if all that the project asks for is allowed; on a terminal the user is asked.

    Args:
        goes_on: a session runs, and the file was changed under it; nobody is asked then.
        only_volumes: nothing but volumes will be made or mounted, so return also if none of these needs a word.

    Raises:
        Held: it is not allowed.
    """
    from devmount.trust import Held, allow
    from devmount.ui.ask import ask

    found = stand(given, loaded)
    if found.may_start or (only_volumes and not any(reach.is_volume for reach in found.reaches)):
        return
    if goes_on or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Held(found, goes_on=goes_on)
    _show(found)
    if not ask(_question(found)):
        raise DevmountError("nothing was started", "", "allow it later: devmount trust")
    allow(found, os.environ)


def trust(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--show", help="Only tell what is asked for; exit 1 if it is held.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take back whatever was allowed here.")] = False,
    yes: Yes = False,
    json: Annotated[bool, typer.Option("--json", help="With --show: print JSON.")] = False,
) -> int:
    """Allow what this project's file asks for outside its folder.

    Until then nothing of it is started. A changed file asks again.

    Example: devmount trust
    """
    from devmount.cli.content import confirm
    from devmount.trust import allow

    given: Context = context.obj
    if show and revoke:
        raise UsageError("--show and --revoke exclude each other", "", "keep one of them")
    if json and not show:
        raise UsageError("--json goes with --show", "", "devmount trust --show --json")
    if revoke:
        return _revoke(given)
    found = stand(given, given.loaded)
    if show:
        _tell(found, json=json)
        return 0 if found.may_start else EXIT_FAILED
    if not found.reaches:
        typer.echo("it asks for nothing outside its folder: there is nothing to allow")
        return 0
    if found.may_start:
        typer.echo(f"it is allowed already, since {_when(found)}")
        return 0
    _show(found)
    confirm(_question(found), yes=yes)
    allow(found, os.environ)
    typer.echo(f"allowed for {found.root}, until the file changes")
    return 0


def _revoke(given: "Context") -> int:
    from devmount.trust import Store, folder

    root = given.project_file.parent  # the file itself may be wrong
    count = Store(folder(os.environ)).revoke(root)
    if count:
        typer.echo("taken back; what runs goes on until devmount down")
    else:
        typer.echo("nothing was allowed here")
    return 0


def _show(found: "Standing") -> None:
    again = f" It was changed since it was allowed on {_when(found)}." if found.since else ""
    typer.echo(f"This project asks for what lies outside its folder, or weakens its containers.{again}", err=True)
    for line in found.lines():
        typer.echo(f"  {line}", err=True)


def _question(found: "Standing") -> str:
    count = len(found.reaches)
    return "Allow it?" if count == 1 else f"Allow these {count}?"


def _tell(found: "Standing", *, json: bool) -> None:
    if json:
        rows = [
            {"service": reach.service or None, "words": reach.words, "where": place or None}
            for reach, place in zip(found.reaches, found.places, strict=True)
        ]
        typer.echo(jsonlib.dumps({"status": str(found.status), "since": found.since, "asked": rows}, indent=2))
        return
    for line in found.lines():
        typer.echo(line)
    typer.echo(
        {
            "nothing": "it asks for nothing outside its folder",
            "allowed": f"allowed since {_when(found)}",
            "changed": f"held: changed since it was allowed on {_when(found)}",
            "held": "held: not allowed yet",
        }[found.status]
    )


def _when(found: "Standing") -> str:
    from devmount.cli.content import when

    return when(found.since)
