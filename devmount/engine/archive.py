"""Engine calls for volumes: the files below a path of a container as a tar stream, both ways; who uses a volume."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from devmount.engine.engine import Engine, explained

CHUNK = 1 << 20  # bytes asked for at once
SIZES_BUSY = "a disk usage operation is already running"  # what the engine says of a second one
SIZES_INTERVAL = 0.1  # seconds between two tries
SIZES_SECONDS = 120.0  # for one's turn to come


@dataclass(frozen=True, slots=True)
class User:
    """A container that has a volume mounted."""

    id: str
    name: str
    labels: Mapping[str, str]
    running: bool
    paused: bool
    target: str
    read_only: bool


@contextmanager
def download(engine: Engine, container: str, path: str) -> Iterator[Any]:
    """The tar stream of ``path`` (its last part is the first member) as an object with ``read(size)``."""
    url = engine.client._url("/containers/{0}/archive", container)
    with explained("the volume cannot be read", container):
        response = engine.client.get(
            url,
            params={"path": path},
            stream=True,
            timeout=None,
            headers={"Accept-Encoding": "identity"},  # the engine would spend its time on gzip
        )
        engine.client._raise_for_status(response)
    try:
        yield _Body(response)
    finally:
        response.close()


class _Body:
    """A response's body, whose errors are explained and whose early end is one."""

    def __init__(self, response: Any) -> None:
        self._raw = response.raw

    def read(self, size: int) -> bytes:
        import requests
        import urllib3

        with explained("the engine stopped sending the volume's content"):
            try:
                data: bytes = self._raw.read(size)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise requests.ConnectionError(str(error)) from error
        return data


def upload(engine: Engine, container: str, path: str, chunks: Iterable[bytes]) -> None:
    """Unpack a tar stream below ``path``, which must be a folder of the container."""
    url = engine.client._url("/containers/{0}/archive", container)
    with explained("the volume cannot be written"):
        response = engine.client.put(url, params={"path": path}, data=iter(chunks), timeout=None)
        engine.client._raise_for_status(response)


def remove_helper(engine: Engine, container: str) -> None:
    """Remove a container with the unnamed volumes that its image asked for; what is gone already is no error."""
    import docker.errors

    with explained("the helper container cannot be removed", container):
        try:
            engine.client.remove_container(container, force=True, v=True)
        except docker.errors.NotFound:
            return


def labelled(engine: Engine, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Id (``Id``) and ``Labels`` of every container that bears all of the labels, running or not."""
    with explained("the containers cannot be listed"):
        rows: list[dict[str, Any]] = engine.client.containers(all=True, filters={"label": list(labels)})
    return rows


def users(engine: Engine, volume: str) -> list[User]:
    """The containers that mount the volume, stopped ones too."""
    found = []
    with explained("the containers cannot be listed"):
        rows = engine.client.containers(all=True, filters={"volume": volume})
    for row in rows:
        for mount in row.get("Mounts") or ():
            if mount.get("Name") == volume:
                found.append(
                    User(
                        id=row["Id"],
                        name=row["Names"][0].lstrip("/") if row.get("Names") else row["Id"][:12],
                        labels=row.get("Labels") or {},
                        running=row["State"] in ("running", "paused", "restarting"),
                        paused=row["State"] == "paused",
                        target=mount.get("Destination", ""),
                        read_only=not mount.get("RW", True),
                    )
                )
    return found


def pause(engine: Engine, container: str) -> None:
    with explained("the container cannot be paused", container):
        engine.client.pause(container)


def create_volume(
    engine: Engine, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]
) -> None:
    with explained(f"the volume {name} cannot be created"):
        engine.client.create_volume(name, driver, dict(options), dict(labels))


def volumes(engine: Engine, label: str | None = None) -> list[dict[str, Any]]:
    """The engine's descriptions of its volumes, of those with the label ``key=value`` where one is given."""
    with explained("the volumes cannot be listed"):
        rows: list[dict[str, Any]] = engine.client.volumes(filters={"label": label} if label else None)["Volumes"] or []
    return rows


def sizes(engine: Engine) -> dict[str, int]:
    """Bytes on disk by volume name, where the driver tells. The engine walks its volumes: slow where they are big.

    Docker 20.10 refuses to do so for two at a time, so the second waits for its turn.
    """
    url = engine.client._url("/system/df")
    deadline = time.monotonic() + SIZES_SECONDS
    with explained("the engine does not tell the volumes' sizes"):
        while True:
            response = engine.client.get(url, params={"type": "volume"}, timeout=None)
            if response.ok or SIZES_BUSY not in response.text or time.monotonic() > deadline:
                break
            time.sleep(SIZES_INTERVAL)
        rows = engine.client._result(response, json=True).get("Volumes") or []
    found = {row["Name"]: int((row.get("UsageData") or {}).get("Size", -1)) for row in rows}
    return {name: size for name, size in found.items() if size >= 0}


def local_images(engine: Engine) -> list[str]:
    """The ids of the images that are here, the smallest first."""
    with explained("the images cannot be listed"):
        rows = engine.client.images()
    return [row["Id"] for row in sorted(rows, key=lambda row: int(row.get("Size") or 0))]


def empty_image(engine: Engine) -> str:
    """An image with nothing in it, made without a pull; for an engine that has no image at all."""
    with explained("an empty image cannot be made"):
        url = engine.client._url("/images/create")
        response = engine.client.post(
            url,
            params={"fromSrc": "-", "repo": "devmount-helper", "tag": "empty"},
            data=b"\0" * 10240,
            headers={"Content-Type": "application/tar"},
            timeout=engine.client.timeout,
        )
        engine.client._raise_for_status(response)
    return "devmount-helper:empty"
