import json

from devmount import events


def test_an_event_is_one_line_of_json_with_its_time_and_name() -> None:
    line = events.to_json(events.Exited(time=1.5, service="app", signal="SIGKILL"))
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:01.500000Z",
        "event": "exited",
        "service": "app",
        "signal": "SIGKILL",
    }


def test_every_kind_of_event_comes_back_from_its_line() -> None:
    for kind in events.KINDS.values():
        event = kind(time=1234.25, service="app")
        assert events.from_json(events.to_json(event)) == event


def test_a_line_that_is_no_event_is_none() -> None:
    for line in ("", "null", "[]", "7", '{"event": "nope"}', '{"event": "log", "time": "now"}', "Traceback"):
        assert events.from_json(line) is None
