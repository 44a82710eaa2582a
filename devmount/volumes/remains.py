"""What remains of a volume whose removal may have been cut off. Pure.

An engine that is killed while it removes a volume leaves some of its files. They are told from a volume that was never
touched, and from one that somebody has written to since.
"""

import hashlib
from collections.abc import Iterable, Iterator
from enum import Enum, auto

from devmount.volumes import tarstream
from devmount.volumes.tarstream import Member

LINK = b"link"  # in the place of a content: which of a file's names comes first in a tar is not fixed


class Remains(Enum):
    """Of what was there: all, or only a part, or something is there that was not."""

    ALL = auto()
    PART = auto()
    OTHER = auto()


def judge(now: Iterable[Member | memoryview], before: Iterable[Member | memoryview]) -> Remains:
    """Compare the members and data of a volume with those it had. Owners, modes and times do not count."""
    had = dict(_entries(before))
    left = 0
    for name, content in _entries(now):
        was = had.get(name)
        if was is None or (was != content and LINK not in (was, content)):
            return Remains.OTHER
        left += 1
    return Remains.ALL if left == len(had) else Remains.PART


def _entries(items: Iterable[Member | memoryview]) -> Iterator[tuple[bytes, bytes]]:
    """A digest of the name and one of the content of each member; a name is in there once."""
    member: Member | None = None
    digest = hashlib.sha256()
    for item in items:
        if isinstance(item, Member):
            if member is not None:
                yield _entry(member, digest.digest())
            member, digest = item, hashlib.sha256(item.kind + b"\0" + item.link)
        else:
            digest.update(item)
    if member is not None:
        yield _entry(member, digest.digest())


def _entry(member: Member, digest: bytes) -> tuple[bytes, bytes]:
    name = hashlib.blake2b(member.name, digest_size=16).digest()
    return name, LINK if member.kind == tarstream.HARD_LINK else digest[:16]
