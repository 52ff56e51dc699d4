"""What a head is trained on: the stored vectors of labeled images, each distinct image once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.engine.predicting import StoredVectors, matrix
from tintype.finders.base import StoreColumns
from tintype.finders.categories import FOLDER, columns_of
from tintype.finders.given_labels import read_given
from tintype.sources.labels import REST
from tintype.store.collection import Collection

MOST_IMAGES = 100_000
"""That a head is trained on; of more, those with the lowest digests, which are as good as drawn by lot."""


@dataclass(frozen=True)
class Examples:
    """n distinct images, sorted by digest: vectors float16 (n, d) as they are stored, and values (n,)."""

    vectors: NDArray[np.float16]
    values: pa.Array  # string, or float64
    there: int  # images that have a value, those without a vector and those beyond MOST_IMAGES too


def is_number(collection: Collection, column: str) -> bool:
    """Whether a column holds numbers with a fraction. Raises UsageError where there is no such column."""
    if column == FOLDER:
        return False
    kinds = [collection.schema.field(name).type for name in _present(collection, column)]
    return all(pa.types.is_floating(kind) for kind in kinds)


def labeled(collection: Collection, source: StoredVectors, column: str) -> Examples:
    """Images with a label, where all files of the same bytes agree on it. Raises UsageError for no such column."""
    if column != FOLDER:
        _present(collection, column)
    given = read_given(StoreColumns(collection.store), column).labels
    return _examples(collection, source, given.rename_columns(["digest", "value"]))


def measured(collection: Collection, source: StoredVectors, column: str) -> Examples:
    """Images with a number, the mean of those of the same bytes. Raises UsageError for a column of no numbers."""
    names = _present(collection, column)
    parts = []
    for batch in collection.store.batches(["digest", *names]):
        values = pc.coalesce(*(_numbers(batch[name], name) for name in names))
        usable = pc.and_(pc.fill_null(pc.is_finite(values), False), batch["digest"].is_valid())
        parts.append(pa.table({"digest": batch["digest"], "value": values}).filter(usable))
    if not parts:
        raise UsageError(f"{collection.place} has no images")
    means = pa.concat_tables(parts).group_by("digest", use_threads=False).aggregate([("value", "mean")])
    return _examples(collection, source, means.rename_columns(["digest", "value"]))


def _present(collection: Collection, column: str) -> list[str]:
    names = [name for name in columns_of(column) if name in collection.schema.names and not name.startswith("_")]
    if not names:
        there = [name for name in collection.columns if name.startswith("label_") and name != REST.name]
        known = (
            f"there are {', '.join(there)}, and `{FOLDER}`" if there else f"its images brought none; `{FOLDER}` is one"
        )
        raise UsageError(f"no label {shown(column)!r} here: {known}")
    return names


def _numbers(values: pa.Array, column: str) -> pa.Array:
    if not pa.types.is_integer(values.type) and not pa.types.is_floating(values.type):
        raise UsageError(f"column {shown(column)!r} holds {values.type}, not numbers")
    return values.cast(pa.float64())


def _examples(collection: Collection, source: StoredVectors, known: pa.Table) -> Examples:
    """The vectors of as many of these digests as are taken."""
    known = known.sort_by("digest")
    chosen = known.slice(0, MOST_IMAGES).combine_chunks()
    digests = chosen["digest"].combine_chunks() if len(chosen) else pa.array([], known["digest"].type)
    width = source.card.vectors().shape[0]
    vectors, seen = np.zeros((len(chosen), width), np.float16), np.zeros(len(chosen), bool)
    for batch in collection.store.batches(["digest", source.column], where=source.are_these):
        place = pc.index_in(batch["digest"], value_set=digests)
        found = matrix(batch[source.column])
        rows = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False) & found[1])
        places = pc.fill_null(place, 0).to_numpy(zero_copy_only=False)[rows]
        vectors[places], seen[places] = found[0][rows], True
    values = chosen["value"].combine_chunks() if len(chosen) else pa.array([], known["value"].type)
    return Examples(vectors[seen], values.filter(pa.array(seen)), len(known))
