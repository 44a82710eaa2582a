"""Signals to containers, and the stop and the removal that are made of them.

Docker's calls do what their names say. Podman (4.3) needs two detours. Its stop holds the container locked for the
whole timeout, so that an impatient SIGKILL waits for it: the stop is done here, by signals. And its Docker API answers
a SIGKILL only after 20 s: it goes by Podman's own API, on the same socket.
"""

import math
import time
from typing import Any

LIBPOD = "/v4.0.0/libpod"  # the lowest version that Podman 4 and 5 speak
KILL_SECONDS = 10.0  # from SIGKILL to the end; only a process in uninterruptible sleep takes longer
POLL = 0.02
ENDED_MEANWHILE = "no such process"  # strerror of ESRCH, in Podman's answer


def kill(client: Any, container: str, signal: str, *, podman: bool) -> None:
    """Send the container's first process a signal."""
    if podman:
        url = f"{client.base_url}{LIBPOD}/containers/{container}/kill"
        client._raise_for_status(client.post(url, params={"signal": signal}, timeout=client.timeout))
    else:
        client.kill(container, signal)


def stop(client: Any, container: str, timeout: float, *, podman: bool) -> None:
    """The container's stop signal, then after ``timeout`` seconds SIGKILL."""
    if not podman:
        client.stop(container, timeout=math.ceil(timeout))
        return
    signal = str(client.inspect_container(container)["Config"].get("StopSignal") or "SIGTERM")
    for name, seconds in ((signal, timeout), ("SIGKILL", KILL_SECONDS)):
        deadline = time.monotonic() + seconds
        if _runs(client, container):
            _kill_if_running(client, container, name)
        while _runs(client, container) and time.monotonic() < deadline:
            time.sleep(POLL)


def remove(client: Any, container: str, *, podman: bool) -> None:
    """Remove it, running or not. Podman fails at one whose process ends while it is being looked at: then once more."""
    from docker.errors import APIError

    deadline = time.monotonic() + KILL_SECONDS
    while True:
        try:
            client.remove_container(container, force=True, v=False)
        except APIError as error:
            if not podman or ENDED_MEANWHILE not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(POLL)
        else:
            return


def _runs(client: Any, container: str) -> bool:
    return bool(client.inspect_container(container)["State"]["Running"])


def _kill_if_running(client: Any, container: str, signal: str) -> None:
    """It may end by itself between a look and the signal."""
    from docker.errors import APIError

    try:
        kill(client, container, signal, podman=True)
    except APIError:
        if _runs(client, container):  # the answer to a kill that came too late is 409, or 500 while it is being stopped
            raise
