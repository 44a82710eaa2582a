"""What is asked of the file system: of which kind it is (some send no events for changes that are made elsewhere), what
a file is known by, the kernel's limits."""

import os
import re
import stat
from pathlib import Path

REMOTE = {"nfs", "nfs4", "9p", "virtiofs", "cifs", "smb3", "vboxsf", "prl_fs", "afs", "ceph", "glusterfs", "lustre"}
LOCAL_FUSE = {"fuse.fuse-overlayfs", "fuseblk"}
Identity = tuple[int, int, int, int, int]  # device, inode, modification and change time in ns, size
MOUNTS = Path("/proc/self/mountinfo")
ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")  # how mountinfo writes spaces, tabs, line ends and backslashes
SYSCTLS = Path("/proc/sys")


def without_events(root: Path) -> str | None:
    """The type of the root's file system if changes made elsewhere send no events here; None when they do."""
    try:
        kind = kind_of(real_path(root), MOUNTS.read_bytes())
    except OSError:
        return None  # not Linux
    if kind in REMOTE or (kind.startswith("fuse") and kind not in LOCAL_FUSE):
        return kind
    return None


def kind_of(path: str, mountinfo: bytes) -> str:
    """The type of the file system that ``path`` lies on, by the lines of proc(5)'s mountinfo; "" when unknown."""
    best, kind = "", ""
    for line in mountinfo.split(b"\n"):
        fields, _, rest = line.partition(b" - ")
        words = fields.split(b" ")
        if len(words) < 5 or not rest:
            continue
        point = os.fsdecode(ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), words[4]))
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, os.fsdecode(rest.split(b" ")[0])
    return kind


def limit(name: str) -> int:
    """The value of a sysctl below fs.inotify; 0 when there is none."""
    return _sysctl(f"fs.inotify.{name}") or 0


def smallest(what: str) -> tuple[str, int]:
    """The name and the value of the sysctl that limits "watches" or "instances": the user's or the namespace's."""
    names = (f"fs.inotify.max_user_{what}", f"user.max_inotify_{what}")
    found = [(value, name) for name in names if (value := _sysctl(name)) is not None]
    value, name = min(found, default=(0, names[0]))
    return name, value


def _sysctl(name: str) -> int | None:
    try:
        return int((SYSCTLS / name.replace(".", "/")).read_text())
    except (OSError, ValueError):
        return None


def inode(path: str) -> tuple[int, int] | None:
    """The device and the inode of a folder, links followed; None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def identity(path: str) -> Identity | None:
    """What a file is known by, links followed; None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def changed_since(entry: "os.DirEntry[str] | str", since: float) -> bool:
    """Whether an entry was changed, or renamed, at ``since`` (seconds since the epoch) or later, or is gone."""
    try:
        status = os.lstat(entry)
    except OSError:
        return True
    return max(status.st_ctime, status.st_mtime if stat.S_ISDIR(status.st_mode) else 0.0) >= since


def real_path(path: "os.PathLike[str] | str") -> str:
    """``os.path.realpath``, which raises when a link vanishes while it looks; the path itself then."""
    try:
        return os.path.realpath(path)
    except OSError:
        return os.fspath(path)
