"""What the user has allowed: a small file a content, outside of every project, written by nobody else.

They lie in the user's state folder (XDG Base Directory Specification), each readable and writable by the user alone.
A name holds the project's folder and the digest, so giving the word is the making of a file, and needs no lock.
"""

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from devmount.errors import DevmountError

KEPT = 50  # contents a project: those of its branches, not of its whole history


@dataclass(frozen=True, slots=True)
class Word:
    """A content that was allowed, and when (RFC 3339)."""

    digest: str
    time: str
    path: Path


def folder(environ: Mapping[str, str]) -> Path:
    """Where the words are kept; it need not exist."""
    base = environ.get("XDG_STATE_HOME", "")
    state = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~")) / ".local" / "state"
    return state / "devmount" / "trust"


class Store:
    """The words in one folder.

    Args:
        place: as ``folder`` tells it.
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    def words(self, root: Path) -> list[Word]:
        """What was allowed of the project in this folder, newest first.

        Raises:
            DevmountError: someone else could have written it.
        """
        try:
            self._check(self.place.lstat(), self.place)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed(error) from error
        found = []
        for path in self.place.glob(f"{_key(root)}-*.json"):
            with contextlib.suppress(FileNotFoundError):  # revoked meanwhile
                word = self._read(path, root)
                if word is not None:
                    found.append(word)
        return sorted(found, key=lambda word: word.time, reverse=True)

    def holds(self, root: Path, digest: str) -> bool:
        """Whether this content of the project in this folder was allowed."""
        return any(word.digest == digest for word in self.words(root))

    def add(self, root: Path, digest: str, allowed: Sequence[str]) -> None:
        """Keep that it was allowed.

        Args:
            allowed: what, in words, for who looks into the file.

        Raises:
            DevmountError: it cannot be kept.
        """
        try:
            self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check(self.place.lstat(), self.place)
            time = datetime.now(UTC).isoformat(timespec="seconds")
            content = {"root": str(root), "digest": digest, "time": time, "allowed": list(allowed)}
            descriptor, beside = tempfile.mkstemp(dir=self.place, prefix=".new-")  # mode 0600
            try:
                with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                    json.dump(content, file, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(beside, self._path(root, digest))
            except BaseException:
                os.unlink(beside)
                raise
            for word in self.words(root)[KEPT:]:
                word.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed(error) from error

    def revoke(self, root: Path) -> int:
        """Take back whatever was allowed of the project in this folder; how many contents that was."""
        count = 0
        try:
            for path in self.place.glob(f"{_key(root)}-*.json"):
                path.unlink(missing_ok=True)
                count += 1
        except OSError as error:
            raise self._failed(error) from error
        return count

    def _path(self, root: Path, digest: str) -> Path:
        return self.place / f"{_key(root)}-{digest}.json"

    def _read(self, path: Path, root: Path) -> Word | None:
        """A word; None for a file that holds none."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
            self._check(os.fstat(descriptor), path)
            try:
                content = json.load(file)
                word = Word(content["digest"], content["time"], path)
                is_whole = content["root"] == str(root) and path == self._path(root, word.digest)
            except (ValueError, KeyError, TypeError):
                return None
        return word if is_whole else None

    def _check(self, status: os.stat_result, path: Path) -> None:
        """That nobody else can have written here.

        Raises:
            DevmountError: someone else can.
        """
        kind = stat.S_ISDIR if path == self.place else stat.S_ISREG
        if not kind(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise DevmountError(
                f"{path} is not yours alone, so what it says you trust does not count",
                str(self.place),
                "remove it; then allow what you still trust: devmount trust",
            )

    def _failed(self, error: OSError) -> DevmountError:
        return DevmountError(
            f"what you trust cannot be kept: {error.strerror}", str(self.place), "name another with XDG_STATE_HOME"
        )


def _key(root: Path) -> str:
    return sha256(os.fsencode(root)).hexdigest()[:32]
