"""JSON with comments: read, and added to without losing a character of the user's."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devmount.init import jsonc


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("// nothing\n/* at all */", None),
        ('{"a": "// no comment", /* b */ "c": [1, 2, /* x */ ], // end\n}', {"a": "// no comment", "c": [1, 2]}),
        ('\ufeff{"a": "\\"/*"}', {"a": '"/*'}),
        ('["a,]", ",}" , ]', ["a,]", ",}"]),
        ("[1/**/,/***/2/* * / */]", [1, 2]),
    ],
)
def test_comments_and_commas_are_no_values(text: str, value: object) -> None:
    assert jsonc.loads(text) == value
    assert len(jsonc.strip(text)) == len(text)


@pytest.mark.parametrize("text", ["{", "{'a': 1}", "/* a", "[1,,2]", "{} {}", '"a', "[" * 100_000])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(jsonc.NotJson):
        jsonc.loads(text)


def test_hostile_comments_take_no_time() -> None:
    assert jsonc.loads("[1," + "/**/" * 20_000 + "]") == [1]
    assert jsonc.loads("[1" + "/**/,".replace(",", "") * 20_000 + ",2]") == [1, 2]


BEFORE_AFTER = [
    ("", ("a",), '{\n  "a": {\n    "x": 1\n  }\n}\n'),
    ("{}", ("a",), '{\n  "a": {\n    "x": 1\n  }\n}'),
    ('{\n    // first\n    "b": 1 // why\n}\n', ("a",),
     '{\n    // first\n    "b": 1, // why\n    "a": {\n        "x": 1\n    }\n}\n'),
    ('{\n\t"b": 1, // why\n\t// last words\n}\n', ("a",),
     '{\n\t"b": 1, // why\n\t// last words\n\t"a": {\n\t\t"x": 1\n\t}\n}\n'),
    ('{"b": {"c": 2}}', ("b", "d"), '{"b": {"c": 2,\n  "d": {\n    "x": 1\n  }\n}}'),
    ('{ /* empty */ }', ("a",), '{ /* empty */\n  "a": {\n    "x": 1\n  }\n}'),
    ('{"a": 5}', ("a",), '{"a": 5}'),
]  # fmt: skip


@pytest.mark.parametrize(("before", "path", "after"), BEFORE_AFTER)
def test_a_key_is_added(before: str, path: tuple[str, ...], after: str) -> None:
    assert jsonc.add(before, path, {"x": 1}) == after


def test_an_entry_is_appended_and_comments_stay() -> None:
    before = '{\n  "tasks": [\n    { "label": "mine" }, // of mine\n    // { "label": "old" },\n  ],\n}\n'
    after = jsonc.append(before, ("tasks",), {"label": "devmount"})
    assert after == (
        '{\n  "tasks": [\n    { "label": "mine" }, // of mine\n    // { "label": "old" },\n'
        '    {\n      "label": "devmount"\n    }\n  ],\n}\n'
    )
    assert jsonc.append("", (), 1) == "[\n  1\n]\n"
    assert jsonc.append("[]", (), 1) == "[\n  1\n]"
    assert jsonc.append('{"a": 1}', ("b",), 1) == '{"a": 1,\n  "b": [\n    1\n  ]\n}'
    for text in ('{"b": 1}', '{"b": {}}', "[]"):
        with pytest.raises(jsonc.NotJson):
            jsonc.append(text, ("b",), 1)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)
NOISE = st.lists(st.sampled_from([" ", "\n", "\t", "// a, ] }\n", "/* b */", "/*\n*/"]), max_size=3).map("".join)


@st.composite
def commented(draw: st.DrawFn, value: Any) -> str:
    """A value as text, with comments and commas wherever they may stand."""
    noise = draw(NOISE)
    if isinstance(value, list):
        items = [draw(commented(item)) + draw(NOISE) for item in value]
        body, brackets = ",".join(items), "[]"
    elif isinstance(value, dict):
        pairs = [f"{draw(NOISE)}{json.dumps(key)}{draw(NOISE)}:{draw(commented(item))}" for key, item in value.items()]
        body, brackets = ",".join(pair + draw(NOISE) for pair in pairs), "{}"
    else:
        return noise + json.dumps(value)
    comma = "," if value and draw(st.booleans()) else ""
    return f"{noise}{brackets[0]}{body}{comma}{draw(NOISE)}{brackets[1]}"


@settings(max_examples=100, deadline=None)
@given(st.data(), st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_what_is_added_is_there_and_nothing_else_has_changed(data: st.DataObject, value: dict[str, Any]) -> None:
    text = data.draw(commented(value))
    assert jsonc.loads(text) == value
    value.pop("new", None)
    if "new" not in jsonc.loads(text):
        made = jsonc.add(text, ("new", "deep"), [1])
        assert jsonc.loads(made) == {**value, "new": {"deep": [1]}}
        rest = iter(made)
        lost = [char for char in text if not char.isspace() and char not in rest]
        assert lost == []
    lists = [key for key, item in value.items() if isinstance(item, list)]
    for key in lists:
        assert jsonc.loads(jsonc.append(text, (key,), {"n": 1}))[key] == [*value[key], {"n": 1}]
