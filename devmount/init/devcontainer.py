"""devcontainer.json in the words of the project file; pure.

https://containers.dev/implementors/json_reference/ says what its keys mean.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devmount.config.values import Wrong, capability
from devmount.init import paths
from devmount.init.notes import Notes

ONCE = ("onCreateCommand", "updateContentCommand", "postCreateCommand")  # when the container is new, in this order
HANDLED = (
    *("name", "image", "build", "dockerFile", "context", "workspaceFolder", "workspaceMount", "mounts", "forwardPorts"),
    *("appPort", "remoteUser", "containerUser", "containerEnv", "remoteEnv", "runArgs", "capAdd", "privileged", "init"),
    *("dockerComposeFile", "service", "runServices", *ONCE, "postStartCommand", "overrideCommand", "$schema"),
)
WHY = {
    "customizations": "they are settings of editors",
    "extensions": "they are settings of editors",
    "settings": "they are settings of editors",
    "features": "put what they install into the Dockerfile",
    "initializeCommand": "devmount runs nothing on the host",
    "postAttachCommand": "no editor attaches",
    "shutdownAction": "Ctrl-C stops what devmount up started",
    "waitFor": "the program starts after the commands",
    "updateRemoteUserUID": 'user = "host" makes files yours',
    "hostRequirements": "the engine is the host's",
    "portsAttributes": "ports are published as they are",
    "otherPortsAttributes": "ports are published as they are",
    "secrets": "put them into an env file",
}
FLAGS = {"--init": None, "--interactive": None, "-i": None, "--rm": None}
IDLE = "sleep infinity"


class Devcontainer:
    """From devcontainer.json to the values of a project file.

    Args:
        given: the file's.
        base: the folder that it lies in; its paths are relative to it.
        root: the project's folder.
        program: what is run where the file says nothing, as a shell takes it: dev containers wait for their editor.
    """

    def __init__(
        self, given: Mapping[str, Any], base: Path, root: Path, notes: Notes, program: str | None = None
    ) -> None:
        self.notes = notes
        self._given = given
        self._base = base
        self._root = root
        self._program = program
        folder = given.get("workspaceFolder")
        self.workspace = folder if isinstance(folder, str) and "${" not in folder else f"/workspaces/{root.name}"
        if isinstance(folder, str) and "${" in folder:
            self.workspace = folder.replace("${localWorkspaceFolderBasename}", root.name)

    @property
    def compose_files(self) -> list[Path]:
        """The compose files that it names."""
        names = self._given.get("dockerComposeFile")
        listed = names if isinstance(names, list) else [names]
        return [self._base / name for name in listed if isinstance(name, str)]

    @property
    def service(self) -> str | None:
        """The service of the compose files that is worked on."""
        name = self._given.get("service")
        return name if isinstance(name, str) else None

    def convert(self, below: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The project file's values. ``below``: those that the compose files came to."""
        values: dict[str, Any] = dict(below or {})
        app: dict[str, Any] = dict(values.get("app", {}))
        if below is None:
            self._image(app)
        app["mount"] = self._mount(app)
        self._ports(app)
        self._environment(app)
        user = self._given.get("remoteUser") or self._given.get("containerUser")
        app["user"] = self._text(str(user), "remoteUser") if user else app.get("user", "image")
        self._mounts(app)
        self._run_arguments(app)
        if self._given.get("privileged") is True:
            app["privileged"] = True
        self._capabilities(app, self._given.get("capAdd"), "capAdd")
        self._command(app, is_compose=below is not None)
        for key in self._given:
            if key not in HANDLED:
                self.notes.leave((key,), WHY.get(key, "the project file has no such key"))
        if below is not None and self._given.get("runServices"):
            self.notes.leave(("runServices",), "devmount up starts every service of the file")
        order = ("image", "build", "command", "mount", "ports", "env_files", "environment", "user", "mounts", "ready")
        values["app"] = {key: app[key] for key in (*order, *(key for key in app if key not in order)) if key in app}
        if isinstance(self._given.get("name"), str):
            self.notes.say(f"the name {self._given['name']} is for people: the project is called as its folder")
        return values

    def _image(self, app: dict[str, Any]) -> None:
        given = self._given
        build = given.get("build")
        table = build if isinstance(build, dict) else {}
        dockerfile = table.get("dockerfile") or given.get("dockerFile")
        if isinstance(dockerfile, str):
            context = str(table.get("context") or given.get("context") or ".")
            folder = paths.plain(self._text(context, "build"), self._base, self._root)
            file = (self._base / dockerfile).resolve()
            within = (self._base / context).resolve()
            made: dict[str, Any] = {"context": folder}
            if file.is_relative_to(within):
                name = file.relative_to(within).as_posix()
                made |= {} if name == "Dockerfile" else {"dockerfile": name}
            else:
                made["dockerfile"] = paths.plain(str(file), within, within)
            if isinstance(table.get("target"), str):
                made["target"] = table["target"]
            arguments = table.get("args")
            if isinstance(arguments, dict) and arguments:
                made["args"] = {key: self._text(str(value), "build", "args", key) for key, value in arguments.items()}
            for key in table:
                if key not in ("dockerfile", "context", "target", "args"):
                    self.notes.leave(("build", key), "the project file has no such key")
            app["build"] = folder if len(made) == 1 else made
        elif isinstance(given.get("image"), str):
            app["image"] = self._text(given["image"], "image")

    def _mount(self, app: Mapping[str, Any]) -> str:
        """Where the project appears: workspaceFolder, unless workspaceMount says another place."""
        given = self._given.get("workspaceMount")
        if isinstance(given, str) and given:
            entry = _pairs(given)
            source = entry.get("source", entry.get("src", ""))
            if "${localWorkspaceFolder}" not in source or source != "${localWorkspaceFolder}":
                self.notes.leave(("workspaceMount",), f"{source}: the project's folder itself is mounted")
            target = entry.get("target", entry.get("dst", self.workspace))
            return target.replace("${localWorkspaceFolderBasename}", self._root.name)
        if "dockerComposeFile" in self._given and app.get("mount"):
            if self._given.get("workspaceFolder") not in (None, app["mount"]):
                self.notes.leave(
                    ("workspaceFolder",), f"the program starts in {app['mount']}, where the project appears"
                )
            return str(app["mount"])
        return self.workspace

    def _ports(self, app: dict[str, Any]) -> None:
        made = list(app.get("ports", []))
        for key in ("forwardPorts", "appPort"):
            for number, entry in enumerate(_listed(self._given.get(key))):
                port: Any = entry
                if isinstance(entry, str) and entry.isdigit():
                    port = int(entry)
                if type(port) is int and 1 <= port <= 65535:
                    pass
                elif key == "forwardPorts" or not isinstance(port, str):
                    of_other = isinstance(port, str) and ":" in port
                    why = "publish it in the table of that service" if of_other else "it is no port"
                    self.notes.leave((key, number), f"{entry}: {why}")
                    continue
                if all(str(port) != str(other).split(":")[-1] for other in made):
                    made.append(port)
        if made:
            app["ports"] = made

    def _environment(self, app: dict[str, Any]) -> None:
        made = dict(app.get("environment", {}))
        for key in ("containerEnv", "remoteEnv"):
            table = self._given.get(key)
            for name, value in table.items() if isinstance(table, dict) else ():
                if value is None or not name or "=" in name:
                    self.notes.leave((key, name), "a variable has a name and a value")
                elif "${containerEnv:" in str(value):
                    self.notes.leave((key, name), "what the image sets cannot be built on: write the whole value")
                else:
                    made[name] = self._text(str(value), key, name)
        if made:
            app["environment"] = made

    def _mounts(self, app: dict[str, Any]) -> None:
        made = list(app.get("mounts", []))
        for number, entry in enumerate(_listed(self._given.get("mounts"))):
            table = (
                {str(key): str(value) for key, value in entry.items()}
                if isinstance(entry, dict)
                else _pairs(str(entry))
            )
            self._one_mount(made, table, ("mounts", number))
        if made:
            app["mounts"] = made

    def _one_mount(self, made: list[Any], table: Mapping[str, str], path: tuple[str | int, ...]) -> None:
        kind = table.get("type", "volume")
        source = self._text(table.get("source", table.get("src", "")), *path)
        target = self._text(table.get("target", table.get("dst", table.get("destination", ""))), *path)
        for key in table:
            if key not in ("type", "source", "src", "target", "dst", "destination", "readonly", "ro", "consistency"):
                self.notes.leave((*path, key), "the project file has no such key")
        if kind not in ("bind", "volume", "tmpfs") or not target:
            self.notes.leave(path, "it has no target" if not target else f"a mount of type {kind}")
            return
        if kind == "tmpfs":
            made.append({"type": "tmpfs", "target": target})
            return
        if kind == "bind":
            source = paths.source(source, self._base, self._root)
        if not source:
            source = re.sub(r"[^a-zA-Z0-9_.-]+", "_", target.strip("/"))
            self.notes.say(f"the volume without a name at {target} is called {source}")
        made.append(f"{source}:{target}" + (":ro" if table.get("readonly", table.get("ro")) in ("true", "") else ""))

    def _run_arguments(self, app: dict[str, Any]) -> None:
        words = iter([str(word) for word in _listed(self._given.get("runArgs"))])
        for word in words:
            if word in FLAGS:
                continue
            name, equals, value = word.partition("=")
            if name == "--privileged":
                app["privileged"] = True
                continue
            takes = name in (
                "-e",
                "--env",
                "-p",
                "--publish",
                "-v",
                "--volume",
                "--cap-add",
                "--network",
                "--net",
                "-u",
            )
            takes = takes or name in ("--user", "--env-file", "--mount")
            value = value if equals else next(words, "") if takes else ""
            if not takes or not self._run_argument(app, name, self._text(value, "runArgs")):
                self.notes.leave(("runArgs",), f"{word}{' ' + value if takes and not equals else ''}")

    def _run_argument(self, app: dict[str, Any], name: str, value: str) -> bool:
        """Carry one option of docker run over; whether it could be."""
        key = name.lstrip("-")
        if key in ("e", "env") and "=" in value:
            app.setdefault("environment", {}).update([value.split("=", 1)])
        elif key in ("p", "publish"):
            app.setdefault("ports", []).append(value)
        elif key in ("v", "volume") and ":" in value:
            source, rest = value.split(":", 1)
            if source.startswith((".", "/", "~")):
                source = paths.source(source, self._base, self._root)
            app.setdefault("mounts", []).append(f"{source}:{rest}")
        elif key == "mount":
            self._one_mount(app.setdefault("mounts", []), _pairs(value), ("runArgs",))
        elif key == "cap-add":
            self._capabilities(app, [value], "runArgs")
        elif key in ("network", "net") and value in ("host", "none"):
            app["network"] = value
        elif key in ("u", "user"):
            app["user"] = value
        elif key == "env-file":
            app.setdefault("env_files", []).append(paths.plain(value, self._base, self._root))
        else:
            return False
        return True

    def _capabilities(self, app: dict[str, Any], given: Any, key: str) -> None:
        for number, entry in enumerate(_listed(given)):
            try:
                app.setdefault("cap_add", []).append(capability(str(entry)))
            except Wrong as wrong:
                self.notes.leave((key, number), wrong.message)

    def _command(self, app: dict[str, Any], *, is_compose: bool) -> None:
        """What a person would type after the container is there, as the program; the lifecycle's commands before it."""
        keeps = self._given.get("overrideCommand", not is_compose) is False
        once = [line for key in ONCE if (line := self._lifecycle(key))]
        each = [line for key in ("postStartCommand",) if (line := self._lifecycle(key))]
        own = app.get("command")
        if keeps or is_compose:
            program = shlex.join(own) if isinstance(own, list) else own
            if (once or each) and program is None:
                self.notes.leave(("postCreateCommand",), "there is no command to run it before; add one to [app]")
                return
            if not once and not each:
                return
        else:
            program = self._program or IDLE
            hint = "" if self._program else ": put what starts your program in its place"
            self.notes.say(f'a dev container waits for its editor; command is "{program}"{hint}')
        lines = []
        if once:
            lines = [
                "if [ ! -e /tmp/.created ]; then",
                *(f"    {line}" for line in once),
                "    touch /tmp/.created",
                "fi",
            ]
            self.notes.say("the commands of the container's creation run once in each new container")
        app["command"] = ["sh", "-ec", "\n".join([*lines, *each, f"exec {program}"])] if lines or each else program

    def _lifecycle(self, key: str) -> str:
        """A lifecycle command as a line of shell; several of one key run one after the other."""
        given = self._given.get(key)
        if isinstance(given, dict):
            parts = [self._line(value, key) for value in given.values()]
            self.notes.say(f"the commands of {key} run one after the other")
            return " && ".join(f"( {part} )" for part in parts if part)
        return self._line(given, key)

    def _line(self, given: Any, key: str) -> str:
        if isinstance(given, list):
            return shlex.join(self._text(str(word), key) for word in given)
        return self._text(given, key).replace("\n", "; ") if isinstance(given, str) else ""

    def _text(self, text: str, *path: str | int) -> str:
        """A text with the file's variables in the project file's words."""

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith(("localEnv:", "env:")):
                _, variable, *default = name.split(":", 2)
                if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
                    return f"${{{variable}:-{''.join(default)}}}"
            known = {
                "localWorkspaceFolder": str(self._root),
                "localWorkspaceFolderBasename": self._root.name,
                "containerWorkspaceFolder": self.workspace,
                "containerWorkspaceFolderBasename": self.workspace.rstrip("/").rsplit("/", 1)[-1],
                "devcontainerId": self._root.name,
            }
            if name in known:
                return known[name].replace("$", "$$")
            self.notes.leave(path, f"{match[0]} has no word in the project file")
            return "$" + match[0]

        return re.sub(r"\$\{([^{}]*)\}", replace, text)


def _pairs(text: str) -> dict[str, str]:
    """``type=bind,source=…`` as a mapping."""
    return {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in text.split(",")) if key}


def _listed(value: Any) -> Sequence[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
