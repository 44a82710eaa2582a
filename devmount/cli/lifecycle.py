"""Commands that change what runs: down, restart, stop, start; pause and resume of a session.

A running session is asked to do it; without one the engine is. What exists is read from the engine's labels, so that
``down`` works whatever has become of the project file.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from devmount.cli.context import Context
from devmount.cli.parameters import Services, Yes
from devmount.errors import DevmountError

if TYPE_CHECKING:
    from devmount.engine.engine import Container

DEFAULT_TIMEOUT = 3.0  # seconds, of a container whose service is no longer in the file
SESSION_GRACE = 15.0  # seconds on top of the longest stop_timeout, for a session to end


def down(
    context: typer.Context,
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove the project's volumes too.")] = False,
    yes: Yes = False,
) -> None:
    """Stop and remove the project's containers and its network. Volumes stay, unless you say otherwise.

    Example: devmount down --volumes
    """
    from devmount.provision import require_own

    given: Context = context.obj
    project, engine = given.known_project, given.engine
    doomed = _confirmed(given, yes=yes) if volumes else []
    for container in engine.containers(project.name):
        require_own(project, container)
    ask_session(given, "stop", [])
    for name in sorted({project.name, *engine.projects_at(str(project.root))}):  # also under a name it had before
        for container in engine.containers(name):
            if container.running:
                engine.stop(container.id, _timeout(given, container.service))
            engine.remove(container.id)
            typer.echo(f"removed {container.name}")
        for container_id in engine.one_offs(name):
            engine.remove(container_id)
        for network in engine.remove_networks(name):
            typer.echo(f"removed network {network}")
    for name in doomed:
        engine.remove_volume(name)
        typer.echo(f"removed volume {name}")


def _confirmed(given: Context, *, yes: bool) -> list[str]:
    """The names of the project's volumes on the engine, after telling what would be lost, and asking."""
    from devmount.cli.content import confirm
    from devmount.cli.volume import loss
    from devmount.volumes import facts

    names = given.engine.volumes(given.known_project.name)
    if names and not yes:
        typer.echo("All that is in these volumes would be lost:", err=True)
        for row in facts.on_engine(given.engine, given.known_project):
            typer.echo(f"  {loss(row)}", err=True)
        confirm("Remove them?", yes=False)
    return names


def restart(context: typer.Context, services: Services = None) -> None:
    """Restart the programs of services.

    Example: devmount restart app
    """
    given: Context = context.obj
    if ask_session(given, "restart", services or list(given.project.services)):
        return
    given.require_trust()
    for container in given.containers(services or []):
        given.engine.restart(container.id, _timeout(given, container.service))
        typer.echo(f"restarted {container.service}")


def stop(context: typer.Context, services: Services = None) -> None:
    """Stop containers and keep them; without a service, a running session too.

    Example: devmount stop app
    """
    given: Context = context.obj
    if ask_session(given, "stop", services or []):
        return
    for container in given.containers(services or []):
        if container.running:
            given.engine.stop(container.id, _timeout(given, container.service))
            typer.echo(f"stopped {container.service}")


def start(context: typer.Context, services: Services = None) -> None:
    """Start containers that were stopped, and first what they depend on.

    Example: devmount start app
    """
    from devmount.volumes.exclusive import require_sole_writer

    given: Context = context.obj
    given.check(services or [])
    names = [service.name for service in given.project.in_order(services or given.project.services)]
    if ask_session(given, "start", names):
        return
    given.require_trust()
    for container in _in_order(given.containers(names if services else []), names):
        if not container.running:
            if container.service in given.project.services:
                require_sole_writer(given.engine, given.project, given.project.services[container.service])
            given.engine.start(container.id, container.name)
            typer.echo(f"started {container.service}")


def _in_order(containers: "list[Container]", names: list[str]) -> "list[Container]":
    place = {name: number for number, name in enumerate(names)}
    return sorted(containers, key=lambda container: place.get(container.service, len(names)))


def pause(context: typer.Context) -> None:
    """Hold the reloads of the running session.

    Example: devmount pause
    """
    _need_session(context.obj, "pause")


def resume(context: typer.Context) -> None:
    """Let the running session reload again; once, if anything changed meanwhile.

    Example: devmount resume
    """
    _need_session(context.obj, "resume")


def _need_session(given: Context, command: str) -> None:
    if not ask_session(given, command, []):
        raise DevmountError("no session runs here", str(given.known_project.root), "start one: devmount up")


def ask_session(given: Context, command: str, services: list[str]) -> bool:
    """Let the running session do it, and wait until it is done; False when there is none."""
    from devmount.control import Client

    given.check(services)
    client = Client.connect(given.known_project.root)
    if client is None:
        return False
    with client:
        client.request(command, services)
        if command == "stop" and not services:
            longest = max((service.stop_timeout for service in given.known_project.services.values()), default=0.0)
            client.wait_closed(longest + SESSION_GRACE)
    return True


def _timeout(given: Context, service: str) -> float:
    services = given.known_project.services
    return services[service].stop_timeout if service in services else DEFAULT_TIMEOUT
