"""Compose files as a project file: which service is the app, and what lies between services; pure."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devmount.config.values import VOLUME_NAME, safe_name
from devmount.errors import UsageError
from devmount.init.compose import mounts, watching
from devmount.init.compose.files import Compose
from devmount.init.compose.service import Service
from devmount.init.compose.variables import split
from devmount.init.notes import Notes

SIDE_MOUNT = "/workspace"  # where the project's folder is out of the way
TOP = ("name", "version", "services", "volumes", "networks", "secrets", "configs", "include")


class Converter:
    """From compose files to the values of a project file.

    Args:
        root: the project's folder.
        app: the service that becomes ``[app]``; None: the one that looks most like it.
        workdirs: the WORKDIR of a service's Dockerfile, where it can be read.
    """

    def __init__(self, compose: Compose, root: Path, app: str | None, workdirs: Mapping[str, str]) -> None:
        self.notes = Notes(compose.where)
        self._compose = compose
        self._root = root
        self._workdirs = workdirs
        services = compose.values.get("services")
        found = services if isinstance(services, dict) else {}
        self._services = {name: service for name, service in found.items() if isinstance(service, dict)}
        if not self._services:
            raise UsageError("the file has no services", str(root), "name a compose file: --from compose.yaml")
        if app is not None and app not in self._services:
            raise UsageError(f"there is no service {app!r}", str(root), "there are: " + ", ".join(self._services))
        self._app = app or self._likeliest()
        self._names = self._new_names()

    def convert(self) -> dict[str, Any]:
        """The project file's values."""
        values: dict[str, Any] = {}
        name = self._compose.values.get("name")
        if isinstance(name, str):
            values["name"] = safe_name(name)
        for key in self._compose.values:
            if key not in TOP and not key.startswith("x-"):
                self.notes.leave((key,), "the project file has no such key")
        self._say_names()
        active = {name for name, service in self._services.items() if not service.get("profiles") or name == self._app}
        values["app"] = self._service(self._app, active)
        values["services"] = {self._names[name]: self._service(name, active) for name in active - {self._app}}
        values["services"] = {
            self._names[name]: values["services"][self._names[name]]
            for name in self._services
            if self._names[name] in values["services"]
        }
        values["volumes"] = self._volumes()
        values["profiles"] = self._profiles(active)
        self._networks()
        return {key: value for key, value in values.items() if value not in ({}, None)}

    def _likeliest(self) -> str:
        """The service that is being worked on."""

        def weight(name: str) -> tuple[bool, ...]:
            service = self._services[name]
            develop = service.get("develop")
            return (
                name == "app",
                not service.get("profiles"),
                isinstance(develop, dict) and bool(develop.get("watch")),
                any(source == "." for source in self._binds_of(name).values()),
                service.get("build") is not None,
                bool(service.get("ports")),
            )

        likeliest: str = max(self._services, key=weight)  # the first of equals
        return likeliest

    def _binds_of(self, name: str) -> dict[str, str]:
        probe = self._carrier(name, Notes())
        mounts.carry(probe)
        return _binds(probe.made.get("mounts", []))

    def _carrier(self, name: str, notes: Notes) -> Service:
        base = self._compose.bases.get(name, self._root)
        files = {key: self._files(key) for key in ("secrets", "configs")}
        path = ("services", name)
        return Service(
            self._services[name], path, base, self._root, notes, is_app=name == self._app_or_none(), files=files
        )

    def _app_or_none(self) -> str | None:
        return getattr(self, "_app", None)

    def _files(self, key: str) -> dict[str, str]:
        table = self._compose.values.get(key)
        entries = table.items() if isinstance(table, dict) else ()
        return {
            name: item["file"] for name, item in entries if isinstance(item, dict) and isinstance(item.get("file"), str)
        }

    def _new_names(self) -> dict[str, str]:
        names = {self._app: "app"}
        for name in self._services:
            if name not in names:
                made = safe_name(name)
                while made in names.values():
                    made += "-2"
                names[name] = made
        return names

    def _say_names(self) -> None:
        others = len(self._services) > 1
        self.notes.say(f"the service {self._app} is the app" + (": --app NAME takes another" if others else ""))
        for old, new in self._names.items():
            if old != new and others:
                self.notes.leave(("services", old), f"it is called {new} now: other services reach it by that name")

    def _service(self, name: str, active: set[str]) -> dict[str, Any]:
        service = self._carrier(name, self.notes)
        made = service.carry()
        self._place(service)
        self._dependencies(service, active)
        if "watch" in str(service.given.get("develop", "")) and name != self._app:
            self.notes.say(f"{self._names[name]}: watched too, since develop.watch says so")
        order = ("image", "build", "command", "mount", "ports", "env_files", "environment", "user", "mounts", "ready")
        rest = [key for key in made if key not in order]
        return {key: made[key] for key in (*order, *rest) if key in made}

    def _place(self, service: Service) -> None:
        """Where the project's folder appears, and the folder that the program starts in."""
        made = service.made
        binds = _binds(made.get("mounts", []))
        places = [target for target, source in binds.items() if source == "."] + watching.carry(service, binds)
        wanted = service.given.get("working_dir")
        wanted = service.text(wanted, "working_dir") if isinstance(wanted, str) else self._workdirs.get(service.name)
        if service.name == self._app:
            mount = wanted if wanted in places else places[0] if places else None
            if mount is None and not self._fits(service, wanted):
                mount = SIDE_MOUNT
                self.notes.say(f"the project's folder appears at {SIDE_MOUNT}, out of the way of what the image holds")
            elif mount is None:
                mount = wanted
                self.notes.say(f"the project's folder appears at {mount}, in place of what was copied there")
            made["mount"] = mount
            kept = [entry for entry in made.get("mounts", []) if _pair(entry) != (mount, ".")]
            made["mounts"] = kept
            if not kept:
                del made["mounts"]
            self._shadow(service, str(mount))
        else:
            mount = None
            for place in places:
                if place not in binds:
                    made.setdefault("mounts", []).append(f".:{place}")
        for words in service.own.values():
            self.notes.say(words)
        if wanted and wanted != mount and (service.given.get("working_dir") or mount):
            self._start_in(service, wanted)

    def _shadow(self, service: Service, mount: str) -> None:
        """Volumes without a name over folders of the project are what ``shadow`` is for."""
        shadows = [
            entry
            for entry in service.own
            if entry in service.made.get("mounts", []) and _pair(entry)[0].startswith(f"{mount}/")
        ]
        for entry in shadows:
            service.made["mounts"].remove(entry)
            service.made.setdefault("shadow", []).append(_pair(entry)[0].removeprefix(f"{mount}/"))
            del service.own[entry]
        if not service.made.get("mounts", True):
            del service.made["mounts"]
        if shadows:
            self.notes.say("shadow: " + ", ".join(service.made["shadow"]) + " of the container, not those of the host")

    def _fits(self, service: Service, wanted: str | None) -> bool:
        """Whether the project's folder is what the image was built from, with nothing bound into it."""
        build = service.made.get("build")
        context = build.get("context") if isinstance(build, dict) else build
        return wanted not in (None, "/") and context == "." and not _binds(service.made.get("mounts", []))

    def _start_in(self, service: Service, folder: str) -> None:
        command = service.made.get("command")
        if command is None:
            key = "working_dir" if "working_dir" in service.given else "build"
            service.leave(key, why=f"the program does not start in {folder}: there is no command to put a cd before")
            return
        words = command if isinstance(command, list) else _split(command)
        if words is None:
            service.leave("working_dir", why="command cannot be split into words, to put a cd before it")
            return
        service.made["command"] = ["sh", "-c", f'cd {shlex.quote(folder)} && exec "$@"', "sh", *words]

    def _dependencies(self, service: Service, active: set[str]) -> None:
        given = service.given.get("depends_on")
        table = dict(given) if isinstance(given, dict) else {str(name): {} for name in _listed(given)}
        for number, link in enumerate(_listed(service.given.get("links"))):
            name, _, alias = str(link).partition(":")
            table.setdefault(name, {})
            if alias and alias != self._names.get(name):
                service.leave("links", number, why=f"the service is reached as {self._names.get(name, name)}")
        made: list[Any] = []
        for name, how in table.items():
            how = how if isinstance(how, dict) else {}
            path = ("depends_on", name)
            if name not in self._services:
                service.leave(*path, why="there is no such service")
                continue
            if name not in active and service.name in active:
                service.leave(*path, why=f"{name} runs only with a profile")
                continue
            condition = how.get("condition", "service_started")
            target = self._services[name]
            if condition == "service_completed_successfully":
                service.leave(*path, "condition", why=f"devmount does not wait for the end of {name}")
            elif condition == "service_healthy" and not isinstance(target.get("healthcheck"), dict):
                service.leave(*path, "condition", why=f"{name} has no healthcheck here; add ready to it")
            if how.get("required") is False:
                service.leave(*path, "required", why="what is named must be there")
            new = self._names[name]
            made.append({"service": new, "restart": True} if how.get("restart") is True else new)
        if made:
            service.made["depends_on"] = made

    def _volumes(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        table = self._compose.values.get("volumes")
        for name, given in table.items() if isinstance(table, dict) else ():
            given = given if isinstance(given, dict) else {}
            if not VOLUME_NAME.fullmatch(name):
                self.notes.leave(("volumes", name), "no volume can have this name")
                continue
            if given.get("external"):
                bare = given.get("name")
                if isinstance(bare, str) and bare != name:
                    self.notes.leave(("volumes", name, "name"), f"an external volume has one name: call it {bare} here")
                made[name] = {"external": True}
                continue
            volume: dict[str, Any] = {}
            if isinstance(given.get("driver"), str):
                volume["driver"] = given["driver"]
            for key, ours in (("driver_opts", "options"), ("labels", "labels")):
                if isinstance(given.get(key), dict):
                    volume[ours] = {option: str(value) for option, value in given[key].items()}
            for key in given:
                if key not in ("driver", "driver_opts", "labels", "external"):
                    self.notes.leave(
                        ("volumes", name, key), "a volume is named PROJECT_NAME" if key == "name" else "no such key"
                    )
            if volume:
                made[name] = volume
        return made

    def _profiles(self, active: set[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, service in self._services.items():
            profiles = service.get("profiles")
            if name == self._app and profiles:
                self.notes.leave(("services", name, "profiles"), "the app is in every profile")
            elif profiles:
                carried = self._service(name, active | {name})
                for profile in profiles if isinstance(profiles, list) else [profiles]:
                    made.setdefault(str(profile), {"services": {}})["services"][self._names[name]] = carried
        if made:
            self.notes.say("one profile at a time: devmount up --profile " + " or ".join(made))
        return made

    def _networks(self) -> None:
        """All services share one network; what says otherwise is told."""
        joined = {name: _names_of(service.get("networks")) for name, service in self._services.items()}
        if len({frozenset(networks) for networks in joined.values()}) > 1:
            self.notes.leave(("networks",), "all services share one network and reach each other")
        for name, service in self._services.items():
            networks = service.get("networks")
            for network, how in networks.items() if isinstance(networks, dict) else ():
                for key in how if isinstance(how, dict) else ():
                    self.notes.leave(("services", name, "networks", network, key), "a service is reached by its name")
        table = self._compose.values.get("networks")
        for name, given in table.items() if isinstance(table, dict) else ():
            if given:
                self.notes.leave(("networks", name), "the project has one network, made by devmount")


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _names_of(networks: Any) -> set[str]:
    if isinstance(networks, dict | list) and networks:
        return {str(name) for name in networks}
    return {"default"}


def _pair(entry: Any) -> tuple[str, str]:
    """Target and source of a ``mounts`` entry."""
    if isinstance(entry, dict):
        return str(entry["target"]), str(entry.get("source", ""))
    source, target = split(entry)[:2]
    return target.rstrip("/"), source


def _binds(entries: list[Any]) -> dict[str, str]:
    pairs = map(_pair, entries)
    return {target: source for target, source in pairs if re.match(r"[./~]", source)}


def _split(command: str) -> list[str] | None:
    try:
        return shlex.split(command)
    except ValueError:
        return None
