"""The nearest of a picture, against all compared by hand."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.core.columns import DIGEST
from tintype.finders.nearest import nearest
from tintype.testing.finders import TableColumns


def collection(count: int, seed: int = 0) -> tuple[pa.Table, np.ndarray]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 6)).astype(np.float16)
    table = pa.table(
        {
            "uri": [f"{number:03}.jpg" for number in range(count)],
            "digest": pa.array([random.bytes(16) for _ in range(count)], DIGEST),
            "v": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 6),
        }
    )
    return table, vectors.astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 41))
def test_is_what_comparing_all_gives(count: int, k: int, batch_rows: int) -> None:
    table, vectors = collection(count)
    query = np.random.default_rng(1).normal(size=6).astype(np.float32)
    cosine = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    expected = [table["uri"][int(row)].as_py() for row in np.argsort(-cosine)[:k]]
    found = nearest(TableColumns(table, batch_rows).batches(["uri", "digest", "v"]), query, k)
    assert found.table["b_uri"].to_pylist() == expected
    assert np.allclose(found.table["cosine"].to_numpy(), np.sort(cosine)[::-1][:k], atol=1e-4)


def test_the_picture_itself_is_left_out_but_not_its_copies() -> None:
    table, vectors = collection(5)
    twice = pa.concat_tables([table, table.slice(0, 1).set_column(0, "uri", pa.array(["copy.jpg"]))])
    batches = TableColumns(twice).batches(["uri", "digest", "v"])
    found = nearest(batches, vectors[0], 3, twice["digest"][0].as_py(), "000.jpg")
    assert found.table["b_uri"][0].as_py() == "copy.jpg"
    assert "000.jpg" not in found.table["b_uri"].to_pylist()
    document = found.to_json()
    assert document["neighbors"][0] == {"uri": "copy.jpg", "score": 1.0, "reason": "cosine 1.000"}


def test_rows_without_a_vector_and_other_lengths() -> None:
    nulls = pa.table(
        {
            "uri": ["a", "b"],
            "digest": pa.array([b"a" * 16, b"b" * 16], DIGEST),
            "v": pa.array([None, [0, 0]], pa.list_(pa.float16(), 2)),
        }
    )
    query = np.array([1, 0], np.float32)
    assert nearest(TableColumns(nulls).batches(["uri", "digest", "v"]), query, 5).table.num_rows == 0
    with pytest.raises(ValueError, match="not comparable"):
        nearest(TableColumns(nulls).batches(["uri", "digest", "v"]), np.ones(3, np.float32), 5)
