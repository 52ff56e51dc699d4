"""What an index answers, and what all of them are asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[Any]
"""(n, d) float16 or float32, each of unit length, so that a dot product is the cosine."""


@dataclass(frozen=True)
class Hits:
    """The nearest of each query, nearest first; equally near ones by id."""

    ids: NDArray[np.int64]  # (q, k); -1 where there are fewer than k
    similarity: NDArray[np.float32]  # (q, k) cosine, -1 to 1; -2 where there are fewer than k


class Index(Protocol):
    """Vectors that can be searched by likeness. Ids are the caller's, and stay what they are."""

    def add(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Add vectors under new ids. Raises ValueError for another dimension, or values that are not finite."""
        ...

    def search(self, queries: Vectors, k: int) -> Hits: ...

    def save(self, place: Path) -> None:
        """Write the index into one file, atomically."""
        ...

    @classmethod
    def load(cls, place: Path) -> Self:
        """Raises CollectionDamaged for a file that is not whole."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Neighbors:
    """The nearest others of each of n vectors, nearest first; equally near ones by row."""

    rows: NDArray[np.int32]  # (n, k); -1 where there are fewer than k others
    similarity: NDArray[np.float32]  # (n, k) cosine, -1 to 1; -2 where there are fewer
