"""The images of a collection that are most like one picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.finders.base import FINDINGS, findings

COSINE = pa.field("cosine", pa.float32())

_PLACES = 5


@dataclass(frozen=True)
class Nearest:
    """The nearest images, nearest first: a table of FINDINGS with `cosine` (-1 to 1).

    `a` is the picture that was asked about, null where it is from outside, and `b` an image of the collection. The
    score is the cosine, 0 where it is negative.
    """

    table: pa.Table

    def to_json(self) -> dict[str, Any]:
        """`schema` 1 and `neighbors`: uri, score, reason."""
        rows = self.table.select(["b_uri", "score", "reason"]).rename_columns(["uri", "score", "reason"])
        rows = rows.set_column(1, "score", pc.round(rows["score"].cast(pa.float64()), 4))
        return {"schema": 1, "neighbors": rows.to_pylist()}


def nearest(
    batches: Iterable[pa.RecordBatch],
    query: NDArray[np.floating[Any]],
    k: int,
    digest: bytes | None = None,
    uri: str | None = None,
) -> Nearest:
    """The k images whose vectors have the largest cosine with `query` (d,); equally near ones by uri.

    `batches` stream the columns uri, digest and vectors (fixed-size lists of d floats). Every row is compared, in
    bounded memory. `digest` and `uri` are those of the picture that was asked about, whose own row is left out.
    """
    unit = _unit((query / np.abs(query).max()).astype(np.float32)[None, :])[0]  # no square overflows
    best = pa.table({"uri": pa.array([], pa.string()), "digest": pa.array([], pa.binary(16)), "cosine": _FLOATS})
    for batch in batches:
        known = batch.filter(pc.is_valid(batch.column(2)))
        if uri is not None:
            known = known.filter(pc.not_equal(known.column(0), uri))
        # Rounded, so that the order does not depend on where batches end.
        if known.column(2).type.list_size != len(unit):
            raise ValueError(
                f"vectors of {known.column(2).type.list_size} numbers are not comparable with one of {len(unit)}"
            )
        cosine = np.round(_unit(matrix(known.column(2))) @ unit, _PLACES)
        fresh = pa.table([known.column(0), known.column(1), pa.array(cosine)], names=best.schema.names)
        fresh = fresh.filter(pc.is_finite(fresh["cosine"]))
        best = pa.concat_tables([best, fresh])
        best = best.take(pc.sort_indices(best, sort_keys=[("cosine", "descending"), ("uri", "ascending")])[:k])
    return Nearest(_table(best, digest, uri))


_FLOATS = pa.array([], pa.float32())


def _table(best: pa.Table, digest: bytes | None, uri: str | None) -> pa.Table:
    cosine = best["cosine"].combine_chunks()
    batch = findings(
        a=pa.nulls(len(best), pa.binary(16)) if digest is None else pa.array([digest] * len(best), pa.binary(16)),
        a_uri=pa.array([uri] * len(best), pa.string()),
        b=best["digest"],
        b_uri=best["uri"],
        kind="neighbor",
        score=pc.max_element_wise(pc.min_element_wise(cosine, 1), 0).cast(pa.float32()),
        reason=pa.array([f"cosine {value:.3f}" for value in cosine.to_pylist()], pa.string()),
        rows=len(best),
        cosine=cosine,
    )
    return pa.Table.from_batches([batch], schema=pa.schema([*FINDINGS, COSINE]))


def matrix(column: pa.Array) -> NDArray[np.float32]:
    """(n, d) of a column of fixed-size lists; NaN where there are none."""
    size = column.type.list_size
    made = np.full((len(column), size), np.nan, np.float32)
    known = column.is_valid().to_numpy(zero_copy_only=False)
    flat = pc.fill_null(column.drop_null().flatten(), np.nan).to_numpy(zero_copy_only=False)
    made[known] = flat.astype(np.float32).reshape(-1, size)
    return made


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each vector by its length; those without one become NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
