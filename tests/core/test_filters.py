"""Filters: what is read, what is refused, and that Arrow, Lance and plain Python agree on every row."""

import itertools
from datetime import UTC, date, datetime

import lance
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.filter_oracle import SCHEMA, expressions, holds, tables
from tintype.core import filters
from tintype.core.errors import FilterError
from tintype.core.expressions import And, Compare, In, IsNull, Like, Not, Or, Reference


def ref(name: str) -> Reference:
    return Reference(name, SCHEMA.field(name).type)


numbers = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("filters")


@settings(max_examples=150)
@given(table=tables(), wanted=st.lists(expressions, min_size=4, max_size=8))
def test_arrow_lance_and_plain_python_agree(folder, table, wanted):
    numbered = table.append_column("row", pa.array(range(table.num_rows)))
    dataset = lance.write_dataset(numbered, folder / f"{next(numbers)}.lance")
    rows = table.to_pylist()
    for expression in wanted:
        expected = [number for number, row in enumerate(rows) if holds(expression, row)]
        by_arrow = numbered.filter(filters.to_arrow(expression))["row"].to_pylist()
        by_lance = dataset.to_table(columns=["row"], filter=filters.to_sql(expression))["row"].to_pylist()
        assert (by_arrow, by_lance) == (expected, expected), filters.to_text(expression)


@settings(max_examples=400)
@given(expression=expressions)
def test_what_is_written_is_read_again(expression):
    assert filters.parse(filters.to_text(expression), SCHEMA) == expression


@settings(max_examples=600)
@given(
    st.lists(
        st.sampled_from(
            [
                "and",
                "or",
                "not",
                "in",
                "is",
                "null",
                "like",
                "between",
                "(",
                ")",
                ",",
                "=",
                "<",
                ">=",
                "!=",
                "1",
                "-2.5",
                "1e9",
                "'a'",
                "''",
                "'x''y'",
                "width",
                "uri",
            ]
        )
        | st.text(max_size=3),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_read_or_refused_in_one_line(text):
    refusals = []
    try:
        expression = filters.parse(text, SCHEMA)
    except FilterError as error:
        refusals.append(str(error))
    else:
        assert filters.parse(filters.to_text(expression), SCHEMA) == expression
    assert "\n" not in "".join(refusals)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("width > 1000", Compare(ref("width"), ">", 1000)),
        ("width >= 1e3", Compare(ref("width"), ">=", 1000)),
        ("width <> height", Compare(ref("width"), "!=", ref("height"))),
        ("width == -1", Compare(ref("width"), "=", -1)),
        ("latitude < 1", Compare(ref("latitude"), "<", 1.0)),
        ("is_gray", Compare(ref("is_gray"), "=", True)),
        ("not is_gray", Not(Compare(ref("is_gray"), "=", True))),
        ("is_gray = FALSE", Compare(ref("is_gray"), "=", False)),
        ("camera = 'it''s'", Compare(ref("camera"), "=", "it's")),
        ("camera in ('a', 'b')", In(ref("camera"), ("a", "b"))),
        ("camera not in ('a')", Not(In(ref("camera"), ("a",)))),
        ("camera Is Not Null", Not(IsNull(ref("camera")))),
        ("camera like 'Can%'", Like(ref("camera"), "Can%")),
        (r"camera like 'a\b\%'", Like(ref("camera"), r"ab\%")),
        (r"camera like 'a\\b'", Like(ref("camera"), r"a\\b")),
        (r"camera contains '100%_\'", Like(ref("camera"), r"%100\%\_\\%")),
        ("taken_at >= '2024-01-01'", Compare(ref("taken_at"), ">=", datetime(2024, 1, 1))),
        ("taken_at >= '2024'", Compare(ref("taken_at"), ">=", datetime(2024, 1, 1))),
        ("taken_at >= 2024", Compare(ref("taken_at"), ">=", datetime(2024, 1, 1))),
        (
            "taken_at < '2024-02-29T12:30:01.5'",
            Compare(ref("taken_at"), "<", datetime(2024, 2, 29, 12, 30, 1, 500_000)),
        ),
        (
            "modified_at < '2024-01-01 00:00+02:00'",
            Compare(ref("modified_at"), "<", datetime(2023, 12, 31, 22, tzinfo=UTC)),
        ),
        ("modified_at < '2024-01-01'", Compare(ref("modified_at"), "<", datetime(2024, 1, 1, tzinfo=UTC))),
        ("label_day = '2024-05'", Compare(ref("label_day"), "=", date(2024, 5, 1))),
        ("digest = '" + "0F" * 16 + "'", Compare(ref("digest"), "=", b"\x0f" * 16)),
        (
            "width between 1 and 2 or height = 3 and camera is null",
            Or(
                (
                    And((Compare(ref("width"), ">=", 1), Compare(ref("width"), "<=", 2))),
                    And((Compare(ref("height"), "=", 3), IsNull(ref("camera")))),
                )
            ),
        ),
        (
            "(width = 1 or width = 2) and not (height = 3)",
            And(
                (
                    Or((Compare(ref("width"), "=", 1), Compare(ref("width"), "=", 2))),
                    Not(Compare(ref("height"), "=", 3)),
                )
            ),
        ),
    ],
)
def test_reads(text, expected):
    assert filters.parse(text, SCHEMA) == expected


