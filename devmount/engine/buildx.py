"""Building with BuildKit, through the docker CLI's buildx.

What the project file says goes to it as a bake definition in a file that only memory holds: an argument would be seen
in the host's process list, and a build argument handed over as a variable of the environment could be one that steers
the CLI itself (``PATH``, ``DOCKER_CONFIG``).
"""

import json
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from devmount.engine.engine import Engine
from devmount.model import Build

TICK = 0.2  # seconds between two chances to give up
# The context has been looked at, and bake would ask again; nor is git run in a folder of someone else's configuration.
ENVIRONMENT = {"BUILDX_BAKE_ENTITLEMENTS_FS": "0", "BUILDX_GIT_INFO": "0", "BUILDX_GIT_LABELS": "0"}


def program() -> str | None:
    """The path of the docker CLI; None where it is missing or has no buildx."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        works = subprocess.run([docker, "buildx", "version"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.path.abspath(docker) if works else None


def build(
    docker: str,
    engine: Engine,
    name: str,
    build: Build,
    labels: Mapping[str, str],
    context: str,
    show: Callable[[str], None],
) -> bool:
    """Build and load the image; whether that worked.

    Args:
        context: a path that leads to the context, whatever becomes of the folder's name.
        show: takes each line, and an empty one now and then, to raise from.
    """
    with _definition(_bake(name, build, labels)) as file:
        process = subprocess.Popen(
            [docker, "buildx", "bake", "--progress=plain", "--load", "--file", file],
            cwd=context,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT, "DOCKER_HOST": docker_host(engine)},
            start_new_session=True,  # Ctrl-C goes to devmount, which decides
        )
        assert process.stdout is not None
        try:
            for line in _lines_or_ticks(process.stdout):
                show(line)
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            code = process.wait()
    return code == 0


def _bake(name: str, build: Build, labels: Mapping[str, str]) -> dict[str, Any]:
    """The definition of one target; the context is the folder that bake is started in."""
    is_inside = build.file.is_relative_to(build.context)
    target: dict[str, Any] = {
        "context": ".",
        "dockerfile": _literal(str(build.file.relative_to(build.context) if is_inside else build.file)),
        "tags": [name],
        "labels": dict(labels),
        "args": {key: _literal(value) for key, value in build.args.items()},
    }
    if build.target is not None:
        target["target"] = _literal(build.target)
    return {"target": {"default": target}}


def _literal(text: str) -> str:
    """The text as bake's templates write it (HCL, JSON syntax): nothing of it is put in for something else."""
    return text.replace("${", "$${").replace("%{", "%%{")


@contextmanager
def _definition(content: Mapping[str, Any]) -> Iterator[str]:
    """The path of a file with the definition; its name must end in .json. On Linux only memory holds it."""
    with tempfile.TemporaryDirectory(prefix="devmount-build-") as folder:
        path = Path(folder) / "bake.json"
        in_memory = hasattr(os, "memfd_create")
        descriptor = (
            os.memfd_create("bake") if in_memory else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        )
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(content, file)
            file.flush()
            if in_memory:
                path.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
            yield str(path)


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
    if base.startswith("http+docker://over-ssh"):
        return str(adapter.url)
    return str(base).replace("https://", "tcp://").replace("http://", "tcp://")
