"""Questions."""

import sys


def ask(question: str) -> bool | None:
    """Ask on the terminal; anything but yes is no. None: there is no terminal to ask on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
