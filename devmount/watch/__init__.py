"""The project folder as a stream of changes."""

from devmount.watch.git import git_busy, work_tree
from devmount.watch.watcher import Watcher

__all__ = ["Watcher", "git_busy", "work_tree"]
