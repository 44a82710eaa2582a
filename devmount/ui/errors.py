"""How an error is printed: what is wrong, where, what to do."""

import os
from typing import TextIO

from devmount.errors import ConfigError, DevmountError


def printable(text: str) -> str:
    """The text with control characters escaped, line ends apart: a file must not steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def print_warning(message: str, stream: TextIO) -> None:
    """Print what is doubtful and stops nothing, in one line."""
    text = f"warning: {printable(message)}\n"
    stream.write(text.encode("utf-8", "backslashreplace").decode())
    stream.flush()


def print_error(error: DevmountError, stream: TextIO) -> None:
    """Print an error, or every problem of a project file, with the first line marked."""
    problems = error.problems if isinstance(error, ConfigError) else [error]
    color = stream.isatty() and not os.environ.get("NO_COLOR")
    blocks = []
    for problem in problems:
        first, *rest = (printable(line) for line in problem.lines())
        mark = "\x1b[31merror:\x1b[0m" if color else "error:"
        indented = [f"  {line}" for part in rest for line in part.splitlines()]
        blocks.append("\n".join([f"{mark} {first}", *indented]))
    text = "\n".join(blocks) + "\n"
    stream.write(text.encode("utf-8", "backslashreplace").decode())
    stream.flush()
