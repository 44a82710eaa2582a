"""Where in a TOML text each key and each value stands. ``tomllib`` reads the values and keeps no places.

Only texts that ``tomllib`` has taken come here, so the scanner trusts the grammar (toml.io, v1.0.0).
"""

import re
import tomllib
from dataclasses import dataclass

Path = tuple[str | int, ...]

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
SPACE = re.compile(r"[ \t]*")
FILLER = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
SCALAR = re.compile(r"[^,\]}\r\n#]*")
STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column from 1, and the length of what stands there."""

    line: int
    column: int
    length: int


@dataclass(frozen=True, slots=True)
class Places:
    """Of a key, and of its value; a table's value is its header."""

    key: Place
    value: Place


def find(text: str) -> dict[Path, Places]:
    """The places of everything in ``text``, by path; a path holds the names of keys and the numbers of list items."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0]
        self._lines += [match.end() for match in re.finditer("\n", text)]
        self._found: dict[Path, Places] = {}
        self._implied: dict[Path, Places] = {}  # tables that only headers of tables within them name
        self._counts: dict[Path, int] = {}

    def scan(self) -> dict[Path, Places]:
        self._skip(FILLER)
        table: Path = ()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(FILLER)
        return self._implied | self._found

    def _header(self) -> Path:
        begin = self._at
        is_item = self._text.startswith("[[", self._at)
        self._at += 2 if is_item else 1
        keys = [key for key, _ in self._keys()]
        self._at += 2 if is_item else 1
        place = self._place(begin, self._at)
        path = self._resolve(keys[:-1])
        for end in range(1, len(path) + 1):
            self._implied.setdefault(path[:end], Places(place, place))
        if is_item:
            number = self._counts.get((*path, keys[-1]), -1) + 1
            self._counts[(*path, keys[-1])] = number
            self._found.setdefault((*path, keys[-1]), Places(place, place))
            path = (*path, keys[-1], number)
        else:
            path = (*path, keys[-1])
        self._found.setdefault(path, Places(place, place))
        return path

    def _resolve(self, keys: list[str]) -> Path:
        """The path of a header's leading keys; one that names a list of tables means its last."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _pair(self, table: Path) -> None:
        path = table
        places = []
        for key, place in self._keys():
            path = (*path, key)
            places.append((path, place))
        self._at += 1  # "="
        self._skip(SPACE)
        value = self._value(path)
        for part, place in places:
            self._found.setdefault(part, Places(place, value))

    def _keys(self) -> list[tuple[str, Place]]:
        """A dotted key, and the space around it."""
        found = []
        while True:
            self._skip(SPACE)
            begin = self._at
            if self._text[self._at] in "\"'":
                self._skip(STRINGS[2] if self._text[self._at] == '"' else STRINGS[3])
                name = next(iter(tomllib.loads(f"{self._text[begin : self._at]} = 0")))
            else:
                self._skip(BARE_KEY)
                name = self._text[begin : self._at]
            found.append((name, self._place(begin, self._at)))
            self._skip(SPACE)
            if self._text[self._at : self._at + 1] != ".":
                return found
            self._at += 1

    def _value(self, path: Path) -> Place:
        begin = self._at
        char = self._text[self._at]
        if char == "[":
            self._array(path)
        elif char == "{":
            self._inline_table(path)
        elif char in "\"'":
            for pattern in STRINGS:
                if match := pattern.match(self._text, self._at):
                    self._at = match.end()
                    break
        else:
            self._skip(SCALAR)
            while self._text[self._at - 1] in " \t":
                self._at -= 1
        return self._place(begin, self._at)

    def _array(self, path: Path) -> None:
        self._at += 1
        number = 0
        while True:
            self._skip(FILLER)
            if self._text[self._at] == "]":
                break
            place = self._value((*path, number))
            self._found[(*path, number)] = Places(place, place)
            number += 1
            self._skip(FILLER)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip(FILLER)
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip(FILLER)
            if self._text[self._at] == ",":
                self._at += 1
            self._skip(FILLER)
        self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _place(self, begin: int, end: int) -> Place:
        low, high = 0, len(self._lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._lines[middle] <= begin else (low, middle)
        line_end = self._text.find("\n", begin)
        last = min(end, line_end if line_end != -1 else len(self._text))
        return Place(low + 1, begin - self._lines[low] + 1, max(1, last - begin))
