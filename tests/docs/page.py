"""A page of the documentation as a script: its files are written, its commands run, its outputs waited for.

A fenced block with a title, ```toml title="app.py", is a file. A ```console block holds command lines, each after "$ ",
and lines of what they print: these must come in this order, other lines may come in between, "…" stands for anything
within a line. A line that ends in "] y" is a question and its answer. ``devmount up`` goes on beside the commands after
it; lines before a block's first command are its, and "^C" ends it. What the reader need not see stands in a comment,
<!-- test and the same blocks -->.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>[\w-]*)[ \t]*(?P<rest>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.M | re.S
)
TITLE = re.compile(r'title="([^"]+)"')
HIDDEN = re.compile(r"<!-- test\n(.*?)-->", re.S)
FOREGROUND = re.compile(r"devmount up(?! .*(--detach|-d\b|--help))(\s|$)")


@dataclass(frozen=True, slots=True)
class File:
    """A file that the reader is told to write."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is waited for: of the command before it, else of the ``devmount up`` that runs."""

    text: str

    @property
    def answer(self) -> str | None:
        """What is typed after it."""
        return self.text.rpartition("] ")[2] if re.search(r"\] \w+$", self.text) else None

    @property
    def pattern(self) -> str:
        """A regular expression for it; runs of spaces are one, and a port is whichever it was."""
        shown = self.text.rpartition("] ")[0] + "]" if self.answer else self.text
        pieces = [
            r"\s+".join(map(re.escape, piece.split(" "))) for piece in re.sub(" +", " ", shown.strip()).split("…")
        ]
        return re.sub(r"127\\\.0\\\.0\\\.1:8000", r"127\\.0\\.0\\.1:\\d+", r"[^\r\n]*?".join(pieces))


@dataclass(frozen=True, slots=True)
class Command:
    """A command line. ``goes_on``: it runs beside what comes after it."""

    text: str

    @property
    def goes_on(self) -> bool:
        return FOREGROUND.match(self.text) is not None


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C to the ``devmount up`` that runs."""


@dataclass(frozen=True, slots=True)
class Block:
    """A console block begins: lines before its first command are those of the ``devmount up`` that runs."""


Step = File | Line | Command | Interrupt | Block


def steps(markdown: str) -> Iterator[Step]:
    """What a page tells its reader to do, in order."""
    for match in FENCE.finditer(HIDDEN.sub(lambda hidden: hidden[1], markdown)):
        title = TITLE.search(match["rest"])
        if match["language"] == "console":
            yield Block()
            yield from _console(match["body"])
        elif title:
            yield File(title[1], match["body"])


def _console(body: str) -> Iterator[Step]:
    for line in body.splitlines():
        if line.startswith("$ "):
            yield Command(line[2:])
        elif line.strip() == "^C":
            yield Interrupt()
        elif line.strip() not in ("", "…"):
            yield Line(line)


def shown_commands(markdown: str) -> Iterator[str]:
    """Command lines of devmount that blocks of other kinds show: there must be none."""
    for match in FENCE.finditer(HIDDEN.sub("", markdown)):
        if match["language"] in ("console", "toml", "json", "lua"):
            continue
        for line in match["body"].splitlines():
            if re.match(r"\s*(\$ )?(\w+=\S+ )*devmount ", line):
                yield line.strip()


def inline_commands(markdown: str) -> Iterator[str]:
    """Command lines of devmount within sentences, in code type."""
    for match in re.finditer(r"`(devmount(?: [^`\n]*)?)`", FENCE.sub("", markdown)):
        yield match[1]
