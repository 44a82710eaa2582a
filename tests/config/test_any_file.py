"""Whatever a file holds, it is read, or every mistake in it is told with its place and what to do."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.config import load
from devmount.config.keys import PROJECT
from devmount.config.types import Either, Mapped, Table, Type
from devmount.errors import ConfigError, UsageError
from devmount.ui.errors import print_error

WORDS = r"""
1 -1 8000 1.5 nan true "" "x" "/" "." ".." "~" "~nobody/x" [] {} [[]] [{}] [1,"a"] 1979-05-27 "x:y" ":" "1s" "-1s"
"${" "${A}" "${A:-b}" "${B}" "\u0000" "\u001b" "a=b" "(?P<" "8000:80:90:1" "1-65535" "0-0:1-1" "[::1]:1:2"
"999.1.1.1:1:2" "10000000000h" {type="bind",target="/x"} {service="app"}
"""
VALUES = (*WORDS.split(), "9" * 5000, f'"{"9" * 400}"', f'"./{"a" * 300}:/x"', '''"""two\nlines"""''')
NAMES = ("db", "app", "x-y", "X", "a.b", '"é"', '""', '"\\u001b"', '"a b"')
WITHOUT_PLACE = ("there is no [app]", "there is no profile")
EXAMPLE = (Path(__file__).parents[2] / "examples" / "flask-redis" / ".devmount.toml").read_text()


@st.composite
def keys(draw: st.DrawFn) -> str:
    """A dotted key that the file knows, or nearly."""
    return ".".join(_parts(draw, PROJECT))


def _parts(draw: st.DrawFn, kind: Type) -> Iterator[str]:
    if isinstance(kind, Either):
        kind = draw(st.sampled_from(kind.types))
    if isinstance(kind, Table):
        name = draw(st.sampled_from([*kind.keys, "zzz"]))
        yield name
        if name in kind.keys and draw(st.integers(0, 6)):
            yield from _parts(draw, kind.keys[name].type)
    elif isinstance(kind, Mapped):
        yield draw(st.sampled_from(NAMES))
        if draw(st.integers(0, 6)):
            yield from _parts(draw, kind.value)


documents = st.lists(st.tuples(keys(), st.sampled_from(VALUES)), max_size=10).map(
    lambda pairs: 'app.image = "x"\n' + "".join(f"{key} = {value}\n" for key, value in pairs)
)
damages = st.lists(
    st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 20), st.sampled_from([*"[]{}=\"'#.\n,\\$ \t\r\0é世", ""])),
    min_size=1,
    max_size=5,
)


def damaged(places: list[tuple[int, int, str]]) -> str:
    """A good file with a few pieces cut out or put in."""
    text = EXAMPLE
    for start, length, new in places:
        text = text[:start] + new + text[start + length :]
    return text


@settings(max_examples=300, deadline=None)
@given(st.one_of(documents, damages.map(damaged)), st.sampled_from([None, "db"]))
def test_every_mistake_has_its_place_and_its_mend(text: str, profile: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", folder)
        project = Path(folder) / "project"
        project.mkdir()
        file = project / ".devmount.toml"
        file.write_bytes(text.encode())
        try:
            load(file, profile=profile, environ={"A": "the secret"})
        except UsageError as error:
            printed = io.StringIO()
            print_error(error, printed)
            assert "the secret" not in printed.getvalue()
            for problem in error.problems if isinstance(error, ConfigError) else [error]:
                assert problem.hint, problem.message
                assert "^" in problem.where or problem.message.startswith(WITHOUT_PLACE), problem.message
