"""Programs that write into their own mount must not reload themselves for ever. Pure.

A path that changes within a second of the program's start, start upon start, is suspected, and so is one that changes
with the same delay each time. Files made anew are taken together by their folder and suffix: a log may have the time
in its name. But scripts that save, look and save again do just that. What tells them apart is whether anyone reads the
file. A program's log or database is only written; then it takes few starts, its changes wait, and one reload after a
quiet time tells: if it changes at once again and is still unread, it is held off until someone reads it or the user
asks for a restart. What is read may be a person's: it takes many, most if it is source code, and then it only waits,
each time longer, and is never held off. One that does not wait for the start, but goes on changing, waits until it is
quiet in any case: that is a generator outside.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from devmount import events
from devmount.events import FileChange, Kind
from devmount.settle import Batch

SOON = 1.0  # seconds after the start
EARLY = 0.25  # seconds before it: of a start one hears a little later than of what the program does at once
ALIKE = 0.25  # seconds by which delays of a program that does the same at every start differ at most
UNREAD = 5  # starts in a row that nobody has read it in, before it counts as only written
UNREAD_IN_A_ROW = 10  # starts after which it has changed, if it is only written; a person hardly comes so far
READ_IN_A_ROW = 50  # if it is read; a script may come so far
CODE_IN_A_ROW = 200  # and if it is code, which programs hardly write
LOOKED_AT = (4, 20, 100)  # starts in a row, soon after which it has changed: then it is seen whether it goes on
LOOK = 0.3  # seconds
LONGEST_DELAY = 60.0  # seconds after a start; what comes later is not laid to it
QUIET = 3.0  # seconds without a change of the suspect, before the reload that tells
LONGEST_QUIET = 60.0
TELL = 10.0  # seconds of waiting after which the user is told
# fmt: off
CODE = frozenset({
    ".bash", ".c", ".cc", ".cfg", ".clj", ".conf", ".cpp", ".cs", ".css", ".dart", ".erb", ".erl", ".ex", ".exs",
    ".go", ".h", ".hpp", ".hs", ".htm", ".html", ".ini", ".java", ".jl", ".js", ".jsx", ".kt", ".less", ".lua",
    ".mjs", ".ml", ".php", ".pl", ".pm", ".proto", ".py", ".pyi", ".r", ".rb", ".rs", ".sass", ".scala", ".scss", ".sh",
    ".sql", ".svelte", ".swift", ".tmpl", ".toml", ".ts", ".tsx", ".twig", ".vue", ".xml", ".yaml", ".yml", ".zig",
})
# fmt: on


class Reads(Protocol):
    """Knows which files were read. A key is a path, or FOLDER/*SUFFIX for all files like that."""

    def was_read(self, key: str) -> bool:
        """Whether it was read since this was last asked; True too where nobody knows, as the first time."""

    def forget(self, key: str) -> None:
        """Nobody will ask about it any more."""


@dataclass(slots=True)
class _Suspect:
    key: str  # as an ignore pattern, without the slash before it
    last_start: float = -1.0
    delay: float = -1.0  # from the last start to its first change
    soon: int = 0  # starts in a row
    alike: int = 0
    unread: int = 0  # starts in a row
    waiting: dict[str, FileChange] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)  # the paths that it stands for
    quiet: float = QUIET
    since: float = 0.0
    due: float = 0.0
    told: bool = False
    looked_at: bool = False  # whether it goes on changing without a start
    tried: bool = False  # the reload that tells has been made
    passing: set[str] = field(default_factory=set)  # changes on their way through
    held_off: bool = False

    @property
    def matters(self) -> bool:
        return bool(self.held_off or self.tried or self.waiting)

    @property
    def row(self) -> int:
        """After how many starts in a row it has changed in the same way."""
        return max(self.soon, self.alike)

    @property
    def is_in_a_row(self) -> bool:
        """Whether these are enough for it to be suspected."""
        if self.unread >= UNREAD:
            return self.row > UNREAD_IN_A_ROW
        is_code = os.path.splitext(self.key)[1].lower() in CODE
        return self.row > (CODE_IN_A_ROW if is_code else READ_IN_A_ROW)


class LoopGuard:
    """Knows what each path did after the last starts. Time is ``time.monotonic`` seconds."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._suspects: dict[str, _Suspect] = {}
        self._waiting: dict[str, _Suspect] = {}
        self._start = -1.0
        self._holds = False  # whether anything is held off

    def absorb(self, change: FileChange, now: float) -> bool:
        """Take a change that waits, or is held off, in any case; False for all others.

        So that a path that changes all the time does not put off the batch of another.
        """
        if not (self._waiting or self._holds):
            return False
        path = change.path
        for suspect, by_name in ((self._suspects.get(path), True), (self._suspects.get(_made_anew(change)), False)):
            if suspect is None or not (by_name or change.kind is Kind.CREATED or path in suspect.made):
                continue
            if suspect.held_off and not self._let_go(suspect):
                suspect.made.add(path)
                return True
            if suspect.waiting:
                suspect.made.add(path)
                suspect.looked_at = False
                suspect.waiting[path], suspect.due = change, now + suspect.quiet
                return True
        return False

    def hold_off(self, batch: Batch, now: float, last_start: float) -> tuple[Batch, list[events.Warning]]:
        """The batch without what waits or is held off, and what to tell the user.

        Args:
            last_start: when a program was last started.
        """
        if last_start != self._start:  # only what changed after the last start too can be in a row
            for key, one in list(self._suspects.items()):
                if not one.matters and one.last_start != self._start:
                    self._forget(key)
            self._start = last_start
        kept = []
        warnings: list[events.Warning] = []
        for change in batch.changes:
            key = _made_anew(change) if change.kind is Kind.CREATED else change.path
            suspect = self._suspects.setdefault(key, _Suspect(key))
            if change.path in suspect.passing:
                suspect.passing.discard(change.path)
                kept.append(change)
            elif self._may_pass(suspect, change, batch):
                kept.append(change)
            else:
                warnings += self._keep_back(suspect, change, now)
        return replace(batch, changes=tuple(kept)), warnings

    def deadline(self) -> float | None:
        """When something is due, a waiting change or a word to the user; None when nothing waits."""
        return min(self._deadlines(), default=None)

    def due(self, now: float) -> tuple[list[FileChange], list[events.Warning]]:
        """The waiting changes that are to be acted on now, and what to tell the user."""
        found = []
        warnings = []
        for key, suspect in list(self._waiting.items()):
            if suspect.due <= now:
                found += [replace(change, at=now) for change in suspect.waiting.values()]
                suspect.passing.update(suspect.waiting)
                suspect.waiting.clear()
                suspect.made.clear()
                suspect.tried = not suspect.looked_at
                suspect.looked_at = False
                del self._waiting[key]
            elif suspect.since + TELL <= now and not suspect.told:
                suspect.told = True
                warnings.append(_changes_on_and_on(suspect.key))
        return found, warnings

    def reset(self) -> None:
        """Forget everything: the user asked for a restart, or the rules are others now."""
        for key in list(self._suspects):
            self._forget(key)
        self._waiting.clear()
        self._holds = False

    def _deadlines(self) -> Iterator[float]:
        for suspect in self._waiting.values():
            yield suspect.due if suspect.told else min(suspect.due, suspect.since + TELL)

    def _forget(self, key: str) -> None:
        del self._suspects[key]
        self._reads.forget(key)

    def _may_pass(self, suspect: _Suspect, change: FileChange, batch: Batch) -> bool:
        if suspect.waiting or (suspect.held_off and not self._let_go(suspect)):
            return False
        first = batch.first.get(change.path, change.at)
        delay = _delay(change, first, self._start)
        soon = 0 <= delay <= SOON
        alike = 0 <= delay <= LONGEST_DELAY and abs(delay - suspect.delay) <= ALIKE
        if suspect.last_start != self._start:
            suspect.last_start, suspect.delay = self._start, delay
            suspect.soon = suspect.soon + 1 if soon else 0
            suspect.alike = suspect.alike + 1 if alike else 0
            self._weigh(suspect)
            suspect.looked_at = suspect.soon in LOOKED_AT and not suspect.tried
        if suspect.tried:
            suspect.tried = soon or alike
            return not suspect.tried
        return not (suspect.is_in_a_row or suspect.looked_at)

    def _weigh(self, suspect: _Suspect) -> None:
        """See, of one that is in a row, whether it was read between these two starts."""
        if suspect.row > 1:
            suspect.unread = 0 if self._reads.was_read(suspect.key) else suspect.unread + 1
        elif suspect.row == 0:
            suspect.unread = 0
            suspect.quiet, suspect.told = QUIET, False
            self._reads.forget(suspect.key)

    def _keep_back(self, suspect: _Suspect, change: FileChange, now: float) -> Iterator[events.Warning]:
        suspect.made.add(change.path)
        if suspect.held_off:
            return
        if suspect.tried and suspect.unread:
            suspect.held_off = self._holds = True
            yield _written_by_program(suspect.key)
            return
        if not suspect.waiting:
            if suspect.tried:
                suspect.quiet = min(suspect.quiet * 2, LONGEST_QUIET)
                if not suspect.told:
                    suspect.told = True
                    yield _after_every_start(suspect.key)
            suspect.since = now
            self._waiting[suspect.key] = suspect
        suspect.waiting[change.path] = change
        suspect.due = now + (LOOK if suspect.looked_at else suspect.quiet)

    def _let_go(self, suspect: _Suspect) -> bool:
        """Whether one that was held off has been read, so that it means something to someone."""
        if not self._reads.was_read(suspect.key):
            return False
        suspect.held_off = suspect.tried = False
        suspect.made.clear()
        suspect.soon, suspect.alike, suspect.unread = UNREAD_IN_A_ROW, 0, UNREAD - 1  # it may be held off sooner now
        self._holds = any(one.held_off for one in self._suspects.values())
        return True


def _delay(change: FileChange, first: float, start: float) -> float:
    """Seconds from the start to the ``first`` change after it; negative if all came before."""
    return change.at - start if change.at < start - EARLY else max(0.0, first - start)


def _made_anew(change: FileChange) -> str:
    """All files of the folder with the suffix, as a pattern."""
    return os.path.join(os.path.dirname(change.path), "*" + os.path.splitext(change.path)[1])


def _written_by_program(pattern: str) -> events.Warning:
    return _warning(pattern, "is written by the program itself at every start; its changes no longer reload it")


def _after_every_start(pattern: str) -> events.Warning:
    return _warning(pattern, "changes after every start, as if the program wrote it; it is reloaded ever more seldom")


def _changes_on_and_on(pattern: str) -> events.Warning:
    return _warning(pattern, f"changes on and on; it reloads when it has been left alone for {QUIET:g} s")


def _warning(pattern: str, does: str) -> events.Warning:
    return events.Warning(
        time=time.time(),
        message=f"{pattern} {does}",
        hint=f'if it need not reload: add it to a .gitignore, or to the project file: [watch] ignore = ["/{pattern}"]',
    )
