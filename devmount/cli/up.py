"""The command that people live in: up."""

import sys
from typing import Annotated

import typer

from devmount.cli.context import Context
from devmount.cli.parameters import Services
from devmount.errors import DevmountError


def up(
    context: typer.Context,
    services: Services = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave the session in the background.")] = False,
    build: Annotated[bool, typer.Option("--build", help="Build images even where they are here.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the containers running at the end.")] = False,
    no_watch: Annotated[bool, typer.Option("--no-watch", help="Do not act on changes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events, one JSON object a line.")] = False,
) -> int:
    """Build or pull, start, watch, and show the logs. Ctrl-C stops what it started.

    Example: devmount up --detach
    """
    from devmount.cli.background import follow_background
    from devmount.control import SessionLock

    given = context.obj
    project = given.project
    given.check(services or [])
    lock = SessionLock(project.root)
    lock.acquire()
    try:
        given.require_trust()
        if detach:
            lock.release()
            return follow_background(project, services or [], json=json)
        return _follow(context, services or [], build=build, keep=keep, watch=not no_watch, json=json)
    finally:
        lock.release()


def _follow(context: typer.Context, services: list[str], *, build: bool, keep: bool, watch: bool, json: bool) -> int:
    from devmount.cli.masking import masked_event
    from devmount.control import Command, Server
    from devmount.events import Event
    from devmount.session import Ask, Order, Session
    from devmount.ui import OutputClosed, printer
    from devmount.ui.errors import print_error
    from devmount.ui.keys import Keys

    given: Context = context.obj
    project = given.allowed_project
    show = printer(sys.stdout, sys.stderr, json=json, services=list(project.services), color=None)

    def publish(event: Event) -> None:
        event = masked_event(event)
        server.publish(event)
        try:
            show.show(event)
        except OutputClosed:
            session.inbox.put(Ask(Order.STOP))  # nobody reads any more: end as at Ctrl-C

    session = Session(
        project,
        given.engine,
        publish,
        given.reread,
        services=services,
        build=build,
        keep=keep,
        watch=watch,
    )

    def command(asked: Command) -> None:
        def reply(error: DevmountError | None) -> None:
            asked.reply(error is None, error)

        if asked.name in set(Order):
            session.inbox.put(Ask(Order(asked.name), tuple(asked.services), reply))
        else:
            reply(DevmountError(f"the session does not know {asked.name!r}"))

    def key(char: str) -> None:
        order = {"r": Order.RESTART, "b": Order.REBUILD, "p": Order.TOGGLE, "q": Order.STOP}.get(char)
        if order is not None:
            session.inbox.put(Ask(order))
        elif char == "?":
            print("r restart · b rebuild · p pause/resume · o open in browser · c clear · q quit", file=sys.stderr)
        elif char == "c":
            print("\x1b[2J\x1b[H", end="", flush=True)
        elif char == "o":
            try:
                _open_browser(given)
            except DevmountError as error:
                print_error(error, sys.stderr)

    server = Server(project.root, command)
    server.start()
    try:
        with Keys(key):
            return session.run()
    finally:
        show.close()
        server.close()


def _open_browser(given: Context) -> None:
    """Show the first port of the app.

    Raises:
        DevmountError: it publishes none, or nothing here opens pages.
    """
    import webbrowser

    ports = given.containers(["app"])[0].ports
    if not ports:
        raise DevmountError("the app publishes no port", str(given.project_file), "give it one: ports = [8000]")
    url = f"http://{ports[0].partition('->')[0]}"
    if not webbrowser.open(url):
        raise DevmountError("no browser was found", url, "open it yourself")
