"""Backup files that are damaged, cut short or hostile, without an engine."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.errors import DevmountError
from devmount.volumes import backup, compression, fill, manifest, tarstream, verify
from devmount.volumes.manifest import Manifest
from devmount.volumes.tarstream import FOLDER, Member

BEGUN = Manifest("data", "shop_data", "shop", "2026-01-02T03:04:05+00:00")
CONTENT = [
    (Member(b"data/", FOLDER, mode=0o750, uid=7, gid=8), b""),
    (Member(b"data/file"), b"hello\n" * 300),
    (Member(b"data/\xff\nodd"), b"x"),
    (Member(b"data/link", tarstream.SYMLINK, link=b"/etc/passwd"), b""),
    (Member(b"data/null", tarstream.FIFO), b""),
]


def stream(rows: list[tuple[Member, bytes]]) -> bytes:
    made = b""
    for member, data in rows:
        made += tarstream.encode(replace(member, size=len(data))) + tarstream.padded(data)
    return made + tarstream.END


def whole() -> bytes:
    """A backup as devmount writes it."""
    out = io.BytesIO()
    backup.write(out, BEGUN, io.BytesIO(stream(CONTENT)).read, lambda done: None)
    return out.getvalue()


def content(data: bytes) -> list[tuple[bytes, bytes]]:
    """What a restore would put into the volume."""
    found: list[tuple[bytes, bytes]] = []
    for item in fill.backup_content(io.BytesIO(data), "test", devices=False):
        if isinstance(item, Member):
            found.append((item.name, b""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + bytes(item))
    return found


def check(data: bytes, *, devices: bool = False) -> Manifest:
    return verify.verify(io.BytesIO(data), "test", devices=devices)[0]


GOOD = whole()


def test_a_backup_verifies_and_says_what_it_holds() -> None:
    told = check(GOOD)
    assert (told.members, told.files, told.content_bytes) == (5, 2, 1801)
    assert (told.owner, told.mode, told.archive_bytes) == ("7:8", "0750", len(GOOD))
    assert content(GOOD) == [
        (b".", b""),
        (b"file", b"hello\n" * 300),
        (b"\xff\nodd", b"x"),
        (b"link", b""),
        (b"null", b""),
    ]


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
@settings(deadline=None, max_examples=400)
def test_a_flipped_bit_is_found_or_means_nothing(place: int, bit: int) -> None:
    """The frame that readers skip holds nothing; everything else is covered by a checksum."""
    flipped = bytearray(GOOD)
    flipped[place] ^= 1 << bit
    try:
        check(bytes(flipped))
    except DevmountError:
        return
    assert content(bytes(flipped)) == content(GOOD)


@given(st.integers(0, len(GOOD) - 1))
@settings(deadline=None, max_examples=200)
def test_a_truncated_backup_is_refused(length: int) -> None:
    with pytest.raises(DevmountError):
        check(GOOD[:length])


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_anything_else_is_refused(data: bytes) -> None:
    for prefix in (b"", compression.MAGIC, GOOD[:200]):
        with pytest.raises(DevmountError):
            check(prefix + data)


RESERVED = 4096  # bytes for the manifest


def hostile(rows: list[tuple[Member, bytes]], *, told: Manifest | None = None, tail: bytes = b"") -> bytes:
    """A backup whose manifest and checksums fit what is in it, whatever that is."""
    sums = b"".join(
        manifest.checksum_line(member.name, hashlib.sha256(data).hexdigest(), sparse=False)
        for member, data in rows
        if member.kind == tarstream.FILE
    )
    body = stream([*rows, (Member(manifest.CHECKSUMS), sums)]) + tail
    files = [data for member, data in rows if member.kind == tarstream.FILE]
    made = told or replace(BEGUN, members=len(rows), files=len(files), content_bytes=sum(map(len, files)))
    rest = zstandard.ZstdCompressor(write_checksum=True).compress(body)
    text = replace(made, archive_bytes=RESERVED + len(rest)).to_json()
    first = compression.frame(tarstream.encode(Member(manifest.MANIFEST, size=len(text))) + tarstream.padded(text))
    return first + compression.skippable(RESERVED - len(first)) + rest


TOP = (Member(b"data/", FOLDER), b"")


def test_the_test_makes_backups_that_pass() -> None:
    check(hostile([TOP, (Member(b"data/file"), b"x")]))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([TOP, (Member(b"data/../../evil"), b"x")], "goes up"),
        ([TOP, (Member(b"/evil"), b"x")], "absolute"),
        ([TOP, (Member(b"data/a", tarstream.SYMLINK, link=b"/"), b""), (Member(b"data/a/x"), b"x")], "symbolic link"),
        ([TOP, (Member(b"data/h", tarstream.HARD_LINK, link=b"/etc/shadow"), b"")], "absolute"),
        ([TOP, (Member(b"data/sda", tarstream.BLOCK_DEVICE, device=(8, 0)), b"")], "device node"),
        ([TOP, (Member(b"elsewhere"), b"x")], "outside data"),
    ],
)
def test_a_hostile_member_is_refused(rows: list[tuple[Member, bytes]], reason: str) -> None:
    with pytest.raises(DevmountError, match=reason):
        check(hostile(rows))


def test_more_than_the_manifest_says_is_refused_before_it_is_unpacked() -> None:
    """Sixteen million zeros pack into a few hundred bytes; they are refused at their header."""
    bomb = hostile([TOP, (Member(b"data/zeros"), b"\0" * (16 << 20))], told=replace(BEGUN, members=2, files=1))
    assert len(bomb) < 5000
    with pytest.raises(DevmountError, match="more than its manifest says"):
        check(bomb)


def test_endless_zeros_after_the_end_are_refused() -> None:
    with pytest.raises(DevmountError, match="something after its end"):
        check(hostile([TOP], tail=b"\0" * (tarstream.LONGEST_REST + (4 << 20))))


def test_a_window_that_takes_all_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    wide = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = wide.compress(stream(CONTENT)) + wide.flush()
    with pytest.raises(DevmountError, match="damaged"):
        check(packed)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b"[" * 100_000,
        b'{"format": 99}',
        json.dumps({**json.loads(BEGUN.to_json()), "members": -1}).encode(),
        json.dumps({**json.loads(BEGUN.to_json()), "labels": {"a": 1}}).encode(),
        json.dumps({**json.loads(BEGUN.to_json()), "labels": "text"}).encode(),
    ],
)
def test_a_manifest_that_is_none_is_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.zst"
    path.write_bytes(
        compression.frame(tarstream.encode(Member(manifest.MANIFEST, size=len(text))) + tarstream.padded(text))
    )
    with pytest.raises(DevmountError):
        verify.read_manifest(path)


def test_a_file_that_is_no_backup_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "plain.tar"
    path.write_bytes(stream(CONTENT))
    with pytest.raises(DevmountError) as caught:
        verify.open_backup(path)
    assert "volume import" in caught.value.hint
    with pytest.raises(DevmountError, match="cannot be read"):
        verify.open_backup(tmp_path / "missing")
