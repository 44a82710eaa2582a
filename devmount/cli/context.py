"""What a command is given: the folder, the file and the engine that the common options name."""

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from devmount.cli import masking
from devmount.errors import DevmountError, UsageError

if TYPE_CHECKING:
    from devmount.config import Loaded
    from devmount.engine.engine import Container, Engine
    from devmount.model import Project


@dataclass
class Context:
    """The common options, and what follows from them, found out when first asked for."""

    folder: Path
    file: Path | None = None
    profile: str | None = None
    engine_url: str | None = None

    @cached_property
    def project_file(self) -> Path:
        from devmount.config import find_file

        if self.file is not None:
            path = (self.folder / self.file).absolute()
            if not path.is_file():
                raise UsageError(f"there is no file {self.file}", str(path.parent), "check --file")
            return Path(os.path.realpath(path.parent)) / path.name
        return find_file(Path(os.path.realpath(self.folder)))

    def load(self) -> "Loaded":
        """The project file as it is now; what is doubtful in it is said on standard error."""
        from devmount.config import load
        from devmount.ui.errors import print_warning

        loaded = load(self.project_file, profile=self.profile, environ=os.environ)
        masking.add(loaded.secret_values)
        for warning in loaded.warnings:
            print_warning(warning, sys.stderr)
        return loaded

    @cached_property
    def loaded(self) -> "Loaded":
        """The project file as it was when first asked for."""
        return self.load()

    @property
    def project(self) -> "Project":
        return self.loaded.project

    @cached_property
    def allowed_project(self) -> "Project":
        """The project, for what starts something of it; see ``trust.require``.

        Raises:
            DevmountError: it asks for what its user has not allowed.
        """
        from devmount.cli.trust import require

        require(self, self.loaded)
        return self.project

    @cached_property
    def project_of_volumes(self) -> "Project":
        """The project, for what makes its volumes or mounts them in a container of devmount's own.

        Raises:
            DevmountError: what is to be in them lies elsewhere, and its user has not allowed it.
        """
        from devmount.cli.trust import require

        require(self, self.loaded, only_volumes=True)
        return self.project

    def require_trust(self) -> None:
        """Return only if the user has allowed all that the project asks for; else as ``allowed_project``."""
        _ = self.allowed_project

    def reread(self) -> "Project":
        """The project as its file is now, for a session that runs.

        Raises:
            DevmountError: it is wrong, or asks for what its user has not allowed.
        """
        from devmount.cli.trust import require

        loaded = self.load()
        require(self, loaded, goes_on=True)
        return loaded.project

    def named_volumes(self, *, strict: bool) -> set[str]:
        """The engine's names of the volumes that the file has, whatever the profile.

        Args:
            strict: a profile that cannot be read is an error; otherwise its volumes are left out.
        """
        import tomllib

        from devmount.config import load

        profiles = {name for text in self.loaded.texts.values() for name in tomllib.loads(text).get("profiles", {})}
        names: set[str] = set()
        for profile in (None, *sorted(profiles)):
            try:
                project = load(self.project_file, profile=profile, environ=os.environ).project
            except UsageError:
                if strict:
                    raise
                continue
            names |= {volume.engine_name for volume in project.volumes.values()}
        return names

    @cached_property
    def known_project(self) -> "Project":
        """The project, for commands that act on what there is: where its file is wrong, by the engine's labels.

        Raises:
            UsageError: the file is wrong, or there is none, and the engine knows of nothing made from this folder.
        """
        from devmount.model import Project

        try:
            return self.project
        except UsageError:
            try:
                file = self.project_file
            except UsageError:
                file = self.folder / ".devmount.toml"
            names = self.engine.projects_at(str(file.parent))
            if not names:
                raise
            return Project(names[0], file.parent, (file,), {})

    @cached_property
    def engine(self) -> "Engine":
        from devmount.engine.connect import connect
        from devmount.engine.engine import Engine

        return Engine(connect(self.engine_url, os.environ))

    def containers(self, services: list[str]) -> "list[Container]":
        """The project's containers, of the named services or of all, in the file's order.

        Raises:
            UsageError: a service is not in the file.
            DevmountError: a named one has no container.
        """
        self.check(services)
        project = self.known_project
        order = {name: place for place, name in enumerate(project.services)}
        found = [
            container
            for container in self.engine.containers(project.name)
            if not services or container.service in services
        ]
        missing = [name for name in services if name not in {container.service for container in found}]
        if missing:
            raise DevmountError(f"{missing[0]} has no container", str(project.root), "start it: devmount up")
        return sorted(found, key=lambda container: order.get(container.service, len(order)))

    def check(self, services: list[str]) -> None:
        """That the file, where it can be read, has these services."""
        known_services = self.known_project.services
        for name in services:
            if known_services and name not in known_services:
                known = ", ".join(known_services)
                raise UsageError(f"there is no service {name!r}", str(self.project_file), f"there are: {known}")
