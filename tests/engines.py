"""What the tests on several engines share."""

import os
from collections.abc import Callable
from pathlib import Path

from devmount.engine.engine import Container, Engine
from devmount.logs import Line, LogParser

IMAGE = "debian:bookworm-slim"
PODMAN_HOME = Path("/var/tmp/devmount-podman")  # where scripts/podman puts what a Podman for tests needs

Begin = Callable[..., Container]


def podman_environment() -> dict[str, str]:
    """This process's environment with the configuration and the storage of the tests' Podman."""
    return {
        **os.environ,
        "CONTAINERS_CONF": str(PODMAN_HOME / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(PODMAN_HOME / "storage.conf"),
    }


def log(engine: Engine, container: Container, **wanted: float | int | None) -> list[tuple[str, str]]:
    """Stream and text of each line of a container's log, to the end of what is there."""
    parser = LogParser()
    since, tail = wanted.get("since"), wanted.get("tail")
    chunks = engine.logs(container.id, follow=False, since=since, tail=None if tail is None else int(tail))
    items = [item for chunk in chunks for item in parser.feed(chunk)] + parser.flush()
    return [(item.stream, item.text) for item in items if isinstance(item, Line)]


def output(engine: Engine, container: Container) -> list[str]:
    """The lines that the container has written to standard output when it has ended."""
    engine.wait(container.id)
    return [text for stream, text in log(engine, container) if stream == "stdout"]
