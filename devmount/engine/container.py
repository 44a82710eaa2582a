"""A container and an engine as the engine describes them, and what becomes of the SDK's errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from devmount.engine import spec as specs
from devmount.errors import DevmountError

NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine describes it."""

    id: str
    name: str
    labels: Mapping[str, str]
    running: bool
    paused: bool
    pid: int  # of its init, on the engine's host; 0 when it does not run
    tty: bool
    exit_code: int
    started_at: str
    status: str
    ports: tuple[str, ...]  # "127.0.0.1:8000->8000/tcp" each

    @property
    def service(self) -> str:
        return self.labels.get(specs.SERVICE_LABEL, "")

    @property
    def supervised(self) -> bool:
        return self.labels.get(specs.SUPERVISED_LABEL) == "1"

    def is_made_from(self, spec: specs.Spec) -> bool:
        return self.labels.get(specs.HASH_LABEL) == spec.hash


def parse(data: Mapping[str, Any]) -> Container:
    """The answer to an inspect call."""
    state = data["State"]
    published = data["NetworkSettings"].get("Ports") or {}
    return Container(
        id=data["Id"],
        name=data["Name"].lstrip("/"),
        labels=data["Config"].get("Labels") or {},
        running=bool(state["Running"]),
        paused=bool(state.get("Paused")),
        pid=int(state.get("Pid") or 0),
        tty=bool(data["Config"].get("Tty")),
        exit_code=int(state.get("ExitCode") or 0),
        started_at=state.get("StartedAt", ""),
        status=str(state.get("Status", "")),
        ports=tuple(
            f"{binding['HostIp'] or '0.0.0.0'}:{binding['HostPort']}->{port}"
            for port, bindings in sorted(published.items())
            for binding in bindings or ()
        ),
    )


@contextmanager
def explained(what: str, where: str = "") -> Iterator[None]:
    """Turn the SDK's and the connection's errors within into one ``DevmountError`` that says what was being done."""
    import requests
    from docker.errors import DockerException

    try:
        yield
    except (DockerException, requests.RequestException) as error:
        explanation = getattr(error, "explanation", None) or str(error)
        text = explanation.decode(errors="replace") if isinstance(explanation, bytes) else str(explanation)
        raise DevmountError(f"{what}: {' '.join(text.split())[:500]}", where) from error


def is_missing(error: DevmountError) -> bool:
    """Whether the engine said that there is no such thing."""
    return getattr(error.__cause__, "status_code", None) == NOT_FOUND


def rootless(info: Mapping[str, Any]) -> bool:
    """Whether an engine's description of itself says rootless; Podman 4 says it in a key of its own."""
    return bool(info.get("Rootless")) or any("rootless" in option for option in info.get("SecurityOptions") or ())
