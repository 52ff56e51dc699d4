"""YAML for settings: what is read, what is refused, and that nothing is read as something else."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.core import safe_yaml
from tintype.core.errors import ConfigError


def plain(text: str):
    node = safe_yaml.parse(text, "x.yaml")
    return node.plain() if node is not None else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 'y', \"z\"]\nc:\n  d: true", {"a": 1, "b": ["x", "y", "z"], "c": {"d": True}}),
        ("", None),
        ("# only words\n", None),
        ("---\na: 1\n...\n", {"a": 1}),
        ("[1, -2, +3, 0, 1.5, .5, 1., 1e3, -2E-3]", [1, -2, 3, 0, 1.5, 0.5, 1.0, 1000.0, -0.002]),
        ("[yes, No, ON, off, True, FALSE]", [True, False, True, False, True, False]),
        ("[null, ~, Null, ]", [None, None, None]),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("1: a\ntrue: b", {"1": "a", "true": "b"}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_reads(text, value):
    assert plain(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "012",
        "0o14",
        "0x1F",
        "0b1",
        "1_000",
        "12:30:00",
        "190:20:30",
        "2020-01-01",
        "yEs",
        ".inf",
        ".nan",
        "1e999",
        "'1'",
    ],
)
def test_what_readers_of_yaml_disagree_on_stays_the_text_it_is(text):
    assert plain(f"a: {text}") == {"a": text.strip("'")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "x.yaml:2: 'a' is set twice, first in line 1"),
        ("a: 1\nb: {c: 1, c: 2}", "x.yaml:2: 'c' is set twice, first in line 2"),
        ("a: &x 1\nb: *x", "x.yaml:1: anchors"),
        ("<<: *x", "x.yaml:1: anchors"),
        ("a: 1\nb: !!str 3", "x.yaml:2: tags"),
        ("a: !x 3", "x.yaml:1: tags (!x)"),
        ("a: 1\n---\nb: 2", "x.yaml:2: a second document"),
        ("[a]: 1", "x.yaml:1: a key must be a name"),
        ("? {a: 1}\n: 2", "x.yaml:1: a key must be a name"),
        ("a: 1\n b: 2", "x.yaml:2: mapping values"),
        ("a: 'b", "x.yaml:1: "),
        ("a: [1, 2", "x.yaml:1: "),
        ("a: 1\n\tb: 1", "x.yaml:2: "),
        ("a: 1\nb: \0", "x.yaml:2: a character that YAML does not allow"),
        ("a: \x1b[2J", "x.yaml:1: a character that YAML does not allow"),
        ("a: \udc80", "x.yaml:1: not UTF-8"),
        ("a: " + "[" * 9, "x.yaml:1: nested more than 8 deep"),
        ("a: " + "{b: " * 9, "x.yaml:1: nested more than 8 deep"),
        ("- " * 3000, "x.yaml:1: nested more than 8 deep"),
        ("a" * 300_000, "x.yaml: longer than 256,000 characters"),
    ],
)
def test_refuses_in_one_line_with_the_line_number(text, message):
    with pytest.raises(ConfigError) as refused:
        safe_yaml.parse(text, "x.yaml")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


HOSTILE = {
    "alias-bomb.yaml": 1,
    "deep.yaml": 1,
    "duplicate-keys.yaml": 2,
    "python-name-tag.yaml": 1,
    "python-object.yaml": 2,
    "self-alias.yaml": 1,
    "tabs-and-nul.yaml": 3,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_refuses_hostile_files_and_runs_none(data, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = data / "hostile-archives" / name
    with pytest.raises(ConfigError) as refused:
        safe_yaml.read(file)
    assert str(refused.value).startswith(f"{file}:{HOSTILE[name]}: ")
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_every_hostile_yaml_file_is_known_to_these_tests(data):
    assert {file.name for file in (data / "hostile-archives").glob("*.yaml")} == {*HOSTILE, "norway.yaml"}


def test_values_that_others_read_as_something_else_are_told_apart(data):
    node = safe_yaml.read(data / "hostile-archives" / "norway.yaml")
    items = node.value["labels"].value
    assert [item.text for item in items] == ["no", "yes", "on", "off", "012", "1e3", "2020-01-01", "null", "~", None]
    assert node.plain() == {"labels": [False, True, True, False, "012", 1000.0, "2020-01-01", None, None, "null"]}


def test_a_missing_file_is_no_error(tmp_path):
    assert safe_yaml.read(tmp_path / "none.yaml") is None


def test_what_is_no_plain_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for place in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigError):
            safe_yaml.read(place)


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path):
    (tmp_path / "large.yaml").write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigError, match="larger than 256,000 bytes"):
        safe_yaml.read(tmp_path / "large.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: not UTF-8"):
        safe_yaml.read(tmp_path / "latin.yaml")


@given(st.text(st.sampled_from("ab:-[]{},&*!|>'\"#%@`? \n\t~0123456789."), max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text):
    refusals = []
    try:
        safe_yaml.parse(text, "x.yaml")
    except ConfigError as error:
        refusals.append(str(error))
    assert "\n" not in "".join(refusals)
