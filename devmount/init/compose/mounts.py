"""What a compose service mounts: volumes in all their syntaxes, tmpfs, secrets and configs that are files; pure."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devmount.init.compose.variables import split

if TYPE_CHECKING:
    from devmount.init.compose.service import Service

NO_EFFECT = ("rw", "cached", "delegated", "consistent", "nocopy")
LONG = (
    "type",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "read_only",
    "readonly",
    "bind",
    "volume",
    "tmpfs",
    "consistency",
)


def carry(service: "Service") -> None:
    """Its mounts into ``mounts``; a bind of the project's own folder into ``mount``."""
    made: list[Any] = []
    given = service.given
    for number, entry in enumerate(_listed(given.get("volumes"))):
        found = _long(service, entry, number) if isinstance(entry, dict) else _short(service, str(entry), number)
        if found is not None:
            made.append(found)
    for entry in _listed(given.get("tmpfs")):
        target, _, options = str(entry).partition(":")
        if options:
            service.leave("tmpfs", why=f"{options}: a tmpfs has no options here")
        made.append({"type": "tmpfs", "target": service.text(target, "tmpfs")})
    made += _files(service, "secrets", "/run/secrets/{name}") + _files(service, "configs", "/{name}")
    kept: list[Any] = []
    for entry in made:
        if entry not in kept:
            kept.append(entry)
    if kept:
        service.made["mounts"] = kept


def _short(service: "Service", text: str, number: int) -> Any:
    parts = split(text)
    if len(parts) == 1:
        return _anonymous(service, parts[0])
    source, target = parts[0], parts[1]
    options = [option for part in parts[2:] for option in part.split(",") if option]
    for option in options:
        if option not in (*NO_EFFECT, "ro"):
            service.leave("volumes", number, why=f"the option {option} of {text}")
    return _entry(service, source, target, "ro" in options)


def _long(service: "Service", entry: Mapping[str, Any], number: int) -> Any:
    kind = entry.get("type", "volume")
    source = str(entry.get("source", entry.get("src", "")) or "")
    target = str(entry.get("target", entry.get("dst", entry.get("destination", ""))))
    read_only = entry.get("read_only", entry.get("readonly")) is True
    if kind not in ("bind", "volume", "tmpfs") or not target:
        service.leave("volumes", number, why=f"a mount of type {kind}" if target else "it has no target")
        return None
    for word in entry:
        if word not in LONG:
            service.leave("volumes", number, word, why="the project file has no such key")
    options = entry.get(kind)
    for word in options if isinstance(options, dict) else ():
        if word not in ("nocopy", "create_host_path"):
            service.leave("volumes", number, kind, word, why="the project file has no such key")
    if kind == "tmpfs":
        return {"type": "tmpfs", "target": service.text(target, "volumes", number)}
    if not source:
        return _anonymous(service, target)
    if kind == "bind" and not source.startswith((".", "/", "~", "$")):
        source = f"./{source}"
    return _entry(service, source, target, read_only)


def _entry(service: "Service", source: str, target: str, read_only: bool) -> Any:
    source, target = service.text(source, "volumes"), service.text(target, "volumes")
    if source.startswith((".", "/", "~")):
        source = service.source(source)
    if ":" in re.sub(r"\$\{[^}]*\}", "", source + target):
        kind = "bind" if source.startswith((".", "/", "~")) else "volume"
        table = {"type": kind, "source": source, "target": target}
        return {**table, "read_only": True} if read_only else table
    return f"{source}:{target}" + (":ro" if read_only else "")


def _anonymous(service: "Service", target: str) -> str:
    """An anonymous volume gets a name, so that it is seen, kept and removed like any other."""
    name = re.sub(r"[^a-zA-Z0-9_.-]+", "_", f"{service.name}_{target.strip('/').rsplit('/', 1)[-1]}").strip("_.-")
    made = f"{name}:{service.text(target, 'volumes')}"
    service.own[made] = f"the volume without a name at {target} is called {name}"
    return made


def _files(service: "Service", key: str, default: str) -> list[Any]:
    """Secrets or configs of a service that are files of the project, as read-only binds."""
    made = []
    known = service.files.get(key, {})
    for number, entry in enumerate(_listed(service.given.get(key))):
        table = entry if isinstance(entry, dict) else {"source": entry}
        name = str(table.get("source"))
        file = known.get(name)
        if not isinstance(file, str):
            service.leave(key, number, why=f"{name} is no file of the project")
            continue
        target = str(table.get("target") or default.format(name=name))
        if not target.startswith("/"):
            target = f"/run/secrets/{target}" if key == "secrets" else f"/{target}"
        for word in table:
            if word not in ("source", "target"):
                service.leave(key, number, word, why="the file keeps its owner and mode")
        made.append(f"{service.source(service.text(file, key, number))}:{target}:ro")
    return made


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