WITH_OTHERS = SCHEMA.append(pa.field("_shard", pa.string())).append(pa.field("keywords", pa.list_(pa.string())))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("widht > 1", "no column widht; near names: width"),
        ("Width > 1", "no column Width; near names: width"),
        ("_shard = 'x'", "_shard is for inner use"),
        ("keywords = 'x'", "only test with 'is null'"),
        ('camera = "Canon"', "single quotes"),
        ("camera = 'Canon", "no closing quote"),
        ("camera = null", "write: camera is null"),
        ("camera = 3", "camera holds text"),
        ("width = '3'", "width holds whole numbers"),
        ("width = 1.5", "width holds whole numbers"),
        ("width = 3000000000", "whole numbers (int32); 3000000000 does not fit"),
        ("width = 1e400", "does not fit"),
        ("count = -1", "uint64"),
        ("sharpness = 1e39", "float32"),
        ("sharpness = true", "holds numbers"),
        ("is_gray = 1", "true or false"),
        ("width", "a comparison such as '=' or '<' after width"),
        ("width > ", "not the end"),
        ("width not > 1", "'in', 'between', 'like' or 'contains'"),
        ("width like '1%'", "no text"),
        ("camera like 'a\\'", "ends in a backslash"),
        ("taken_at > '2024-13-01'", "holds times"),
        ("taken_at > '2023-02-29'", "holds times"),
        ("taken_at > '2024-01-01Z'", "without a zone"),
        ("taken_at > '١٩٩٩'", "holds times"),
        ("label_seconds = '2024-01-01 00:00:00.5'", "does not fit"),
        ("label_day = '2024-01-01 10:00'", "holds dates"),
        ("digest = 'abcd'", "32 digits of hexadecimal"),
        ("digest = 'zz'", "hexadecimal"),
        ("width = latitude", "cannot be compared"),
        ("sharpness = sharpness", "cannot be compared"),
        ("width = 1 height = 2", "'and', 'or' or the end of the filter is expected at character 11"),
        ("width = 1; drop table images", "';' at character 10"),
        ("width = 1 -- x", "character 11"),
        ("width in ()", "a value to compare width with"),
        ("(width = 1", "')' is expected"),
        ("camera = '\udc80'", "does not fit"),
        ("width = " + "9" * 5000, "too long"),
        ("not " * 13 + "is_gray", "nested more than 12 deep"),
        ("(" * 9_000, "nested more than 12 deep"),
        ("width = 1 or " * 1000 + "width = 1", "characters long"),
    ],
)
def test_refuses(text, words):
    with pytest.raises(FilterError) as refused:
        filters.parse(text, WITH_OTHERS)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_list_column_can_be_tested_for_null():
    assert filters.parse("keywords is null", WITH_OTHERS) == IsNull(Reference("keywords", pa.list_(pa.string())))


def test_the_columns_that_a_filter_reads_are_known():
    expression = filters.parse("width > height and not (camera is null or is_gray)", SCHEMA)
    assert filters.columns_of(expression) == {"width", "height", "camera", "is_gray"}


def test_the_longest_and_the_deepest_filter_pass_through_the_table(folder):
    table = pa.table({"width": pa.array([1, 2, 3], pa.int32())})
    dataset = lance.write_dataset(table, folder / "long.lance")
    longest = "width=3 or " * 900 + "width=1"
    deepest = "(width = 9 or " * 11 + "not width = 3" + ")" * 11
    for text, expected in ((longest, [1, 3]), (deepest, [1, 2])):
        expression = filters.parse(text, table.schema)
        assert dataset.to_table(filter=filters.to_sql(expression))["width"].to_pylist() == expected
        assert table.filter(filters.to_arrow(expression))["width"].to_pylist() == expected
