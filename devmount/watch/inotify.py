"""Watching by the kernel's events, one watch a folder that counts.

watchdog's own tree of watches takes in every folder and asks for events of reads too; a program that reads its source
would set it off. Here a folder is watched only if the rules let it through, and only for what changes something.

An event says that something was so at some time before. Whatever needs to be known now is asked of the disk: what lies
in a folder that came, after its watch is set; and everything, when the kernel could not keep all events.
"""

import errno
import os
import time
from collections.abc import Callable, Iterable

from watchdog.observers.inotify_c import InotifyConstants as In
from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

from devmount.events import FileChange, Kind
from devmount.ignore import Ignore
from devmount.watch.filesystem import changed_since
from devmount.watch.targets import Targets
from devmount.watch.tree import RULES_FILE, Tree, is_finished
from devmount.watch.watches import Descriptor, Meaning, Watches
from devmount.watch.writes import Writes

CLOCK_SLACK = 0.02  # seconds; a file's times are those of the kernel's last tick
FRESH = 0.1  # seconds; a file that was written so shortly ago may still be written
GONE = In.IN_DELETE | In.IN_MOVED_FROM
PLACED = In.IN_CREATE | In.IN_DELETE | In.IN_MOVE | In.IN_DELETE_SELF | In.IN_MOVE_SELF
WHOLE = PLACED | In.IN_CLOSE_WRITE | In.IN_ATTRIB  # after which a rules file is worth reading


