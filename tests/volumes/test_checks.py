"""What gets into a volume, and what does not."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.volumes import checks, tarstream
from devmount.volumes.checks import Checker, UnsafeError
from devmount.volumes.tarstream import Member

FILE, FOLDER, LINK, HARD = tarstream.FILE, tarstream.FOLDER, tarstream.SYMLINK, tarstream.HARD_LINK


def check(*members: Member, devices: bool = False) -> list[bytes]:
    checker = Checker(b"data", "test", devices=devices)
    return [checker.check(member).name for member in members]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([Member(b"/etc/passwd")], "absolute"),
        ([Member(b"data/../../etc/passwd")], "goes up"),
        ([Member(b"data/..")], "goes up"),
        ([Member(b"elsewhere/file")], "outside data"),
        ([Member(b"data")], "top folder"),
        ([Member(b"data/link", LINK, link=b"/etc"), Member(b"data/link/passwd")], "behind a symbolic link"),
        ([Member(b"data/a", LINK, link=b".."), Member(b"data/./a//b/c")], "behind a symbolic link"),
        ([Member(b"data/a", LINK, link=b"/"), Member(b"data/b", HARD, link=b"data/a/etc/shadow")], "behind a symbolic"),
        (
            [Member(b"data/a", LINK, link=b"/etc"), Member(b"data/b", HARD, link=b"data/a"), Member(b"data/b/x")],
            "behind a symbolic link",
        ),
        ([Member(b"data/h", HARD, link=b"/etc/shadow")], "absolute"),
        ([Member(b"data/h", HARD, link=b"data/../../x")], "goes up"),
        ([Member(b"data/null", tarstream.CHAR_DEVICE)], "device node"),
        ([Member(b"data/sda", tarstream.BLOCK_DEVICE)], "device node"),
        ([Member(b"data/" + b"x/" * 3000)], "no path"),
    ],
)
def test_the_hostile_is_refused(members: list[Member], reason: str) -> None:
    with pytest.raises(UnsafeError) as caught:
        check(*members)
    assert reason in caught.value.message
    assert caught.value.hint


def test_the_ordinary_passes() -> None:
    names = check(
        Member(b"data/", FOLDER),
        Member(b"data//a/b", FILE),
        Member(b"./data/./c", FILE),
        Member(b"data/link", LINK, link=b"../../anywhere"),
        Member(b"data/hard", HARD, link=b"data/c"),
        Member(b"data/pipe", tarstream.FIFO),
        Member(b"data/..file", FILE),
    )
    assert names == [b".", b"a/b", b"c", b"link", b"hard", b"pipe", b"..file"]
    assert check(Member(b"data/null", tarstream.CHAR_DEVICE), devices=True) == [b"null"]


def test_a_folder_that_takes_a_links_place_may_be_filled() -> None:
    assert check(Member(b"data/a", LINK, link=b"/etc"), Member(b"data/a", FOLDER), Member(b"data/a/file")) == [
        b"a",
        b"a",
        b"a/file",
    ]


parts = st.sampled_from([b"..", b".", b"", b"a", b"b", b"data", b"\xff"])


@given(st.lists(parts, min_size=1, max_size=8).map(b"/".join).filter(bool))
def test_no_name_that_passes_leads_out(name: bytes) -> None:
    try:
        passed = checks.relative(name, b"data", "test")
    except UnsafeError:
        return
    reached = posixpath.normpath(b"/volume/" + passed)
    assert reached == b"/volume" or reached.startswith(b"/volume/")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([FILE, FOLDER, LINK, HARD]),
            st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=3).map(b"/".join),
            st.sampled_from([b"/etc", b"..", b"a", b"b", b"a/b", b"c"]),
        ),
        max_size=8,
    )
)
def test_nothing_that_passes_is_written_through_a_link(rows: list[tuple[bytes, bytes, bytes]]) -> None:
    """A model of unpacking: each path's last word on whether it is a link; no parent of a written path may be one."""
    checker = Checker(b"", "test", devices=False)
    links: set[bytes] = set()
    for kind, name, target in rows:
        try:
            member = checker.check(Member(name, kind, link=target))
        except UnsafeError:
            return
        parents = [name.rsplit(b"/", n)[0] for n in range(1, name.count(b"/") + 1)]
        assert not links & set(parents)
        if kind == LINK or (kind == HARD and member.link in links):
            links.add(name)
        else:
            links.discard(name)


@pytest.mark.parametrize(
    ("name", "target", "out"),
    [
        (b"a/b", b"../c", False),
        (b"a/b", b"../../c", True),
        (b"a", b"/c", True),
        (b"a", b"..", True),
        (b"a", b".", False),
    ],
)
def test_links_to_the_outside_are_counted(name: bytes, target: bytes, out: bool) -> None:
    assert checks.leads_out(name, target) is out
