"""What a member of an archive may be, before it is put into a volume. Pure."""

import posixpath
from dataclasses import replace

from devmount.errors import DevmountError
from devmount.volumes.tarstream import DEVICES, FOLDER, HARD_LINK, SYMLINK, Member

LONGEST_NAME = 4096  # bytes, PATH_MAX


class UnsafeError(DevmountError):
    """The archive holds what must not get into a volume."""


def relative(name: bytes, top: bytes, what: str) -> bytes:
    """The name of a member relative to ``top`` ("data", or "" for all of the archive); "." for ``top`` itself.

    Raises:
        UnsafeError: it is absolute, goes up, or lies elsewhere.
    """
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if name.startswith(b"/"):
        raise _unsafe(name, "is an absolute path", what)
    if b".." in parts:
        raise _unsafe(name, "goes up with ..", what)
    if len(name) > LONGEST_NAME or b"\0" in name:
        raise _unsafe(name[:80], "is no path", what)
    if top:
        if parts[:1] != [top]:
            raise _unsafe(name, f"is outside {top.decode()}/", what)
        parts = parts[1:]
    return b"/".join(parts) or b"."


class Checker:
    """Lets the members of one archive through, in order, or refuses them.

    Symbolic links are content and kept as they are, wherever they point; but nothing is unpacked through one.

    Args:
        top: the folder of the archive that is the volume's content; "" for all of the archive.
        what: names the archive in errors.
        devices: let device nodes through.
    """

    def __init__(self, top: bytes, what: str, *, devices: bool) -> None:
        self._top = top
        self._what = what
        self._devices = devices
        self._links: set[bytes] = set()
        self.leading_out = 0  # symbolic links whose target is outside the volume

    def check(self, member: Member) -> Member:
        """The member with its name (and a hard link's target) made relative to ``top``.

        Raises:
            UnsafeError: the member must not get into a volume.
        """
        name = relative(member.name, self._top, self._what)
        link = relative(member.link, self._top, self._what) if member.kind == HARD_LINK else member.link
        if member.kind in DEVICES and not self._devices:
            hint = "let it in with --devices if you trust the archive"
            raise _unsafe(member.name, "is a device node", self._what, hint)
        if name == b"." and member.kind != FOLDER:
            raise _unsafe(member.name, "takes the place of the volume's top folder", self._what)
        for path in (name, link) if member.kind == HARD_LINK else (name,):
            if self._links and any(parent in self._links for parent in _parents(path)):
                raise _unsafe(member.name, "lies behind a symbolic link", self._what)
        if member.kind == SYMLINK:
            self._links.add(name)
            self.leading_out += leads_out(name, link)
        elif member.kind == HARD_LINK and link in self._links:
            self._links.add(name)
        else:
            self._links.discard(name)
        return replace(member, name=name, link=link)


def leads_out(name: bytes, target: bytes) -> bool:
    """Whether a symbolic link, named relative to the volume, points outside it."""
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    return target.startswith(b"/") or reached == b".." or reached.startswith(b"../")


def _parents(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:end]) for end in range(1, len(parts))]


def _unsafe(name: bytes, reason: str, what: str, hint: str = "") -> UnsafeError:
    shown = name.decode("utf-8", "backslashreplace")
    return UnsafeError(f"the archive is refused: {shown!r} {reason}", what, hint or "nothing was changed")
