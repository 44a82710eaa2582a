"""What of the project counts: the folder as a tree with its rules, walked where it is not ignored."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from devmount.ignore import Ignore
from devmount.watch.filesystem import real_path
from devmount.watch.git import exclude_files, work_tree

RULES_FILE = ".gitignore"


class Tree:
    """The project's folder and what is ignored in it.

    Args:
        root: absolute.
        ignore: the patterns of ``[watch] ignore``.
        named: files that count whatever the rules say, absolute; they may lie outside of ``root``.
        unreadable: called once with each folder that cannot be read.
        leads_out: called once with each symbolic link that leads out of the project.
    """

    def __init__(
        self,
        root: Path,
        ignore: Iterable[str],
        named: Iterable[Path],
        unreadable: Callable[[str, OSError], None],
        leads_out: Callable[[str], None] = lambda link: None,
    ) -> None:
        self.root = root
        self.base = os.fspath(root)
        self.git = work_tree(root)
        self.named = {os.path.relpath(path, root) for path in named}
        self._unreadable = unreadable
        self._leads_out = leads_out
        self._told: set[str] = set()
        self._links: set[str] = set()
        self._real = real_path(root)
        self._ignore = tuple(ignore)
        self._follow(self.git)
        if self._rules.hides_project():
            self._follow(None)

    def path(self, relative: str) -> str:
        """The absolute path."""
        return os.path.join(self.base, relative) if relative else self.base

    def _follow(self, git: Path | None) -> None:
        """Take the rules of this work tree, from its root down to the project; of none, where that hides the project:
        whoever starts devmount in an ignored folder wants it watched."""
        self._above = _relative(self.root, git)
        self._rules = Ignore(self._ignore, self._above)
        self._excludes = exclude_files(git)
        self._outer = [folder for folder in self.root.parents if git is not None and folder.is_relative_to(git)]
        self._outer_from = git
        self.rule_files = [*self._excludes, *(folder / RULES_FILE for folder in self._outer)]
        self.read_outer_rules()

    def read_outer_rules(self) -> Ignore:
        """Read all of ``rule_files`` again: those behind the rules files, and the rules files above the project.

        Returns the rules as they were.
        """
        before = self.rules()
        self._rules.set_excludes([text for path in self._excludes if (text := _read(path, links=True))])
        for folder in self._outer:
            self._rules.set_rules(_relative(folder, self._outer_from), _read(folder / RULES_FILE))
        return before

    def rules(self) -> Ignore:
        """The rules as they are now, for later."""
        return self._rules.copy()

    def read_rules(self, folder: str) -> None:
        """Read the rules file of a folder (relative) again."""
        self._rules.set_rules(self._place(folder), _read(os.path.join(self.path(folder), RULES_FILE)))

    def forget_rules(self, folder: str) -> None:
        """There is no rules file in a folder (relative) any more."""
        self._rules.set_rules(self._place(folder), None)

    def has_rules(self, folder: str) -> bool:
        """Whether a folder (relative) had a rules file, with rules in it, when it was last read."""
        return self._rules.has_rules(self._place(folder))

    def _place(self, folder: str) -> str:
        return "/".join(part for part in (self._above, folder) if part)

    def is_ignored(self, relative: str, is_dir: bool) -> bool:
        """Whether the path does not count, given that the folders above it do."""
        return relative not in self.named and self._rules.entry(relative, is_dir)

    def is_ignored_anywhere(self, relative: str, is_dir: bool) -> bool:
        """Whether the path or a folder above it does not count."""
        return relative not in self.named and self._rules.matches(relative, is_dir)

    def scan(self, folder: str) -> tuple[list[str], Iterator[os.DirEntry[str]]]:
        """The folders below and the other entries of ``folder`` that count; its rules are read first.

        What cannot be read is told once, and is empty. What has vanished is empty. Whether an entry counts is found out
        as it is asked for: who wants the folders alone does not pay for the files.
        """
        names: list[str] = []
        others: list[os.DirEntry[str]] = []
        try:
            with os.scandir(self.path(folder)) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        names.append(entry.name)
                    else:
                        others.append(entry)
        except (FileNotFoundError, NotADirectoryError):
            return [], iter(())
        except OSError as error:
            self.cannot_read(folder, error)
            return [], iter(())
        self._told.discard(folder)
        if any(entry.name == RULES_FILE for entry in others) or RULES_FILE in names:
            self.read_rules(folder)
        else:
            self.forget_rules(folder)
        lead = folder + "/" if folder else ""
        for entry in others:
            if entry.is_symlink() and not self.is_ignored(lead + entry.name, False):
                self.look_at_link(lead + entry.name)
        folders = [lead + name for name in names if not self.is_ignored(lead + name, True)]
        return folders, (entry for entry in others if not self.is_ignored(lead + entry.name, False))

    def walk(
        self, folder: str = "", enter: Callable[[str], bool] = lambda folder: True
    ) -> Iterator[tuple[str, Iterator[os.DirEntry[str]]]]:
        """Each folder that counts, from ``folder`` down, with the entries in it that are not folders.

        Args:
            enter: asked before a folder is read; where it says no, the walk leaves out the folder and all below it.
        """
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            if enter(current):
                folders, files = self.scan(current)
                yield current, files
                waiting += folders

    def cannot_read(self, folder: str, error: OSError) -> None:
        """Tell that a folder cannot be read, once."""
        if folder not in self._told:
            self._told.add(folder)
            self._unreadable(folder, error)

    def look_at_link(self, relative: str) -> None:
        """Tell, once, if a symbolic link leads out of the project."""
        if relative in self._links:
            return
        self._links.add(relative)
        target = real_path(self.path(relative))
        if not target.startswith(self._real + "/") and target != self._real:
            self._leads_out(relative)


def is_finished(entry: "os.DirEntry[str] | str") -> bool:
    """Whether an entry that was just made is whole: a regular file of one name is still to be written and closed."""
    try:
        status = os.lstat(entry)
    except OSError:
        return True
    return not stat.S_ISREG(status.st_mode) or status.st_nlink > 1


def _relative(folder: Path, base: Path | None) -> str:
    return "" if base is None or folder == base else folder.relative_to(base).as_posix()


def _read(path: "Path | str", links: bool = False) -> bytes | None:
    """The content of a rules file; None when there is none. In a work tree git does not follow a link in its place."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        with open(file, "rb", closefd=False) as stream:
            return stream.read()
    except OSError:
        return None
    finally:
        os.close(file)
