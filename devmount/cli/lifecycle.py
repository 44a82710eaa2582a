"""Commands that change what runs: down, restart, stop, start; pause and resume of a session."""

from typing import Annotated

import typer

from devmount.errors import DevmountError

Services = Annotated[list[str] | None, typer.Argument(help="Services; none: all of them.")]
DEFAULT_TIMEOUT = 3.0  # seconds, of a container whose service is no longer in the file


def down(
    context: typer.Context,
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove the project's volumes too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Answer every question with yes.")] = False,
) -> None:
    """Stop and remove the project's containers and its network. Volumes stay, unless you say otherwise."""
    from devmount.control import Client
    from devmount.engine import spec as specs

    project, engine = context.obj.project, context.obj.engine
    doomed = _confirmed(engine.volumes(project.name), yes) if volumes else []
    client = Client(project.root).connect()
    if client is not None:
        client.request("stop")
        client.wait_closed(30.0)
    for container in engine.containers(project.name):
        _own(project, container.labels.get(specs.ROOT_LABEL, ""), container.name)
        if container.running:
            engine.stop(container.id, _timeout(project, container.service))
        engine.remove(container.id)
        typer.echo(f"removed {container.name}")
    for container_id in engine.one_offs(project.name):
        engine.remove(container_id)
    for name in engine.remove_networks(project.name):
        typer.echo(f"removed network {name}")
    for name in doomed:
        engine.remove_volume(name)
        typer.echo(f"removed volume {name}")


def _confirmed(names: list[str], yes: bool) -> list[str]:
    from devmount.ui.ask import ask

    if not names or yes:
        return names
    typer.echo("These volumes and all that is in them would be removed:", err=True)
    for name in names:
        typer.echo(f"  {name}", err=True)
    answer = ask("Remove them?")
    if not answer:
        raise DevmountError("nothing was removed", "", "answer yes, or use --yes" if answer is None else "")
    return names


def _own(project: object, root: str, name: str) -> None:
    from pathlib import Path

    here = getattr(project, "root", None)
    if root and here is not None and Path(root) != here and Path(root).exists():
        raise DevmountError(
            f"{name} belongs to another checkout of a project with this name", root, "give one of them another name"
        )


def restart(context: typer.Context, services: Services = None) -> None:
    """Restart the programs of running services."""
    if _asked(context, "restart", services):
        return
    for container in context.obj.containers(services or []):
        context.obj.engine.restart(container.id, _timeout(context.obj.project, container.service))
        typer.echo(f"restarted {container.service}")


def stop(context: typer.Context, services: Services = None) -> None:
    """Stop containers and keep them; without a service, a running session too."""
    if not services and _asked(context, "stop", None):
        return
    for container in context.obj.containers(services or []):
        if container.running:
            context.obj.engine.stop(container.id, _timeout(context.obj.project, container.service))
            typer.echo(f"stopped {container.service}")


def start(context: typer.Context, services: Services = None) -> None:
    """Start containers that were stopped."""
    for container in context.obj.containers(services or []):
        if not container.running:
            context.obj.engine.start(container.id, container.name)
            typer.echo(f"started {container.service}")


def pause(context: typer.Context) -> None:
    """Hold the reloads of the running session."""
    _need_session(context, "pause")


def resume(context: typer.Context) -> None:
    """Let the running session reload again; once, if anything changed meanwhile."""
    _need_session(context, "resume")


def _need_session(context: typer.Context, command: str) -> None:
    if not _asked(context, command, None):
        raise DevmountError("no session runs here", str(context.obj.project.root), "start one: devmount up")


def _asked(context: typer.Context, command: str, services: list[str] | None) -> bool:
    """Let the running session do it; False when there is none."""
    from devmount.control import Client

    context.obj.check(services or [])
    client = Client(context.obj.project.root).connect()
    if client is None:
        return False
    client.request(command, tuple(services or ()))
    if command == "stop":
        client.wait_closed(30.0)
    return True


def _timeout(project: object, service: str) -> float:
    services = getattr(project, "services", {})
    return float(services[service].stop_timeout) if service in services else DEFAULT_TIMEOUT
