"""Single files that are bound: a container goes on seeing the inode that was there at its start."""

import os

from devmount.model import MountType, Service

Identity = tuple[int, int]  # device and inode


class SingleFiles:
    """Remembers what each service's bound files were when its container was last started."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Identity] = {}

    def note(self, service: Service) -> None:
        """The service's container is about to be started."""
        for path, identity in _identities(service):
            if identity is not None:
                self._seen[service.name, path] = identity

    def are_replaced(self, service: Service) -> bool:
        """Whether the container has to be started again to see a file as it is now, and can be.

        While one is missing it cannot: the old ones are better than none.
        """
        files = _identities(service)
        return all(identity is not None for _, identity in files) and any(
            self._seen.get((service.name, path)) != identity for path, identity in files
        )


def _identities(service: Service) -> list[tuple[str, Identity | None]]:
    """The bound files; None for one that is not there now."""
    found: list[tuple[str, Identity | None]] = []
    for mount in service.mounts:
        if mount.type is MountType.BIND and not os.path.isdir(mount.source):
            try:
                status = os.stat(mount.source)
                found.append((mount.source, (status.st_dev, status.st_ino)))
            except OSError:
                found.append((mount.source, None))
    return found
