"""Where the values of variables come from, what they went into, and that they are not told to anyone."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devmount.config import environment
from devmount.config.layers import leaves
from devmount.config.positions import Path as Keys
from devmount.config.types import Problem
from devmount.config.values import Wrong

QUOTED = re.compile(r"'([^']+)'")
SHORTEST = 4  # characters of a value that is looked for within a message


@dataclass(frozen=True, slots=True)
class _Expanded:
    """A value as the file says it, what it came to, and the variables that went in."""

    said: str
    made: str
    used: Mapping[str, str]

    def hidden(self, text: str) -> str:
        """A message about the value, with the variables' names for what they hold."""
        text = text.replace(repr(self.made), repr(self.said))
        for name, value in self.used.items():
            if len(value) >= SHORTEST:
                text = text.replace(value, f"${{{name}}}")
        return QUOTED.sub(self._part, text)

    def _part(self, match: re.Match[str]) -> str:
        """A quoted piece of what the value came to, which the file does not say, is not told."""
        is_secret = match[1] in self.made and match[1] not in self.said
        return "'...'" if is_secret else match[0]


class Variables:
    """The caller's environment, ``.env`` and env files, read as they are asked for.

    ``origins``: where the variables of env files stand, ".env:3". ``secrets``: what is not to be shown.
    ``taken``: names of the caller's own variables that went into values. ``files``: those read, links resolved, and
    the service that gets what they hold; none for ``.env``, which is for ``${NAME}``. ``values``: all that variables
    held which went into the project.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.origins: dict[Keys, str] = {}
        self.warnings: list[str] = []
        self.taken: set[str] = set()
        self.files: dict[Path, Keys] = {}
        self.values: set[str] = set()
        self._dotenv = root / environment.DOTENV
        self._environ = environ
        self._own: Mapping[str, str | None] | None = None  # of .env
        self._expanded: dict[Keys, _Expanded] = {}

    @property
    def secrets(self) -> set[Keys]:
        return {*self.origins, *self._expanded}

    @property
    def said(self) -> dict[Keys, str]:
        """The values that variables went into, as the file says them."""
        return {path: expanded.said for path, expanded in self._expanded.items()}

    def lookup(self, name: str) -> str | None:
        """The value of a variable in the caller's environment, else in ``.env``.

        Raises:
            Wrong: ``.env`` cannot be read.
        """
        if name in self._environ:
            self.taken.add(name)
            return self._environ[name]
        if self._own is None:
            self._own = self._read(self._dotenv, (), override=False).values if os.path.isfile(self._dotenv) else {}
        return self._own.get(name)

    def interpolate(self, values: dict[str, Any]) -> Iterator[Problem]:
        """Put the values of variables in, in place; what cannot be is a problem and stays as it is."""
        for path, value in list(leaves(values)):
            if not isinstance(value, str) or "$" not in value:
                continue
            used: dict[str, str] = {}

            def lookup(name: str, used: dict[str, str] = used) -> str | None:
                if (found := self.lookup(name)) is not None:
                    used[name] = found
                return found

            try:
                made = environment.interpolate(value, lookup)
            except Wrong as wrong:
                yield Problem(path, wrong.message, wrong.hint)
                continue
            if "${" in value:
                self._expanded[path] = _Expanded(value, made, used)
                self.values.update(used.values())
            holder: Any = values
            for part in path[:-1]:
                holder = holder[part]
            holder[path[-1]] = made

    def of_file(self, file: Path, name: str, service: Keys) -> dict[str, str]:
        """The variables that an env file, which the project calls ``name``, gives a service.

        Raises:
            Wrong: it cannot be read.
        """
        found = self._read(file, service)
        given = {key: value for key, value in found.values.items() if value is not None}
        self.values.update(given.values())
        self.origins |= {(*service, "environment", key): f"{name}:{found.lines[key]}" for key in given}
        return given

    def unexpanded(self, problem: Problem) -> Problem:
        """The problem without what variables came to, which may be a secret."""
        for path, expanded in self._expanded.items():
            if path[: len(problem.path)] == problem.path or problem.path[: len(path)] == path:
                problem = replace(problem, message=expanded.hidden(problem.message), hint=expanded.hidden(problem.hint))
        return problem

    def _read(self, path: Path, service: Keys, *, override: bool = True) -> environment.EnvFile:
        found = environment.read(path, self._environ, override=override)
        if found.path not in self.files:
            self.warnings += [f"{path}:{line} is no assignment and is skipped" for line in found.skipped]
        self.files.setdefault(found.path, service)
        self.taken |= found.taken
        return found
