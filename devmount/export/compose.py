"""A project as a compose file; pure.

Values that came from variables stay variables, and those of env files stay there: the file holds no secret that
``.devmount.toml`` does not hold.
"""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from devmount.config import Loaded
from devmount.model import Build, Mount, MountType, Port, Ready, Service

REFERENCE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(:-[^}]*)?\})?")
HOME = "/tmp"  # of a user that no image knows
PLACE = re.compile(r"(.+):\d+")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the machine goes in.

    ``folder``: where the compose file will lie; paths are relative to it. ``uid``, ``gid``: the caller's.
    ``mounts``: where the project's folder appears, by service, for those whose file leaves it to the image.
    """

    folder: Path
    uid: int
    gid: int
    mounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exported:
    """The file's text, and what it does not hold, a line each."""

    text: str
    left: tuple[str, ...]


def export(loaded: Loaded, around: Surroundings) -> Exported:
    """The compose file."""
    from ruamel.yaml import YAML

    left: list[str] = []
    values = _project(loaded, around, left)
    out = StringIO()
    dumper = YAML(pure=True)
    dumper.width = 4096
    dumper.dump(values, out)
    head = ["From .devmount.toml, by devmount export compose: change that file and export it again."]
    if any(service.user == "host" for service in loaded.project.services.values()):
        head.append("To own the files that it makes: UID=$(id -u) GID=$(id -g) docker compose up")
    if left:
        head += ["", "Not in here:", *(f"- {line}" for line in left)]
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head)
    return Exported(comment + out.getvalue(), tuple(left))


def _project(loaded: Loaded, around: Surroundings, left: list[str]) -> dict[str, Any]:
    project = loaded.project
    made: dict[str, Any] = {"name": project.name, "services": {}}
    for name, service in project.services.items():
        made["services"][name] = _Carrier(loaded, service, around, left).carry()
    volumes: dict[str, Any] = {}
    used = {volume for service in project.services.values() for volume in service.volumes()}
    for name, volume in project.volumes.items():
        if name not in used and not volume.external and volume.driver == "local" and not volume.options:
            continue
        entry: dict[str, Any] = {}
        if volume.external:
            entry = {"external": True, "name": volume.engine_name}
        else:
            if volume.engine_name != f"{project.name}_{name}":
                entry["name"] = volume.engine_name
            if volume.driver != "local":
                entry["driver"] = volume.driver
            if volume.options:
                entry["driver_opts"] = {key: escaped(value) for key, value in volume.options.items()}
            if volume.labels:
                entry["labels"] = {key: escaped(value) for key, value in volume.labels.items()}
        volumes[name] = entry or None
    if volumes:
        made["volumes"] = volumes
    if project.watch.ignore or project.watch.poll:
        left.append("[watch]: compose watch has rules of its own")
    return made


