"""Finding the engine: which sockets are asked, in which order, and what is said when none answers."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devmount.errors import NoEngineError

if TYPE_CHECKING:
    from docker import APIClient

TIMEOUT = 60  # seconds for one call of the API; long ones (attach, wait, build) have none
PROBE_TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where an engine may listen. ``explicit``: the user named it, so no other is asked."""

    url: str
    origin: str
    explicit: bool = False


def candidates(option: str | None, environ: Mapping[str, str]) -> Iterator[Candidate]:
    """The engines to ask, best first; one that the user named is the only one."""
    if option:
        yield Candidate(option, "--engine", explicit=True)
        return
    for name in ("DEVMOUNT_ENGINE", "DOCKER_HOST"):
        if environ.get(name):
            yield Candidate(environ[name], name, explicit=True)
            return
    context = _context_host(environ)
    if context:
        yield context
        if context.explicit:
            return
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield Candidate("unix:///var/run/docker.sock", "Docker's socket")
    yield Candidate(f"unix://{runtime}/docker.sock", "rootless Docker's socket")
    yield Candidate(f"unix://{Path.home()}/.docker/run/docker.sock", "Docker Desktop's socket")
    yield Candidate(f"unix://{runtime}/podman/podman.sock", "Podman's socket of this user")
    yield Candidate("unix:///run/podman/podman.sock", "Podman's socket")


def _context_host(environ: Mapping[str, str]) -> Candidate | None:
    """The endpoint of the docker CLI's current context; None for its default."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    name = environ.get("DOCKER_CONTEXT")
    if not name:
        try:
            name = json.loads((folder / "config.json").read_text()).get("currentContext")
        except (OSError, ValueError):
            return None
    if not name or name == "default":
        return None
    for meta in (folder / "contexts" / "meta").glob("*/meta.json"):
        try:
            content = json.loads(meta.read_text())
            if content["Name"] == name:
                return Candidate(content["Endpoints"]["docker"]["Host"], f"docker context {name!r}", explicit=True)
        except (OSError, ValueError, KeyError):
            continue
    return None


def connect(option: str | None, environ: Mapping[str, str]) -> "APIClient":
    """A client of the first engine that answers.

    Raises:
        NoEngineError: none did; its ``where`` lists what was tried.
    """
    tried = []
    for candidate in candidates(option, environ):
        socket = candidate.url.removeprefix("unix://")
        if candidate.url.startswith("unix://") and not Path(socket).exists():
            tried.append(f"{candidate.url} ({candidate.origin}): no such socket")
            continue
        try:
            return _open(candidate.url, environ)
        except Exception as error:  # the SDK's, requests', urllib3's, paramiko's: each an answer
            tried.append(f"{candidate.url} ({candidate.origin}): {_reason(error)}")
    raise NoEngineError(
        "no container engine answers",
        "tried " + "; ".join(tried),
        "start Docker or Podman, add yourself to its group, or name it with --engine URL or DOCKER_HOST",
    )


def _open(url: str, environ: Mapping[str, str]) -> "APIClient":
    from docker import APIClient
    from docker.tls import TLSConfig
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    tls: TLSConfig | bool = False
    if url.startswith("tcp://") and environ.get("DOCKER_TLS_VERIFY"):
        certs = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        tls = TLSConfig(
            client_cert=(str(certs / "cert.pem"), str(certs / "key.pem")), ca_cert=str(certs / "ca.pem"), verify=True
        )
    client = APIClient(base_url=url, tls=tls, timeout=PROBE_TIMEOUT, version="auto")
    client.timeout = TIMEOUT
    # A connection kept open may have been cut since, by a restarted engine or its proxy; asking again changes nothing.
    for adapter in client.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            adapter.max_retries = Retry(total=2, allowed_methods={"GET", "HEAD"}, backoff_factor=0.1)
    return client


def _reason(error: BaseException) -> str:
    """The innermost cause in one line: the SDK wraps "Permission denied" three times."""
    text = str(error)
    for known in ("Permission denied", "Connection refused", "No such file or directory", "timed out"):
        if known.lower() in text.lower():
            return known.lower()
    return text.splitlines()[0][:200] if text else type(error).__name__
