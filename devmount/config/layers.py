"""The project file, the local file over it, the profile over both; each value keeps the place it came from."""

import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devmount.config.document import Document
from devmount.config.keys import PROJECT
from devmount.config.overrides import Overrides
from devmount.config.positions import Path as Keys
from devmount.config.types import Problem, nearest
from devmount.errors import UsageError

LOCAL_NAME = ".devmount.local.toml"
ONE_OF = (("image", "build"),)  # one of them in a layer takes the place of the other in the layers below


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: its document, and its path there."""

    document: "Document | Overrides"
    path: Keys

    @property
    def label(self) -> str:
        return self.document.label(self.path)


@dataclass
class Layered:
    """The merged values, and the origin of each leaf and each list."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Keys, Origin] = field(default_factory=dict)

    def labels(self) -> Iterator[tuple[Keys, str]]:
        """Where each value came from, tables apart: theirs would be taken for that of a default within."""
        for path, origin in self.origins.items():
            value: Any = self.values
            for part in path:
                value = value[part]
            if not isinstance(value, dict):
                yield path, origin.label

    def origin(self, path: Keys) -> Origin | None:
        """Of a path, or of the nearest thing around it; the origin's path is extended by what lies below."""
        for length in range(len(path), 0, -1):
            found = self.origins.get(path[:length])
            if found:
                return Origin(found.document, (*found.path, *path[length:]))
        return None


def check(document: Document | Overrides) -> list[Problem]:
    """The mistakes in keys and types of one document; what is wrong is taken out of its values."""
    problems = list(PROJECT.check(document.values, ()))
    take_out(document.values, [problem.path for problem in problems])
    return problems


def take_out(values: dict[str, Any], paths: Iterable[Keys]) -> None:
    """Take what stands at ``paths`` out, and each table that cannot be without what it lost."""
    paths = list(paths)
    while paths:
        for path in paths:
            _remove(values, path)
        paths = [problem.path for problem in PROJECT.check(values, ())]


@dataclass(frozen=True, slots=True)
class Placed:
    """A problem in its document, with its line and column to sort by."""

    at: tuple[int, int]
    error: UsageError

    @classmethod
    def of(cls, problem: Problem, document: "Document | Overrides", path: Keys) -> "Placed":
        """``path``: that of the problem in the document."""
        at, where = document.locate(path, at_key=problem.at_key)
        return cls(at, UsageError(problem.message, where, problem.hint))


def layer(documents: list[Document], profile: str | None, overrides: Overrides) -> Layered:
    """Lay the documents over each other, then ``[profiles.NAME]`` of each, then the variables.

    Raises:
        UsageError: there is no such profile.
    """
    layered = Layered()
    for document in documents:
        values = {key: value for key, value in document.values.items() if key != "profiles"}
        _merge(layered, layered.values, values, (), document, ())
    if profile is not None:
        _merge_profile(layered, documents, profile)
    _merge(layered, layered.values, overrides.values, (), overrides, ())
    return layered


def _merge_profile(layered: Layered, documents: list[Document], profile: str) -> None:
    known = [name for document in documents for name in document.values.get("profiles", {})]
    if profile not in known:
        near = nearest(profile, known)
        hint = f"did you mean {near!r}?" if near else "known profiles: " + (", ".join(known) or "none")
        raise UsageError(f"there is no profile {profile!r}", str(documents[0].path), hint)
    for document in documents:
        values = document.values.get("profiles", {}).get(profile, {})
        _merge(layered, layered.values, values, (), document, ("profiles", profile))


def _merge(
    layered: Layered,
    into: dict[str, Any],
    values: Mapping[str, Any],
    path: Keys,
    document: Document | Overrides,
    lead: Keys,
) -> None:
    for pair in ONE_OF:
        given = [key for key in pair if key in values]
        if len(given) == 1:
            for key in set(pair) - set(given):
                if into.pop(key, None) is not None:
                    _forget(layered, (*path, key))
    for key, value in values.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(layered, into[key], value, here, document, lead)
            continue
        _forget(layered, here)
        if isinstance(value, dict):
            into[key] = {}
            layered.origins[here] = Origin(document, (*lead, *here))
            _merge(layered, into[key], value, here, document, lead)
        else:
            into[key] = copy.deepcopy(value)
            layered.origins[here] = Origin(document, (*lead, *here))


def _forget(layered: Layered, path: Keys) -> None:
    for known in [known for known in layered.origins if known[: len(path)] == path]:
        del layered.origins[known]


def _remove(values: Any, path: Keys) -> None:
    """Take out what stands at ``path``; an item of a list takes the list's place empty, so that numbers stay true."""
    for part in path[:-1]:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return
    if path and isinstance(values, dict):
        values.pop(path[-1], None)
    elif path and isinstance(values, list) and isinstance(path[-1], int):
        values[path[-1]] = None


def leaves(value: Any, path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every scalar below ``value``, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    elif value is not None:
        yield path, value


def local_file(file: Path) -> Path | None:
    """The local file beside a project file; None when there is none."""
    path = file.with_name(LOCAL_NAME)
    return path if os.path.isfile(path) and path != file else None
