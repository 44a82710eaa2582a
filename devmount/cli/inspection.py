"""Commands that only look: ps, logs, events, config."""

import json as jsonlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from devmount.cli.parameters import Json, Services
from devmount.errors import DevmountError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

config_app = typer.Typer(
    invoke_without_command=True, help="The resolved project, or the file's JSON Schema.\n\nExample: devmount config"
)


def ps(context: typer.Context, json: Json = False) -> None:
    """The project's containers.

    Example: devmount ps --json
    """
    rows = [
        {
            "service": container.service,
            "container": container.id,
            "name": container.name,
            "status": "paused" if container.paused else container.status,
            "exit_code": None if container.running else container.exit_code,
            "ports": list(container.ports),
            "started": container.started_at,
        }
        for container in context.obj.containers([])
    ]
    if json:
        typer.echo(jsonlib.dumps(rows, indent=2))
        return
    from devmount.ui.tables import table

    cells = [
        [
            str(row["service"]),
            str(row["status"]) if row["exit_code"] is None else f"{row['status']} ({row['exit_code']})",
            ", ".join(row["ports"]),
            str(row["container"])[:12],
        ]
        for row in rows
    ]
    typer.echo(table(["SERVICE", "STATUS", "PORTS", "CONTAINER"], cells))


def logs(
    context: typer.Context,
    services: Services = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="Not older than: 90s, 10m, 2h, 1d.")] = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", help="The last N lines of each.")] = None,
    json: Json = False,
) -> None:
    """What the services have written.

    Example: devmount logs --follow --since 10m app
    """
    import threading
    import time
    from queue import SimpleQueue

    from devmount import events
    from devmount.logs import Line, LogParser, Record
    from devmount.ui import printer

    given = context.obj
    begin = time.time() - _seconds(since) if since else None
    containers = given.containers(services or [])
    show = printer(sys.stdout, sys.stderr, json=json, services=list(given.known_project.services), color=None)
    queue: SimpleQueue[events.Event | DevmountError | None] = SimpleQueue()

    def read(container_id: str, service: str, tty: bool) -> None:
        parser = LogParser(tty=tty)

        def put(items: "list[Line | Record]") -> None:
            for item in items:
                if isinstance(item, Line):
                    queue.put(events.Log(time=time.time(), service=service, stream=item.stream, line=item.text))

        try:
            for chunk in given.engine.logs(container_id, follow=follow, since=begin, tail=tail):
                put(parser.feed(chunk))
            put(parser.flush())
        except DevmountError as error:
            queue.put(error)
        queue.put(None)

    for container in containers:
        threading.Thread(target=read, args=(container.id, container.service, container.tty), daemon=True).start()
    left = len(containers)
    while left:
        item = queue.get()
        if item is None:
            left -= 1
        elif isinstance(item, DevmountError):
            raise item
        else:
            show.show(item)
    show.close()


def _seconds(text: str) -> float:
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        return float(number) * UNITS[unit]
    except ValueError:
        raise UsageError(f"{text!r} is not a duration", "--since", "write 90s, 10m, 2h or 1d") from None


def events(context: typer.Context, json: Json = False) -> None:
    """Follow the events of the running session.

    Example: devmount events --json
    """
    from devmount.control import Client
    from devmount.events import from_json
    from devmount.ui import printer

    project = context.obj.known_project
    client = Client.connect(project.root)
    if client is None:
        raise DevmountError("no session runs here", str(project.root), "start one: devmount up")
    show = printer(sys.stdout, sys.stderr, json=json, services=list(project.services), color=None)
    with client:
        for row in client.events():
            if (event := from_json(jsonlib.dumps(row))) is not None:
                show.show(event)
    show.close()


@config_app.callback(invoke_without_command=True)
def config(
    context: typer.Context,
    json: Json = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets too.")] = False,
) -> None:
    """The resolved project, each value with the place it came from; secrets masked.

    Example: devmount config --json
    """
    if context.invoked_subcommand is not None:
        return
    from devmount.config.describe import describe

    loaded = context.obj.loaded
    resolved = describe(loaded, show_secrets=show_secrets)
    if json:
        typer.echo(jsonlib.dumps({**resolved, "origins": loaded.origins}, indent=2))
        return
    from devmount.ui.tables import table

    typer.echo(table(["KEY", "VALUE", "FROM"], [list(row) for row in _flat(resolved, loaded.origins)]))


def _flat(value: object, origins: "Mapping[str, str]", path: str = "") -> list[tuple[str, str, str]]:
    """Key, value and origin of everything that is no table; what nobody wrote is a default, whoever wrote its table."""
    if isinstance(value, dict):
        return [row for key, item in value.items() for row in _flat(item, origins, f"{path}.{key}" if path else key)]
    table, _, key = path.rpartition(".")
    written = origins.get(path) or (origins.get(table) if key == "context" else None)  # build = "." is its context
    return [(path, jsonlib.dumps(value), written or "default")]


@config_app.command("schema")
def schema() -> None:
    """The JSON Schema of the project file, for editors.

    Example: devmount config schema
    """
    from devmount.config import schema as made

    typer.echo(jsonlib.dumps(made(), indent=2))
