"""A work tree on disk and what git itself says of it."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from devmount.ignore import USUAL


def environment(home: Path) -> dict[str, str]:
    """An environment in which git reads no configuration but the repository's own, with ``home`` as HOME."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "XDG_"))}
    return {**kept, "HOME": os.fspath(home), "GIT_CONFIG_NOSYSTEM": "1"}


class WorkTree:
    """A git work tree that is filled again and again, with an excludes file of its own beside it.

    Args:
        folder: an empty one; the work tree is ``folder/tree``.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.excludes = folder / "excludes"
        self.root.mkdir()
        self._environment = environment(folder)
        self._git("init", "--quiet", ".")
        self._git("config", "core.excludesFile", os.fspath(self.excludes))
        (self.root / ".git/info").mkdir(exist_ok=True)

    def fill(
        self,
        paths: Iterable[str],
        rules: Mapping[str, bytes] | None = None,
        exclude: bytes = b"",
        excludes: bytes = b"",
    ) -> list[str]:
        """Make these files (folders where they end in "/") and rules files, and nothing else; every path there now.

        A path that cannot be made, since another one is in its way, is left out.

        Args:
            rules: the text of a rules file by its folder, "" for the root.
            exclude: the text of ``.git/info/exclude``.
            excludes: the text of the user's excludes file. What is usual stands before it, weaker.
        """
        for entry in self.root.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        (self.root / ".git/info/exclude").write_bytes(exclude)
        self.excludes.write_bytes(USUAL.encode() + b"\n" + excludes)
        wanted = [*paths, *(f"{folder}/.gitignore".lstrip("/") for folder in rules or ())]
        for path in wanted:
            full = self.root / path
            try:
                full.parent.mkdir(parents=True, exist_ok=True)
                full.mkdir(exist_ok=True) if path.endswith("/") else full.touch()
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
        for folder, text in (rules or {}).items():
            file = self.root / folder / ".gitignore"
            if file.is_file():
                file.write_bytes(text)
        return self.paths()

    def paths(self) -> list[str]:
        """Every path in the work tree but git's own folder."""
        found = []
        for folder, folders, files in os.walk(self.root):
            if folder == os.fspath(self.root):
                folders.remove(".git")
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in [*folders, *files]]
        return sorted(found)

    def ignored(self, paths: Iterable[str]) -> set[str]:
        """Those that ``git check-ignore`` names."""
        return self._listed("check-ignore", "--no-index", "-z", "--stdin", given=paths, codes=(0, 1))

    def files_that_count(self, *top: str) -> set[str]:
        """The files that ``git ls-files`` finds, with the patterns ``top`` stronger than all rules files."""
        patterns = [f"--exclude={pattern}" for pattern in top]
        return self._listed("ls-files", "-z", "--others", "--exclude-standard", *patterns)

    def _listed(self, *arguments: str, given: Iterable[str] = (), codes: tuple[int, ...] = (0,)) -> set[str]:
        done = self._git(*arguments, given=b"".join(os.fsencode(path) + b"\0" for path in given), codes=codes)
        return {os.fsdecode(path) for path in done.split(b"\0") if path}

    def _git(self, *arguments: str, given: bytes = b"", codes: tuple[int, ...] = (0,)) -> bytes:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=self._environment, input=given, capture_output=True, timeout=30
        )
        assert done.returncode in codes, done.stderr
        return done.stdout