class Inotify:
    """See the module. Callbacks come on the descriptor's thread.

    Args:
        deliver: takes each change.
        unwatched: takes a folder, or a named file, that the kernel's limit on watches leaves out; it is relative, and
            stands for all that is below it.
        root_lost: called when the root folder itself was moved or removed.
        overflowed: called when events were lost, before the disk is compared.
        broke: called when watching has ended of a defect.

    Raises:
        OSError: from the constructor, EMFILE: the limit on instances is reached.
    """

    def __init__(
        self,
        tree: Tree,
        deliver: Callable[[FileChange], None],
        unwatched: Callable[[str], None],
        root_lost: Callable[[], None],
        overflowed: Callable[[], None],
        broke: Callable[[Exception], None],
    ) -> None:
        self._tree = tree
        self._deliver = deliver
        self._unwatched = unwatched
        self._root_lost = root_lost
        self._overflowed = overflowed
        self._descriptor = Descriptor(self, broke)
        self._watches = Watches(self._descriptor, tree.path)
        self._targets = Targets(tree, self._watches, lambda target: unwatched(os.path.relpath(target, tree.base)))
        self._began = time.time() - CLOCK_SLACK
        self._left_out: set[str] = set()
        self._writes = Writes(tree.path)
        self._moved: dict[int, tuple[str, bool]] = {}  # by cookie: the source, and whether it counts

    @property
    def count(self) -> int:
        """How many folders are watched."""
        return len(self._watches)

    def start(self) -> None:
        """Watch everything that counts, and begin to deliver."""
        self._targets.start()
        for _ in self._tree.walk("", self._enter):
            pass
        self._targets.refresh()  # what lies in the tree needs no watch of its own
        self._descriptor.start()
        if not self._targets.is_root_there():
            self._root_lost()

    def stop(self) -> None:
        self._descriptor.stop()
        if self._descriptor.is_alive():
            self._descriptor.join(2)

    # folders

    def _enter(self, folder: str, fresh: set[str] | None = None) -> bool:
        """Watch a folder before it is read; whether it is to be read. ``fresh`` gets one that is new."""
        if any(folder == path or not path or folder.startswith(path + "/") for path in self._left_out):
            return False
        try:
            if self._watches.add(folder) and fresh is not None:
                fresh.add(folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._left_out.add(folder)
                self._unwatched(folder)
            else:
                self._tree.cannot_read(folder, error)
            return False
        return True

    def _forget(self, folder: str) -> None:
        """Watch a folder, and all below it, no more."""
        for path in self._watches.below(folder):
            self._watches.remove(path)
        self._writes.forget(folder)

    def _take_in(self, folder: str, kind: Kind, at: float) -> None:
        """Watch a folder that has come, and deliver what is in it: it may have been filled before the watch was set."""
        before = set(self._left_out)
        for current, files in self._tree.walk(folder, self._enter):
            self._deliver_all(current, files, kind, at)
        for left_out in self._left_out - before:
            for current, files in self._tree.walk(left_out):
                self._deliver_all(current, files, kind, at)

    def _deliver_all(self, folder: str, files: "Iterable[os.DirEntry[str]]", kind: Kind, at: float) -> None:
        lead = folder + "/" if folder else ""
        for entry in files:
            complete = not changed_since(entry, time.time() - FRESH)
            self._deliver(FileChange(lead + entry.name, kind, at, complete))

    def _look(self, folder: str, before: Ignore, at: float, *, lost: bool = False) -> None:
        """From ``folder`` down, watch what counts now, forget what does not, and deliver what nobody has told of.

        That is, by the disk: what counts again, and has changed since watching began. And, where events were ``lost``,
        all that changed since the queue was last seen empty: a file by its own times, what was removed or renamed by
        those of its folder. The latter, too, where a folder counts again: no watch was there to tell of it.

        Args:
            before: the rules as they were.
        """
        since = self._descriptor.empty_at - CLOCK_SLACK
        seen, fresh = set[str](), set[str]()

        def enter(path: str) -> bool:
            seen.add(path)
            return self._enter(path, fresh)

        def is_untold(folder: str, entry: "os.DirEntry[str]") -> bool:
            if before.matches(f"{folder}/{entry.name}" if folder else entry.name):
                return folder in moved or changed_since(entry, self._began)
            return folder in fresh or (lost and changed_since(entry, since))

        moved: set[str] = set()  # while they were ignored, or filled: what is in them may be other files
        for current, files in self._tree.walk(folder, enter):
            if before.matches(current, True) and (
                os.path.dirname(current) in moved or changed_since(self._tree.path(current), self._began)
            ):
                moved.add(current)
            self._deliver_all(current, [entry for entry in files if is_untold(current, entry)], Kind.MODIFIED, at)
            untold = lost or (current in fresh and before.matches(current, True))
            if untold and changed_since(self._tree.path(current), since):
                self._deliver(FileChange(current or ".", Kind.MODIFIED, at, is_dir=True))
        for path in self._watches.below(folder):
            if path not in seen:
                self._watches.remove(path)
        self._targets.refresh()

    def _compare(self, at: float) -> None:
        """After events were lost."""
        self._writes.forget("")
        self._look("", self._tree.read_outer_rules(), at, lost=True)
        self._named_differ(list(self._targets.named), at)

    # the descriptor's callbacks

    def on_queue_overflow(self) -> None:
        if self._targets.is_root_there():
            self._overflowed()
            self._compare(time.monotonic())
        else:
            self._root_lost()

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self._watches.gone(wd)

    def on_event(self, event: InotifyEvent) -> None:
        at = time.monotonic()
        name = os.fsdecode(event.name)
        folder = self._watches.folder(event.wd)
        path = f"{folder}/{name}" if folder else name
        meanings = self._watches.meanings(event.wd, name)
        if meanings and not self._targets_changed(meanings, event, path if folder is not None else None, at):
            return
        if folder is None or not name:
            if folder == "" and not self._targets.is_root_there():
                self._root_lost()
            return  # of a folder below: its parent tells
        mask = event.mask
        is_dir = bool(mask & In.IN_ISDIR)
        counts = not self._tree.is_ignored(path, is_dir)
        if mask & In.IN_MOVED_FROM:
            self._moved = {event.cookie: (path, counts)}  # its other half follows at once, if there is one
        if counts:
            self._changed(path, is_dir, mask, event.cookie, at)
        if name == RULES_FILE and not is_dir and mask & WHOLE:
            before = self._tree.rules()
            self._tree.read_rules(folder)
            if not counts and not self._tree.is_ignored(path, False):  # it no longer ignores itself
                self._deliver(FileChange(path, Kind.DELETED if mask & GONE else Kind.MODIFIED, at))
            self._look(folder, before, at)

    def _targets_changed(self, meanings: set[Meaning], event: InotifyEvent, path: str | None, at: float) -> bool:
        """Take an event of single names; whether the root is still there.

        Args:
            path: the event's, if it lies in a folder of the tree that is watched as a whole.
        """
        mask = event.mask
        for meaning in meanings:
            target = meaning.target
            if target == self._tree.base:
                if not self._targets.is_root_there():
                    self._root_lost()
                    return False
            elif target in self._targets.rules:
                self._rules_differ([target] if mask & WHOLE else [], at)
            elif not meaning.itself or mask & In.IN_ISDIR:
                self._named_differ([target], at)
            else:
                self._targets.differing([target])
                if self._targets.named[target] != path:
                    self._changed(self._targets.named[target], False, mask, event.cookie, at)
        if mask & PLACED:
            self._targets.refresh()
            self._named_differ([meaning.target for meaning in meanings if meaning.target in self._targets.named], at)
            self._rules_differ([meaning.target for meaning in meanings if meaning.target in self._targets.rules], at)
        return True

    def _rules_differ(self, targets: list[str], at: float) -> None:
        if self._targets.differing(targets):
            self._look("", self._tree.read_outer_rules(), at)

    def _named_differ(self, targets: list[str], at: float) -> None:
        for target in self._targets.differing(targets):
            kind = Kind.MODIFIED if os.path.lexists(target) else Kind.DELETED
            self._deliver(FileChange(self._targets.named[target], kind, at))

    def _changed(self, path: str, is_dir: bool, mask: int, cookie: int, at: float) -> None:
        if is_dir:
            self._folder_changed(path, mask, cookie, at)
            return
        if mask & In.IN_CREATE:
            complete = is_finished(self._tree.path(path))
            if not complete:
                self._writes.begin(path)
            self._deliver(FileChange(path, Kind.CREATED, at, complete))
            self._look_at_link(path)
        elif mask & In.IN_MODIFY:
            self._writes.begin(path)
            self._deliver(FileChange(path, Kind.MODIFIED, at, complete=False))
        elif mask & In.IN_CLOSE_WRITE:
            told = path in self._writes
            since = self._descriptor.empty_at - CLOCK_SLACK
            if told or self._writes.was_mapped(path, since):  # else it was opened for writing and not written
                self._writes.end(path)
                self._deliver(FileChange(path, Kind.MODIFIED, at, ends=told))
        elif mask & In.IN_ATTRIB:
            self._deliver(FileChange(path, Kind.MODIFIED, at, complete=path not in self._writes))
        elif mask & In.IN_MOVED_TO:
            source, counted = self._moved.pop(cookie, ("", False))
            kind = Kind.MOVED if counted else Kind.MODIFIED if source else Kind.CREATED
            self._deliver(FileChange(path, kind, at, source=source, replaces=True))
            self._look_at_link(path)
        elif mask & GONE:
            self._writes.end(path)
            self._deliver(FileChange(path, Kind.DELETED, at))
            return
        if not mask & In.IN_MODIFY:
            self._writes.note(path, at)

    def _folder_changed(self, path: str, mask: int, cookie: int, at: float) -> None:
        """What is in a folder counts, not the folder: making or removing an empty one changes no file."""
        if mask & In.IN_CREATE:
            self._take_in(path, Kind.CREATED, at)
        elif mask & In.IN_MOVED_TO:
            _, counted = self._moved.pop(cookie, ("", False))
            self._take_in(path, Kind.MOVED if counted else Kind.CREATED, at)
        elif mask & In.IN_MOVED_FROM:
            self._forget(path)
            self._deliver(FileChange(path, Kind.DELETED, at, is_dir=True))
            self._take_in(path, Kind.CREATED, at)  # two may have changed places: this event comes after the other's
        elif mask & In.IN_DELETE and not self._watches.was_watched(path):  # nobody has told of what was in it
            self._deliver(FileChange(path, Kind.DELETED, at, is_dir=True))
        elif mask & In.IN_ATTRIB and path not in self._watches:
            self._take_in(path, Kind.CREATED, at)  # it could not be read, and now perhaps can

    def _look_at_link(self, path: str) -> None:
        if os.path.islink(self._tree.path(path)):
            self._tree.look_at_link(path)
