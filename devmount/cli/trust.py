"""The user's word: asked for before anything is started, given, looked at and taken back."""

import json as jsonlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from devmount.cli.parameters import Yes
from devmount.errors import EXIT_FAILED, DevmountError, NoEngineError, UsageError

if TYPE_CHECKING:
    from devmount.cli.context import Context
    from devmount.config import Loaded
    from devmount.trust import Standing


def stand(given: "Context", loaded: "Loaded") -> "Standing":
    """How the project stands as it was read."""
    from devmount.trust import standing

    return standing(loaded, profile=given.profile, environ=os.environ, engine_url=given.engine_url)


def stand_on_engine(given: "Context", loaded: "Loaded") -> "Standing":
    """How the project stands to what other checkouts have made on the engine."""
    from devmount.engine.checkouts import owned_elsewhere
    from devmount.trust import of_checkouts

    return of_checkouts(loaded.project, owned_elsewhere(given.engine, loaded.project), os.environ)


def _both(given: "Context") -> "list[Standing]":
    """What there is to allow, as far as is known: without an engine that answers, what the file asks for."""
    found = [stand(given, given.loaded)]
    with suppress(NoEngineError):
        found.append(stand_on_engine(given, given.loaded))
    return found


def require(given: "Context", loaded: "Loaded", *, goes_on: bool = False, only_volumes: bool = False) -> None:
    """Return only if all that the project asks for is allowed; on a terminal the user is asked.

    Args:
        goes_on: a session runs, and the file was changed under it; nobody is asked then.
        only_volumes: nothing but volumes will be made or mounted, so return also if none of these needs a word.

    Raises:
        Held: it is not allowed.
    """
    first = stand(given, loaded)
    is_free = only_volumes and not any(reach.is_volume for reach in first.reaches)
    if not is_free:
        _require(first, goes_on=goes_on)
    _require(stand_on_engine(given, loaded), goes_on=goes_on)


def _require(found: "Standing", *, goes_on: bool) -> None:
    from devmount.trust import Held, allow
    from devmount.ui.ask import ask, can_ask

    if found.may_start:
        return
    if goes_on or not can_ask():
        raise Held(found, goes_on=goes_on)
    _show([found])
    if not ask(_question([found])):
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
    from devmount.cli.lifecycle import ask_session
    from devmount.trust import allow

    given: Context = context.obj
    if show and revoke:
        raise UsageError("--show and --revoke exclude each other", "", "keep one of them")
    if json and not show:
        raise UsageError("--json goes with --show", "", "devmount trust --show --json")
    if revoke:
        return _revoke(given)
    both = _both(given)
    held = [found for found in both if not found.may_start]
    if show:
        _tell(both, json=json)
        return EXIT_FAILED if held else 0
    if not any(found.reaches for found in both):
        typer.echo("it asks for nothing outside its folder: there is nothing to allow")
        return 0
    if not held:
        typer.echo(f"it is allowed already, since {_when(both)}")
        return 0
    _show(held)
    confirm(_question(held), yes=yes)
    for found in held:
        allow(found, os.environ)
    typer.echo(f"allowed for {given.project.root}, until the file changes")
    if ask_session(given, "reread", []):
        typer.echo("the running session has taken it up")
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


def _show(held: "list[Standing]") -> None:
    again = f" It was changed since it was allowed on {_when(held)}." if _when(held) else ""
    typer.echo(f"This project asks for what lies outside its folder, or weakens its containers.{again}", err=True)
    for line in _lines(held):
        typer.echo(f"  {line}", err=True)


def _lines(standings: "list[Standing]") -> list[str]:
    return [line for found in standings for line in found.lines()]


def _question(held: "list[Standing]") -> str:
    count = len(_lines(held))
    return "Allow it?" if count == 1 else f"Allow these {count}?"


def _tell(both: "list[Standing]", *, json: bool) -> None:
    held = [found for found in both if not found.may_start]
    asked = [found for found in both if found.reaches]
    status = str((held or asked or both)[0].status)
    if json:
        rows = [
            {"service": reach.service or None, "words": reach.words, "where": place or None}
            for found in both
            for reach, place in zip(found.reaches, found.places, strict=True)
        ]
        since = next((found.since for found in held or asked if found.since), None)
        typer.echo(jsonlib.dumps({"status": status, "since": since, "asked": rows}, indent=2))
        return
    for line in _lines(both):
        typer.echo(line)
    typer.echo(
        {
            "nothing": "it asks for nothing outside its folder",
            "allowed": f"allowed since {_when(both)}",
            "changed": f"held: changed since it was allowed on {_when(held)}",
            "held": "held: not allowed yet",
        }[status]
    )


def _when(standings: "list[Standing]") -> str:
    """When it was allowed, the last of them; empty for none."""
    from devmount.cli.content import when

    return when(max((found.since for found in standings if found.since), default=None))
