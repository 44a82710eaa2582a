"""What a project would take by its name though another checkout made it: the file says the name, so it may be any."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devmount.engine import spec as specs
from devmount.engine.engine import Engine
from devmount.model import Project


def owned_elsewhere(engine: Engine, project: Project) -> dict[str, str]:
    """The project's volumes that were made from another folder which is still there, and that folder."""
    found = {}
    for volume in project.volumes.values():
        described = None if volume.external else engine.volume(volume.engine_name)
        if described and (root := _elsewhere(described, project)):
            found[f"the volume {volume.engine_name}"] = root
    return found


def _elsewhere(described: Mapping[str, Any], project: Project) -> str:
    root = str((described.get("Labels") or {}).get(specs.ROOT_LABEL, ""))
    return root if root and Path(root) != project.root and Path(root).exists() else ""
