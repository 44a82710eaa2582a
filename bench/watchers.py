"""Ways to watch a tree, each run as a program of its own so that its start, memory and CPU are its alone.

    python -m bench.watchers start|run devmount|watchdog|watchfiles FOLDER

``start`` prints the seconds from the call until the way watches. ``run`` prints "ready", then for each change the time
(``time.time()``) and the path.
"""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

TITLES = {"devmount": "devmount", "watchdog": "watchdog, plain", "watchfiles": "watchfiles"}
Tell = Callable[[str], None]


def devmount(folder: Path, tell: Tell, ready: Callable[[], None]) -> None:
    from devmount.watch import Watcher

    watcher = Watcher(folder, [], lambda change: tell(getattr(change, "path", "")))
    watcher.start()
    ready()


def watchdog(folder: Path, tell: Tell, ready: Callable[[], None]) -> None:
    """Its documentation's own example: one recursive schedule with the default events."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            tell(str(event.dest_path or event.src_path))

    observer = Observer()
    observer.schedule(Handler(), str(folder), recursive=True)
    observer.start()
    ready()


def watchfiles(folder: Path, tell: Tell, ready: Callable[[], None]) -> None:
    """``watch`` as it comes. That it watches is known by its first timeout, so that one is short while it starts."""
    from watchfiles import watch

    for _ in watch(folder, rust_timeout=1, yield_on_timeout=True):
        break
    ready()

    def follow() -> None:
        for changes in watch(folder):
            for _, path in changes:
                tell(path)

    threading.Thread(target=follow, daemon=True).start()


WAYS = {"devmount": devmount, "watchdog": watchdog, "watchfiles": watchfiles}


def load(name: str) -> None:
    """Import what the way needs, which is no part of its start."""
    if name == "devmount":
        import devmount.watch.inotify  # noqa: F401
    elif name == "watchdog":
        import watchdog.observers  # noqa: F401
    else:
        import watchfiles  # noqa: F401


def main() -> None:
    action, name, folder = sys.argv[1:]
    load(name)
    began = time.perf_counter()

    def tell(path: str) -> None:
        print(f"{time.time():.6f} {path}", flush=True)

    def ready() -> None:
        taken = time.perf_counter() - began
        print(f"{taken:.6f}" if action == "start" else "ready", flush=True)

    WAYS[name](Path(folder), tell if action == "run" else lambda path: None, ready)
    if action == "run":
        threading.Event().wait()


if __name__ == "__main__":
    main()
