"""The project file: found, read, layered, checked, and turned into the model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devmount.config import layers, overrides
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
    """A project, and what is known of the texts it was made from.

    ``origins``: where values came from, "app.image" -> ".devmount.toml:5". ``secrets``: dotted paths of values that
    came from env files and variables. ``taken``: names of the caller's own variables that went into values.
    ``env_files``: the files of variables that were read, links resolved, and the table whose program gets what they
    hold ("" for those of ``${NAME}``). ``texts``: of the project's files, by name. ``secret_values``: what variables
    and env files held. ``said``: dotted paths of values that variables went into, and what the file says there.
    """

    project: Project
    origins: Mapping[str, str]
    secrets: frozenset[str]
    warnings: tuple[str, ...]
    taken: frozenset[str]
    env_files: Mapping[Path, str]
    texts: Mapping[str, str]
    secret_values: frozenset[str] = field(repr=False)
    said: Mapping[str, str] = field(default_factory=dict)


def find_file(start: Path) -> Path:
    """The project file of ``start`` or of the nearest folder above it, as git finds its own.

    Raises:
        UsageError: there is none.
    """
    for folder in (start, *start.parents):
        path = folder / FILE_NAME
        if os.path.isfile(path):
            return path
    raise UsageError(
        f"there is no {FILE_NAME} here or above",
        str(start),
        "write one with devmount init, or use -C DIR or --file FILE",
    )


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
    file = Path(os.path.realpath(file.parent)) / file.name  # the folder as the engine will bind it
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
    variables = overrides.read(environ, [document.values for document in documents])
    mistakes = layers.check(variables)
    incomplete |= {problem.path[:-1] for problem in mistakes}
    layered = layers.layer(documents, profile, variables)
    builder = Builder(layered, file.parent, tuple(placed), environ, incomplete)
    project = builder.build()
    of_variables = [layers.Placed.of(problem, variables, problem.path) for problem in mistakes]
    for problem in builder.problems:
        origin = layered.origin(problem.path) or layers.Origin(documents[0], problem.path)
        found = placed[origin.document.path] if isinstance(origin.document, Document) else of_variables
        found.append(layers.Placed.of(problem, origin.document, origin.path))
    errors = [*_sorted(placed), *(one.error for one in of_variables)]
    if errors or project is None:
        raise ConfigError(errors)
    known = builder.variables
    labels = {_dotted(path): label for path, label in layered.labels()}
    secrets = known.secrets | {path for path in variables.names if "environment" in path}
    return Loaded(
        project,
        labels | {_dotted(path): label for path, label in known.origins.items()},
        frozenset(_dotted(path) for path in secrets),
        (*known.warnings, *builder.warnings),
        frozenset(known.taken),
        {path: _dotted(service) for path, service in known.files.items()},
        {document.path.name: document.text for document in documents},
        frozenset(known.values | {environ[name] for path, name in variables.names.items() if "environment" in path}),
        {_dotted(path): text for path, text in known.said.items()},
    )


def _sorted(placed: Mapping[Path, list[layers.Placed]]) -> list[UsageError]:
    """All errors in the order of the files, each file's in the order of its lines."""
    return [one.error for found in placed.values() for one in sorted(found, key=lambda one: one.at)]


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in path)
