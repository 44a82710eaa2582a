"""Tar streams: against Python's own tarfile, and against whatever bytes there may be."""

import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.volumes import tarstream
from devmount.volumes.tarstream import DamagedError, Member, Reader

names = st.binary(min_size=1, max_size=300).map(lambda raw: raw.replace(b"\0", b"x"))
numbers = st.integers(0, 2**40)
xattrs = st.dictionaries(
    st.binary(min_size=1, max_size=20).map(lambda raw: tarstream.XATTR + raw.replace(b"=", b"-").replace(b"\0", b"-")),
    st.binary(max_size=50),
    max_size=3,
)
members = st.builds(
    Member,
    name=names,
    kind=st.sampled_from([tarstream.FILE, tarstream.FOLDER, tarstream.SYMLINK, tarstream.HARD_LINK, tarstream.FIFO]),
    link=names,
    mode=st.integers(0, 0o7777),
    uid=numbers,
    gid=numbers,
    mtime=st.integers(0, 8**11 - 1),
    records=xattrs,
)


def read(data: bytes) -> list[tuple[Member, bytes]]:
    """All members and their data; what follows the end must be zeros."""
    file = io.BytesIO(data)
    source = Reader(file.read, "test")
    found = [(member, b"".join(map(bytes, source.data(member)))) for member in source]
    source.rest()
    return found


@given(st.lists(st.tuples(members, st.binary(max_size=2000)), max_size=5))
@settings(deadline=None)
def test_what_is_encoded_is_read_again(rows: list[tuple[Member, bytes]]) -> None:
    stream = b""
    for member, data in rows:
        if member.kind != tarstream.FILE:
            data = b""
        if member.kind not in (tarstream.SYMLINK, tarstream.HARD_LINK):
            member.link = b""
        member.size = len(data)
        stream += tarstream.encode(member) + tarstream.padded(data)
    found = read(stream + tarstream.END)
    assert [member.name for member, _ in found] == [member.name for member, _ in rows]
    for (made, data), (given_member, given_data) in zip(found, rows, strict=True):
        assert made == given_member
        assert data == (given_data if given_member.kind == tarstream.FILE else b"")


@given(st.binary(max_size=4000))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused_in_words(data: bytes) -> None:
    with suppress(DamagedError):
        read(data)


def made_by_tarfile(format: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for name in ("plain", "d" * 120 + "/" + "n" * 120, "späť"):
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.mtime = 700, 1 << 22, 7
            tar.addfile(info, io.BytesIO(b"x" * 700))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "t" * 150
        tar.addfile(link)
    return out.getvalue()


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_other_programs_write_is_read(format: int) -> None:
    found = read(made_by_tarfile(format))
    assert [member.name.decode() for member, _ in found] == ["plain", "d" * 120 + "/" + "n" * 120, "späť", "link"]
    assert [member.uid for member, _ in found[:3]] == [1 << 22] * 3
    assert found[3][0].link == b"t" * 150


@given(st.integers(0, 20_000), st.integers(0, 7))
@settings(deadline=None)
def test_a_flipped_bit_in_a_header_is_seen(place: int, bit: int) -> None:
    """Data has no checksum in a tar; headers have, and a name must not change unseen."""
    whole = made_by_tarfile(tarfile.GNU_FORMAT)
    place %= len(whole)
    flipped = bytearray(whole)
    flipped[place] ^= 1 << bit
    before = [(member.name, member.kind, member.link) for member, _ in read(whole)]
    try:
        after = [(member.name, member.kind, member.link) for member, _ in read(bytes(flipped))]
    except DamagedError:
        return
    # the long names of this format lie in blocks of data
    assert len(after) == len(before)
    assert [row[1] for row in after] == [row[1] for row in before]


@pytest.mark.parametrize("cut", [1, 511, 512, 513, 1600, 4000])
def test_a_truncated_stream_is_an_error(cut: int) -> None:
    whole = made_by_tarfile(tarfile.PAX_FORMAT).rstrip(b"\0")
    with pytest.raises(DamagedError, match="ends too early"):
        read(whole[:-cut])


def test_records_that_could_rename_a_member_do_not_pass() -> None:
    """GNU.sparse.name outranks the path in GNU tar and in Go's reader; so does path in a second header."""
    hostile = {b"GNU.sparse.name": b"../../evil", b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0"}
    member = Member(b"harmless", size=0, records={**hostile, b"GNU.sparse.realsize": b"10"})
    [(read_member, _)] = read(tarstream.encode(member) + tarstream.END)
    assert read_member.name == b"../../evil", "it must be checked under the name it would get"
    with pytest.raises(DamagedError):
        read(tarstream.encode(Member(b"harmless", records={b"GNU.sparse.name": b"../../evil"})) + tarstream.END)
    foreign = {b"comment": b"x", b"hdrcharset": b"BINARY", b"LIBARCHIVE.symlinktype": b"dir", b"uname": b"root"}
    [(read_member, _)] = read(tarstream.encode(Member(b"plain", records=foreign)) + tarstream.END)
    assert read_member.records == {}


def test_a_header_that_never_ends_is_refused() -> None:
    with pytest.raises(DamagedError, match="too long"):
        read(tarstream.encode(Member(b"long", b"x", size=1 << 30)))
