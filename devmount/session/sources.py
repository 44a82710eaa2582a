"""The files whose change means more than an edit of the program, since the project is made from them, or less."""

import os
import re
import stat
from pathlib import Path

from devmount.config import LOCAL_NAME
from devmount.model import MountType, Project


def project_files(project: Project) -> set[Path]:
    """What the project is read from, the local file even where there is none yet."""
    return {*project.files, project.files[0].with_name(LOCAL_NAME)}


def named_files(project: Project) -> frozenset[Path]:
    """Files that count although a rules file may ignore them, as many do with .env."""
    named = project_files(project)
    for service in project.services.values():
        named.update(service.env_files)
        named.update(project.root / file for shadow in service.shadows for file in shadow.keyed_by)
        if service.build:
            named.add(service.build.context / service.build.dockerfile)
        named.update(
            Path(mount.source)
            for mount in service.mounts
            if mount.type is MountType.BIND and not os.path.isdir(mount.source)
        )
    return frozenset(path for path in named if path.parent.is_dir())


def own_outputs(root: Path) -> list[str]:
    """Patterns of the files in the folder that this process' output goes to: each line about a change changes them."""
    found = []
    for descriptor in (1, 2):
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                continue
            path = os.readlink(f"/proc/self/fd/{descriptor}")  # proc(5)
        except OSError:  # it is closed, or the system has no such folder
            continue
        relative = os.path.relpath(path, os.path.realpath(root))
        if not relative.startswith("../"):
            found.append("/" + re.sub(r"([\\*?\[ ])", r"\\\1", relative))
    return found


def moved_binds(project: Project) -> list[str]:
    """The binds' sources that lead elsewhere than when the project was read, relative to its folder."""
    sources = {
        mount.source: mount.real
        for service in project.services.values()
        for mount in service.mounts
        if mount.type is MountType.BIND
    }
    moved = (source for source, real in sources.items() if os.path.realpath(source) != real)
    return [os.path.relpath(source, project.root) for source in moved]
