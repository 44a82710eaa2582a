"""The resolved project in the file's own words."""

from collections.abc import Mapping, Sequence
from typing import Any

from devmount.config import Loaded
from devmount.errors import MASK as MASK
from devmount.model import MountType, Port, Service


def describe(loaded: Loaded, *, show_secrets: bool) -> dict[str, Any]:
    """The project as nested tables. What came from env files or the environment and goes to a program is masked: its
    variables, commands, arguments, options of volumes. Names of images, paths and ports are shown as they came out.

    Args:
        show_secrets: do not mask.
    """
    project = loaded.project
    secrets = frozenset[str]() if show_secrets else loaded.secrets
    described: dict[str, Any] = {"name": project.name, "root": str(project.root)}
    described["files"] = [str(path) for path in project.files]
    described["app"] = _service(project.app, "app", secrets)
    described["services"] = {
        name: _service(service, f"services.{name}", secrets)
        for name, service in project.services.items()
        if name != "app"
    }
    described["volumes"] = {
        volume.name: {
            "engine_name": volume.engine_name,
            "driver": volume.driver,
            "options": _masked(volume.options, f"volumes.{volume.name}.options", secrets),
            "labels": _masked(volume.labels, f"volumes.{volume.name}.labels", secrets),
            "external": volume.external,
            "exclusive": volume.exclusive,
        }
        for volume in project.volumes.values()
    }
    watch = project.watch
    described["watch"] = {"ignore": list(watch.ignore), "settle": _seconds(watch.settle)}
    described["watch"]["poll"] = _seconds(watch.poll) if watch.poll else False
    described["watch"]["same_content"] = "skip" if watch.skip_same_content else "reload"
    return described


def _service(service: Service, path: str, secrets: frozenset[str]) -> dict[str, Any]:
    """Only what is set, and what has a default that people ask about."""
    made: dict[str, Any] = {}
    if service.image:
        made["image"] = service.image
    if service.build:
        made["build"] = {
            "context": str(service.build.context),
            "dockerfile": service.build.dockerfile,
            **({"target": service.build.target} if service.build.target else {}),
            "args": _masked(service.build.args, f"{path}.build.args", secrets),
        }
    if service.command is not None:
        made["command"] = _words(service.command, f"{path}.command", secrets)
    if service.mount:
        made["mount"] = service.mount + (":z" if service.relabel else "")
    made["ports"] = [_port(port) for port in service.ports]
    made["env_files"] = [str(file) for file in service.env_files]
    made["environment"] = _masked(service.environment, f"{path}.environment", secrets)
    made["user"] = service.user
    made["mounts"] = [
        {"type": str(mount.type), "source": mount.source, "target": mount.target, "read_only": mount.read_only}
        | ({"relabel": True} if mount.relabel else {})
        if mount.type is not MountType.TMPFS
        else {"type": "tmpfs", "target": mount.target, "read_only": mount.read_only}
        for mount in service.mounts
    ]
    if service.shadows:
        made["shadow"] = [{"path": one.path, "keyed_by": list(one.keyed_by)} for one in service.shadows]
    if service.ready:
        ready = service.ready
        made["ready"] = {
            key: value
            for key, value in (
                ("port", ready.port),
                ("http", MASK if f"{path}.ready.http" in secrets else ready.http),
                ("command", _words(ready.command, f"{path}.ready.command", secrets) if ready.command else None),
                ("log", MASK if f"{path}.ready.log" in secrets else ready.log),
                ("timeout", _seconds(ready.timeout)),
            )
            if value is not None
        }
    if service.stop_signal:
        made["stop_signal"] = service.stop_signal
    made["stop_timeout"] = _seconds(service.stop_timeout)
    made["depends_on"] = [{"service": one.service, "restart": one.restart} for one in service.depends_on]
    made["on_change"] = [
        {
            "files": list(rule.files),
            "action": str(rule.action),
            **({"run": _words(rule.run, f"{path}.on_change.{number}.run", secrets)} if rule.run else {}),
            **({"run_user": rule.run_user} if rule.run_user else {}),
            **({"signal": rule.signal} if rule.signal else {}),
        }
        for number, rule in enumerate(service.on_change)
    ]
    if service.network:
        made["network"] = service.network
    if service.cap_add:
        made["cap_add"] = list(service.cap_add)
    if service.privileged:
        made["privileged"] = True
    if service.tty:
        made["tty"] = True
    return made


def _masked(values: Mapping[str, str], path: str, secrets: frozenset[str]) -> dict[str, str]:
    return {key: MASK if f"{path}.{key}" in secrets else value for key, value in values.items()}


def _words(words: Sequence[str], path: str, secrets: frozenset[str]) -> list[str]:
    """An argv; of a string that was split it is not known which words are the secret's."""
    return [MASK if path in secrets or f"{path}.{number}" in secrets else word for number, word in enumerate(words)]


def _port(port: Port) -> str:
    address = f"[{port.address}]" if ":" in port.address else port.address
    return f"{address}:{port.host}:{port.container}/{port.protocol}"


def _seconds(value: float) -> str:
    return f"{value:g}s" if value >= 1 or value == 0 else f"{value * 1000:g}ms"
