"""The hash of a table sees each value, and nothing but values."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.store.hashing import table_hash

COLUMNS = {
    "numbers": pa.array([1, None, 3], pa.int32()),
    "halves": pa.array(np.array([1, 2, 3], np.float16)),
    "flags": pa.array([True, False, None]),
    "texts": pa.array(["a", "", None]),
    "digests": pa.array([b"a" * 16, None, b"c" * 16], pa.binary(16)),
    "lists": pa.array([[1.0, 2.0], None, []], pa.list_(pa.float32())),
    "words": pa.array([["a", "b"], ["ab"], None], pa.list_(pa.string())),
    "fixed": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.float32(), 2)),
    "times": pa.array([1, 2, None], pa.timestamp("us")),
    "nothing": pa.nulls(3),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_each_kind_of_column_is_seen(name: str) -> None:
    whole = pa.table({name: COLUMNS[name]})
    parts = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    assert table_hash(parts) == table_hash(whole)
    assert table_hash(whole.rename_columns(["other"])) != table_hash(whole)
    assert table_hash(whole.slice(0, 2)) != table_hash(whole)
    if name != "nothing":
        assert table_hash(whole.take(pa.array([2, 1, 0]))) != table_hash(whole)


TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=5)


@given(TEXTS, TEXTS)
def test_unequal_texts_have_unequal_hashes(one: list[str | None], other: list[str | None]) -> None:
    tables = [pa.table({"x": pa.array(values, pa.string())}) for values in (one, other)]
    assert (table_hash(tables[0]) == table_hash(tables[1])) == (one == other)


def test_what_lies_under_nulls_does_not_count() -> None:
    values, mask = np.array([1, 2, 3]), np.array([False, True, False])
    other = np.array([1, 9, 3])
    assert table_hash(pa.table({"x": pa.array(values, mask=mask)})) == table_hash(
        pa.table({"x": pa.array(other, mask=mask)})
    )
