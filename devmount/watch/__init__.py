"""The project folder as a stream of changes."""

from devmount.watch.content import Contents
from devmount.watch.git import index_lock, work_tree
from devmount.watch.watcher import Watcher

__all__ = ["Contents", "Watcher", "index_lock", "work_tree"]
