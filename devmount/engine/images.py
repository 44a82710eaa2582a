"""Images: found, pulled or built."""

import hashlib
import io
import json
from collections.abc import Callable

from devmount.engine import binds, buildx
from devmount.engine.engine import Engine, explained
from devmount.engine.spec import Image
from devmount.errors import DevmountError
from devmount.model import Build, Project, Service

Progress = Callable[[str], None]  # takes a line of output; an empty one now and then, to raise from

BUILD_LABEL = "dev.devmount.build"
KEPT_LINES = 20  # of a failed build's output, shown with the error


def image_name(project: Project, service: Service) -> str:
    """The tag a service's built image gets, else the image it names."""
    return service.image or f"{project.name}-{service.name}:devmount"


def inspect(engine: Engine, name: str) -> Image | None:
    """The image of that name; None when it is not here."""
    import docker.errors

    try:
        with explained("the image cannot be inspected", name):
            data = engine.client.inspect_image(name)
    except DevmountError as error:
        if isinstance(error.__cause__, docker.errors.NotFound):
            return None
        raise
    config = data.get("Config") or {}
    return Image(
        id=data["Id"],
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        working_dir=config.get("WorkingDir") or "",
        stop_signal=config.get("StopSignal") or "",
        environment=tuple(config.get("Env") or ()),
        volumes=tuple(config.get("Volumes") or ()),
    )


def ensure(engine: Engine, project: Project, service: Service, progress: Progress, *, build: bool) -> Image:
    """The service's image: the one that is here, else pulled or built. ``build``: build even when one is here.

    Raises:
        DevmountError: the pull or the build failed.
    """
    name = image_name(project, service)
    if service.build is None:
        return inspect(engine, name) or _pull(engine, name, progress)
    here = inspect(engine, name)
    if here is not None and not build and _recipe(service.build) == _label(engine, name):
        return here
    _build(engine, name, service.build, progress)
    if inspect(engine, name) is not None and _label(engine, name) != _recipe(service.build):
        _relabel(engine, name, _recipe(service.build))
    made = inspect(engine, name)
    if made is None:
        raise DevmountError(f"the build made no image named {name}", str(service.build.context))
    return made


def _recipe(build: Build) -> str:
    """A hash of the Dockerfile, the arguments and the folder: when it differs from the image's label, the image is out
    of date, or was made by another checkout of that name."""
    content = build.file.read_bytes()
    words = json.dumps([str(build.context), build.target, dict(build.args)], sort_keys=True).encode()
    return hashlib.sha256(content + b"\0" + words).hexdigest()


def _relabel(engine: Engine, name: str, recipe: str) -> None:
    """Podman takes an image out of its cache with the label of the folder that it was first built from."""
    file = io.BytesIO(f"FROM {name}\nLABEL {BUILD_LABEL}={recipe}\n".encode())
    with explained("the image cannot be labelled", name):
        for row in engine.client.build(fileobj=file, tag=name, rm=True, forcerm=True, decode=True):
            if "error" in row:
                raise DevmountError(f"the image cannot be labelled: {row['error']}", name)


def _label(engine: Engine, name: str) -> str | None:
    labels: dict[str, str] = (engine.client.inspect_image(name).get("Config") or {}).get("Labels") or {}
    return labels.get(BUILD_LABEL)


def _pull(engine: Engine, name: str, progress: Progress) -> Image:
    repository, tag = _split(name)
    layers: dict[str, tuple[int, int]] = {}
    with explained(f"the image {name} is not here and cannot be pulled"):
        for row in engine.client.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in row:
                raise DevmountError(f"the image {name} cannot be pulled: {row['error']}")
            detail = row.get("progressDetail") or {}
            if detail.get("total") and row.get("id"):
                layers[row["id"]] = (detail.get("current", 0), detail["total"])
                done, total = (sum(column) for column in zip(*layers.values(), strict=True))
                progress(f"pulling {name}: {done * 100 // total} % of {total / 1e6:.0f} MB")
            elif row.get("status"):
                progress(f"pulling {name}: {row['status']}")
    image = inspect(engine, name)
    if image is None:
        raise DevmountError(f"the image {name} was pulled but is not here", "", "check the name and its platform")
    return image


def _split(name: str) -> tuple[str, str | None]:
    """Repository and tag; a digest stays with the repository, and a missing tag is ``latest``, not all of them."""
    if "@" in name:
        return name, None
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "latest")


def _build(engine: Engine, name: str, build: Build, progress: Progress) -> None:
    labels = {BUILD_LABEL: _recipe(build)}
    lines: list[str] = []

    def show(line: str) -> None:
        progress(line)
        if line.strip():
            lines.append(line)

    where = str(build.context / build.dockerfile)
    with explained("the image cannot be built", where), binds.pinned(build) as context:
        docker = buildx.program() if not engine.is_podman() else None  # Podman has no BuildKit behind its socket
        if docker is not None:
            done = buildx.build(docker, engine, name, build, labels, context, show)
        else:
            done = _build_with_sdk(engine, name, build, labels, context, show)
    if not done:
        raise _failed(where, lines)


def _build_with_sdk(
    engine: Engine, name: str, build: Build, labels: dict[str, str], context: str, show: Progress
) -> bool:
    """Let the engine build; whether it could. ``context``: the path to read it by."""
    is_inside = build.file.is_relative_to(build.context)
    for row in engine.client.build(
        path=context,
        dockerfile=str(build.file.relative_to(build.context) if is_inside else build.file),
        tag=name,
        target=build.target,
        buildargs=dict(build.args),
        labels=labels,
        rm=True,
        forcerm=True,
        decode=True,
    ):
        if "error" in row:
            show(row["error"])
            return False
        for line in row.get("stream", "").splitlines():
            if line.strip():
                show(line)
    return True


def _failed(where: str, lines: list[str]) -> DevmountError:
    said = lines[-KEPT_LINES:]
    return DevmountError(
        "the image cannot be built: " + (said[-1] if said else "no output"),
        where + "".join(f"\n  {line}" for line in said[:-1]),
        "mend the Dockerfile and save it, or run devmount up again",
    )
