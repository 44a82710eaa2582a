"""What git keeps beside the files: its folder, its lock, the files that hold rules for ignoring."""

import os
import subprocess
from pathlib import Path


def work_tree(folder: Path) -> Path | None:
    """The root of the git work tree that holds ``folder``; None outside of any."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def git_folder(tree: Path) -> Path:
    """The work tree's git folder; a linked work tree and a submodule name it in a file (gitrepository-layout(5))."""
    entry = tree / ".git"
    try:
        if entry.is_file() and (text := entry.read_text().strip()).startswith("gitdir:"):
            return (tree / text.removeprefix("gitdir:").strip()).resolve()
    except (OSError, UnicodeDecodeError):
        return entry
    return entry


def index_lock(tree: Path | None) -> tuple[Path, int] | None:
    """The lock of git's index, and when it was made in ns, while git is changing the work tree; None when it is not."""
    if tree is None:
        return None
    path = git_folder(tree) / "index.lock"
    try:
        return path, path.lstat().st_ctime_ns
    except OSError:
        return None


def exclude_files(tree: Path | None) -> list[Path]:
    """The files behind the rules files, the strongest first (gitignore(5)), whether they exist or not."""
    files = []
    if tree is not None:
        folder = git_folder(tree)
        common = folder / "commondir"
        if common.is_file():
            folder = (folder / common.read_text().strip()).resolve()
        files.append(folder / "info" / "exclude")
    excludes = _configured(tree)
    if excludes is None:
        home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        excludes = Path(home) / "git" / "ignore"
    return [*files, excludes]


def _configured(tree: Path | None) -> Path | None:
    """``core.excludesFile``, as git itself reads its configuration; None where it or git is missing."""
    try:
        folder = tree or Path.home()
        done = subprocess.run(
            ["git", "config", "--type=path", "-z", "--get", "core.excludesFile"],
            cwd=folder,
            capture_output=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired, RuntimeError):
        return None
    if done.returncode != 0:
        return None
    value = os.fsdecode(done.stdout.removesuffix(b"\0"))
    return folder / value if value else Path(os.devnull)  # set to nothing: there is none, not even the usual one
