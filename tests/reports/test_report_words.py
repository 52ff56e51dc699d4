"""Numbers read as people write them, and a share never lies at its ends."""

from __future__ import annotations

from datetime import datetime
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.reports import charts, words
from tintype.reports.thumbnails import spread, woven


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.2 kB"), (999_600, "1 MB"), (12_345_678, "12 MB")],
)
def test_sizes_have_two_or_three_digits(number: int, text: str) -> None:
    assert words.size(number) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0 %"), (0, 5, "0 %"), (1, 1000, "< 1 %"), (999, 1000, "> 99 %"), (5, 5, "100 %"), (1, 3, "33 %")],
)
def test_a_share_is_all_or_nothing_only_where_it_is(part: int, whole: int, text: str) -> None:
    assert words.share(part, whole) == text


def test_counts_agree_in_number() -> None:
    assert [words.plural(n, "copy", "copies") for n in (0, 1, 1200)] == ["0 copies", "1 copy", "1,200 copies"]


def test_years_keep_four_digits() -> None:
    assert words.moment(datetime(33, 4, 3, 15, 0)) == "0033-04-03 15:00"


def test_kinds_of_plug_ins_have_a_heading() -> None:
    assert words.kind("lens_flare").title == "Lens flare"


def test_the_longest_bar_fills_its_cell_and_the_rest_does_not_shrink_it() -> None:
    marks = [charts.Mark("a", 10, "10"), charts.Mark("b", 5, "5"), charts.Mark("others", 1000, "1,000", rest=True)]
    drawn = charts.bars(marks)
    assert [part.split('"')[0] for part in drawn.split('width="')[2::2]] == ["100%", "50%", "100%"]


def test_a_plot_without_values_is_drawn() -> None:
    assert "<rect" not in charts.columns([charts.Mark("a", 0, "0")], "nothing", [])


@given(st.lists(st.integers()))
def test_spreading_keeps_every_item_once(items: list[int]) -> None:
    assert sorted(spread(items)) == sorted(items)


def test_every_beginning_of_a_spread_covers_the_whole() -> None:
    first = sorted(list(spread(range(1600)))[:200])
    assert max(b - a for a, b in pairwise(first)) <= 16


@given(st.lists(st.lists(st.integers()), max_size=4))
def test_weaving_keeps_every_item_once(parts: list[list[int]]) -> None:
    assert sorted(woven(*((part, 2) for part in parts))) == sorted(chain.from_iterable(parts))
