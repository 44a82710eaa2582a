"""Variables: ``${NAME}`` in values, and the files of variables, which python-dotenv reads."""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from devmount.config.values import Wrong

REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<braced>[^}]*)\}|(?P<open>\{))")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DOTENV = ".env"


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


def parse(text: str, *, interpolated: bool = True) -> dict[str, str | None]:
    """What python-dotenv makes of a file's text; None for a name without "="."""
    import logging

    from dotenv import dotenv_values

    logging.getLogger("dotenv.main").setLevel(
        logging.ERROR
    )  # its warnings name lines, not the file; ``malformed`` does
    return dotenv_values(stream=io.StringIO(text), interpolate=interpolated)


def malformed(text: str) -> list[int]:
    """The numbers of the lines that python-dotenv cannot read."""
    from dotenv.parser import parse_stream

    return [binding.original.line for binding in parse_stream(io.StringIO(text)) if binding.error]


def read(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of a file; a name without "=" takes the caller's own value, if there is one, as with docker run.

    Raises:
        Wrong: it cannot be read, or has a line that is no assignment.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Wrong(f"{path.name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Wrong(f"{path.name} is not UTF-8", "save it as UTF-8") from None
    wrong = malformed(text)
    if wrong:
        raise Wrong(
            f"{path.name}: line {wrong[0]} is no assignment", f"write NAME=value, or a # before it: {path}:{wrong[0]}"
        )
    found = {}
    for name, value in parse(text).items():
        if value is None:
            value = environ.get(name)
        if value is not None:
            found[name] = value
    return found
