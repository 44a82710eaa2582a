"""Volumes into which one container at a time may write: two databases on one folder destroy it."""

from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.errors import DevmountError
from devmount.model import Project, Service
from devmount.volumes import users


def require_sole_writer(engine: Engine, project: Project, service: Service, *, one_off: bool = False) -> None:
    """That no other container which runs, be it the project's or not, writes into the service's exclusive volumes.

    Args:
        one_off: the service's own container counts as another one.

    Raises:
        DevmountError: one does.
    """
    own = {specs.PROJECT_LABEL: project.name, specs.SERVICE_LABEL: service.name}
    for name in sorted(service.volumes()):
        volume = project.volumes[name]
        if not volume.exclusive or not service.writes_into(name):
            continue
        others = [
            user
            for user in users.users(engine, volume.engine_name)
            if user.running
            and not user.read_only
            and (one_off or any(user.labels.get(key) != value for key, value in own.items()))
        ]
        if others:
            raise DevmountError(
                f"the volume {name!r} is exclusive, and {users.names(others)} writes into it",
                volume.engine_name,
                f"stop that first: docker stop {' '.join(user.name for user in others)}",
            )
