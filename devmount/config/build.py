"""From merged values to the model: meanings, and what must fit together."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from devmount.config import fit, storage, values
from devmount.config.layers import Layered, leaves, take_out
from devmount.config.positions import Path as Keys
from devmount.config.types import Problem, table_name
from devmount.config.values import Wrong
from devmount.config.variables import Variables
from devmount.model import (
    Action,
    Build,
    Dependency,
    Port,
    Project,
    Ready,
    Rule,
    Service,
    Watch,
)

Made = TypeVar("Made")
POLL = 1.0  # seconds, with poll = true
READY_KINDS = ("port", "http", "command", "log")


class Builder:
    """Builds one project; mistakes are collected in ``problems``, with paths into the merged values.

    Args:
        root: the project folder.
        environ: the caller's environment.
        incomplete: tables in which something was wrong already, so that what they lack means nothing.
    """

    def __init__(
        self,
        layered: Layered,
        root: Path,
        files: tuple[Path, ...],
        environ: Mapping[str, str],
        incomplete: Collection[Keys] = (),
    ) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.variables = Variables(root, environ)
        self._values = layered.values
        self._root = root
        self._files = files
        self._incomplete = frozenset(incomplete)

    def build(self) -> Project | None:
        """The project; None when there are problems."""
        self._interpolate()
        project = self._project()
        self.problems = [self.variables.unexpanded(problem) for problem in self.problems]
        return None if self.problems else project

    def _interpolate(self) -> None:
        failed = list(self.variables.interpolate(self._values))
        failed += [
            Problem(path, "the text holds a null character", "no path and no variable can: leave it out")
            for path, value in leaves(self._values)
            if isinstance(value, str) and "\0" in value
        ]
        self.problems += failed
        take_out(self._values, [problem.path for problem in failed])
        self._incomplete |= {problem.path[:-1] for problem in failed}

    def _project(self) -> Project:
        name = self._values.get("name")
        given = self._take(("name",), values.project_name, name) if name is not None else None
        project_name = given or values.safe_name(self._root.name)
        tables = self._tables()
        services = {key: self._service(table, path) for key, (path, table) in tables.items()}
        what = values.refused(str(self._root))
        if what is not None and any(service.mount is not None for service in services.values()):
            hint = f"move {self._files[0].name} into a folder of its own"
            self._wrong((), f"the project folder, {self._root}, is {what}, which is never mounted", hint)
        volumes, wrong = storage.volumes(self._values.get("volumes", {}), project_name, services, self._root)
        self.warnings += storage.missing_keys(services, self._root)
        paths = {name: path for name, (path, _) in tables.items()}
        self.problems += wrong
        self.problems += storage.writers(volumes, services)
        self.problems += fit.dependencies(services, paths)
        self.problems += fit.ports(services, paths)
        return Project(project_name, self._root, self._files, services, volumes, self._watch())

    def _tables(self) -> dict[str, tuple[Keys, dict[str, Any]]]:
        tables: dict[str, tuple[Keys, dict[str, Any]]] = {}
        if isinstance(self._values.get("app"), dict):
            tables["app"] = (("app",), self._values["app"])
        elif () not in self._incomplete:
            self._wrong((), "there is no [app]", 'add it: [app] with image = "..." or build = "."')
        for name, table in self._values.get("services", {}).items():
            path: Keys = ("services", name)
            if name == "app":
                self._wrong(path, "a service cannot be named 'app'", "the app is [app]", at_key=True)
            elif not values.NAME.fullmatch(name):
                hint = f"lower-case letters, digits, - and _: {values.safe_name(name)!r}"
                self._wrong(path, f"{name!r} cannot be a service's name", hint, at_key=True)
            else:
                tables[name] = (path, table)
        return tables

    def _environment(self, table: dict[str, Any], path: Keys) -> tuple[dict[str, str], tuple[Path, ...]]:
        """The service's variables, and the files that they come from."""
        merged: dict[str, str] = {}
        files = []
        for number, entry in _items(table, "env_files"):
            name = entry.removesuffix("?")
            file = self._root / os.path.expanduser(name)
            files.append(file)
            here = (*path, "env_files", number)
            if os.path.isfile(file):
                merged |= (
                    self._take(here, lambda named: self.variables.of_file(named[0], named[1], path), (file, name)) or {}
                )
            elif name == entry:
                hint = f'make it, or write "{name}?" if it may be missing'
                self._wrong(here, f"there is no env file {name}", hint)
        for key, value in table.get("environment", {}).items():
            here = (*path, "environment", key)
            if not key or "=" in key or "\0" in key:
                hint = "a name is not empty and has no = in it"
                self._wrong(here, f"{key!r} cannot be a variable's name", hint, at_key=True)
            merged[key] = values.text(value)
            self.variables.origins.pop(here, None)
        return merged, tuple(files)

    # services

    def _service(self, table: dict[str, Any], path: Keys) -> Service:
        is_app = path == ("app",)
        name = "app" if is_app else str(path[-1])
        self._check_image(table, path)
        variables, env_files = self._environment(table, path)
        mounts = self._each(table, path, "mounts", lambda value: values.mount(value, self._root))
        mount = table.get("mount")
        relabel = False
        if mount is not None:
            made = self._take((*path, "mount"), lambda text: values.project_mount(text, self._root), mount)
            mount, relabel = made or (None, False)
        where = "" if is_app and mount is None else mount
        taken = {made.target for made in mounts if made}
        shadows, wrong = storage.shadows(_items(table, "shadow"), path, name, mount=where, taken=taken)
        self.problems += wrong
        self.problems += fit.targets(mounts, mount, path)
        ports = [
            port
            for number, entry in _items(table, "ports")
            for port in self._take((*path, "ports", number), values.ports, entry) or []
        ]
        if ports and "network" in table:
            hint = "leave ports out, or network"
            self._wrong(
                (*path, "ports"), f'with network = "{table["network"]}" no port is published', hint, at_key=True
            )
        return Service(
            name=name,
            image=table.get("image"),
            build=self._build(table["build"], (*path, "build")) if "build" in table else None,
            command=self._optional(table, path, "command", values.command),
            mount=where,
            relabel=relabel,
            ports=tuple(ports),
            env_files=env_files,
            environment=variables,
            user=self._optional(table, path, "user", values.user) or ("host" if is_app else "image"),
            mounts=tuple(made for made in mounts if made),
            shadows=tuple(shadows),
            ready=self._ready(table["ready"], (*path, "ready"), ports) if "ready" in table else None,
            stop_signal=self._optional(table, path, "stop_signal", values.signal_name),
            stop_timeout=_or(self._optional(table, path, "stop_timeout", values.duration), 3.0),
            depends_on=tuple(
                Dependency(entry)
                if isinstance(entry, str)
                else Dependency(entry["service"], entry.get("restart", False))
                for _, entry in _items(table, "depends_on")
                if isinstance(entry, str) or "service" in entry
            ),
            on_change=tuple(
                rule
                for number, entry in _items(table, "on_change")
                if (rule := self._rule(entry, (*path, "on_change", number)))
            ),
            tty=bool(table.get("tty", False)),
            network=table.get("network"),
            cap_add=tuple(name for name in self._each(table, path, "cap_add", values.capability) if name),
            privileged=bool(table.get("privileged", False)),
        )

    def _check_image(self, table: dict[str, Any], path: Keys) -> None:
        header = table_name(path)
        if "image" in table and "build" in table:
            self._wrong((*path, "build"), f"[{header}] has both image and build", "keep one of them", at_key=True)
        elif "image" not in table and "build" not in table and path not in self._incomplete:
            self._wrong(path, f"[{header}] has neither image nor build", 'add image = "..." or build = "."')
        elif table.get("image") == "":
            self._wrong((*path, "image"), "image is empty", 'write, for example, image = "python:3.12-slim"')

    def _build(self, value: "str | dict[str, Any]", path: Keys) -> Build | None:
        table: dict[str, Any] = {"context": value} if isinstance(value, str) else value
        named = Path(os.path.normpath(self._root / os.path.expanduser(table.get("context", "."))))
        context = Path(os.path.realpath(named))
        here = path if isinstance(value, str) or "context" not in table else (*path, "context")
        if not os.path.isdir(context):
            self._wrong(here, f"there is no folder {named}", "build names the folder with the Dockerfile")
            return None
        dockerfile = table.get("dockerfile", "Dockerfile")
        if not os.path.isfile(context / dockerfile):
            here = (*path, "dockerfile") if "dockerfile" in table else here
            self._wrong(
                here, f"there is no {dockerfile} in {named}", "make it, or name another: build = { dockerfile = ... }"
            )
            return None
        arguments = {key: values.text(item) for key, item in table.get("args", {}).items()}
        return Build(context, dockerfile, table.get("target"), arguments, Path(os.path.realpath(context / dockerfile)))

    def _ready(self, table: dict[str, Any], path: Keys, ports: list[Port]) -> Ready | None:
        kinds = [kind for kind in READY_KINDS if kind in table]
        if not kinds:
            if path not in self._incomplete:
                self._wrong(path, "ready says nothing", "give it port, http, command or log: ready = { port = 8000 }")
            return None
        if len(kinds) > 1 and kinds != ["port", "http"]:
            self._wrong((*path, kinds[1]), f"ready has both {kinds[0]} and {kinds[1]}", "keep one of them", at_key=True)
        http = table.get("http")
        if http is not None and not http.startswith("/"):
            self._wrong((*path, "http"), f"http {http!r} is not a path", f"begin it with /: {'/' + http!r}")
        port = table.get("port")
        if http is not None and port is None and not ports:
            self._wrong((*path, "http"), "http needs a port, and none is published", "add ports, or ready.port")
        log = self._optional(table, path, "log", values.regex)
        command = self._optional(table, path, "command", values.command)
        timeout = _or(self._optional(table, path, "timeout", values.duration), 60.0)
        return Ready(port, http, command, log, timeout)

    def _rule(self, table: dict[str, Any], path: Keys) -> Rule | None:
        files = table.get("files", [])
        files = [files] if isinstance(files, str) else [entry for entry in files if entry]
        if not files and "files" in table:
            self._wrong((*path, "files"), "files is empty", 'name some: files = ["*.conf"]')
        action = Action(table.get("action", Action.RESTART))
        signal = self._optional(table, path, "signal", values.signal_name)
        if action is Action.SIGNAL and "signal" not in table:
            self._wrong(path, 'action = "signal" needs a signal', 'say which: signal = "SIGHUP"')
        if action is not Action.SIGNAL and "signal" in table:
            self._wrong(
                (*path, "signal"),
                f'signal goes with action = "signal", not {action}',
                'write action = "signal", or leave signal out',
                at_key=True,
            )
        if "run_user" in table and "run" not in table:
            self._wrong((*path, "run_user"), "run_user goes with run", "add run, or leave it out", at_key=True)
        return Rule(
            tuple(files), action, self._optional(table, path, "run", values.command), table.get("run_user"), signal
        )

    def _watch(self) -> Watch:
        table = self._values.get("watch", {})
        poll = table.get("poll", False)
        seconds = (
            POLL if poll is True else None if poll is False else self._take(("watch", "poll"), values.duration, poll)
        )
        if seconds is not None and seconds <= 0:
            self._wrong(("watch", "poll"), "poll cannot be 0", 'write, for example, poll = "500ms"')
        return Watch(
            tuple(entry for entry in table.get("ignore", []) if entry is not None),
            _or(self._optional(table, ("watch",), "settle", values.duration), 0.010),
            seconds,
            table.get("same_content") == "skip",
        )

    # collecting

    def _wrong(self, path: Keys, message: str, hint: str = "", *, at_key: bool = False) -> None:
        self.problems.append(Problem(path, message, hint, at_key))

    def _take(self, path: Keys, make: Callable[[Any], Made], value: Any) -> Made | None:
        try:
            return make(value)
        except Wrong as wrong:
            self._wrong(path, wrong.message, wrong.hint)
            return None

    def _optional(self, table: dict[str, Any], path: Keys, key: str, make: Callable[[Any], Made]) -> Made | None:
        return self._take((*path, key), make, table[key]) if key in table else None

    def _each(self, table: dict[str, Any], path: Keys, key: str, make: Callable[[Any], Made]) -> list[Made | None]:
        return [
            None if entry is None else self._take((*path, key, number), make, entry)
            for number, entry in enumerate(table.get(key, []))
        ]


def _items(table: dict[str, Any], key: str) -> list[tuple[int, Any]]:
    """The entries of a list with their numbers, without those that were wrong."""
    return [(number, entry) for number, entry in enumerate(table.get(key, [])) if entry is not None]


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
