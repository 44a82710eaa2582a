"""What was seen of a folder; pure."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Folder:
    """A folder as ``init`` sees it.

    Args:
        name: the folder's own.
        names: what is directly in it; folders end in "/".
        texts: the content of the files that may tell what the project is, by path relative to the folder.
    """

    name: str
    names: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Whether one of them is there."""
        return any(name in self.names for name in names)

    def text(self, path: str) -> str:
        """A file's content; empty where there is no such file."""
        return self.texts.get(path, "")

    def search(self, pattern: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, re.Match[str]]]:
        """The first match in each file with one of these suffixes, files nearer to the top first."""
        compiled = re.compile(pattern, re.MULTILINE)
        for path in sorted(self.texts, key=lambda path: (path.count("/"), path)):
            if path.endswith(suffixes) and (match := compiled.search(self.texts[path])):
                yield path, match

    @cached_property
    def package(self) -> dict[str, Any]:
        """package.json; empty where there is none, or none that can be read."""
        try:
            found = json.loads(self.text("package.json") or "{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        return self.toml("pyproject.toml")

    def toml(self, path: str) -> dict[str, Any]:
        """A TOML file; empty where there is none, or none that can be read."""
        try:
            return tomllib.loads(self.text(path))
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}


def table(value: object, *keys: str) -> dict[str, Any]:
    """The table at ``keys`` in nested ones; empty where anything on the way is something else."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
