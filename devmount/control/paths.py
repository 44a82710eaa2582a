"""Where the session of a project folder has its files."""

import hashlib
import os
from pathlib import Path

from devmount.runtime import runtime_folder


def path_of(root: Path, suffix: str) -> Path:
    """The file of the project folder ``root`` that ends in ``.suffix``: its lock, its sock or its log."""
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return runtime_folder() / f"{digest}.{suffix}"


def log_file(root: Path) -> Path:
    """Where a session in the background writes its events."""
    return path_of(root, "log")
