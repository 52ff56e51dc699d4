"""The neighbor graph as a table: one row for each distinct image, with the rows of its nearest others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import DIGEST
from tintype.core.errors import CollectionDamaged, CollectionNotFound
from tintype.index.base import Neighbors
from tintype.store.lance import LanceStore, load_table, save_table

_FORMAT = "1"
_KEPT_S = 600.0  # an older version is read for no longer than that


@dataclass(frozen=True)
class StoredGraph:
    """The nearest others of n distinct images, sorted by digest."""

    digest: pa.Array  # (n,) binary16
    vector_hash: NDArray[np.uint64]  # (n,) of the vector that was compared
    neighbors: Neighbors  # (n, k)
    recall: float  # share of the true neighbors found, measured on a sample; the lowest of all extensions

    @property
    def k(self) -> int:
        return int(self.neighbors.rows.shape[1])


def save(place: Path, graph: StoredGraph, column: str, state: str, made_from: int | None) -> None:
    """Replace the table in one commit. Raises OSError, StorageFull or CollectionDamaged.

    `state` says which model and settings the column's vectors come from, `made_from` the version of the data.
    """
    rows = pa.table(
        {
            "digest": graph.digest,
            "vector_hash": pa.array(graph.vector_hash),
            "neighbors": pa.FixedSizeListArray.from_arrays(pa.array(graph.neighbors.rows.ravel()), graph.k),
            "similarity": pa.FixedSizeListArray.from_arrays(pa.array(graph.neighbors.similarity.ravel()), graph.k),
        }
    )
    facts = {
        "format": _FORMAT,
        "column": column,
        "state": state,
        "k": str(graph.k),
        "recall": f"{graph.recall:.4f}",
        "made_from": "" if made_from is None else str(made_from),
    }
    save_table(place, rows, facts)
    LanceStore.open(place).clean_up(_KEPT_S)


def load(place: Path, column: str, state: str) -> StoredGraph | None:
    """The stored graph; None where there is none, it is of other vectors, or it cannot be read."""
    try:
        rows, facts = load_table(place)
        if (facts.get("format"), facts.get("column"), facts.get("state")) != (_FORMAT, column, state):
            return None
        k = int(facts["k"])
        graph = StoredGraph(
            rows["digest"].combine_chunks().cast(DIGEST),
            rows["vector_hash"].to_numpy(),
            Neighbors(_matrix(rows["neighbors"], k), _matrix(rows["similarity"], k)),
            float(facts["recall"]),
        )
    except (CollectionNotFound, CollectionDamaged, KeyError, ValueError, TypeError):
        return None
    return graph if _is_sound(graph) else None


def _matrix(column: pa.ChunkedArray, k: int) -> NDArray[Any]:
    matrix: NDArray[Any] = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(column), k)
    return matrix


def _is_sound(graph: StoredGraph) -> bool:
    rows, similarity = graph.neighbors.rows, graph.neighbors.similarity
    count = len(graph.digest)
    return (
        rows.dtype == np.int32
        and similarity.dtype == np.float32
        and graph.vector_hash.dtype == np.uint64
        and rows.shape == similarity.shape
        and graph.k >= 1
        and bool(((rows >= -1) & (rows < count)).all())
        and count > 0
        and graph.digest.null_count == 0
    )
