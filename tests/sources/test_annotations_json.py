"""A large JSON document is read element by element, and a hostile one is refused in one line."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tintype.core.errors import SourceError
from tintype.sources.annotations import json_members
from tintype.sources.annotations.json_members import JsonMembers

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    document=st.dictionaries(st.text(), _values, max_size=5),
    indent=st.sampled_from((None, 0, 2)),
    is_ascii=st.booleans(),
    piece=st.integers(1, 9),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reads_what_the_standard_library_reads_however_the_file_is_cut(
    tmp_path, monkeypatch, document, indent, is_ascii, piece
):
    path = tmp_path / "any.json"
    text = json.dumps(document, indent=indent, ensure_ascii=is_ascii)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    monkeypatch.setattr(json_members, "_READ", piece)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair outside of an escape
        with pytest.raises(SourceError, match="not UTF-8"):
            [list(elements) for _, elements in JsonMembers(path)]
        return
    found = {name: list(elements) for name, elements in JsonMembers(path)}
    assert found == {name: value if isinstance(value, list) else [value] for name, value in document.items()}


def test_elements_that_nobody_takes_are_passed_over(tmp_path):
    path = tmp_path / "any.json"
    path.write_text('{"a": [1, 2, 3], "b": {"c": 4}, "d": 5}')
    assert [name for name, _ in JsonMembers(path)] == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a JSON object"),
        ("[1, 2]", "a JSON object"),
        ('{"a": [1, 2', "the end of the list"),
        ('{"a": [1 2]}', "the end of the list"),
        ('{"a": 1 "b": 2}', "the end of the object"),
        ('{"a" 1}', "a colon"),
        ("{1: 2}", "without a name"),
        ('{"a": tru}', "not JSON"),
        ('{"a": "never closed}', "Unterminated"),
        ('{"a": [1], "a": [2]}', "two members are named 'a'"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
        ('{"a": ' + "9" * 5_000 + "}", "too long"),
        ('{"a": [{}, nope' + " " * 100 + "]}", "not JSON"),
    ],
)
def test_what_is_no_such_document_is_refused_in_one_line(tmp_path, text, words):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=words) as caught:
        [list(elements) for _, elements in JsonMembers(path)]
    assert "\n" not in str(caught.value)


def test_a_value_beyond_the_bound_is_refused_before_it_is_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(json_members, "MAX_VALUE", 10_000)
    monkeypatch.setattr(json_members, "_READ", 1_000)
    path = tmp_path / "long.json"
    path.write_text('{"a": ["' + "x" * 1_000_000 + '"]}')
    with pytest.raises(SourceError, match="longer than 10,000"):
        [list(elements) for _, elements in JsonMembers(path)]


def test_numbers_that_json_does_not_know_become_text(tmp_path):
    path = tmp_path / "nan.json"
    path.write_text('{"a": [NaN, Infinity, -Infinity]}')
    assert [list(elements) for _, elements in JsonMembers(path)] == [["NaN", "Infinity", "-Infinity"]]
