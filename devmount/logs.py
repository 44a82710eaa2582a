"""From the engine's multiplexed stream to lines of text, and the supervisor's records taken out of them."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from devmount.supervisor import RECORD_END, RECORD_START, Record, parse_record

__all__ = ["Demultiplexer", "Line", "LogParser", "Record", "last_start"]

HEADER = struct.Struct(">BxxxL")  # of a frame: stream number and length (Docker's API, "attach to a container")
STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}
LONGEST_LINE = 64 * 1024  # bytes; a longer one goes on in another line
LONGEST_RECORD = 64


def last_start(chunks: Iterable[bytes]) -> float | None:
    """When a supervised program was last started, by a log with the engine's timestamps; None where it does not tell.

    Args:
        chunks: a multiplexed stream in which an RFC 3339 time and a space stand before each line.

    Returns:
        Seconds since the epoch; whole ones on Podman 4, rounded down.
    """
    frames, text, found = Demultiplexer(), b"", None
    for chunk in chunks:
        text += b"".join(content for stream, content in frames.feed(chunk) if stream == "stdout")
        *lines, text = text.split(b"\n")
        for line in lines:
            at, _, rest = line.partition(b" ")
            if RECORD_START + b"started;" in rest:
                found = datetime.fromisoformat(at.decode()).timestamp()
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. ``stream``: stdout or stderr."""

    stream: str
    text: str


class Demultiplexer:
    """Takes frames apart, wherever the chunks cut them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The contents of the frames that are whole now."""
        self._rest += data
        found = []
        place = 0
        while len(self._rest) - place >= HEADER.size:
            number, length = HEADER.unpack_from(self._rest, place)
            end = place + HEADER.size + length
            if len(self._rest) < end:
                break
            found.append((STREAMS.get(number, "stdout"), self._rest[place + HEADER.size : end]))
            place = end
        self._rest = self._rest[place:]
        return found


class LogParser:
    """A container's stream as lines and records, in order.

    Args:
        tty: the container has a terminal; its stream then comes without frames, all of it as stdout.
    """

    def __init__(self, *, tty: bool = False) -> None:
        self._frames = None if tty else Demultiplexer()
        self._rest = {"stdout": b"", "stderr": b""}

    def feed(self, data: bytes) -> list[Line | Record]:
        """What is whole after this chunk."""
        found: list[Line | Record] = []
        for stream, content in self._frames.feed(data) if self._frames else [("stdout", data)]:
            self._rest[stream] += content
            found += self._split(stream)
        return found

    def flush(self) -> list[Line | Record]:
        """What is left of lines without an end; at the end of the stream."""
        left = [Line(stream, _text(rest)) for stream, rest in self._rest.items() if rest]
        self._rest = dict.fromkeys(self._rest, b"")
        return [*left]

    def _split(self, stream: str) -> list[Line | Record]:
        *whole, rest = self._rest[stream].split(b"\n")
        while len(rest) > LONGEST_LINE:
            whole.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._rest[stream] = rest
        found: list[Line | Record] = []
        for line in whole:
            found += self._line(stream, line) if stream == "stdout" else [Line(stream, _text(line))]
        return found

    def _line(self, stream: str, line: bytes) -> list[Line | Record]:
        """A record ends its line; what the program had written before it without a line end is a line of its own."""
        head, start, tail = line.rpartition(RECORD_START)
        if not start or not tail.endswith(RECORD_END) or len(tail) > LONGEST_RECORD:
            return [Line(stream, _text(line))]
        record = parse_record(tail[: -len(RECORD_END)].decode(errors="replace"))
        if record is None:
            return [Line(stream, _text(line))]
        return [*(self._line(stream, head) if head else []), record]


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
