"""What Podman says of a process that ends at the wrong moment; it cannot be made to say so at will."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from docker.errors import APIError

from devmount.engine import stopping

ENDED = "container 7394c911 could not be stopped: read /proc/1763/cgroup: no such process"


class Client:
    """Answers each removal with the next of these errors, then with success."""

    def __init__(self, *errors: str) -> None:
        self._errors: Iterator[str] = iter(errors)
        self.removed: list[str] = []

    def remove_container(self, container: str, **options: Any) -> None:
        for text in self._errors:
            raise APIError("500 Server Error", requests.Response(), text)
        self.removed.append(container)


def test_a_removal_is_tried_again_when_the_process_ended_meanwhile() -> None:
    client = Client(ENDED, ENDED)
    stopping.remove(client, "it", podman=True)
    assert client.removed == ["it"]


@pytest.mark.parametrize(("text", "podman"), [(ENDED, False), ("device or resource busy", True)])
def test_any_other_failure_is_told(text: str, podman: bool) -> None:
    with pytest.raises(APIError, match=text[-20:]):
        stopping.remove(Client(text, text), "it", podman=podman)


def test_it_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "KILL_SECONDS", 0.05)
    with pytest.raises(APIError, match="no such process"):
        stopping.remove(Client(*[ENDED] * 1000), "it", podman=True)
