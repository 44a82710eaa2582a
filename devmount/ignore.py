"""Which paths do not count: the rules of gitignore(5), pattern by pattern as git's own matcher takes them.

Pure: texts of rules files come in, verdicts go out; ``watch`` reads the files. Paths are relative, "/" between the
parts, undecodable bytes as surrogate escapes; matching is by bytes, as git's is ("?" is one byte).
"""

import os
import re
from collections.abc import Iterable, Sequence
from functools import cache

from devmount.globs import Invalid, literal_length, translate

# What editors, version control and interpreters leave beside the files that people edit. The weakest rules of all: a
# project's own may take any of them back.
USUAL = """
*~
.*.sw[a-z]
.*.kate-swp
.#*
\\#*\\#
*___jb_old___
*___jb_tmp___
*___jb_bak___
*.vsctmp
*-go-tmp-umask
4913
.goutputstream-*
flymake_*.*
flycheck_*
.DS_Store
*.pyc
*.pyc.*
*.pyo
__pycache__/
.hg/
.svn/
.idea/
.vscode/
.tox/
.venv/
.mypy_cache/
.pytest_cache/
.ruff_cache/
.hypothesis/
node_modules/
.sass-cache/
.devmount/
"""


class _Pattern:
    """One line. ``regex`` is matched against the basename, or the whole path where the pattern has a slash."""

    __slots__ = ("body", "by_name", "is_negated", "only_folders")

    def __init__(self, line: bytes) -> None:
        self.is_negated = line.startswith(b"!")
        if self.is_negated:
            line = line[1:]
        literal = literal_length(line)
        self.only_folders = line.endswith(b"/")
        if self.only_folders:
            line = line[:-1]
        literal = min(literal, len(line))
        self.by_name = b"/" not in line
        if self.by_name:
            self.body = translate(line)
            return
        if line.startswith(b"/"):
            line, literal = line[1:], max(0, literal - 1)
        # git compares the literal head itself and hands its matcher the rest, so "**" right after it counts as leading
        self.body = re.escape(line[:literal]) + translate(line[literal:])


class Patterns:
    """The patterns of one rules file, relative to that file's folder; the last that matches decides."""

    def __init__(self, text: str | bytes | Iterable[str]) -> None:
        if isinstance(text, str):
            text = os.fsencode(text)
        lines = _lines(text) if isinstance(text, bytes) else [trim(os.fsencode(line)) for line in text]
        self._runs: list[tuple[bool, _Any]] = []
        group: list[_Pattern] = []
        for line in lines:
            if not line or line.startswith(b"#"):
                continue
            try:
                pattern = _Pattern(line)
            except Invalid:
                continue
            if group and group[-1].is_negated != pattern.is_negated:
                self._runs.append((not group[-1].is_negated, _Any(group)))
                group = []
            group.append(pattern)
        if group:
            self._runs.append((not group[-1].is_negated, _Any(group)))
        self._runs.reverse()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def verdict(self, path: bytes, name: bytes, is_dir: bool) -> bool | None:
        """Whether ``path`` itself (basename ``name``) is ignored; None when no pattern speaks of it."""
        for ignored, patterns in self._runs:
            if patterns.match(path, name, is_dir):
                return ignored
        return None

    def matches(self, path: str, is_dir: bool = False) -> bool:
        """Whether ``path``, or a folder above it, is matched: what ``on_change.files`` asks."""
        whole = os.fsencode(path)
        place = whole.find(b"/")
        while place != -1:
            if self.verdict(whole[:place], _name(whole[:place]), True):
                return True
            place = whole.find(b"/", place + 1)
        return bool(self.verdict(whole, _name(whole), is_dir))


class _Any:
    """Neighbouring patterns of one sign, joined into few regular expressions."""

    __slots__ = ("_names", "_paths")

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._names = _joined([pattern for pattern in patterns if pattern.by_name])
        self._paths = _joined([pattern for pattern in patterns if not pattern.by_name])

    def match(self, path: bytes, name: bytes, is_dir: bool) -> bool:
        names, paths = self._names[is_dir], self._paths[is_dir]
        return bool((names and names.fullmatch(name)) or (paths and paths.fullmatch(path)))


