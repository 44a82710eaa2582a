"""The project folder as a stream of changes."""

from devmount.watch.content import Contents
from devmount.watch.git import index_lock, work_tree
from devmount.watch.reads import Reads
from devmount.watch.watcher import Watcher

__all__ = ["Contents", "Reads", "Watcher", "index_lock", "work_tree"]
