"""What every engine does with a container's log."""

import threading
import time

import pytest

from devmount.engine.engine import Engine
from devmount.logs import Line, LogParser
from tests.engines import Begin, log
from tests.harness import wait_until

pytestmark = pytest.mark.engine


def test_the_streams_stay_apart_and_lines_stay_whole(engine: Engine, begin: Begin) -> None:
    container = begin("echo out; echo err >&2; printf '%060000d\\n' 7; printf 'tab\\tümlaut €\\n'; printf 'no end'")
    engine.wait(container.id)
    lines = log(engine, container)
    assert [text for stream, text in lines if stream == "stderr"] == ["err"]
    assert [text for stream, text in lines if stream == "stdout"] == [
        "out",
        "7".rjust(60000, "0"),
        "tab\tümlaut €",
        "no end",
    ]


def test_the_last_lines_and_those_since_a_time(engine: Engine, begin: Begin) -> None:
    container = begin("for i in 1 2 3; do echo early $i; done; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo late")
    wait_until(lambda: len(log(engine, container)) == 3)
    assert log(engine, container, tail=2) == [("stdout", "early 2"), ("stdout", "early 3")]
    time.sleep(1.1)  # the moment to ask for must lie between the lines; Podman's log knows whole seconds only
    since = time.time()
    engine.exec_output(container.id, ["touch", "/tmp/go"], "0")
    engine.wait(container.id)
    assert log(engine, container, since=since) == [("stdout", "late")]


def test_a_followed_log_gives_lines_as_they_come_and_ends_with_the_container(engine: Engine, begin: Begin) -> None:
    container = begin("echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two")
    seen: list[str] = []

    def follow() -> None:
        parser = LogParser()
        for chunk in engine.logs(container.id, follow=True, since=None, tail=None):
            seen.extend(item.text for item in parser.feed(chunk) if isinstance(item, Line))

    reader = threading.Thread(target=follow)
    reader.start()
    wait_until(lambda: seen == ["one"])
    engine.exec_output(container.id, ["touch", "/tmp/go"], "0")
    wait_until(lambda: seen == ["one", "two"])
    reader.join(10)
    assert not reader.is_alive()
