"""Vectors for tests of indexes, and their true nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Hits

DIMENSIONS = 32


def made_vectors(count: int, dimensions: int = DIMENSIONS, seed: int = 0) -> NDArray[np.float16]:
    """So many vectors of unit length in some forty clusters of unequal width, always the same."""
    random = np.random.default_rng(seed)
    centers = random.standard_normal((40, dimensions))
    chosen = random.integers(0, len(centers), count)
    spread = random.uniform(0.05, 1, len(centers))[chosen]
    vectors = centers[chosen] + spread[:, None] * random.standard_normal((count, dimensions))
    made: NDArray[np.float16] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    return made


def true_nearest(rows: NDArray[np.int64], vectors: NDArray[np.float16], queries: NDArray[np.float16], k: int) -> Hits:
    """By comparing all with all in float64: the oracle."""
    cosines = (queries.astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32)
    order = np.lexsort((np.broadcast_to(rows, cosines.shape), -cosines))[:, :k]
    return Hits(rows[order], np.take_along_axis(cosines, order, 1))
