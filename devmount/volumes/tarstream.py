"""Tar streams, read and written in one pass with flat memory, names as the bytes they are.

Understands what engines and GNU tar write: ustar, PAX records, GNU long names, base-256 numbers, sparse files in the
format 1.0 (GNU tar's manual, "Storing Sparse Files").
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from devmount.errors import DevmountError

BLOCK = 512
CHUNK = 1 << 20
END = b"\0" * (2 * BLOCK)
LONGEST_REST = 16 << 20  # bytes of zeros after the end
LONGEST_EXTENSION = 1 << 20  # bytes of PAX records or of a long name

FILE, HARD_LINK, SYMLINK, CHAR_DEVICE, BLOCK_DEVICE, FOLDER, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
KINDS = (FILE, HARD_LINK, SYMLINK, CHAR_DEVICE, BLOCK_DEVICE, FOLDER, FIFO)
DEVICES = (CHAR_DEVICE, BLOCK_DEVICE)
XATTR = b"SCHILY.xattr."
SPARSE = b"GNU.sparse."
KEPT_RECORDS = (b"mtime",)  # and those that begin with XATTR; any other is dropped, for it could rename a member


class DamagedError(DevmountError):
    """The stream is not a whole, well-formed tar."""


@dataclass(slots=True)
class Member:
    """An entry of a tar.

    ``size``: bytes of data that follow. ``sparse``: for a file with holes its size with them; its data then begins with
    the map. ``records``: PAX records that are kept as they are.
    """

    name: bytes
    kind: bytes = FILE
    size: int = 0
    link: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    device: tuple[int, int] = (0, 0)
    sparse: int | None = None
    records: dict[bytes, bytes] = field(default_factory=dict)

    def shown(self) -> str:
        """The name for a message."""
        return self.name.decode("utf-8", "backslashreplace")


class Reader:
    """Members of a tar stream. Each member's data is to be taken, through ``data``, before the next member.

    Args:
        read: gives up to so many bytes; none at the end.
        what: names the archive in errors.
    """

    def __init__(self, read: Callable[[int], bytes], what: str) -> None:
        self._read = read
        self._what = what
        self._buffer = memoryview(b"")
        self.consumed = 0  # bytes

    def __iter__(self) -> Iterator[Member]:
        """The members up to the end-of-archive blocks.

        Raises:
            DamagedError: the stream ends before them, or is no tar.
        """
        records: dict[bytes, bytes] = {}
        while True:
            head = self._exactly(BLOCK)
            if head.count(0) == BLOCK:
                return
            member = self._parse(head)
            if member.kind in (b"x", b"g", b"L", b"K"):
                if member.size > LONGEST_EXTENSION:
                    raise self._damaged("a header is too long")
                body = self._exactly(member.size + -member.size % BLOCK)
                if member.kind == b"g":
                    continue
                if member.kind == b"x":
                    records.update(self._records(body[: member.size]))
                else:
                    records[b"path" if member.kind == b"L" else b"linkpath"] = body[: member.size].rstrip(b"\0")
                continue
            self._apply(member, records)
            records = {}
            yield member

    def data(self, member: Member) -> Iterator[memoryview]:
        """The member's data in pieces; the blocks' padding is skipped."""
        left = member.size
        while left:
            piece = self._piece(left)
            left -= len(piece)
            yield piece
        if member.size % BLOCK:
            self._exactly(BLOCK - member.size % BLOCK)

    def rest(self) -> None:
        """Take what follows the end-of-archive blocks, which must be zeros."""
        end = self.consumed + LONGEST_REST
        while self._buffer or self._fill():
            if self.consumed > end or self._buffer.tobytes().strip(b"\0"):
                raise self._damaged("there is something after its end")
            self.consumed += len(self._buffer)
            self._buffer = memoryview(b"")

    def _fill(self) -> bool:
        self._buffer = memoryview(self._read(CHUNK))
        return bool(self._buffer)

    def _piece(self, most: int) -> memoryview:
        if not self._buffer and not self._fill():
            raise self._damaged("it ends too early")
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        self.consumed += len(piece)
        return piece

    def _exactly(self, size: int) -> bytes:
        piece = self._piece(size) if size else memoryview(b"")
        if len(piece) == size:
            return bytes(piece)
        parts = [piece]
        left = size - len(piece)
        while left:
            piece = self._piece(left)
            parts.append(piece)
            left -= len(piece)
        return b"".join(parts)

    def _parse(self, head: bytes) -> Member:
        try:
            if _number(head[148:156]) != _checksum(head):
                raise self._damaged("a header's checksum does not fit")
            name = _text(head[0:100])
            if head[257:263] == b"ustar\0" and head[345]:
                name = _text(head[345:500]) + b"/" + name
            kind = head[156:157]
            if kind in (b"\0", b"7"):
                kind = FOLDER if name.endswith(b"/") else FILE
            return Member(
                name=name,
                kind=kind,
                size=_number(head[124:136]),
                link=_text(head[157:257]),
                mode=_number(head[100:108]) & 0o7777,
                uid=_number(head[108:116]),
                gid=_number(head[116:124]),
                mtime=_number(head[136:148]),
                device=(_number(head[329:337]), _number(head[337:345])) if kind in DEVICES else (0, 0),
            )
        except ValueError:
            raise self._damaged("a header is not one of a tar") from None

    def _apply(self, member: Member, records: dict[bytes, bytes]) -> None:
        try:
            member.size = int(records.get(b"size", member.size))
            member.uid = int(records.get(b"uid", member.uid))
            member.gid = int(records.get(b"gid", member.gid))
        except ValueError:
            raise self._damaged("a header holds no number where one must be") from None
        member.name = records.get(b"path", member.name)
        member.link = records.get(b"linkpath", member.link)
        if any(key.startswith(SPARSE) for key in records):
            self._apply_sparse(member, records)
        member.records = {key: value for key, value in records.items() if key in KEPT_RECORDS or key.startswith(XATTR)}
        if member.kind == b"S":
            raise self._damaged(f"{member.shown()} is sparse in an old format; write it with tar --format=posix")
        if member.kind not in KINDS:
            raise self._damaged(f"{member.shown()} is of the unknown kind {member.kind!r}")
        if member.kind != FILE:
            if member.size and member.kind == HARD_LINK and b"size" not in records:
                member.size = 0  # some write the linked file's size, and no data
            if member.size:
                raise self._damaged(f"{member.shown()} has data but is no file")
        if member.size < 0 or b"\0" in member.name + member.link or not member.name:
            raise self._damaged("a header is not one of a tar")

    def _apply_sparse(self, member: Member, records: dict[bytes, bytes]) -> None:
        version = (records.get(SPARSE + b"major"), records.get(SPARSE + b"minor"))
        size = records.get(SPARSE + b"realsize", b"")
        if version != (b"1", b"0") or member.kind != FILE or not size.isdigit() or SPARSE + b"name" not in records:
            raise self._damaged(f"{member.shown()} is sparse in a format that is not known")
        member.name = records[SPARSE + b"name"]
        member.sparse = int(size)

    def _records(self, body: bytes) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        place = 0
        while place < len(body):
            space = body.find(b" ", place, place + 20)
            try:
                length = int(body[place:space]) if space > 0 else 0
            except ValueError:
                length = 0
            record = body[space + 1 : place + length]
            if length <= 0 or place + length > len(body) or not record.endswith(b"\n") or b"=" not in record:
                raise self._damaged("its extended headers cannot be read")
            key, _, value = record[:-1].partition(b"=")
            found[key] = value
            place += length
        return found

    def _damaged(self, reason: str) -> DamagedError:
        return DamagedError(f"the archive cannot be used: {reason}", self._what, "use another backup")


def encode(member: Member) -> bytes:
    """The member's header blocks: ustar, with PAX records before it where it needs them."""
    records = dict(member.records)
    if member.sparse is not None:
        sparse = {b"major": b"1", b"minor": b"0", b"name": member.name, b"realsize": str(member.sparse).encode()}
        records.update({SPARSE + key: value for key, value in sparse.items()})
    for key, value in ((b"path", member.name), (b"linkpath", member.link)):
        if len(value) > 100 or not value.isascii():
            records[key] = value
    for key, number, limit in ((b"size", member.size, 8**11), (b"uid", member.uid, 8**7), (b"gid", member.gid, 8**7)):
        if number >= limit:
            records[key] = str(number).encode()
    extended = b""
    if records:
        body = b"".join(_record(key, value) for key, value in records.items())
        extended = _header(Member(b"PaxHeaders/" + member.name[-80:].strip(b"/"), b"x", len(body))) + padded(body)
    return extended + _header(member)


def padded(data: bytes) -> bytes:
    """The data, filled with zeros to whole blocks."""
    return data + b"\0" * (-len(data) % BLOCK)


def _header(member: Member) -> bytes:
    numbers = [
        (member.mode & 0o7777, 8),
        (member.uid if member.uid < 8**7 else 0, 8),
        (member.gid if member.gid < 8**7 else 0, 8),
        (member.size if member.size < 8**11 else 0, 12),
        (min(max(member.mtime, 0), 8**11 - 1), 12),
    ]
    fields = b"".join(b"%0*o\0" % (width - 1, value) for value, width in numbers)
    device = b"%07o\0%07o\0" % member.device
    name, link = member.name[:100].ljust(100, b"\0"), member.link[:100].ljust(100, b"\0")
    owners = b"\0" * 64
    head = name + fields + b" " * 8 + member.kind + link + b"ustar\x0000" + owners + device + b"\0" * 167
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def _record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """Octal, or base-256 where the first bit is set (GNU)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    text = field.partition(b"\0")[0].strip()
    return int(text, 8) if text else 0


def _checksum(head: bytes) -> int:
    return sum(head[:148]) + 8 * 32 + sum(head[156:])