class _Carrier:
    """One service."""

    def __init__(self, loaded: Loaded, service: Service, around: Surroundings, left: list[str]) -> None:
        self._loaded = loaded
        self._service = service
        self._around = around
        self._left = left
        self._path = "app" if service.name == "app" else f"services.{service.name}"

    def carry(self) -> dict[str, Any]:
        service = self._service
        made: dict[str, Any] = {}
        if service.build:
            made["build"] = self._build(service.build)
        elif service.image:
            made["image"] = self._text("image", service.image)
        made["init"] = True
        made["hostname"] = service.name
        if service.command is not None:
            made["command"] = self._words("command", service.command)
        mount = service.mount or self._around.mounts.get(service.name) if service.mount is not None else None
        if mount:
            made["working_dir"] = escaped(mount)
        if service.ports:
            made["ports"] = [_port(port) for port in service.ports]
        if service.env_files:
            made["env_file"] = [self._env_file(file) for file in service.env_files]
        environment = self._environment()
        if environment:
            made["environment"] = environment
        user = self._user()
        if user:
            made["user"] = user
        mounts = [self._mount(entry) for entry in service.all_mounts(mount)]
        if mount:
            root = Mount(MountType.BIND, str(self._loaded.project.root), mount)
            mounts.insert(0, self._mount(root))
        if mounts:
            made["volumes"] = mounts
        if service.ready:
            self._ready(service.ready, made)
        self._ending(made)
        if service.depends_on:
            made["depends_on"] = {
                entry.service: self._dependency(entry.service, entry.restart) for entry in service.depends_on
            }
        if service.network:
            made["network_mode"] = service.network
        if service.cap_add:
            made["cap_add"] = list(service.cap_add)
        if service.privileged:
            made["privileged"] = True
        if service.tty:
            made["tty"] = made["stdin_open"] = True
        if service.on_change or service.mount is not None:
            self._left.append(
                f"{service.name}: a save restarts nothing; restart it with docker compose restart {service.name}"
            )
        return made

    def _build(self, build: Build) -> dict[str, Any]:
        made: dict[str, Any] = {"context": self._relative(build.context)}
        if build.dockerfile != "Dockerfile":
            made["dockerfile"] = escaped(build.dockerfile)
        if build.target:
            made["target"] = self._text("build.target", build.target)
        if build.args:
            made["args"] = {key: self._text(f"build.args.{key}", value) for key, value in build.args.items()}
        return made

    def _environment(self) -> dict[str, str]:
        service = self._service
        made = {
            key: self._variable(key, value) for key, value in service.environment.items() if not self._is_of_file(key)
        }
        if service.user == "host" and "HOME" not in service.environment:
            made["HOME"] = HOME
        return made

    def _variable(self, key: str, value: str) -> str:
        """A value; one that the caller's environment laid over the file stays there."""
        label = self._loaded.origins.get(f"{self._path}.environment.{key}", "")
        if label.startswith("DEVMOUNT_"):
            return f"${{{label}}}"
        return self._text(f"environment.{key}", value)

    def _is_of_file(self, key: str) -> bool:
        """Whether a variable comes from an env file."""
        match = PLACE.fullmatch(self._loaded.origins.get(f"{self._path}.environment.{key}", ""))
        return match is not None and match[1] not in self._loaded.texts and bool(self._service.env_files)

    def _env_file(self, file: Path) -> str | dict[str, Any]:
        path = self._relative(file)
        return path if file.is_file() else {"path": path, "required": False}

    def _user(self) -> str:
        user = self._service.user
        if user == "host":
            return f"${{UID:-{self._around.uid}}}:${{GID:-{self._around.gid}}}"
        return {"image": "", "root": "0:0"}.get(user, self._text("user", user))

    def _mount(self, mount: Mount) -> dict[str, Any]:
        made: dict[str, Any] = {"type": str(mount.type)}
        if mount.type is MountType.BIND:
            made["source"] = self._relative(Path(mount.source))
        elif mount.type is MountType.VOLUME:
            made["source"] = mount.source
        made["target"] = escaped(mount.target)
        if mount.read_only:
            made["read_only"] = True
        if mount.type is MountType.BIND:
            made["bind"] = {"create_host_path": False}
        return made

    def _ready(self, ready: Ready, made: dict[str, Any]) -> None:
        """``healthcheck``, which looks every second and is patient for as long as ready is."""
        test: list[str] | None = None
        port = ready.port or (self._service.ports[0].container if ready.http and self._service.ports else None)
        if ready.command:
            test = ["CMD", *self._words("ready.command", ready.command)]
        elif port:
            listening = f"grep -q ':{port:04X} [0-9A-F]*:0000 0A' /proc/net/tcp /proc/net/tcp6"  # proc(5)
            test = ["CMD-SHELL", listening]
            if ready.http:
                self._left.append(f"{self._service.name}: ready asks for {ready.http}; here the open port will do")
        else:
            self._left.append(f"{self._service.name}: ready.log; compose cannot look into a log")
        if test:
            retries = max(1, round(ready.timeout))
            made["healthcheck"] = {"test": test, "interval": "1s", "timeout": "10s", "retries": retries}

    def _ending(self, made: dict[str, Any]) -> None:
        service = self._service
        if service.stop_signal:
            made["stop_signal"] = service.stop_signal
        made["stop_grace_period"] = f"{service.stop_timeout:g}s"

    def _dependency(self, name: str, restart: bool) -> dict[str, Any]:
        ready = self._loaded.project.services[name].ready
        can_check = ready is not None and ready.log is None
        made: dict[str, Any] = {"condition": "service_healthy" if can_check else "service_started"}
        return {**made, "restart": True} if restart else made

    def _relative(self, path: Path) -> str:
        made = os.path.relpath(path, self._around.folder)
        if made.startswith("../..") or not path.is_relative_to(self._loaded.project.root):
            return escaped(str(path))
        return escaped(made if made.startswith(".") else f"./{made}")

    def _text(self, key: str, value: str) -> str:
        """A value: as the file says it where variables went in."""
        said = self._loaded.said.get(f"{self._path}.{key}")
        return escaped(value) if said is None else translated(said)

    def _words(self, key: str, words: tuple[str, ...]) -> list[str]:
        said = self._loaded.said.get(f"{self._path}.{key}")
        if said is not None:
            return [translated(word) for word in shlex.split(said)]
        return [self._text(f"{key}.{number}", word) for number, word in enumerate(words)]


def escaped(text: str) -> str:
    """A text that compose does not look for variables in."""
    return text.replace("$", "$$")


def translated(said: str) -> str:
    """A text of the project file with its variables as compose takes them: a missing one is an error there too."""

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return f"${{{match[1]}{match[2] or ':?it is not set'}}}"
        return "$$"

    return REFERENCE.sub(replace, said)


def _port(port: Port) -> dict[str, Any]:
    made: dict[str, Any] = {"target": port.container, "host_ip": port.address, "protocol": port.protocol}
    if port.host:
        made["published"] = str(port.host)
    return made
