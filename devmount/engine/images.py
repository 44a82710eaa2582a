"""Images: found, pulled or built."""

import hashlib
import json
import os
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import IO, Any

from devmount.engine.engine import Engine, explained
from devmount.engine.spec import Image
from devmount.errors import DevmountError
from devmount.model import Build, Project, Service

Progress = Callable[[str], None]  # takes a line of output; an empty one now and then, to raise from

BUILD_LABEL = "dev.devmount.build"
TICK = 0.2
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
    made = inspect(engine, name)
    if made is None:
        raise DevmountError(f"the build made no image named {name}", str(service.build.context))
    return made


def _recipe(build: Build) -> str:
    """A hash of the Dockerfile and the arguments: when it differs from the image's label, the image is out of date."""
    content = build.file.read_bytes()
    words = json.dumps([build.target, dict(build.args)], sort_keys=True).encode()
    return hashlib.sha256(content + b"\0" + words).hexdigest()


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
    if not engine.is_podman() and _has_buildx():  # Podman has no BuildKit behind its socket
        _build_with_buildx(engine, name, build, progress)
    else:
        _build_with_sdk(engine, name, build, progress)


def _has_buildx() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        return subprocess.run([docker, "buildx", "version"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _build_with_buildx(engine: Engine, name: str, build: Build, progress: Progress) -> None:
    argv = ["docker", "buildx", "build", "--progress=plain", "--load", "--tag", name]
    argv += ["--label", f"{BUILD_LABEL}={_recipe(build)}", "--file", str(build.file)]
    argv += ["--target", build.target] if build.target else []
    for key in build.args:
        argv += ["--build-arg", key]  # the value goes by the environment: an argument is seen in the host's ps
    environ = {**os.environ, "DOCKER_HOST": docker_host(engine), **build.args}
    process = subprocess.Popen(
        [*argv, str(build.context)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        start_new_session=True,  # Ctrl-C goes to devmount, which decides
    )
    lines: list[str] = []
    assert process.stdout is not None
    try:
        for line in _lines_or_ticks(process.stdout):
            progress(line)
            if line:
                lines.append(line)
    except BaseException:
        process.kill()
        raise
    finally:
        process.stdout.close()
        code = process.wait()
    if code != 0:
        raise _failed(build, lines)


def _lines_or_ticks(pipe: IO[bytes]) -> Iterator[str]:
    """The lines of a pipe; in between an empty one every ``TICK`` seconds, at which the caller can give up."""
    rest = b""
    while True:
        if not select.select([pipe], [], [], TICK)[0]:
            yield ""
            continue
        data = os.read(pipe.fileno(), 65536)
        *whole, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace").rstrip() for line in whole)
        if not data:
            yield rest.decode(errors="replace").rstrip()
            return


def docker_host(engine: Engine) -> str:
    """The engine's address as the docker CLI takes it."""
    base = engine.client.base_url
    adapter: Any = engine.client._custom_adapter
    if base.startswith("http+docker://localhost"):
        return "unix://" + str(adapter.socket_path)
    if base.startswith("http+docker://ssh"):
        return f"ssh://{adapter.ssh_host}"
    return str(base).replace("https://", "tcp://").replace("http://", "tcp://")


def _build_with_sdk(engine: Engine, name: str, build: Build, progress: Progress) -> None:
    lines: list[str] = []
    with explained("the image cannot be built", str(build.context / build.dockerfile)):
        for row in engine.client.build(
            path=str(build.context),
            dockerfile=build.dockerfile,
            tag=name,
            target=build.target,
            buildargs=dict(build.args),
            labels={BUILD_LABEL: _recipe(build)},
            rm=True,
            forcerm=True,
            decode=True,
        ):
            if "error" in row:
                raise _failed(build, [*lines, row["error"]])
            for line in row.get("stream", "").splitlines():
                if line.strip():
                    lines.append(line)
                    progress(line)


def _failed(build: Build, lines: list[str]) -> DevmountError:
    said = [line for line in lines if line.strip()][-KEPT_LINES:]
    return DevmountError(
        "the image cannot be built: " + (said[-1] if said else "no output"),
        str(build.context / build.dockerfile) + "".join(f"\n  {line}" for line in said[:-1]),
        "mend the Dockerfile and save it, or run devmount up again",
    )
