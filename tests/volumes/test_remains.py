"""Telling a volume that is whole from one whose removal was cut off, and from one that was written to since."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from devmount.volumes import tarstream
from devmount.volumes.remains import Remains, judge
from devmount.volumes.tarstream import Member

Entry = tuple[Member, bytes]

BEFORE: list[Entry] = [
    (Member(b".", tarstream.FOLDER), b""),
    (Member(b"a", size=3), b"one"),
    (Member(b"b", size=3), b"two"),
    (Member(b"hard", tarstream.HARD_LINK, link=b"a"), b""),
    (Member(b"soft", tarstream.SYMLINK, link=b"nowhere"), b""),
    (Member(b"empty"), b""),
]


def items(entries: list[Entry]) -> list[Member | memoryview]:
    found: list[Member | memoryview] = []
    for member, data in entries:
        found.append(member)
        if data:
            found.append(memoryview(data))
    return found


@given(st.sets(st.integers(0, len(BEFORE) - 1)), st.randoms(use_true_random=False))
def test_whatever_is_missing_is_a_part_in_any_order(gone: set[int], dice: random.Random) -> None:
    left = [entry for number, entry in enumerate(BEFORE) if number not in gone]
    dice.shuffle(left)
    assert judge(items(left), items(BEFORE)) is (Remains.PART if gone else Remains.ALL)


@given(st.integers(1, len(BEFORE) - 1), st.sampled_from(["name", "content", "more"]))
def test_whatever_is_new_is_seen(place: int, what: str) -> None:
    now = list(BEFORE)
    member, data = now[place]
    if what == "name":
        now[place] = (replace(member, name=b"other"), data)
    elif what == "content":
        now[place] = (replace(member, kind=tarstream.FILE, size=4, link=b""), b"else")
    else:
        now.append((Member(b"new", size=1), b"x"))
    same = BEFORE[place][0].kind == tarstream.HARD_LINK and what == "content"  # its first name's content is not known
    assert judge(items(now), items(BEFORE)) is (Remains.ALL if same else Remains.OTHER)


def test_the_other_name_of_a_file_may_come_first() -> None:
    now = [(Member(b"hard", size=3), b"one"), (Member(b"a", tarstream.HARD_LINK, link=b"hard"), b"")]
    assert judge(items([BEFORE[0], *now]), items(BEFORE)) is Remains.PART


def test_owners_modes_and_times_do_not_count() -> None:
    now = [(replace(member, mode=0o600, uid=7, mtime=9), data) for member, data in BEFORE]
    assert judge(items(now), items(BEFORE)) is Remains.ALL
