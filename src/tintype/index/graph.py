"""The nearest others of many vectors."""

from __future__ import annotations

import numpy as np

from tintype.index.base import Neighbors, Vectors

_BLOCK_ROWS = 1_024


def nearest_others(vectors: Vectors, k: int) -> Neighbors:
    """The k nearest others of each of (n, d) vectors, by comparing all with all."""
    count = len(vectors)
    rows = np.full((count, k), -1, np.int32)
    similarity = np.full((count, k), -2, np.float32)
    wide = vectors.astype(np.float32)
    for start in range(0, count, _BLOCK_ROWS):
        block = wide[start : start + _BLOCK_ROWS] @ wide.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -3
        order = np.argsort(-block, axis=1, kind="stable")[:, : min(k, count - 1)]
        rows[start : start + len(block), : order.shape[1]] = order
        similarity[start : start + len(block), : order.shape[1]] = np.take_along_axis(block, order, 1)
    return Neighbors(rows, similarity)
