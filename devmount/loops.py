"""Programs that write into their own mount must not reload themselves for ever. Pure.

A path that changes within a second of the program's start, a few starts in a row, is suspected, and so is one that
changes after start upon start with the same delay. Files made anew are taken together by their folder and suffix: a
log may have the time in its name. The changes of a suspect wait. One reload after a quiet time tells who wrote it: if
it changes at once again it was the program, and it is held off until the user asks for a restart; if not, it was a
person who saves often or a generator outside, and nothing was lost.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from devmount import events
from devmount.events import FileChange, Kind
from devmount.settle import Batch

SOON = 1.0  # seconds after the start
EARLY = 0.25  # seconds before it: of a start one hears a little later than of what the program does at once
IN_A_ROW = 3
ALIKE = 0.25  # seconds by which delays of a program that does the same at every start differ at most
ALIKE_IN_A_ROW = 5  # a person may hit that twice, hardly five times
LONGEST_DELAY = 60.0  # seconds after a start; what comes later is not laid to it
QUIET = 3.0  # seconds without a change of the suspect, before the reload that tells
TELL = 10.0  # seconds of waiting after which the user is told


@dataclass(slots=True)
class _Suspect:
    shown: str  # as an ignore pattern, without the slash before it
    last_start: float = -1.0
    delay: float = -1.0  # from the last start to its first change
    soon: int = 0  # starts in a row
    alike: int = 0
    waiting: dict[str, FileChange] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)  # the paths that it stands for
    since: float = 0.0
    due: float = 0.0
    told: bool = False
    tried: bool = False  # the reload that tells has been made
    passing: set[str] = field(default_factory=set)  # changes on their way through
    held_off: bool = False

    @property
    def matters(self) -> bool:
        return bool(self.held_off or self.tried or self.waiting)


class LoopGuard:
    """Knows what each path did after the last starts. Time is ``time.monotonic`` seconds."""

    def __init__(self) -> None:
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
            if suspect.held_off:
                suspect.made.add(path)
                return True
            if suspect.waiting:
                suspect.made.add(path)
                suspect.waiting[path], suspect.due = change, now + QUIET
                return True
        return False

    def hold_off(self, batch: Batch, now: float, last_start: float) -> tuple[Batch, list[events.Warning]]:
        """The batch without what is held off, and what to tell the user.

        Args:
            last_start: when a program was last started.
        """
        if last_start != self._start:  # only what changed after the last start too can be in a row
            self._suspects = {
                key: one for key, one in self._suspects.items() if one.matters or one.last_start == self._start
            }
            self._start = last_start
        kept = []
        warnings = []
        for change in batch.changes:
            key = _made_anew(change) if change.kind is Kind.CREATED else change.path
            suspect = self._suspects.setdefault(key, _Suspect(key))
            if change.path in suspect.passing:
                suspect.passing.discard(change.path)
                kept.append(change)
            elif not suspect.held_off and self._may_pass(suspect, _delay(batch, change, last_start)):
                kept.append(change)
            elif suspect.tried:
                suspect.made.add(change.path)
                if not suspect.held_off:
                    suspect.held_off = self._holds = True
                    warnings.append(_written_by_program(suspect.shown))
            else:
                if not suspect.waiting:
                    suspect.since = now
                    self._waiting[key] = suspect
                suspect.made.add(change.path)
                suspect.waiting[change.path], suspect.due = change, now + QUIET
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
                suspect.tried = True
                del self._waiting[key]
            elif suspect.since + TELL <= now and not suspect.told:
                suspect.told = True
                warnings.append(_changes_on_and_on(suspect.shown))
        return found, warnings

    def reset(self) -> None:
        """Forget everything: the user asked for a restart, or the rules are others now."""
        self._suspects.clear()
        self._waiting.clear()
        self._holds = False

    def _deadlines(self) -> Iterator[float]:
        for suspect in self._waiting.values():
            yield suspect.due if suspect.told else min(suspect.due, suspect.since + TELL)

    def _may_pass(self, suspect: _Suspect, delay: float) -> bool:
        if suspect.waiting:
            return False
        soon = 0 <= delay <= SOON
        alike = 0 <= delay <= LONGEST_DELAY and abs(delay - suspect.delay) <= ALIKE
        if suspect.last_start != self._start:
            suspect.last_start, suspect.delay = self._start, delay
            suspect.soon = suspect.soon + 1 if soon else 0
            suspect.alike = suspect.alike + 1 if alike else 0
        if suspect.tried:
            suspect.tried = soon or alike
            return not suspect.tried
        return suspect.soon <= IN_A_ROW and suspect.alike < ALIKE_IN_A_ROW


def _delay(batch: Batch, change: FileChange, start: float) -> float:
    """Seconds from the start to the first change after it; negative if all came before."""
    if change.at < start - EARLY:
        return change.at - start
    return max(0.0, batch.first.get(change.path, change.at) - start)


def _made_anew(change: FileChange) -> str:
    """All files of the folder with the suffix, as a pattern."""
    return os.path.join(os.path.dirname(change.path), "*" + os.path.splitext(change.path)[1])


def _written_by_program(shown: str) -> events.Warning:
    return events.Warning(
        time=time.time(),
        message=f"{shown} is written by the program itself at every start; its changes no longer reload it",
        hint=f'add it to a .gitignore, or to the project file: [watch] ignore = ["/{shown}"]',
    )


def _changes_on_and_on(shown: str) -> events.Warning:
    return events.Warning(
        time=time.time(),
        message=f"{shown} changes on and on; it reloads when it has been left alone for {QUIET:g} s",
        hint=f'if it need not: add it to a .gitignore, or to the project file: [watch] ignore = ["/{shown}"]',
    )
