"""``develop.watch`` rules as ``on_change`` entries; pure.

Compose carries out every rule that matches, the project file the first: so the strongest come first.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from devmount.init.compose.variables import split
from devmount.model import Action

if TYPE_CHECKING:
    from devmount.init.compose.service import Service

ACTIONS = {
    "rebuild": Action.REBUILD,
    "restart": Action.RESTART,
    "sync": Action.NONE,
    "sync+restart": Action.RESTART,
    "sync+exec": Action.NONE,
}
FILE_SYNCED = "the container sees the files themselves"


def carry(service: "Service", binds: Mapping[str, str]) -> list[str]:
    """The rules into ``on_change``; mounts for what they sync and no bind shows the container yet.

    Args:
        binds: targets of the service's binds, and their sources relative to the project.

    Returns:
        Targets at which the project's own folder is to appear.
    """
    develop = service.given.get("develop")
    rules = develop.get("watch") if isinstance(develop, dict) else None
    for key in develop if isinstance(develop, dict) else ():
        if key != "watch":
            service.leave("develop", key, why="the project file has no such key")
    made: list[tuple[Action, dict[str, Any]]] = []
    shown: list[str] = []
    for number, rule in enumerate(rules if isinstance(rules, list) else []):
        if not isinstance(rule, dict) or not isinstance(rule.get("path"), str):
            service.leave("develop", "watch", number, why="it names no path")
            continue
        action = ACTIONS.get(str(rule.get("action")))
        if action is None:
            service.leave("develop", "watch", number, "action", why=f"there is no action {rule.get('action')}")
            continue
        path = service.source(rule["path"])
        if path.startswith(("..", "/", "~", "$")):
            service.leave("develop", "watch", number, "path", why="only what is in the project's folder is watched")
            continue
        if str(rule["action"]).startswith("sync"):
            shown += _show(service, rule, path, binds, number)
        entry: dict[str, Any] = {"files": _files(service, rule, path, number)}
        _exec(service, rule, entry, number)
        made.append((action, {**entry, "action": str(action)}))
        for key in rule:
            if key not in ("path", "action", "target", "ignore", "include", "exec", "initial_sync"):
                service.leave("develop", "watch", number, key, why="the project file has no such key")
    if made:
        strongest = sorted(made, key=lambda pair: -pair[0].strength - (1 if "run" in pair[1] else 0))
        service.made["on_change"] = [entry for _, entry in strongest]
        service.made["on_change"].append({"files": ["*"], "action": "none"})
        service.notes.say(f"{service.name}: a change that no rule names does nothing, as with compose watch")
    return shown


def _files(service: "Service", rule: Mapping[str, Any], path: str, number: int) -> list[str]:
    """gitignore patterns, of the project's folder, for a rule's path, include and ignore."""
    top = "" if path == "." else "/" + path.removeprefix("./").rstrip("/")
    includes = [str(one) for one in _listed(rule.get("include"))]
    patterns = [f"{top}/**/{one}" if "/" not in one.strip("/") else f"{top}/{one.lstrip('./')}" for one in includes]
    if not patterns:
        patterns = ["*"] if not top else [top, f"{top}/**"]
    for one in _listed(rule.get("ignore")):
        name = str(one).strip().removeprefix("./").strip("/")
        if name.startswith("!") or not name:
            service.leave("develop", "watch", number, "ignore", why=f"{one}: an exception of an exception")
            continue
        patterns += [f"!{top}/{name}", f"!{top}/{name}/**"]
    return patterns


def _show(service: "Service", rule: Mapping[str, Any], path: str, binds: Mapping[str, str], number: int) -> list[str]:
    """A sync is a bind: what it copies, the container sees."""
    target = str(rule.get("target") or "").rstrip("/")
    if not target.startswith("/"):
        service.leave("develop", "watch", number, "target", why="it is no absolute path")
        return []
    for place, source in binds.items():
        below = target.removeprefix(place.rstrip("/"))
        if (target == place or below.startswith("/")) and _joined(source, below) == path:
            return []
    kept = [
        name for one in _listed(rule.get("ignore")) if (name := str(one).strip("/")) and not set(name) & set("*?[!.")
    ]
    for name in kept:  # the container has its own of what is not synced
        volume = f"{service.name}_{name.replace('/', '_')}:{target}/{name}"
        if all(volume.split(":")[1] != _target(mount) for mount in service.made.get("mounts", [])):
            service.made.setdefault("mounts", []).append(volume)
            service.own[volume] = f"{service.name}: {target}/{name}, which is not synced, is a volume of its own"
    if path == ".":
        return [target]
    mount = f"{path}:{target}"
    if mount not in service.made.get("mounts", []):
        service.made.setdefault("mounts", []).append(mount)
        service.notes.say(f"{service.name}: {path} is bound to {target}, where compose copied it")
    return []


def _exec(service: "Service", rule: Mapping[str, Any], entry: dict[str, Any], number: int) -> None:
    if rule.get("action") != "sync+exec":
        return
    wanted = rule.get("exec")
    table = wanted if isinstance(wanted, dict) else {}
    command = table.get("command")
    if not command:
        service.leave("develop", "watch", number, "exec", why="it has no command")
        return
    here = ("develop", "watch", number, "exec")
    words = [service.text(str(word), *here) for word in command] if isinstance(command, list) else str(command)
    entry["run"] = words if isinstance(words, list) else service.text(words, *here)
    if table.get("user"):
        entry["run_user"] = str(table["user"])
    for key in table:
        if key not in ("command", "user"):
            service.leave(*here, key, why="the project file has no such key")


def _joined(source: str, below: str) -> str:
    below = below.strip("/")
    if not below:
        return source
    return f"./{below}" if source == "." else f"{source}/{below}"


def _target(mount: Any) -> str:
    return str(mount["target"]) if isinstance(mount, dict) else split(mount)[1]


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
