"""Finding the engine: which sockets are asked, in which order, and what is said when none answers.

Where none does but ``podman`` is installed, its service is started for this process (``engine.podman``)."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devmount.errors import DevmountError, NoEngineError, UsageError

if TYPE_CHECKING:
    from docker import APIClient

TIMEOUT = 60  # seconds for one call of the API; long ones (attach, wait, build) have none
PROBE_TIMEOUT = 5
PODMAN = "podman"  # in the place of an address


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where an engine may listen, or ``PODMAN``: have it listen."""

    url: str
    origin: str


def candidates(option: str | None, environ: Mapping[str, str], said: str = "--engine") -> Iterator[Candidate]:
    """The engines to ask, best first; one that the user named is the only one. The word ``podman`` names Podman's."""
    named = [(option, said), *((environ.get(name), name) for name in ("DEVMOUNT_ENGINE", "DOCKER_HOST"))]
    for url, origin in named:
        if url == PODMAN:
            yield from _podmans(environ)
            return
        if url:
            yield Candidate(url, origin)
            return
    context = _context_host(environ)
    if context:
        yield context
        return
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield Candidate("unix:///var/run/docker.sock", "Docker's socket")
    yield Candidate(f"unix://{runtime}/docker.sock", "rootless Docker's socket")
    yield Candidate(f"unix://{Path.home()}/.docker/run/docker.sock", "Docker Desktop's socket")
    yield from _podmans(environ)


def _podmans(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """Podman's sockets; last its service, started for this process."""
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield Candidate(f"unix://{runtime}/podman/podman.sock", "Podman's socket of this user")
    if os.getuid() == 0:
        yield Candidate("unix:///run/podman/podman.sock", "Podman's socket")
    yield Candidate(PODMAN, "podman system service")


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
                return Candidate(content["Endpoints"]["docker"]["Host"], f"docker context {name!r}")
        except (OSError, ValueError, KeyError):
            continue
    return None


def connect(option: str | None, environ: Mapping[str, str], said: str = "--engine") -> "APIClient":
    """A client of the first engine that answers.

    Args:
        option: the address that the command line names, after the option ``said``.

    Raises:
        NoEngineError: none did; its ``where`` lists what was tried.
    """
    tried = []
    for candidate in candidates(option, environ, said):
        socket = candidate.url.removeprefix("unix://")
        if candidate.url.startswith("unix://") and not Path(socket).exists():
            tried.append(f"{candidate.url} ({candidate.origin}): no such socket")
            continue
        try:
            return _open(_served(environ) if candidate.url == PODMAN else candidate.url, environ)
        except UsageError:
            raise
        except Exception as error:  # the SDK's, requests', urllib3's, paramiko's: each an answer
            place = candidate.origin if candidate.url == PODMAN else f"{candidate.url} ({candidate.origin})"
            tried.append(f"{place}: {_reason(error)}")
    raise NoEngineError(
        "no container engine answers",
        "tried " + "; ".join(tried),
        "start Docker or Podman, add yourself to its group, or name it with --engine URL or DOCKER_HOST",
    )


def _served(environ: Mapping[str, str]) -> str:
    """The address of a Podman service that runs as long as this process.

    Raises:
        DevmountError: ``podman`` is not installed, or its service does not come up.
    """
    from devmount.engine import podman

    program = podman.program(environ)
    if program is None:
        raise DevmountError("podman is not installed")
    return podman.Service(program, environ).url


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
    if url.startswith("ssh://"):
        from devmount.engine import ssh

        client = ssh.client(url, TIMEOUT)
    else:
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
