"""How an error is printed: what is wrong, where, what to do."""

import os
from typing import TextIO

from devmount.errors import ConfigError, DevmountError


def print_error(error: DevmountError, stream: TextIO) -> None:
    """Print an error, or every problem of a project file, with the first line marked."""
    problems = error.problems if isinstance(error, ConfigError) else [error]
    color = stream.isatty() and not os.environ.get("NO_COLOR")
    blocks = []
    for problem in problems:
        first, *rest = problem.lines()
        mark = "\x1b[31merror:\x1b[0m" if color else "error:"
        indented = [f"  {line}" for part in rest for line in part.splitlines()]
        blocks.append("\n".join([f"{mark} {first}", *indented]))
    text = "\n".join(blocks) + "\n"
    stream.write(text.encode("utf-8", "backslashreplace").decode())
    stream.flush()
