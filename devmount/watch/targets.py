"""Single files that count wherever they lie, and the root itself: where they are looked for, and whether they differ.

An env file may lie in an ignored folder, a rules file above the project, the user's excludes in a folder that is not
there yet, and any of them may be a link. Each is watched by its name in its folder, and by the folder's name in the one
above; what is missing is waited for in the nearest folder that exists.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator

from devmount.watch.filesystem import Identity, identity, inode, real_path
from devmount.watch.tree import Tree
from devmount.watch.watches import FOLDER, ITSELF, LEAVES, PLACES, Meaning, Name, Watches

TRIES = 5  # a folder may come or go while its watch is set


class Targets:
    """See the module.

    Args:
        unwatched: takes a target that the kernel's limit on watches leaves out.
    """

    def __init__(self, tree: Tree, watches: Watches, unwatched: Callable[[str], None]) -> None:
        self._tree = tree
        self._watches = watches
        self._unwatched = unwatched
        self.rules = {os.fspath(path) for path in tree.rule_files}
        self.named = {os.path.normpath(tree.path(relative)): relative for relative in tree.named}
        self._root = inode(tree.base)
        self._known: dict[str, Identity | None] = {}

    def start(self) -> None:
        """Watch for them; what differs from now on is told."""
        self.refresh()
        self._known = {target: identity(target) for target in (*self.rules, *self.named)}

    def is_root_there(self) -> bool:
        """Whether the root is the folder that it was."""
        return self._root is not None and inode(self._tree.base) == self._root

    def differing(self, targets: Iterable[str]) -> list[str]:
        """Those that are not what they were when this was last asked."""
        found = []
        for target in targets:
            now = identity(target)
            if now != self._known.get(target):
                self._known[target] = now
                found.append(target)
        return found

    def refresh(self) -> None:
        """Look again where they are."""
        wanted: list[Name] = []
        for _ in range(TRIES):
            before, wanted = wanted, [*self._around_root(), *self._entries()]
            if wanted == before:
                break
            self._watches.watch_names(wanted, self._failed)

    def _around_root(self) -> Iterator[Name]:
        meaning = Meaning(self._tree.base, True)
        for path in {self._tree.base, real_path(self._tree.base)}:
            folder, name = os.path.split(path)
            yield Name(folder, name, meaning, LEAVES)
            while folder != "/":
                yield Name(folder, "", meaning, ITSELF)
                folder = os.path.dirname(folder)

    def _entries(self) -> Iterator[Name]:
        for target in sorted({*self.rules, *self.named}):
            places = [target, real_path(target)] if os.path.islink(target) else [target]
            for place in places:
                yield from self._on_the_way(place, target)

    def _on_the_way(self, place: str, target: str) -> Iterator[Name]:
        folder, name = os.path.split(place)
        if os.path.isdir(folder):
            yield Name(folder, name, Meaning(target, True), FOLDER)
            if self._is_inside(folder):
                return  # the tree's own watches tell of it
            folder, name = os.path.split(folder)
        while not os.path.isdir(folder):
            folder, name = os.path.split(folder)
        if name:
            yield Name(folder, name, Meaning(target, False), PLACES)

    def _is_inside(self, folder: str) -> bool:
        return folder == self._tree.base or os.path.relpath(folder, self._tree.base) in self._watches

    def _failed(self, name: Name, error: OSError) -> None:
        if error.errno == errno.ENOSPC and name.meaning.target in self.named:  # the rules are looked at anyway
            self._unwatched(name.meaning.target)
