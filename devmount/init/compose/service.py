"""One compose service in the words of the project file; pure, but for the folder that paths are relative to."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from devmount.config.values import Wrong, capability, duration, signal_name
from devmount.init import paths
from devmount.init.compose import mounts
from devmount.init.compose.variables import split, translate
from devmount.init.notes import Notes

# What has no place in the project file, and why; a key that is neither here nor handled is told without a reason.
NO_PLACE = {
    "container_name": "a container is named PROJECT-SERVICE",
    "expose": "services reach each other at every port without it",
    "external_links": "services reach each other by their names",
    "hostname": "a container's hostname is its service's name",
    "labels": "labels of containers are devmount's own",
    "restart": "a program that ends is started again at the next change",
    "stdin_open": "use devmount exec or devmount run for what reads standard input",
    "deploy": "it is about many machines",
    "scale": "a service is one container",
    "build": "",
    "pull_policy": "an image that is here is used; devmount up --build builds again",
}
SAME = ("init",)  # true is what devmount does anyway
READY_SECONDS = 60.0  # ready.timeout where it is not said


class Service:
    """The keys of one service.

    Args:
        base: the folder its paths are relative to.
        root: the project's folder.
        path: where the service stands in the compose file.
        is_app: it becomes ``[app]``.
        files: the files that the compose file's secrets and configs are.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        path: tuple[str | int, ...],
        base: Path,
        root: Path,
        notes: Notes,
        *,
        is_app: bool,
        files: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.made: dict[str, Any] = {}
        self.own: dict[str, str] = {}  # volumes that the compose file gives no name: their mounts, and what is said
        self.files: Mapping[str, Mapping[str, str]] = files  # of secrets and of configs, by name
        self._given = given
        self._path = path
        self._base = base
        self._root = root
        self._notes = notes
        self._is_app = is_app

    def carry(self) -> dict[str, Any]:
        """Everything that can be, in the order of the project file's keys."""
        handled: dict[str, Callable[[Any], None]] = {
            "image": self._image,
            "build": self._build,
            "entrypoint": lambda value: None,  # with command
            "command": lambda value: None,
            "ports": self._ports,
            "env_file": self._env_files,
            "environment": self._environment,
            "user": lambda value: self._set("user", self._text(str(value), "user")),
            "volumes": lambda value: None,  # after the others, with tmpfs, secrets and configs
            "tmpfs": lambda value: None,
            "healthcheck": self._healthcheck,
            "stop_signal": lambda value: self._checked("stop_signal", "stop_signal", signal_name, str(value)),
            "stop_grace_period": lambda value: self._checked(
                "stop_grace_period", "stop_timeout", lambda text: duration(text) and text, str(value)
            ),
            "network_mode": self._network,
            "cap_add": self._capabilities,
            "privileged": lambda value: self._set("privileged", True) if value is True else None,
            "tty": lambda value: self._set("tty", True) if value is True else None,
        }
        elsewhere = ("depends_on", "links", "networks", "profiles", "develop", "working_dir", "secrets", "configs")
        self._command()
        for key, carry in handled.items():
            if self._given.get(key) is not None:
                carry(self._given[key])
        for key, value in self._given.items():
            if key in handled or key in elsewhere or key.startswith("x-") or (key in SAME and value is True):
                continue
            self.leave(key, why=NO_PLACE.get(key, "the project file has no such key"))
        mounts.carry(self)
        if self._is_app and "user" not in self.made:
            self.made["user"] = "image"
        return self.made

    def leave(self, *path: str | int, why: str) -> None:
        self._notes.leave((*self._path, *path), why)

    @property
    def given(self) -> Mapping[str, Any]:
        return self._given

    @property
    def name(self) -> str:
        return str(self._path[-1])

    @property
    def notes(self) -> Notes:
        return self._notes

    def source(self, text: str) -> str:
        """A bind's source, relative to the project."""
        return paths.source(text, self._base, self._root)

    def text(self, text: str, *path: str | int) -> str:
        """A text with its variables as the project file writes them."""
        return translate(text, lambda what: self.leave(*path, why=f"{what} has no word in the project file"))

    def _text(self, text: str, *path: str | int) -> str:
        return self.text(text, *path)

    def _set(self, key: str, value: Any) -> None:
        self.made[key] = value

    def _checked(self, key: str, ours: str, check: Callable[[str], Any], text: str) -> None:
        """A value that may be wrong; one that holds variables cannot be looked at."""
        try:
            if "$" not in text:
                check(text)
        except Wrong as wrong:
            self.leave(key, why=wrong.message)
        else:
            self.made[ours] = self._text(text, key)

    def _image(self, value: Any) -> None:
        if self._given.get("build") is not None:
            self.leave("image", why="an image that is built is named PROJECT-SERVICE")
        else:
            self.made["image"] = self._text(str(value), "image")

    def _build(self, value: Any) -> None:
        table = {"context": value} if isinstance(value, str) else value if isinstance(value, dict) else {}
        context = str(table.get("context", "."))
        if re.match(r"(https?|git|ssh)://|git@|.*\.git(#|$)", context):
            self.leave("build", "context", why="devmount builds from folders only")
            return
        made: dict[str, Any] = {"context": paths.plain(self._text(context, "build", "context"), self._base, self._root)}
        for key in ("dockerfile", "target"):
            if isinstance(table.get(key), str):
                made[key] = self._text(table[key], "build", key)
        arguments = self._pairs(table.get("args"), "build", "args")
        if arguments:
            made["args"] = arguments
        for key in table:
            if key not in ("context", "dockerfile", "target", "args"):
                self.leave("build", key, why="the project file has no such key")
        self.made["build"] = made["context"] if len(made) == 1 else made

    def _command(self) -> None:
        """Entrypoint and command as one; the project file has the command alone, after the image's entrypoint."""
        command, entrypoint = self._given.get("command"), self._given.get("entrypoint")
        if entrypoint in (None, [], ""):
            if entrypoint is not None:
                self.leave("entrypoint", why="it is emptied here; the image's own, where it has one, still comes first")
            if command not in (None, [], ""):
                self.made["command"] = self._words(command, "command")
            return
        words = self._listed_words(entrypoint, "entrypoint") + self._listed_words(command, "command")
        self.made["command"] = words
        self.leave(
            "entrypoint", why="command holds it; an ENTRYPOINT that the image has itself still comes before that"
        )

    def _words(self, value: Any, key: str) -> Any:
        if isinstance(value, list):
            return [self._text(str(word), key, number) for number, word in enumerate(value)]
        return self._text(str(value), key)

    def _listed_words(self, value: Any, key: str) -> list[str]:
        import shlex

        words = self._words(value, key) if value is not None else []
        if isinstance(words, list):
            return words
        try:
            return shlex.split(words)
        except ValueError:
            self.leave(key, why="it cannot be split into words")
            return []

    def _ports(self, value: Any) -> None:
        made = [self._port(entry, number) for number, entry in enumerate(value if isinstance(value, list) else [value])]
        ports = [port for port in made if port]
        if ports:
            self.made["ports"] = ports
            self._notes.say('ports are open on 127.0.0.1 alone; "0.0.0.0:80:80" opens one to others')

    def _port(self, entry: Any, number: int) -> str | int | None:
        if isinstance(entry, dict):
            return self._long_port(entry, number)
        text = str(entry)
        body, slash, protocol = text.partition("/")
        parts = split(body)
        if len(parts) == 1:
            return self._text(f"0:{text}", "ports", number) if "-" not in body else self._text(text, "ports", number)
        inner, outer = parts[-1], parts[-2]
        if ("-" in outer) and ("-" not in inner) and "$" not in outer:
            self.leave("ports", number, why=f"{text}: one of many host ports; name one")
            return None
        if outer == "":
            body = ":".join([*parts[:-2], "0", inner])
        if outer == inner and len(parts) == 2 and not slash and inner.isdigit():
            return int(inner)
        return self._text(body + slash + protocol, "ports", number)

    def _long_port(self, entry: Mapping[str, Any], number: int) -> str | None:
        if "target" not in entry:
            self.leave("ports", number, why="it has no target")
            return None
        published = str(entry.get("published", 0) or 0)
        if "-" in published and "$" not in published:
            self.leave("ports", number, why=f"{published}: one of many host ports; name one")
            return None
        address = f"{_bracketed(str(entry['host_ip']))}:" if entry.get("host_ip") else ""
        protocol = f"/{entry['protocol']}" if entry.get("protocol") not in (None, "tcp") else ""
        for key in entry:
            if key not in ("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"):
                self.leave("ports", number, key, why="the project file has no such key")
        return self._text(f"{address}{published}:{entry['target']}{protocol}", "ports", number)

    def _env_files(self, value: Any) -> None:
        made = []
        for number, entry in enumerate(value if isinstance(value, list) else [value]):
            table = entry if isinstance(entry, dict) else {"path": entry}
            if not isinstance(table.get("path"), str):
                self.leave("env_file", number, why="it names no file")
                continue
            if table.get("format") not in (None, ""):
                self.leave("env_file", number, "format", why="env files are read as python-dotenv reads them")
            name = paths.plain(self._text(table["path"], "env_file", number), self._base, self._root)
            made.append(name + ("?" if table.get("required") is False else ""))
        if made:
            self.made["env_files"] = made

    def _environment(self, value: Any) -> None:
        made = self._pairs(value, "environment")
        if made:
            self.made["environment"] = made

    def _pairs(self, value: Any, *path: str) -> dict[str, Any]:
        """A mapping, or a list of NAME=text; a name alone takes the caller's own value."""
        if isinstance(value, list):
            found = [str(entry).partition("=") for entry in value]
            value = {name: text if equals else None for name, equals, text in found}
        made: dict[str, Any] = {}
        for key, item in (value if isinstance(value, dict) else {}).items():
            if not key or "\0" in key or "=" in key:
                self.leave(*path, key, why="no variable can have this name")
            elif item is None:
                made[key] = f"${{{key}:-}}"
                if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
                    del made[key]
                    self.leave(*path, key, why="the caller's own value of this name cannot be asked for")
            elif isinstance(item, bool | int | float):
                made[key] = item if not isinstance(item, bool) else str(item).lower()
            elif isinstance(item, str):
                made[key] = self._text(item, *path, key)
            else:
                self.leave(*path, key, why="a variable's value is text")
        return made

    def _healthcheck(self, value: Any) -> None:
        table = value if isinstance(value, dict) else {}
        test = table.get("test")
        if table.get("disable") is True or test in (None, [], ["NONE"]):
            return
        words = test if isinstance(test, list) else ["CMD-SHELL", test]
        kind, rest = str(words[0]), [self._text(str(word), "healthcheck", "test") for word in words[1:]]
        if kind not in ("CMD", "CMD-SHELL") or not rest:
            self.leave("healthcheck", "test", why=f"{kind} is no way to check")
            return
        ready: dict[str, Any] = {"command": rest if kind == "CMD" else ["sh", "-c", rest[0]]}
        seconds = self._patience(table)
        if seconds > READY_SECONDS:
            ready["timeout"] = f"{round(seconds)}s"
        self.made["ready"] = ready
        for key in ("interval", "timeout", "start_interval"):
            if key in table:
                self.leave("healthcheck", key, why="devmount asks again and again until ready.timeout")

    def _patience(self, table: Mapping[str, Any]) -> float:
        """Seconds until compose would call it unhealthy."""
        try:
            interval = duration(str(table.get("interval", "30s")))
            start = duration(str(table.get("start_period", "0s")))
            return start + interval * int(table.get("retries", 3))
        except (Wrong, ValueError, TypeError):
            return 0.0

    def _network(self, value: Any) -> None:
        if value in ("host", "none"):
            self.made["network"] = value
        elif value not in ("bridge", "default"):
            self.leave("network_mode", why=f"{value}: the project file has host and none")

    def _capabilities(self, value: Any) -> None:
        made = []
        for number, entry in enumerate(value if isinstance(value, list) else [value]):
            try:
                made.append(capability(str(entry)))
            except Wrong as wrong:
                self.leave("cap_add", number, why=wrong.message)
        if made:
            self.made["cap_add"] = made


def _bracketed(address: str) -> str:
    return f"[{address.strip('[]')}]" if ":" in address else address
