"""The first and the last member of a backup: what it holds, and the checksums of its files."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from devmount.errors import DevmountError

FORMAT = 1
MANIFEST = b"devmount-manifest.json"
CHECKSUMS = b"devmount-checksums"
TOP = b"data"
LONGEST_MANIFEST = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. Sizes in bytes; ``time`` is RFC 3339."""

    volume: str
    engine_name: str
    project: str
    time: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    users: str = "unused"  # paused, stopped, live or unused while it was read
    members: int = 0
    files: int = 0
    content_bytes: int = 0  # of all files' content
    archive_bytes: int = 0  # of the backup file itself
    owner: str = "0:0"  # of the volume's top folder
    mode: str = "0755"
    way: str = "tar"  # how it was read: "tar", or "archive", which leaves out extended attributes and holes
    devmount: str = ""
    engine: str = ""
    format: int = FORMAT

    @property
    def consistent(self) -> bool:
        return self.users != "live"

    def to_json(self) -> bytes:
        return json.dumps({**asdict(self), "consistent": self.consistent}, indent=2).encode() + b"\n"


def from_json(data: bytes, what: str) -> Manifest:
    """The manifest of a backup.

    Raises:
        DevmountError: it is none, or one of a newer format.
    """
    try:
        read: Any = json.loads(data)
        if read["format"] > FORMAT:
            raise DevmountError(
                f"the backup has format {read['format']}, newer than this devmount", what, "update devmount"
            )
        known = {entry.name: read[entry.name] for entry in fields(Manifest) if entry.name in read}
        made = Manifest(**known)
        numbers = (made.members, made.files, made.content_bytes, made.archive_bytes)
        texts = (made.volume, made.engine_name, made.project, made.time, made.driver, made.users, made.way)
        pairs = [*made.options.items(), *made.labels.items()]
        right = all(type(number) is int and number >= 0 for number in numbers)
        if not right or not all(isinstance(text, str) for text in (*texts, *(part for pair in pairs for part in pair))):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DevmountError("the backup's manifest cannot be read", what, "use another backup") from None
    return made


def checksum_line(name: bytes, digest: str, *, sparse: bool) -> bytes:
    """A line as ``sha256sum --check`` takes it, names with a line end or a backslash escaped as it does.

    Args:
        sparse: the digest is that of the map and the data of a file with holes; the line is a comment to sha256sum.
    """
    escaped = re.sub(rb"[\\\n\r]", lambda found: {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}[found[0]], name)
    begin = b"# sparse: " if sparse else b""
    return begin + (b"\\" if escaped != name else b"") + digest.encode() + b"  " + escaped + b"\n"
