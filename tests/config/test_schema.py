"""The JSON Schema in the repository is the one that the code tells, and says of a file what the code says."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.config import schema
from devmount.config.keys import PROJECT
from devmount.config.types import Either, Key, Listed, Mapped, Table, Type, toml
from tests.harness import REPOSITORY, devmount

FILE = REPOSITORY / "schema" / "devmount.schema.json"
STORED: dict[str, Any] = json.loads(FILE.read_text())
VALIDATOR = jsonschema.Draft7Validator(STORED)
PROJECTS = sorted(path for path in REPOSITORY.rglob(".devmount.toml") if not {".venv", "node_modules"} & {*path.parts})


def keys(kind: Type, path: str = "") -> Iterator[tuple[str, Key]]:
    """Every key below ``kind`` with its dotted path, once."""
    if isinstance(kind, Table):
        for name, key in kind.keys.items():
            yield f"{path}.{name}".lstrip("."), key
            yield from keys(key.type, f"{path}.{name}")
    elif isinstance(kind, Listed):
        yield from keys(kind.item, f"{path}[]")
    elif isinstance(kind, Mapped):
        yield from keys(kind.value, f"{path}.*")
    elif isinstance(kind, Either):
        for one in kind.types:
            yield from keys(one, path)


KEYS = [pytest.param(key, id=path) for path, key in keys(PROJECT) if not path.startswith("profiles.*.")]


def test_the_schema_in_the_repository_is_that_of_the_code() -> None:
    assert schema() == STORED, "make it again: devmount config schema > schema/devmount.schema.json"


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(STORED)


def test_the_command_prints_it(tmp_path: Path) -> None:
    done = devmount(tmp_path, "config", "schema")
    assert (done.returncode, done.stdout) == (0, FILE.read_text())


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_description_and_an_example_that_is_right(key: Key) -> None:
    assert key.doc[0].isupper() or key.doc.startswith(('"', "gitignore", "bind"))
    assert key.doc.endswith(".")
    assert list(key.type.check(key.example, ("example",))) == []
    jsonschema.Draft7Validator(key.type.schema()).validate(key.example)
    assert tomllib.loads(f"example = {toml(key.example)}")["example"] == key.example


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: str(path.parent.relative_to(REPOSITORY)))
def test_every_project_of_the_repository_is_valid(path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(path.read_text()))


def test_there_are_projects() -> None:
    assert len(PROJECTS) >= 5


SOME = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-2, 70000),
        st.just(1.5),  # not 1.0, which JSON does not tell from 1
        st.sampled_from(["", "x", "restart", "bind", "host"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["port", "x", "files"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def values(draw: st.DrawFn, kind: Type) -> Any:
    """A value that mostly fits ``kind``."""
    if draw(st.integers(0, 19)) == 0:
        return draw(SOME)
    if isinstance(kind, Table):
        names = draw(st.lists(st.sampled_from(sorted(kind.keys)), max_size=4, unique=True))
        names += [name for name, key in kind.keys.items() if key.is_required and draw(st.integers(0, 9))]
        made = {name: draw(values(kind.keys[name].type)) for name in names}
        if draw(st.integers(0, 19)) == 0:
            made["zzz"] = draw(SOME)
        return made
    if isinstance(kind, Listed):
        return draw(st.lists(values(kind.item), max_size=2))
    if isinstance(kind, Mapped):
        return draw(st.dictionaries(st.sampled_from(["a", "db"]), values(kind.value), max_size=2))
    if isinstance(kind, Either):
        return draw(values(draw(st.sampled_from(kind.types))))
    choices = getattr(kind, "choices", ())
    if choices:
        return draw(st.sampled_from(choices))
    plain: dict[type, st.SearchStrategy[Any]] = {
        str: st.text(max_size=4),
        bool: st.booleans(),
        int: st.integers(-1, 66000),
        float: st.sampled_from([0.5, -1.5]),
    }
    return draw(plain[getattr(kind, "type", str)])


@settings(max_examples=400, deadline=None)
@given(values(PROJECT))
def test_the_schema_takes_what_the_code_takes_and_nothing_else(value: Any) -> None:
    assert VALIDATOR.is_valid(value) == (not list(PROJECT.check(value, ())))
