"""Variables: ``${NAME}`` in values, and the files of variables, which python-dotenv reads."""

import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from devmount.config.values import Wrong

REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<braced>[^}]*)\}|(?P<open>\{))")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DOTENV = ".env"
LARGEST = 1024 * 1024  # bytes


def interpolate(text: str, lookup: Callable[[str], str | None]) -> str:
    """Put values in for ``${NAME}`` and ``${NAME:-default}``; ``$$`` is a dollar sign, any other stays as it is.

    Raises:
        Wrong: a variable is missing and has no default, or the braces hold something else.
    """

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["open"]:
            raise Wrong("${ is not closed", "write ${NAME}, or $${ for these characters themselves")
        name, colon, default = match["braced"].partition(":-")
        if not NAME.fullmatch(name):
            raise Wrong(
                f"${{{match['braced']}}} is not a variable", "write ${NAME} or ${NAME:-default}; $$ is a dollar sign"
            )
        value = lookup(name)
        if colon and not value:
            return default
        if value is None:
            raise Wrong(
                f"the variable {name} is not set",
                f"set it in the environment or in {DOTENV}, or give a default: ${{{name}:-...}}",
            )
        return value

    return REFERENCE.sub(replace, text)


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file of variables holds.

    ``lines``: the line of each name. ``skipped``: lines that are no assignment. ``taken``: names of the caller's own
    variables that went into the values. ``path``: the file that was really read, links resolved.
    """

    values: Mapping[str, str | None]
    lines: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[int, ...] = ()
    taken: frozenset[str] = frozenset()
    path: Path = Path()


def parse(text: str, environ: Mapping[str, str], *, interpolate: bool = True, override: bool = True) -> EnvFile:
    """What python-dotenv's ``dotenv_values`` makes of a file's text; None for a name without "=".

    Args:
        environ: the caller's environment, for ``${NAME}``.
        interpolate: put values in for ``${NAME}``.
        override: a name that an earlier line sets counts as that line has it, even where ``environ`` has it too.
    """
    from dotenv.parser import parse_stream
    from dotenv.variables import Variable, parse_variables

    values: dict[str, str | None] = {}
    lines: dict[str, int] = {}
    skipped: list[int] = []
    taken: set[str] = set()

    def value_of(variable: Variable) -> str:
        for known in (values, environ) if override else (environ, values):
            if variable.name in known:
                if known is environ:
                    taken.add(variable.name)
                return known[variable.name] or ""
        return variable.default or ""

    for binding in parse_stream(io.StringIO(text.removeprefix("\ufeff"))):
        if binding.error:
            skipped.append(binding.original.line)
        elif binding.key is not None:
            value = binding.value
            if value is not None and interpolate:
                atoms = parse_variables(value)
                value = "".join(value_of(atom) if isinstance(atom, Variable) else atom.resolve({}) for atom in atoms)
            values[binding.key] = value
            lines[binding.key] = _first_line(binding.original.string, binding.original.line)
    return EnvFile(values, lines, tuple(skipped), frozenset(taken))


def _first_line(text: str, line: int) -> int:
    """The line of an assignment; python-dotenv counts the empty lines before it as its own."""
    return line + text[: len(text) - len(text.lstrip())].count("\n")


def read(path: Path, environ: Mapping[str, str], *, override: bool = True) -> EnvFile:
    """The variables of a file; a name without "=" takes the caller's own value, if there is one, as with docker run.

    Raises:
        Wrong: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            real = opened(file.fileno(), path)
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise Wrong(f"{path.name} cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise Wrong(f"{path.name} is larger than {LARGEST // 1024} KiB", "this is no file of variables")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Wrong(f"{path.name} is not UTF-8", "save it as UTF-8") from None
    if "\0" in text:
        raise Wrong(f"{path.name} holds a null character", "this is no file of variables")
    found = parse(text, environ, override=override)
    own = {name for name, value in found.values.items() if value is None and name in environ}
    values = {name: environ[name] if name in own else value for name, value in found.values.items()}
    return replace(found, values=values, taken=found.taken | own, path=real)


def opened(descriptor: int, path: Path) -> Path:
    """Which file a descriptor is really of: what ``path`` leads to may have changed since it was opened."""
    try:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
    except OSError:  # no Linux
        return path.resolve()
