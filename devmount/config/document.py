"""One file of the project, read: its values, where each stands, and its mistakes of form."""

import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devmount.config import positions
from devmount.config.positions import Place, Places
from devmount.errors import ConfigError, UsageError

LARGEST = 1024 * 1024  # bytes; a project file is written by hand
TOML_ERROR = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
TWICE = ("Cannot declare", "Cannot overwrite", "Cannot mutate")  # tomllib's words
HEADER = re.compile(r"\s*(\[\[?[^\]]*\]\]?)")
KEY = re.compile(r"\s*([^=#\s][^=#]*?)\s*=")
LONG_NUMBER = re.compile(r"[0-9A-Fa-f_]{640,}")  # sys.set_int_max_str_digits takes no lower limit
SHOWN = 100  # characters of a line


@dataclass
class Document:
    """A file and its text. ``values`` is as ``tomllib`` gives it."""

    path: Path
    text: str
    values: dict[str, Any]
    _places: dict[positions.Path, Places] | None = field(default=None, repr=False)

    def place(self, path: positions.Path, *, at_key: bool = False) -> Place | None:
        """Where a path stands, or else the nearest thing around it; None for what is not in this file."""
        if self._places is None:
            self._places = positions.find(self.text)
        while path:
            found = self._places.get(path)
            if found:
                return found.key if at_key else found.value
            path, at_key = path[:-1], False
        return None

    def line(self, path: positions.Path) -> int | None:
        """The line on which exactly this path stands."""
        if self._places is None:
            self._places = positions.find(self.text)
        found = self._places.get(path)
        return found.key.line if found else None

    def locate(self, path: positions.Path, *, at_key: bool = False) -> tuple[tuple[int, int], str]:
        """Line and column of a path, to sort by, and what an error says of them."""
        place = self.place(path, at_key=at_key)
        return ((place.line, place.column) if place else (0, 0)), self._where(place)

    def label(self, path: positions.Path) -> str:
        """Where a value came from, in short."""
        line = self.line(path)
        return self.path.name + (f":{line}" if line else "")

    def error(self, message: str, hint: str, place: Place) -> UsageError:
        """An error that shows its line."""
        return UsageError(message, self._where(place), hint)

    def _where(self, place: Place | None) -> str:
        if place is None:
            return str(self.path)
        return f"{self.path}:{place.line}:{place.column}\n{_excerpt(self.text, place)}"


def read(path: Path) -> Document:
    """Read and parse one file.

    Raises:
        ConfigError: it is not TOML.
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"the project file cannot be read: {error.strerror}", str(path)) from error
    if len(data) > LARGEST:
        raise UsageError(f"the file is larger than {LARGEST // 1024} KiB", str(path), "this is not a project file")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError("the file is not UTF-8", f"{path}:{line}", "save it as UTF-8") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_error(path, text, str(error))]) from None
    except ValueError:  # Python's limit on the digits of a number
        found = LONG_NUMBER.search(text)
        start = found.start() if found else 0
        place = Place(text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start), 1)
        words = "not TOML: the number is too long"
        raise ConfigError([Document(path, text, {}).error(words, "no key takes such a number", place)]) from None
    except RecursionError:
        raise UsageError("the file is nested too deep", str(path), "this is not a project file") from None
    return Document(path, text, values)


def _syntax_error(path: Path, text: str, message: str) -> UsageError:
    match = TOML_ERROR.fullmatch(message)
    lines = text.split("\n")
    if match is None:
        return UsageError(f"not TOML: {message}", str(path), "see toml.io")
    if match[2] is None:
        while len(lines) > 1 and not lines[-1].strip():
            lines.pop()
        place = Place(len(lines), len(lines[-1]) + 1, 1)
    else:
        place = Place(int(match[2]), int(match[3]), 1)
    document = Document(path, text, {})
    if match[1].startswith(TWICE):
        return _twice(document, lines, place)
    words, hint = _syntax_words(match[1], lines[place.line - 1], place.column - 1)
    return document.error(f"not TOML: {words}", hint, place)


def _twice(document: Document, lines: list[str], place: Place) -> UsageError:
    """A table or key that stands twice; ``place`` is where ``tomllib`` noticed, somewhere behind it."""
    line = lines[place.line - 1]
    found = HEADER.match(line) or KEY.match(line)
    if found is None:
        return document.error("not TOML: the key of this value stands twice", "leave one of them out", place)
    name = found[1]
    place = Place(place.line, found.start(1) + 1, len(name))
    return document.error(f"not TOML: {name} stands twice", "join the two: a table or key stands once", place)


def _syntax_words(message: str, line: str, column: int) -> tuple[str, str]:
    """What is wrong, and what to do, from ``tomllib``'s message and the line that it is about."""
    words = message[0].lower() + message[1:]
    before, rest = line[:column].rstrip(), line[column:].strip()
    if message.startswith("Illegal character '\\n'"):
        return "the text is not closed", "end it with the quote that it begins with"
    if message.startswith("Duplicate"):
        return words, "leave one of them out"
    if "Unescaped" in message:
        return words, "write \\\\ for a backslash, or put the text in single quotes"
    if message.startswith(("Invalid value", "Unclosed array")) and not rest and before.endswith(("[", ",")):
        return "the list is not closed", "close it with ]"
    if message.startswith("Invalid value"):
        return words, 'text stands in quotes: key = "text"' if rest else "give the key a value"
    if line.lstrip().startswith("[") and "]" not in line:
        return words, "close the header with ]"
    if "=" not in line and ":" in line:
        return words, "TOML writes key = value"
    return words, "see toml.io for how TOML is written"


def _excerpt(text: str, place: Place) -> str:
    line = text.split("\n")[place.line - 1] if place.line <= text.count("\n") + 1 else ""
    begin = max(0, place.column - 1 - SHOWN // 2) if len(line) > SHOWN else 0
    part = line[begin : begin + SHOWN].replace("\t", " ")
    part = "".join(char if char.isprintable() else "?" for char in part)
    at = place.column - 1 - begin
    number = str(place.line)
    carets = "^" * max(1, _width(part[at : at + place.length]))
    return f"{number} | {part}\n{' ' * len(number)} | {' ' * _width(part[:at])}{carets}"


def _width(text: str) -> int:
    """Columns of a terminal (Unicode Standard Annex 11): wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
