"""How other commands reach a running session: a lock that says who runs, and a unix socket that takes requests.

Both lie in the user's runtime folder, one pair a project folder. The socket speaks lines of JSON: a request
``{"command": NAME, "services": [...]}`` is answered by ``{"ok": true}`` or ``{"ok": false, "message": ...}``; after
``{"command": "events"}`` the session's events follow, a line each.
"""

from devmount.control.client import Client
from devmount.control.lock import SessionLock
from devmount.control.paths import log_file
from devmount.control.server import Command, Server

__all__ = ["Client", "Command", "Server", "SessionLock", "log_file"]
