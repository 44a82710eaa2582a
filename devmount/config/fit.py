"""What must fit together: services and those they depend on, ports on one host, mounts in one container."""

from collections.abc import Iterator, Mapping, Sequence

from devmount.config.positions import Path as Keys
from devmount.config.types import Problem, nearest
from devmount.model import Mount, Port, Service

EVERYWHERE = ("0.0.0.0", "::")


def dependencies(services: Mapping[str, Service], paths: Mapping[str, Keys]) -> Iterator[Problem]:
    """Dependencies on nobody, and circles. ``paths``: where each service stands."""
    for service in services.values():
        for number, dependency in enumerate(service.depends_on):
            if dependency.service not in services:
                near = nearest(dependency.service, list(services))
                hint = f"did you mean {near!r}?" if near else "known services: " + ", ".join(services)
                message = f"there is no service {dependency.service!r}"
                yield Problem((*paths[service.name], "depends_on", number), message, hint)
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> Iterator[Problem]:
        if name in done:
            return
        if name in trail:
            circle = " -> ".join([*trail[trail.index(name) :], name])
            message = f"services depend on each other in a circle: {circle}"
            yield Problem((*paths[trail[-1]], "depends_on"), message, "leave one of these out")
            return
        for dependency in services[name].depends_on:
            if dependency.service in services:
                yield from visit(dependency.service, [*trail, name])
        done.add(name)

    for name in services:
        yield from visit(name, [])


def ports(services: Mapping[str, Service], paths: Mapping[str, Keys]) -> Iterator[Problem]:
    """Host ports that are asked for twice. ``paths``: where each service stands."""
    taken: list[tuple[Port, str]] = []
    for service in services.values():
        for port in service.ports:
            if port.host == 0:
                continue
            holder = next((name for other, name in taken if _clash(port, other)), None)
            if holder is not None:
                whose = "twice" if holder == service.name else f"by {holder} too"
                message = f"port {port.host} is published {whose}"
                hint = f'publish another: ports = ["{port.host + 1}:{port.container}"]'
                yield Problem((*paths[service.name], "ports"), message, hint)
            taken.append((port, service.name))


def _clash(one: Port, other: Port) -> bool:
    if (one.host, one.protocol) != (other.host, other.protocol):
        return False
    return one.address == other.address or one.address in EVERYWHERE or other.address in EVERYWHERE


def targets(mounts: Sequence[Mount | None], mount: str | None, path: Keys) -> Iterator[Problem]:
    """Mounts of one service at one place. ``mount``: where the project folder is; ``path``: the service's."""
    seen = {mount: "the project folder"} if mount else {}
    for number, made in enumerate(mounts):
        if made is None:
            continue
        if made.target in seen:
            message = f"{made.target} is already where {seen[made.target]} is"
            yield Problem((*path, "mounts", number), message, "give one of them another target")
        seen[made.target] = made.source or "a tmpfs"
