"""Printing: hostile names, JSON that survives, tables with and without a terminal."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.cli.output import Line, Table, json_text, show

HOSTILE = ("a\nb", "\x1b[31mred", "<script>", "--all", "[bold]x[/bold]", ":smile:", "\u202egpj.exe", "\x9b2J", "\udcff")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\udc80-\udcff]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def drawn(monkeypatch):
    """What a terminal would get."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def draw(blocks) -> str:
        with monkeypatch.context() as patch:
            stream = Terminal()
            patch.setattr("sys.stdout", stream)
            show({}, blocks, as_json=False)
            return stream.getvalue()

    return draw


BLOCKS = [Line("Words"), Table("Title", ("name", ">count"), [("a", "1"), ("long name", "1,000")])]


def test_plain_text_is_aligned_and_nothing_is_cut(capsys):
    show({}, [*BLOCKS, Table("T", ("", ""), [("x" * 500, "y")])], as_json=False)
    assert capsys.readouterr().out == (
        f"Words\n\nTitle\n  name       count\n  a              1\n  long name  1,000\n\nT\n  {'x' * 500}  y\n"
    )


def test_json_is_one_ascii_document_with_its_schema(capsys):
    show({"uri": "日本\udcff\n"}, BLOCKS, as_json=True)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"schema": 1, "uri": "日本\udcff\n"}


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20)))
def test_json_loses_nothing(document):
    text = json_text({"values": document})
    assert text.isascii()
    assert json.loads(text)["values"] == document


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_what_they_are_in_plain_text(name, capsys):
    show({}, [Line(name), Table(f"about {name}", ("", ""), [(name, "x")])], as_json=False)
    out = capsys.readouterr().out
    assert out.count("\n") == 4
    assert not CONTROL.search(out)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_what_they_are_on_a_terminal(name, drawn):
    text = drawn([Line(name), Table(f"about {name}", ("", ""), [(name, "x")])])
    without_styles = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not CONTROL.search(without_styles)
    shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
    assert without_styles.count(shown) == 3


def test_a_terminal_gets_styles_and_no_color_takes_the_colors(drawn, monkeypatch):
    assert "\x1b[1m" in drawn(BLOCKS)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[349][0-7]m", drawn(BLOCKS))


def test_a_dumb_terminal_gets_plain_text(drawn, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in drawn(BLOCKS)
