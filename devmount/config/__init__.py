"""The project file: found, read, layered, checked, and turned into the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devmount.config import layers
from devmount.config.build import Builder
from devmount.config.document import Document, read
from devmount.config.keys import schema
from devmount.errors import ConfigError, UsageError
from devmount.model import Project

__all__ = ["FILE_NAME", "LOCAL_NAME", "Loaded", "find_file", "load", "schema"]

FILE_NAME = ".devmount.toml"
LOCAL_NAME = layers.LOCAL_NAME


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project, where its values came from, and which of them are secret.

    ``origins``: "app.image" -> ".devmount.toml:5". ``secrets``: dotted paths of environment variables.
    """

    project: Project
    origins: Mapping[str, str]
    secrets: frozenset[str]


def find_file(start: Path) -> Path:
    """The project file of ``start`` or of the nearest folder above it, as git finds its own.

    Raises:
        UsageError: there is none.
    """
    for folder in (start, *start.parents):
        path = folder / FILE_NAME
        if path.is_file():
            return path
    raise UsageError(f"there is no {FILE_NAME} here or above", str(start), "write one, or use -C DIR or --file FILE")


def load(file: Path, *, profile: str | None, environ: Mapping[str, str]) -> Loaded:
    """Read the project file with what is laid over it.

    Args:
        file: absolute.
        profile: the name of the ``[profiles.NAME]`` to lay over it.
        environ: the caller's environment.

    Raises:
        ConfigError: it is wrong; all mistakes at once.
        UsageError: it cannot be read.
    """
    local = layers.local_file(file)
    documents: list[Document] = []
    broken: list[UsageError] = []
    placed: dict[Path, list[layers.Placed]] = {}
    incomplete = set()
    for path in (file, local) if local else (file,):
        try:
            document = read(path)
        except ConfigError as error:
            broken += error.problems
            continue
        problems = layers.check(document)
        placed[path] = [layers.Placed.of(problem, document, problem.path) for problem in problems]
        incomplete |= {problem.path[:-1] for problem in problems}
        documents.append(document)
    if broken:
        raise ConfigError(broken + _sorted(placed))
    layered = layers.layer(documents, profile)
    builder = Builder(layered, file.parent, tuple(placed), environ, incomplete)
    project = builder.build()
    for problem in builder.problems:
        origin = layered.origin(problem.path)
        document = origin.document if origin else documents[0]
        placed[document.path].append(layers.Placed.of(problem, document, origin.path if origin else problem.path))
    errors = _sorted(placed)
    if errors or project is None:
        raise ConfigError(errors)
    origins = {_dotted(path): origin.label for path, origin in layered.origins.items()}
    return Loaded(project, origins, frozenset(_dotted(path) for path in builder.secrets))


def _sorted(placed: Mapping[Path, list[layers.Placed]]) -> list[UsageError]:
    """All errors in the order of the files, each file's in the order of its lines."""
    return [one.error for found in placed.values() for one in sorted(found, key=lambda one: one.at)]


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in path)
