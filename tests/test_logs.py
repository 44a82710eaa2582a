import struct

from hypothesis import given
from hypothesis import strategies as st

from devmount.logs import LONGEST_LINE, Line, LogParser, Record, last_start
from devmount.supervisor import ProcessExited, ProcessStarted, Signalled, parse_record

STARTED = b"\x1b_devmount;started;12\x1b\\\n"


def frame(data: bytes, stream: int = 1) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def parsed(*chunks: bytes, tty: bool = False) -> list[Line | Record]:
    parser = LogParser(tty=tty)
    found = [item for chunk in chunks for item in parser.feed(chunk)]
    return found + parser.flush()


def test_streams_are_told_apart_and_lines_lose_their_ends() -> None:
    data = frame(b"out\r\n") + frame(b"err\n", 2) + frame(b"no end")
    assert parsed(data) == [Line("stdout", "out"), Line("stderr", "err"), Line("stdout", "no end")]


def test_a_record_is_taken_out_of_the_log_and_ends_what_was_written_before_it() -> None:
    assert parsed(frame(b"a\n" + STARTED + b"b\n")) == [Line("stdout", "a"), ProcessStarted(12), Line("stdout", "b")]
    assert parsed(frame(b"no end" + STARTED)) == [Line("stdout", "no end"), ProcessStarted(12)]


def test_what_only_looks_like_a_record_is_the_programs_own() -> None:
    for text in ("\x1b_devmount;nonsense;1\x1b\\", "\x1b_devmount;started;x\x1b\\", "\x1b_devmount;started;1"):
        assert parsed(frame(text.encode() + b"\n")) == [Line("stdout", text)]
    assert parsed(frame(STARTED, 2)) == [Line("stderr", STARTED.decode().rstrip("\n"))]  # records come on stdout alone


def test_a_terminals_stream_has_no_frames() -> None:
    assert parsed(b"one\r\ntw", b"o\r\n", tty=True) == [Line("stdout", "one"), Line("stdout", "two")]


def test_a_line_without_end_does_not_grow_without_end() -> None:
    items = parsed(frame(b"x" * (LONGEST_LINE * 2 + 5)))
    assert [len(item.text) for item in items if isinstance(item, Line)] == [LONGEST_LINE, LONGEST_LINE, 5]


def test_records_name_exit_codes_and_signals() -> None:
    assert parse_record("exited;3") == ProcessExited(3, None)
    assert parse_record("exited;137") == ProcessExited(None, "SIGKILL")
    assert parse_record("signalled;HUP") == Signalled("SIGHUP")
    assert parse_record("exited;") is None


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=20))
def test_where_the_chunks_are_cut_makes_no_difference(content: bytes, cuts: list[int]) -> None:
    data = frame(content) + frame(STARTED) + frame(content, 2)
    chunks, place = [], 0
    for cut in cuts:
        chunks.append(data[place : place + cut])
        place += cut
    assert parsed(*chunks, data[place:]) == parsed(data)


@given(st.binary(max_size=300))
def test_nothing_that_comes_in_raises(data: bytes) -> None:
    parsed(data)
    parsed(data, tty=True)


def test_a_log_with_times_tells_when_the_program_was_last_started() -> None:
    at = "2026-01-02T03:04:{:02}.123456789Z "
    rows = [
        at.format(5).encode() + STARTED,
        at.format(6).encode() + b"a line\n",
        at.format(7).encode() + b"no end" + STARTED,
        at.format(8).encode() + b"\x1b_devmount;exited;0\x1b\\\n",
    ]
    data = b"".join(map(frame, rows)) + frame(at.format(9).encode() + STARTED, 2)
    assert last_start([data[:10], data[10:100], data[100:]]) == 1767323047.123456
    assert last_start([frame(rows[1])]) is None
