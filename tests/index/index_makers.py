"""Indexes of made vectors, of any design, for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tintype.index import building
from tintype.index.choice import Design
from tintype.index.opened import OpenIndex
from tintype.index.record import Record
from tintype.store.vector_files import VectorBlock
from tintype.testing.index import made_vectors

MEMORY = 1 << 30
DESIGNS = {
    "flat": Design("flat", "float16", "float16"),
    "graph": Design("graph", "float16", "float16"),
    "lists of float16": Design("lists", "float16", "float16", lists=12),
    "lists of int8": Design("lists", "int8", "float16", lists=12),
    "product": Design("lists", "product", "int8", lists=12, subvectors=16),
    "product that does not divide": Design("lists", "product", "float16", lists=12, subvectors=11),
}


class Given:
    """A source of vectors in memory, which reads a few at a time."""

    place, column, model = "/given", None, None

    def __init__(self, ids: list[str | None], vectors: NDArray[np.floating], step: int = 700, stamp: str = "1") -> None:
        self.ids, self.vectors, self.step, self.stamp = ids, vectors, step, stamp
        self.dimensions = vectors.shape[1]

    def __len__(self) -> int:
        return len(self.ids)

    def blocks(self, start: int, stop: int) -> Iterator[VectorBlock]:
        for first in range(start, stop, self.step):
            part = slice(first, min(stop, first + self.step))
            missing = np.isnan(self.vectors[part]).all(axis=1)
            yield VectorBlock(pa.array(self.ids[part], pa.string()), self.vectors[part], missing)


def given(count: int, seed: int = 0, prefix: str = "image") -> Given:
    return Given([f"{prefix} {row}" for row in range(count)], made_vectors(count, seed=seed))


def quiet(words: str, done: int, total: int) -> None:
    """Tells nothing."""


def built(monkeypatch: pytest.MonkeyPatch, place: Path, source: Given, design: str, recall: float = 0.95) -> Record:
    """Build an index of one of the designs, in parts of 1,024 rows."""
    monkeypatch.setattr(building, "choose", lambda *_, **__: DESIGNS[design])
    monkeypatch.setattr(building, "part_rows", lambda *_: 1_024)
    return building.build(source, place, MEMORY, recall, quiet)


def ids_found(index: OpenIndex, queries: NDArray[np.floating], k: int) -> list[list[str]]:
    hits = index.search(queries, k)
    return [index.ids(row[row >= 0]) for row in hits.rows]
