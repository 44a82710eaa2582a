"""Scripts run in a process of their own: as a user who may not read everything, or with limits of their own."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness import REPOSITORY, environment

HEAD = """
import ctypes, os, resource, sys, time
from pathlib import Path
import devmount.watch.inotify
from tests.harness import wait_until
from tests.watch.recorder import Recorder, kernel_watches
root = Path(sys.argv[1])
"""
# Become another user, without any capability: the modules are read already.
SOMEBODY = """
os.chown(root, 12345, 12345)
os.setgroups([])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
os.environ["HOME"] = "/nonexistent"
"""


def run_as_somebody(script: str) -> None:
    """Run a script as a user who may not read what is not theirs, with ``root``, a new folder, as a variable of it.

    It takes root. The folder lies beside pytest's, which nobody else may enter.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        root = Path(folder, "project")
        root.mkdir()
        _run([], HEAD + SOMEBODY + script, root)


def run_with_limits(limits: dict[str, int], script: str, root: Path) -> None:
    """Run a script in a user namespace of its own, in which these sysctls below user. are set; takes root."""
    lines = [f"Path('/proc/sys/user/{name}').write_text('{value}')" for name, value in limits.items()]
    _run(["unshare", "--user", "--map-root-user"], "\n".join([HEAD, *lines, script]), root)


def can_limit() -> bool:
    """Whether a user namespace can be made here."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True)
    return tried.returncode == 0


def _run(prefix: list[str], script: str, root: Path) -> None:
    done = subprocess.run(
        [*prefix, sys.executable, "-W", "error", "-c", script + "\nprint('good')\n", root],
        env=environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout == "good\n", done.stderr
    assert done.stderr == ""