def _joined(patterns: list[_Pattern]) -> tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None]:
    """For files and for folders."""

    def join(chosen: list[_Pattern]) -> re.Pattern[bytes] | None:
        return re.compile(b"|".join(b"(?:%s)" % pattern.body for pattern in chosen), re.DOTALL) if chosen else None

    return join([pattern for pattern in patterns if not pattern.only_folders]), join(patterns)


class Ignore:
    """All the rules of a project, strongest first: ``[watch] ignore``, rules files from the innermost folder out, then
    ``.git/info/exclude``, the user's excludes file and what is usual. ``.git`` is ignored whatever they say.

    Args:
        top: the patterns of ``[watch] ignore``.
        prefix: the project's folder relative to the one that the outermost rules file may lie in, "" when the same.
    """

    def __init__(self, top: Iterable[str] = (), prefix: str = "") -> None:
        self._prefix = os.fsencode(prefix) + b"/" if prefix else b""
        self._top = Patterns(top)
        self._folders: dict[bytes, Patterns] = {}
        self._below: tuple[Patterns, ...] = ()
        self._usual = _usual()

    def copy(self) -> "Ignore":
        """These rules, that stay as they are when these change."""
        other = Ignore()
        other._prefix, other._top, other._below = self._prefix, self._top, self._below
        other._folders = dict(self._folders)
        return other

    def set_rules(self, folder: str, text: bytes | None) -> None:
        """Take the text of the rules file in ``folder`` (relative to the outermost one); None: there is none now."""
        key = os.fsencode(folder)
        patterns = Patterns(text) if text else None
        if patterns:
            self._folders[key] = patterns
        else:
            self._folders.pop(key, None)

    def has_rules(self, folder: str) -> bool:
        """Whether there are rules of a file in ``folder`` (relative to the outermost one)."""
        return os.fsencode(folder) in self._folders

    def set_excludes(self, texts: Iterable[bytes]) -> None:
        """Take the texts of the files that stand behind all rules files, the strongest first."""
        self._below = tuple(Patterns(text) for text in texts)

    def entry(self, path: str, is_dir: bool) -> bool:
        """Whether ``path`` (relative to the project) is ignored, given that no folder above it is."""
        own = os.fsencode(path)
        name = _name(own)
        if name == b".git":
            return True
        verdict = self._top.verdict(own, name, is_dir)
        if verdict is not None:
            return verdict
        verdict = self._by_files(self._prefix + own, name, is_dir)
        return bool(self._usual.verdict(own, name, is_dir)) if verdict is None else verdict

    def hides_project(self) -> bool:
        """Whether the rules files above the project, or the excludes, ignore the project's folder itself."""
        place = self._prefix.find(b"/")
        while place != -1:
            folder = self._prefix[:place]
            if self._by_files(folder, _name(folder), True):
                return True
            place = self._prefix.find(b"/", place + 1)
        return False

    def _by_files(self, whole: bytes, name: bytes, is_dir: bool) -> bool | None:
        if self._folders:
            end = whole.rfind(b"/")
            while True:
                folder = whole[:end] if end != -1 else b""
                patterns = self._folders.get(folder)
                if patterns is not None:
                    verdict = patterns.verdict(whole[end + 1 :] if end != -1 else whole, name, is_dir)
                    if verdict is not None:
                        return verdict
                if end == -1:
                    break
                end = whole.rfind(b"/", 0, end)
        for patterns in self._below:
            verdict = patterns.verdict(whole, name, is_dir)
            if verdict is not None:
                return verdict
        return None

    def matches(self, path: str, is_dir: bool = False) -> bool:
        """Whether ``path`` or any folder above it is ignored; nothing below an ignored folder comes back."""
        place = path.find("/")
        while place != -1:
            if self.entry(path[:place], True):
                return True
            place = path.find("/", place + 1)
        return self.entry(path, is_dir)


@cache
def _usual() -> Patterns:
    return Patterns(USUAL)


def trim(line: bytes) -> bytes:
    """Without the spaces at the end, but for those that a backslash keeps (gitignore(5))."""
    kept = len(line.rstrip(b" "))
    backslashes = kept - len(line[:kept].rstrip(b"\\"))
    return line[: kept + 1] if backslashes % 2 and kept < len(line) else line[:kept]


def _lines(text: bytes) -> list[bytes]:
    """git reads a line as C does, up to a NUL."""
    lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [trim(line.removesuffix(b"\r").partition(b"\0")[0]) for line in lines]


def _name(path: bytes) -> bytes:
    return path[path.rfind(b"/") + 1 :]
