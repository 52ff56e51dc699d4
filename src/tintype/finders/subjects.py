"""The subjects of a collection with their vectors: each distinct image once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.finders.base import ColumnStreams


@dataclass(frozen=True)
class Subjects:
    """n distinct images that have a vector, sorted by digest, each with the first of its uris.

    `images` counts all rows whose bytes could be read, those of the same digest and those without a vector too.
    """

    digest: pa.Array  # (n,) binary16
    uri: pa.Array  # (n,) string
    vectors: NDArray[np.float16]  # (n, d), of unit length
    others: pa.Table  # (n,) the other columns that were asked for, as that uri's row has them
    images: int
    without_vector: int  # distinct images whose vector is null, zero, or not finite as 32-bit numbers

    def __len__(self) -> int:
        return len(self.digest)


def read_subjects(columns: ColumnStreams, vectors: str, others: Sequence[str] = ()) -> Subjects:
    """Read the column `vectors` (fixed-size lists of floats) of each distinct image, scaled to unit length.

    A column that was never computed leaves no subjects. Raises UsageError for one that holds no vectors.
    """
    parts = []
    images = 0
    for batch in columns.batches(["digest", "uri", vectors, *others]):
        _require_vectors(vectors, batch.schema.field(2).type)
        known = batch.filter(batch["digest"].is_valid())
        images += known.num_rows
        if known.num_rows:
            parts.append(known)
    if not parts or all(pa.types.is_null(part.schema.field(2).type) for part in parts):
        return _none(others, images, len({d for part in parts for d in part["digest"].to_pylist()}))
    table = pa.Table.from_batches(parts)
    order = pc.sort_indices(table, sort_keys=[("digest", "ascending"), ("uri", "ascending")])
    table = table.take(order)
    first = _first_of_runs(table["digest"])
    table = table.take(pa.array(first)).combine_chunks()
    values = _matrix(table[vectors].combine_chunks())
    largest = np.abs(values).max(axis=1, initial=0)
    usable = np.isfinite(largest) & (largest > 0)
    table = table.filter(pa.array(usable))
    values = values[usable] / largest[usable, None]  # so that no square overflows, or is lost
    lengths = np.sqrt(np.einsum("nd,nd->n", values, values, dtype=np.float32))
    unit = (values / lengths[:, None]).astype(np.float16)
    digest, uri = table["digest"].combine_chunks(), table["uri"].combine_chunks()
    return Subjects(digest, uri, unit, table.select(list(others)), images, int((~usable).sum()))


def _require_vectors(name: str, kind: pa.DataType) -> None:
    is_vector = pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)
    if not is_vector and not pa.types.is_null(kind):
        raise UsageError(f"column {shown(name)!r} holds no vectors but {kind}")


def _matrix(column: pa.Array) -> NDArray[np.float32]:
    """(n, d); rows of nulls become NaN, and what is too large for 32 bits infinite."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    matrix = np.full((len(column), column.type.list_size), np.nan, np.float32)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    flat = pc.fill_null(column.drop_null().flatten(), np.nan).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        matrix[valid] = flat.reshape(-1, matrix.shape[1])
    return matrix


def _first_of_runs(digest: pa.ChunkedArray) -> NDArray[np.int64]:
    whole = digest.combine_chunks()
    if not len(whole):
        return np.empty(0, np.int64)
    changed = pc.not_equal(whole[1:], whole[:-1]).to_numpy(zero_copy_only=False)
    return np.flatnonzero(np.concatenate([[True], changed]))


def _none(others: Sequence[str], images: int, distinct: int) -> Subjects:
    nothing = pa.table({name: pa.nulls(0) for name in others})
    empty = np.empty((0, 1), np.float16)
    return Subjects(pa.array([], pa.binary(16)), pa.array([], pa.string()), empty, nothing, images, distinct)
