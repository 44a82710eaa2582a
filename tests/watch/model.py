"""Operations on a tree, and what a watcher must say of them.

After each operation the disk is compared with what it was, and the rules are read anew, with none of the watcher's
state. When the watcher has caught up, its batch must name every path that counts and differs, and no path that was
ignored all the time.
"""

import contextlib
import copy
import ctypes
import mmap
import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devmount.events import FileChange
from devmount.ignore import Ignore
from devmount.settle import Settler
from devmount.watch.tree import Tree
from tests.watch.recorder import SENTINEL

Operation = tuple[str, ...]
Identity = tuple[int, ...]

NAMES = ["a", "b", "sub", "build", "f.py", "g.log", "keep.log", "s p", "n\nl", "\udcff\udcfe", "x" * 255]
RULES = ["*.log", "!keep.log", "build/", "/a", "b/*", "!b/f.py", "sub/**", "a/b", "*", "!*/", "!*.py", "**/g*", "f*"]
TOPS = [[], [], ["build/"], ["*.log", "!a/*.log"], ["/sub/"], ["!build/"]]
ONE = ["write", "append", "truncate", "touch", "chmod", "remove", "folder", "save", "map", "fill", "hold", "close"]
ONE += ["leave", "arrive", "ignore", "ignore", "respect", "turn", "write", "save"]
TWO = ["move", "move", "link", "alias", "exchange"]

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
RENAME_EXCHANGE = 2


def operations(chance: random.Random, count: int) -> list[Operation]:
    """That many operations; not each can be carried out."""
    return [_operation(chance) for _ in range(count)]


def _operation(chance: random.Random) -> Operation:
    def path() -> str:
        return "/".join(chance.choices(NAMES[:-1] if chance.random() < 0.95 else NAMES, k=chance.choice([1, 2, 2, 3])))

    if chance.random() < 0.08:
        return ("exclude", *chance.sample(RULES, k=chance.randint(0, 2)))
    if chance.random() < 0.1:
        return ("pause",)
    if chance.random() < 0.25:
        return (chance.choice(TWO), path(), path())
    kind = chance.choice(ONE)
    if kind in ("ignore", "respect"):
        folder = chance.choice(["", path()])
        return (kind, folder, *chance.sample(RULES, k=chance.randint(1, 3)))
    return (kind, path())


@dataclass(frozen=True)
class Finding:
    """What is wrong, for a failing test's message."""

    missing: frozenset[str]
    forbidden: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.forbidden)


