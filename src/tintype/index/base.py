"""What a search of vectors answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[Any]
"""(n, d) float16 or float32, each of unit length, so that a dot product is the cosine."""


@dataclass(frozen=True)
class Hits:
    """The nearest of each query, nearest first; equally near ones by row."""

    rows: NDArray[np.int64]  # (q, k); -1 where there are fewer than k
    similarity: NDArray[np.float32]  # (q, k) cosine, -1 to 1; -2 where there are fewer than k


@dataclass(frozen=True)
class Neighbors:
    """The nearest others of each of n vectors, nearest first; equally near ones by row."""

    rows: NDArray[np.int32]  # (n, k); -1 where there are fewer than k others
    similarity: NDArray[np.float32]  # (n, k) cosine, -1 to 1; -2 where there are fewer
