"""The index that compares with all: slow where there are many, and never wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tintype.index import files
from tintype.index.base import Hits, Index, Vectors
from tintype.index.best import BLOCK_ROWS, Best
from tintype.index.checks import checked_addition, checked_queries, of_kind
from tintype.index.measure import Recall, Truth
from tintype.index.storage import STORAGE, Kind, Storage
from tintype.index.vectors import Halves

KIND = "exact"


class ExactIndex:
    """Vectors as float16, of which it finds the true nearest, or in 8 bits, of which it finds what these say."""

    def __init__(self, dimensions: int, storage: Kind = "float16") -> None:
        self._ids = np.empty(0, np.int64)
        self._stored: Storage = STORAGE[storage].empty(dimensions)
        self._truth: Truth | None = None

    def add(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Add (n, d) vectors of unit length under new ids (n,), 0 or more. Raises ValueError."""
        halves = checked_addition(self._ids, ids, vectors, self._stored.dimensions)
        if len(ids):
            self._truth = (self._truth or Truth.sampled(ids, halves)).seeing(ids, halves)
            self._ids = np.concatenate([self._ids, ids])
            self._stored = self._stored.extended(halves)

    def search(self, queries: Vectors, k: int) -> Hits:
        """The k nearest of each of (q, d) vectors of unit length. Raises ValueError."""
        return self._search(checked_queries(queries, k, self._stored.dimensions), k)

    @property
    def recall(self) -> Recall:
        """Of the vectors as they were given: below 1 only where 8 bits blur them."""
        return self._truth.recall(self._search) if self._truth is not None else Recall(1.0, 0, 0)

    def save(self, place: Path) -> None:
        """Write the index into one file, atomically. Raises StorageFull or OSError."""
        facts = {
            "kind": KIND,
            "storage": self._stored.kind,
            "dimensions": self._stored.dimensions,
            "recall": asdict(self.recall),
        }
        truth = self._truth.arrays if self._truth is not None else {}
        files.write(place, facts, {"ids": self._ids, **self._stored.arrays, **truth})

    @classmethod
    def load(cls, place: Path) -> Self:
        """Raises CollectionDamaged for a file that is not whole, or is another kind of index."""
        facts, arrays = files.read(place)
        of_kind(place, facts, KIND)
        return cls.of(facts, arrays)

    @classmethod
    def of(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The index whose file holds these facts and arrays."""
        index = cls(facts["dimensions"], facts["storage"])
        index._ids = arrays["ids"]
        index._stored = STORAGE[facts["storage"]].of(arrays)
        index._truth = Truth.of(arrays) if "truth_own" in arrays else None
        return index

    def __len__(self) -> int:
        return len(self._ids)

    def _search(self, queries: Halves, k: int) -> Hits:
        ids, similarity = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
        for start in range(0, len(queries), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            best = Best(queries[part], self._stored, self._ids, k)
            best.see(0, len(self._ids))
            ids[part], similarity[part] = best.result()
        return Hits(ids, similarity)


_: type[Index] = ExactIndex
