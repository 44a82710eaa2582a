"""What kind of file system the project lies on: some send no events for changes that are made elsewhere."""

import os
from pathlib import Path

REMOTE = {"nfs", "nfs4", "9p", "virtiofs", "cifs", "smb3", "vboxsf", "prl_fs", "afs", "ceph", "glusterfs", "lustre"}
LOCAL_FUSE = {"fuse.fuse-overlayfs", "fuseblk"}
MOUNTS = Path("/proc/self/mountinfo")
LIMITS = Path("/proc/sys/fs/inotify")


def without_events(root: Path) -> str | None:
    """The type of the root's file system if changes made elsewhere send no events here; None when they do."""
    try:
        kind = kind_of(os.path.realpath(root), MOUNTS.read_text(errors="surrogateescape"))
    except OSError:
        return None  # not Linux
    if kind in REMOTE or (kind.startswith("fuse") and kind not in LOCAL_FUSE):
        return kind
    return None


def kind_of(path: str, mountinfo: str) -> str:
    """The type of the file system that ``path`` lies on, by the lines of proc(5)'s mountinfo; "" when unknown."""
    best, kind = "", ""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words = fields.split(" ")
        if len(words) < 5 or not rest:
            continue
        point = words[4].encode("latin-1", "surrogateescape").decode("unicode_escape")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, rest.split(" ")[0]
    return kind


def limit(name: str) -> int:
    """The value of a sysctl below fs.inotify; 0 when there is none."""
    try:
        return int((LIMITS / name).read_text())
    except (OSError, ValueError):
        return 0
