"""Globs as git's own matcher takes them, as regular expressions of bytes. Pure; the rules are gitignore(5)'s."""

import re
from collections.abc import Callable

SPECIAL = b"*?[\\"  # what ends the literal part of a pattern
CLASSES: dict[bytes, Callable[[int], bool]] = {
    b"alnum": lambda c: chr(c).isalnum(),
    b"alpha": lambda c: chr(c).isalpha(),
    b"blank": lambda c: c in b" \t",
    b"cntrl": lambda c: c < 32 or c == 127,
    b"digit": lambda c: c in b"0123456789",
    b"graph": lambda c: 32 < c < 127,
    b"lower": lambda c: c in range(ord("a"), ord("z") + 1),
    b"print": lambda c: 32 <= c < 127,
    b"punct": lambda c: 32 < c < 127 and not chr(c).isalnum(),
    b"space": lambda c: c in b" \t\n\r",  # git's own, without \v and \f
    b"upper": lambda c: c in range(ord("A"), ord("Z") + 1),
    b"xdigit": lambda c: c in b"0123456789abcdefABCDEF",
}


class Invalid(Exception):
    """The pattern can match nothing."""


def literal_length(pattern: bytes) -> int:
    return next((place for place, char in enumerate(pattern) if char in SPECIAL), len(pattern))


STAR = b"[^/]*"
DEEP = b".*"
FOLDERS = b"(?:.*/)?"  # "**/"


def translate(pattern: bytes) -> bytes:
    """The regular expression of a glob in which "*", "?" and "[" do not cross a slash."""
    out: list[bytes] = []
    place = 0
    while place < len(pattern):
        char = pattern[place : place + 1]
        if char == b"*":
            begin = place
            while pattern[place : place + 1] == b"*":
                place += 1
            follows = pattern[place : place + 2]
            leads = begin == 0 or pattern[begin - 1 : begin] == b"/"
            if place - begin > 1 and leads and (not follows or follows[:1] == b"/" or follows == b"\\/"):
                out.append(FOLDERS if follows[:1] == b"/" else DEEP)
                place += follows[:1] == b"/"
            else:
                out.append(STAR)
            continue
        place += 1
        if char == b"?":
            out.append(rb"[^/]")
        elif char == b"[":
            members, place = _class(pattern, place)
            out.append(_set(members - {ord("/")}))
        elif char == b"\\":
            if place == len(pattern):
                raise Invalid
            out.append(re.escape(pattern[place : place + 1]))
            place += 1
        else:
            out.append(re.escape(char))
    return _settled(out, FOLDERS, b"(?:.*?/)??", lambda tokens: _settled(tokens, STAR, b"[^/]*?", b"".join))


def _settled(tokens: list[bytes], wild: bytes, lazy: bytes, inner: Callable[[list[bytes]], bytes]) -> bytes:
    """Join the tokens so that a match does not try all ways to share a path out among many wildcards of one kind.

    What stands between two of them may stay at the first place where it fits: the second takes up whatever is left. So
    it goes into an atomic group, with a lazy wildcard in front of it.
    """
    pieces: list[list[bytes]] = [[]]
    for token in tokens:
        if token == wild:
            pieces.append([])
        else:
            pieces[-1].append(token)
    out = [inner(pieces[0])]
    for number, piece in enumerate(pieces[1:], 1):
        text = inner(piece)
        last = number == len(pieces) - 1
        out.append(wild + text if last or DEEP in piece or FOLDERS in piece else b"(?>" + lazy + text + b")")
    return b"".join(out)


def _set(members: set[int]) -> bytes:
    if not members:
        raise Invalid
    return b"[" + b"".join(b"\\x%02x" % member for member in sorted(members)) + b"]"


def _class(pattern: bytes, place: int) -> tuple[set[int], int]:
    """The bytes that a "[...]" stands for, from behind its "[", and where it ends."""
    negated = pattern[place : place + 1] in (b"!", b"^")
    place += negated
    members: set[int] = set()
    previous: int | None = None
    first = True
    while True:
        if place >= len(pattern):
            raise Invalid
        char = pattern[place]
        if char == ord("]") and not first:
            break
        first = False
        if char == ord("-") and previous is not None and pattern[place + 1 : place + 2] not in (b"", b"]"):
            end, place = _member(pattern, place + 1)
            members.update(range(previous, end + 1))
            previous = None
        elif pattern[place : place + 2] == b"[:":
            end = pattern.find(b"]", place + 2)
            if end == -1:
                raise Invalid
            if end == place + 2 or pattern[end - 1 : end] != b":":
                members.add(char)
                previous = char
                place += 1
                continue
            belongs = CLASSES.get(pattern[place + 2 : end - 1])
            if belongs is None:
                raise Invalid
            members.update(c for c in range(128) if belongs(c))
            previous = None
            place = end + 1
        else:
            previous, place = _member(pattern, place)
            members.add(previous)
    return (set(range(256)) - members if negated else members), place + 1


def _member(pattern: bytes, place: int) -> tuple[int, int]:
    """A byte, escaped or not, and the place after it."""
    if pattern[place : place + 1] == b"\\":
        place += 1
    if place >= len(pattern):
        raise Invalid
    return pattern[place], place + 1
