"""Scripts run in a process of their own: as a user who may not read everything, or with limits of their own."""

import os
import subprocess
import sys
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


def run_as_somebody(script: str, root: Path) -> None:
    """Run a script, with ``root`` as a variable of it, as a user who may not read what is not theirs; takes root."""
    for folder in (root, *root.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    _run([], HEAD + SOMEBODY + script, root)


def run_with_limits(limits: dict[str, int], script: str, root: Path) -> None:
    """Run a script in a user namespace of its own, in which these sysctls below user. are set; takes root."""
    lines = [f"Path('/proc/sys/user/{name}').write_text('{value}')" for name, value in limits.items()]
    _run(["unshare", "--user", "--map-root-user"], "\n".join([HEAD, *lines, script]), root)


def can_limit() -> bool:
    """Whether a user namespace can be made here."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--user", "--map-root-user", "true"]).returncode == 0


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
