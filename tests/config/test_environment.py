"""Files of variables, and ``${NAME}`` in values."""

import json
import string
from pathlib import Path
from typing import Any

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devmount.config import environment
from devmount.config.values import Wrong

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "dotenv.json").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']}-{row['why']}")
def test_a_file_means_what_python_dotenv_makes_of_it(row: dict[str, Any]) -> None:
    found = environment.parse(row["text"], row["env"], interpolate=row["interpolate"], override=row["override"])
    assert found.values == row["expected"]


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["interpolate"] and row["override"]], ids=lambda row: row["id"]
)
def test_reading_a_file_gives_the_same_and_leaves_out_names_without_a_value(
    row: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / ".env"
    path.write_bytes(row["text"].encode())
    assert environment.read(path, row["env"]).values == row["expected"]


def test_the_rows_are_all_there() -> None:
    assert len(ROWS) == 48


@given(
    st.text(alphabet=string.ascii_letters + " =#'\"\\\n\r\t${}:-\ufeff", max_size=60), st.sampled_from(["A", "b", "x"])
)
def test_any_text_is_read_as_python_dotenv_reads_it(text: str, name: str) -> None:
    import io
    import logging
    import os

    logging.getLogger("dotenv.main").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, "caller's")
        expected = dotenv.dotenv_values(stream=io.StringIO(text.removeprefix("\ufeff")))
        assert environment.parse(text, os.environ).values == expected


def test_lines_and_what_is_skipped() -> None:
    found = environment.parse("\n# comment\n\nA=1\nB: 2\n\nC='x\ny'\nD=4\n", {})
    assert found.lines == {"A": 4, "C": 7, "D": 9}
    assert found.skipped == (5,)


def test_the_callers_own_variables_are_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("TOKEN\nURL=http://${HOST}/${OWN:-x}\nOWN=1\nAGAIN=${OWN}\nMISSING\n")
    found = environment.read(path, {"TOKEN": "t", "HOST": "h", "UNUSED": "u"})
    assert found.values == {"TOKEN": "t", "URL": "http://h/x", "OWN": "1", "AGAIN": "1", "MISSING": None}
    assert found.taken == {"TOKEN", "HOST"}


def test_the_file_that_was_really_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("A=1\n")
    (tmp_path / "link").symlink_to("real")
    assert environment.read(tmp_path / "link", {}).path == (tmp_path / "real").resolve()


def test_a_file_that_is_too_large_or_not_text(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\n" * 300_000)
    with pytest.raises(Wrong, match="larger than 1024 KiB"):
        environment.read(path, {})
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(Wrong, match="not UTF-8"):
        environment.read(path, {})


VARIABLES = {"A": "one", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("x${A}y${A}", "xoneyone"),
        ("${A:-two}", "one"),
        ("${EMPTY}", ""),
        ("${EMPTY:-two}", "two"),
        ("${NONE:-}", ""),
        ("${NONE:-a b:-c}", "a b:-c"),
        ("$A $ 5$", "$A $ 5$"),
        ("$${A}", "${A}"),
        ("$$", "$"),
        ("no variable", "no variable"),
    ],
)
def test_variables_in_values(text: str, expected: str) -> None:
    assert environment.interpolate(text, VARIABLES.get) == expected


@pytest.mark.parametrize("text", ["${NONE}", "${", "${A", "${}", "${A-b}", "${1}", "${A:?no}", "${ A }"])
def test_wrong_variables(text: str) -> None:
    with pytest.raises(Wrong):
        environment.interpolate(text, VARIABLES.get)


@given(st.text())
def test_a_text_with_its_dollars_doubled_comes_out_as_it_was(text: str) -> None:
    assert environment.interpolate(text.replace("$", "$$"), lambda name: None) == text
