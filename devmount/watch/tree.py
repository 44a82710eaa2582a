"""What of the project counts: the folder as a tree with its rules, walked where it is not ignored."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from devmount.ignore import Ignore
from devmount.watch.git import exclude_files, work_tree

RULES_FILE = ".gitignore"


class Tree:
    """The project's folder and what is ignored in it.

    Args:
        root: absolute.
        ignore: the patterns of ``[watch] ignore``.
        named: files that count whatever the rules say, absolute; they may lie outside of ``root``.
        unreadable: called once with each folder that cannot be read.
    """

    def __init__(
        self, root: Path, ignore: Iterable[str], named: Iterable[Path], unreadable: Callable[[str, OSError], None]
    ) -> None:
        self.root = root
        self.base = os.fspath(root)
        self.git = work_tree(root)
        self.named = {os.path.relpath(path, root) for path in named}
        self.links_out: list[str] = []
        self._above = root.relative_to(self.git).as_posix() if self.git and self.git != root else ""
        self._rules = Ignore(ignore, self._above)
        self.rule_files = exclude_files(self.git)
        self._unreadable = unreadable
        self._told: set[str] = set()
        self.read_excludes()
        folder = self.git
        while folder is not None and folder != root:
            self._rules.set_rules(_relative(folder, self.git), _read(folder / RULES_FILE))
            folder = folder / root.relative_to(folder).parts[0]

    def path(self, relative: str) -> str:
        """The absolute path."""
        return os.path.join(self.base, relative) if relative else self.base

    def read_excludes(self) -> None:
        """Read the files that stand behind the rules files again."""
        self._rules.set_excludes([text for path in self.rule_files if (text := _read(path))])

    def read_rules(self, folder: str) -> bool:
        """Read the rules file of a folder (relative) again; whether it had or has rules."""
        place = "/".join(part for part in (self._above, folder) if part)
        return self._rules.set_rules(place, _read(os.path.join(self.path(folder), RULES_FILE)))

    def is_ignored(self, relative: str, is_dir: bool) -> bool:
        """Whether the path does not count, given that the folders above it do."""
        return relative not in self.named and self._rules.entry(relative, is_dir)

    def is_ignored_anywhere(self, relative: str, is_dir: bool) -> bool:
        """Whether the path or a folder above it does not count."""
        return relative not in self.named and self._rules.matches(relative, is_dir)

    def scan(self, folder: str) -> tuple[list[str], list[os.DirEntry[str]]]:
        """The folders below and the other entries of ``folder`` that count; its rules are read first.

        What cannot be read is told once, and is empty. What has vanished is empty.
        """
        folders: list[str] = []
        files: list[os.DirEntry[str]] = []
        try:
            with os.scandir(self.path(folder)) as found:
                entries = list(found)
        except (FileNotFoundError, NotADirectoryError):
            return folders, files
        except OSError as error:
            self.cannot_read(folder, error)
            return folders, files
        if any(entry.name == RULES_FILE for entry in entries):
            self.read_rules(folder)
        lead = folder + "/" if folder else ""
        for entry in entries:
            relative = lead + entry.name
            is_dir = entry.is_dir(follow_symlinks=False)
            if self.is_ignored(relative, is_dir):
                continue
            if is_dir:
                folders.append(relative)
            else:
                files.append(entry)
                if entry.is_symlink():
                    self._look_at_link(relative)
        return folders, files

    def walk(self, folder: str = "") -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        """Each folder that counts, from ``folder`` down, with the entries in it that are not folders."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            folders, files = self.scan(current)
            yield current, files
            waiting += folders

    def cannot_read(self, folder: str, error: OSError) -> None:
        """Tell that a folder cannot be read, once."""
        if folder not in self._told:
            self._told.add(folder)
            self._unreadable(folder, error)

    def _look_at_link(self, relative: str) -> None:
        target = os.path.realpath(self.path(relative))
        if not target.startswith(self.base + "/") and target != self.base and relative not in self.links_out:
            self.links_out.append(relative)


def is_finished(entry: "os.DirEntry[str] | str") -> bool:
    """Whether an entry that was just made is whole: a regular file of one name is still to be written and closed."""
    try:
        status = os.lstat(entry)
    except OSError:
        return True
    return not stat.S_ISREG(status.st_mode) or status.st_nlink > 1


def _relative(folder: Path, base: Path | None) -> str:
    return "" if base is None or folder == base else folder.relative_to(base).as_posix()


def _read(path: "Path | str") -> bytes | None:
    """The content of a rules file; None when there is none. git does not follow a symlink in a work tree's."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
