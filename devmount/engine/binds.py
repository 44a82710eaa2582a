"""What of the host a container or a build is given: just what was looked at, though programs may change it meanwhile.

A program in a container that has the project folder can put a symbolic link in the place of a folder at any moment, and
the engine follows links when it starts a container. So for the time of a start whoever could do that is held, and the
sources are looked at again. They were resolved when the project file was read: a link in one now was put there since.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from devmount.engine.container import explained
from devmount.errors import DevmountError
from devmount.model import Build


@contextmanager
def held(client: Any, container: str) -> Iterator[None]:
    """Keep the sources of the container's binds as they are while the ``with`` block starts it.

    Raises:
        DevmountError: one of them leads elsewhere by now.
    """
    with explained("the container cannot be inspected", container):
        data = client.inspect_container(container)
    sources = list(_sources(client, data.get("Mounts") or ()))
    name = str(data.get("Name", "")).lstrip("/")
    paused: list[str] = []
    try:
        for other in _writers(client, data["Id"], sources):
            # One that has ended is no danger; where the engine cannot pause, the second look is all there is.
            with suppress(DevmountError), explained("the container cannot be paused", other):
                client.pause(other)
                paused.append(other)
        for source in sources:
            require_unmoved(source, name)
        yield
        for source in sources:
            require_unmoved(source, name)
    except DevmountError:
        with suppress(DevmountError), explained("the container cannot be stopped", container):
            if client.inspect_container(container)["State"]["Running"]:
                client.kill(container)
        raise
    finally:
        for other in paused:
            with suppress(DevmountError), explained("the container cannot be unpaused", other):
                client.unpause(other)


def require_unmoved(path: Path, name: str) -> None:
    """That a path without links still is one.

    Raises:
        DevmountError: it is a link, or goes through one.
    """
    if os.path.realpath(path) != str(path):
        raise _moved(path, name)


def _moved(path: Path, name: str) -> DevmountError:
    return DevmountError(
        f"{path} leads elsewhere than when the project file was read: a symbolic link was put in its place",
        name,
        "see who did that before you start it again",
    )


@contextmanager
def pinned(build: Build) -> Iterator[str]:
    """A path that leads to the context's folder itself, whatever is put in the place of its name meanwhile.

    Raises:
        DevmountError: it, or the Dockerfile, leads elsewhere by now.
    """
    try:
        descriptor = os.open(build.context, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise DevmountError(f"the folder of the build cannot be read: {error.strerror}", str(build.context)) from None
    try:
        require_unmoved(build.file, "build")
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        if not os.path.exists(path):  # no Linux
            require_unmoved(build.context, "build")
            path = str(build.context)
        elif os.readlink(path) != str(build.context):  # of what was opened, whatever stands at the name by now
            raise _moved(build.context, "build")
        yield path
    finally:
        os.close(descriptor)


def _sources(client: Any, mounts: Iterable[Mapping[str, Any]]) -> Iterator[Path]:
    """The sources of binds, and of volumes that stand for a folder (local driver, o=bind)."""
    for mount in mounts:
        if mount.get("Type") == "bind":
            yield Path(mount["Source"])
        elif mount.get("Type") == "volume" and mount.get("Driver") == "local":
            with explained("the volume cannot be inspected", str(mount.get("Name"))):
                options = client.inspect_volume(mount["Name"]).get("Options") or {}
            if "bind" in options.get("o", "") and options.get("device", "").startswith("/"):
                yield Path(options["device"])


def _writers(client: Any, own: str, sources: list[Path]) -> list[str]:
    """The running containers that could put something else in the place of a source: they can write a folder above."""
    if not sources:
        return []
    with explained("the containers cannot be listed"):
        rows = client.containers(filters={"status": "running"})
    return [
        row["Id"]
        for row in rows
        if row["Id"] != own
        and any(
            mount.get("Type") == "bind" and mount.get("RW", True) and source.parent.is_relative_to(mount["Source"])
            for mount in row.get("Mounts") or ()
            for source in sources
        )
    ]