class Model:
    """The tree ``folder/tree`` with a place outside of it, and what is known of the changes since the last check.

    Args:
        top: the patterns of ``[watch] ignore``.
        pause: lets the watcher catch up.
    """

    def __init__(self, folder: Path, top: Iterable[str], pause: Callable[[], None] = lambda: None) -> None:
        self.root = folder / "tree"
        self.outside = folder / "outside"
        self.outside.mkdir(exist_ok=True)
        (self.root / ".git/info").mkdir(parents=True, exist_ok=True)
        (self.root / ".git/HEAD").write_text("ref: refs/heads/main\n")
        self.top = list(top)
        self._oracle = Tree(self.root, self.top, [], lambda folder, error: None)
        self.pause = pause
        self.count = 0
        self._serial = 0
        self._held: list[int] = []
        self._unseen: set[str] = set()
        self.begin()

    def begin(self, *, anew: bool = False) -> None:
        """What is there now is known; ``anew``: whatever was ignored, too."""
        if anew:
            self._unseen.clear()
        self._state = self._look()
        self._counting, ignore = self._rules()
        self._ignores = [ignore]
        self._first = set(self._counting)
        self._changed: set[str] = set()

    def run(self, sequence: Iterable[Operation]) -> None:
        """Carry operations out, as far as they can be."""
        for operation in sequence:
            self.apply(operation)

    def apply(self, operation: Operation) -> None:
        """Carry one operation out; one that cannot be does nothing."""
        self._serial += 1
        with contextlib.suppress(OSError, ValueError):
            getattr(self, "_" + operation[0])(*operation[1:])
        self.count += 1
        before, counted = self._state, self._counting
        self._state = self._look()
        self._counting, ignore = self._rules()
        self._ignores.append(ignore)
        for path in before.keys() | self._state.keys():
            differs = before.get(path) != self._state.get(path)
            if differs and not self._is_by_another_name(path, before.get(path), operation):
                (self._changed if path in self._counting or path in counted else self._unseen).add(path)
        back = self._unseen & self._counting  # it changed while it was ignored, and counts again
        self._changed |= back
        self._unseen -= back

    def _is_by_another_name(self, path: str, before: Identity | None, operation: Operation) -> bool:
        """Whether a file of several names was changed by another of them: the kernel tells of the one that was used."""
        now = self._state.get(path)
        if before is None or now is None or before[0] != now[0] or path in operation:
            return False
        return sum(identity[0] == now[0] for identity in self._state.values()) > 1

    def check(self, delivered: Iterable[FileChange]) -> Finding:
        """Hold a batch of all that was delivered against what changed since the last check."""
        settler = Settler(0.01)
        for change in delivered:
            settler.add(change, 0.0)
        batch = settler.take(1000.0)
        changes = batch.changes if batch else ()
        named = {change.path for change in changes}
        # what was a folder stands for all that was in it, also where it is something else by now
        folders = {change.path for change in changes if change.is_dir or change.path in self._state}
        final = self._ignores[-1]
        must = {
            path
            for path in self._changed
            if path in self._counting
            or (path not in self._state and path in self._first and not final.matches(path, False))
        }
        missing = {path for path in must - named if not any(path.startswith(f"{folder}/") for folder in folders)}
        if "." in folders:
            missing = {path for path in missing if path in self._state}
        forbidden = {
            change.path
            for change in changes
            if change.path != "." and all(ignore.matches(change.path, change.is_dir) for ignore in self._ignores)
        }
        return Finding(frozenset(missing), frozenset(forbidden))

    def folders(self) -> set[str]:
        """Those that are to be watched now, "" being the root."""
        return {folder for folder, _ in self._tree().walk()}

    def counting(self) -> set[str]:
        """The files that count now."""
        return self._counting

    def rules(self) -> Ignore:
        """The rules as they are now."""
        return self._ignores[-1]

    def close(self) -> None:
        """Close what is held open."""
        while self._held:
            os.close(self._held.pop())

    # what there is

    def _tree(self) -> Tree:
        """With no rules read but the outer ones; to make one of scratch asks git for its configuration each time."""
        tree = copy.copy(self._oracle)
        tree._rules = Ignore(self.top)
        tree.read_outer_rules()
        return tree

    def _rules(self) -> tuple[set[str], Ignore]:
        tree = self._tree()
        found = {f"{folder}/{entry.name}".lstrip("/") for folder, files in tree.walk() for entry in files}
        return {path for path in found if not path.startswith(SENTINEL)}, tree._rules

    def _look(self) -> dict[str, Identity]:
        found: dict[str, Identity] = {}
        base = os.fspath(self.root)
        for path in _entries(base):
            status = os.lstat(path)
            # the change time is left out: a rename to another name and back sets it and changes nothing
            identity = (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
            relative = path[len(base) + 1 :]
            if not relative.startswith(SENTINEL):
                found[relative] = identity
        return found

    # operations

    def _path(self, path: str) -> Path:
        return self.root / path

    def _content(self) -> bytes:
        return b"content %d\n" % self._serial

    def _pause(self) -> None:
        self.pause()

    def _write(self, path: str) -> None:
        self._path(path).write_bytes(self._content())

    def _append(self, path: str) -> None:
        with open(self._path(path), "ab") as file:
            file.write(self._content())

    def _truncate(self, path: str) -> None:
        os.truncate(self._path(path), 3)

    def _touch(self, path: str) -> None:
        os.utime(self._path(path), ns=(self._serial * 10**9, self._serial * 10**9), follow_symlinks=False)

    def _chmod(self, path: str) -> None:
        full = self._path(path)
        if not full.is_symlink():
            full.chmod(0o755 if full.is_dir() or self._serial % 2 else 0o644)

    def _remove(self, path: str) -> None:
        full = self._path(path)
        shutil.rmtree(full) if full.is_dir() and not full.is_symlink() else full.unlink()

    def _folder(self, path: str) -> None:
        self._path(path).mkdir(parents=True)

    def _fill(self, path: str) -> None:
        for name in ("a/f.py", "g.log", "build/h", "b/sub/f.py"):
            full = self._path(path) / name
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(self._content())

    def _save(self, path: str) -> None:
        full = self._path(path)
        beside = full.with_name(".tmp")
        beside.write_bytes(self._content())
        beside.replace(full)

    def _map(self, path: str) -> None:
        """Write through a mapping: the kernel tells of the closing alone."""
        with open(self._path(path), "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[:1] = b"%d" % (self._serial % 10)

    def _hold(self, path: str) -> None:
        """Write and do not close."""
        file = os.open(self._path(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._held.append(file)
        os.write(file, self._content())

    def _close(self, path: str) -> None:
        self.close()

    def _move(self, path: str, to: str) -> None:
        os.rename(self._path(path), self._path(to))

    def _leave(self, path: str) -> None:
        os.rename(self._path(path), self.outside / str(self._serial))

    def _arrive(self, path: str) -> None:
        names = sorted(os.listdir(self.outside)) or ["none"]
        os.rename(self.outside / names[self._serial % len(names)], self._path(path))

    def _link(self, path: str, to: str) -> None:
        self._path(path).symlink_to(self._path(to))

    def _alias(self, path: str, to: str) -> None:
        os.link(self._path(path), self._path(to), follow_symlinks=False)

    def _exchange(self, path: str, to: str) -> None:
        one, other = os.fsencode(self._path(path)), os.fsencode(self._path(to))
        if libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) != 0:
            raise OSError(ctypes.get_errno(), "renameat2")

    def _turn(self, path: str) -> None:
        """A folder becomes a link to what it was, which lies outside now."""
        full = self._path(path)
        if full.is_dir() and not full.is_symlink():
            moved = self.outside / str(self._serial)
            os.rename(full, moved)
            full.symlink_to(moved)

    def _ignore(self, folder: str, *rules: str) -> None:
        self._write_rules(self._path(folder) / ".gitignore", rules)

    def _respect(self, folder: str, *rules: str) -> None:
        (self._path(folder) / ".gitignore").unlink()

    def _exclude(self, *rules: str) -> None:
        self._write_rules(self.root / ".git/info/exclude", rules)

    def _write_rules(self, file: Path, rules: Iterable[str]) -> None:
        """In place, as a shell does: for a moment the file is empty, and may be read so."""
        file.write_text("")
        self._ignores.append(self._rules()[1])
        file.write_text("\n".join(rules))


def _entries(base: str) -> Iterator[str]:
    """Every file below, links not followed, but for git's own."""
    for folder, folders, files in os.walk(base):
        if ".git" in folders:
            folders.remove(".git")
        yield from (os.path.join(folder, name) for name in files)
        for name in list(folders):
            full = os.path.join(folder, name)
            if os.path.islink(full):
                yield full
