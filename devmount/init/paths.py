"""Paths of the host, as the project file writes them; pure."""

import os
from pathlib import Path


def source(text: str, base: Path, root: Path) -> str:
    """The source of a bind: relative ones relative to the project, those of the home folder and variables as they are.

    Args:
        base: the folder that relative ones were relative to.
        root: the project's folder.
    """
    if text.startswith(("~", "$")):
        return text
    path = os.path.normpath(os.path.join(base, text))
    relative = os.path.relpath(path, root)
    if os.path.isabs(text) and relative.startswith(".."):
        return path
    return relative if relative.startswith("..") else "." if relative == "." else f"./{relative}"


def plain(text: str, base: Path, root: Path) -> str:
    """A path that needs no ``./`` in front: an env file, a Dockerfile's folder."""
    return source(text, base, root).removeprefix("./")
