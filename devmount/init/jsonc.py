"""JSON with comments, as editors and dev containers write it: read, and added to without losing a character; pure.

Comments and commas before a closing bracket are blanked out in place, so that what stays is JSON with every value
where it was in the text.
"""

import json
import re
from typing import Any

COMMENT = r"//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/"
BLANK = rf"(?:\s|{COMMENT})*+"
TOKEN = re.compile(rf'"(?:[^"\\\n]|\\.)*"|{COMMENT}|/\*|,(?={BLANK}[}}\]])')
COMMA = re.compile(rf"{BLANK},")
REST = re.compile(r"[ \t]*(?://[^\n]*|/\*(?:[^*\n]|\*(?!/))*\*/[ \t]*)?(?=\n|$)")


class NotJson(ValueError):
    """What is wrong, and the line (1 the first)."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def strip(text: str) -> str:
    """The text as JSON, of the same length."""

    def blank(match: re.Match[str]) -> str:
        if match[0].startswith('"'):
            return match[0]
        if match[0] == "/*":
            raise NotJson("a comment is not closed", text.count("\n", 0, match.start()) + 1)
        return re.sub(r"[^\n]", " ", match[0])

    body = TOKEN.sub(blank, text)
    return " " + body[1:] if body.startswith("\ufeff") else body


def loads(text: str) -> Any:
    """The value; None for a text with nothing in it.

    Raises:
        NotJson: it is something else.
    """
    plain = strip(text)
    if not plain.strip():
        return None
    try:
        return json.loads(plain)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg[0].lower() + error.msg[1:], error.lineno) from None
    except (RecursionError, ValueError):
        raise NotJson("it is nested too deep, or a number is too long", 1) from None


def add(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with ``value`` put at ``path`` of keys, where nothing is; tables on the way are made.

    Raises:
        NotJson: it is no JSON, or something on the way is no table.
    """
    if not strip(text).strip():
        return text + _written(_nested(path, value), "") + "\n"
    known: Any = loads(text)
    for depth, key in enumerate(path):
        if not isinstance(known, dict):
            raise NotJson(f"{'.'.join(path[:depth]) or 'the file'} is not a table", 1)
        if key not in known:
            return _insert(text, path[:depth], json.dumps(key) + ": ", _nested(path[depth + 1 :], value))
        known = known[key]
    return text


def append(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with ``value`` at the end of the list at ``path``, which is made where there is none.

    Raises:
        NotJson: it is no JSON, or something else is there.
    """
    known: Any = loads(text)
    for depth, key in enumerate(path):
        if known is None or (isinstance(known, dict) and key not in known):
            return add(text, path, [value])
        if not isinstance(known, dict):
            raise NotJson(f"{'.'.join(path[:depth]) or 'the file'} is not a table", 1)
        known = known[key]
    if known is None and not path:
        return text + _written([value], "") + "\n"
    if not isinstance(known, list):
        raise NotJson(f"{'.'.join(path) or 'the file'} is not a list", 1)
    return _insert(text, path, "", value)


def _nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _insert(text: str, path: tuple[str, ...], key: str, value: Any) -> str:
    """Put an entry last into the table or list at ``path``."""
    plain = strip(text)
    begin, end = _span(plain, path)  # of its brackets
    last = _last(plain, begin, end)
    margin = _margin(text, begin)
    indent = _indent(text)
    entry = f"\n{margin}{indent}{key}{_written(value, margin + indent, indent)}"
    if last is None:  # empty, but for comments
        inner = text[begin + 1 : end].rstrip()
        return text[: begin + 1] + inner + entry + f"\n{margin}" + text[end:]
    has_comma = COMMA.match(text, last, end)
    if has_comma:
        place = has_comma.end()
        head = text[:place]
    else:
        place = last
        head = text[:last] + ","
    # a comment on the line of the last entry stays with it
    rest = REST.match(text[place:end])
    head += rest[0] if rest else ""
    place += rest.end() if rest else 0
    tail = text[place:end]
    return head + (tail.rstrip() if tail.strip() else "") + entry + f"\n{margin}" + text[end:]


def _span(plain: str, path: tuple[str, ...]) -> tuple[int, int]:
    """Where the brackets of the value at ``path`` open and close."""
    decoder = json.JSONDecoder()
    place = _skip(plain, 0)
    for key in path:
        place = _skip(plain, place + 1)
        found = None
        while plain[place] != "}":
            name, after = decoder.raw_decode(plain, place)
            value = _skip(plain, _skip(plain, after) + 1)
            if name == key:
                found = value  # the last of several is what counts
            _, after = decoder.raw_decode(plain, value)
            place = _skip(plain, after)
            if plain[place] == ",":
                place = _skip(plain, place + 1)
        assert found is not None
        place = found
    _, end = decoder.raw_decode(plain, place)
    return place, end - 1


def _last(plain: str, begin: int, end: int) -> int | None:
    """Where the last entry between two brackets ends; None where there is none."""
    inner = plain[begin + 1 : end].rstrip()
    return begin + 1 + len(inner) if inner.strip() else None


def _skip(plain: str, place: int) -> int:
    while place < len(plain) and plain[place] in " \t\r\n":
        place += 1
    return place


def _margin(text: str, place: int) -> str:
    """The blanks that begin the line of a place."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))].replace("\ufeff", "")


def _indent(text: str) -> str:
    """How the file indents."""
    match = re.search(r"\n([ \t]+)\S", text)
    return match[1] if match and len(match[1]) <= 8 else "  "


def _written(value: Any, margin: str, indent: str = "  ") -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False).replace("\n", "\n" + margin)
