"""An engine without root, for one test: run by a user that exists for the test alone, in a mount namespace of its own.

The machine is left as it is: the user, its subordinate ids (subuid(5)) and a /dev/net/tun that it may open lie over the
machine's own within the namespace only. Takes root, and the packages that scripts/podman installs.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines import IMAGE
from tests.harness import as_user, environment

USER = 61234
INIT = "/usr/libexec/podman/catatonit"  # reaps: a name server's zombie would be taken for one that runs
PROGRAMS = (INIT, "unshare", "setpriv", "newuidmap", "slirp4netns")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

NAMESPACE = """
set -eu
home=$1 user=$2
shift 2
for file in passwd group subuid subgid; do
    [ ! -e "/etc/$file" ] || cat "/etc/$file" >"$home/etc/$file"
    [ -e "/etc/$file" ] || : >"/etc/$file"
done
echo "devmount-test:x:$user:$user::$home:/bin/sh" >>"$home/etc/passwd"
echo "devmount-test:x:$user:" >>"$home/etc/group"
echo "devmount-test:1073741824:65536" | tee -a "$home/etc/subuid" >>"$home/etc/subgid"
for file in passwd group subuid subgid; do mount --bind "$home/etc/$file" "/etc/$file"; done
mkdir -p "$home/dev"
mount -t tmpfs none "$home/dev"
mknod "$home/dev/tun" c 10 200
chmod 666 "$home/dev/tun"
[ ! -e /dev/net/tun ] || mount --bind "$home/dev/tun" /dev/net/tun
exec "$@"
"""

CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
{runtime}cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""


def is_possible() -> bool:
    """Whether this machine has what it takes."""
    return os.getuid() == 0 and all(shutil.which(name, path=PATH) for name in PROGRAMS)


class Rootless:
    """The user's home, which holds all of its engine's data. ``folder``: an empty one of the user's."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "work"
        for place in (home / "etc", home / "run", home / "conf", self.folder):
            place.mkdir()
        runc = 'runtime = "runc"\n' if shutil.which("runc", path=PATH) else ""
        (home / "conf" / "containers.conf").write_text(CONTAINERS_CONF.format(runtime=runc))
        (home / "conf" / "storage.conf").write_text('[storage]\ndriver = "overlay"\n')
        for place in (home, home / "run", self.folder):
            os.chown(place, USER, USER)
            place.chmod(0o700)

    @property
    def environment(self) -> dict[str, str]:
        given = environment(
            {
                "HOME": str(self.home),
                "PATH": PATH,
                "TMPDIR": str(self.folder),
                "XDG_RUNTIME_DIR": str(self.home / "run"),
                "CONTAINERS_CONF": str(self.home / "conf" / "containers.conf"),
                "CONTAINERS_STORAGE_CONF": str(self.home / "conf" / "storage.conf"),
            }
        )
        others = ("DOCKER_HOST", "DEVMOUNT_ENGINE", "XDG_STATE_HOME", "XDG_DATA_HOME")
        return {key: value for key, value in given.items() if key not in others}

    def run(self, script: str, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a shell script as the user, in a namespace of its own that ends with it; ``timeout`` in seconds."""
        return subprocess.run(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", INIT, "--"),
                *("sh", "-c", NAMESPACE, "sh", str(self.home), str(USER)),
                *as_user(USER, USER),
                *("sh", "-c", script, "sh", *arguments),
            ],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


@contextmanager
def rootless() -> Iterator[Rootless]:
    """The user's home with the tests' image in ``image.tar``; removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="devmount-rootless-", dir="/var/tmp"))
    try:
        made = Rootless(home)
        saved = home / "image.tar"
        subprocess.run(["docker", "save", "--output", str(saved), IMAGE], check=True, timeout=60)
        saved.chmod(0o644)
        yield made
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True, timeout=60)
