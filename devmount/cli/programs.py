"""Commands in containers: exec, shell, run."""

from typing import Annotated

import typer

from devmount.cli.parameters import Service
from devmount.errors import DevmountError

SHELLS = ("bash", "sh")


def execute(
    context: typer.Context,
    service: Service,
    command: Annotated[list[str], typer.Argument(help="The command, after --.")],
    user: Annotated[str | None, typer.Option("--user", "-u", help="Another user, as docker exec takes it.")] = None,
    workdir: Annotated[str | None, typer.Option("--workdir", "-w", help="Another folder.")] = None,
) -> int:
    """Run a command in a running container.

    Example: devmount exec app -- ls -l
    """
    from devmount.engine.interactive import exec_interactive

    return exec_interactive(context.obj.engine, _running(context, service), command, user, workdir)


def shell(
    context: typer.Context,
    service: Service = "app",
    user: Annotated[str | None, typer.Option("--user", "-u", help="Another user, as docker exec takes it.")] = None,
) -> int:
    """Open a shell in a running container.

    Example: devmount shell db
    """
    from devmount.engine.interactive import exec_interactive

    container = _running(context, service)
    for name in SHELLS:
        if context.obj.engine.has_path(container, f"/bin/{name}"):
            return exec_interactive(context.obj.engine, container, [name], user, None)
    raise DevmountError(f"the image of {service} has no shell", service, "run its own programs: devmount exec")


def run(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(help="The command, after --.")],
) -> int:
    """Run one command in a fresh container of the app, with the same mounts.

    Example: devmount run -- env
    """
    import sys

    from devmount.cli.masking import masked_event
    from devmount.engine.interactive import run_interactive
    from devmount.provision import Provision
    from devmount.ui import printer

    project, engine = context.obj.allowed_project, context.obj.engine
    show = printer(sys.stderr, sys.stderr, json=False, services=list(project.services), color=None)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    provision = Provision(engine, project, lambda event: show.show(masked_event(event)))
    spec = provision.one_off(project.app, command, tty=terminal)
    show.close()
    return run_interactive(engine, spec)


def _running(context: typer.Context, service: str) -> str:
    container = context.obj.containers([service])[0]
    if not container.running:
        raise DevmountError(f"{service} is not running", container.name, f"start it: devmount start {service}")
    return str(container.id)
