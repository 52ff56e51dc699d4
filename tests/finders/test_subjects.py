"""Distinct images with usable vectors, whatever the order of the rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.core.columns import DIGEST
from tintype.core.errors import UsageError
from tintype.finders.subjects import read_subjects
from tintype.testing.finders import TableColumns

VECTORS = pa.list_(pa.float16(), 3)


def table(rows: list[tuple[int | None, str, list[float] | None]]) -> pa.Table:
    digests = [None if number is None else bytes([number]) * 16 for number, _, _ in rows]
    vectors = pa.array([row[2] for row in rows], pa.list_(pa.float32(), 3)).cast(VECTORS)
    return pa.table(
        {"digest": pa.array(digests, DIGEST), "uri": [row[1] for row in rows], "v": vectors, "n": range(len(rows))}
    )


def test_each_image_is_read_once_by_its_first_uri() -> None:
    rows = table([(2, "b", [0, 2, 0]), (1, "z", [3, 0, 0]), (1, "a", [3, 0, 0]), (None, "gone", None)])
    found = read_subjects(TableColumns(rows), "v", ["n"])
    assert found.uri.to_pylist() == ["a", "b"]
    assert found.vectors.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found.others["n"].to_pylist() == [2, 0]
    assert (found.images, found.without_vector) == (3, 0)


def test_vectors_that_say_nothing_are_counted() -> None:
    nan, infinite = float("nan"), float("inf")
    rows = table(
        [(1, "a", None), (2, "b", [0, 0, 0]), (3, "c", [nan, 1, 0]), (4, "d", [infinite, 0, 0]), (5, "e", [1, 0, 0])]
    )
    found = read_subjects(TableColumns(rows), "v")
    assert found.uri.to_pylist() == ["e"]
    assert found.without_vector == 4


@pytest.mark.filterwarnings("error")
def test_numbers_of_64_bits_that_32_cannot_hold_are_left_out_and_counted() -> None:
    nan, infinite = float("nan"), float("inf")
    vectors = [[1e300, 0, 0], [infinite, 1, 0], [-infinite, infinite, 0], [nan, 1, 0], [0, 1e30, 0], [0, 3e-30, 4e-30]]
    rows = table([(number, f"{number}", None) for number in range(len(vectors))])
    rows = rows.set_column(2, "v", pa.array(vectors, pa.list_(pa.float64(), 3)))
    found = read_subjects(TableColumns(rows), "v")
    assert found.uri.to_pylist() == ["4", "5"]
    assert found.vectors.tolist() == [[0, 1, 0], [0, np.float16(0.6), np.float16(0.8)]]
    assert (found.images, found.without_vector) == (6, 4)


def test_no_rows_and_no_column() -> None:
    assert len(read_subjects(TableColumns(table([])), "v")) == 0
    found = read_subjects(TableColumns(table([(1, "a", [1, 0, 0]), (1, "b", [1, 0, 0])])), "missing")
    assert (len(found), found.images, found.without_vector) == (0, 2, 1)


@pytest.mark.parametrize("column", ["uri", "n", "digest"])
def test_a_column_of_no_vectors_is_refused(column: str) -> None:
    with pytest.raises(UsageError, match="no vectors"):
        read_subjects(TableColumns(table([(1, "a", [1, 0, 0])])), column)


@given(st.permutations(range(12)), st.integers(1, 13))
def test_order_and_batches_do_not_matter(order: list[int], batch_rows: int) -> None:
    rows = table([(number % 5, f"{number:02}", np.eye(3)[number % 5 % 3].tolist()) for number in range(12)])
    shuffled = read_subjects(TableColumns(rows.take(pa.array(order)), batch_rows), "v", ["n"])
    straight = read_subjects(TableColumns(rows), "v", ["n"])
    assert shuffled.digest.equals(straight.digest)
    assert shuffled.uri.equals(straight.uri)
    assert shuffled.others.equals(straight.others)
    assert np.array_equal(shuffled.vectors, straight.vectors)
