"""Cosines that come out the same whatever the number of threads or the order in which a processor adds up.

Vectors of unit length are rounded to multiples of 1/4000. Their products are then whole numbers, and a sum of them over
any part of two vectors is at most the product of their lengths (Cauchy-Schwarz), below 2**24, which float32 holds
exactly. So a matrix product of any library is exact, while the rounding is as fine as that of float16.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float32]
"""(n, d) whole numbers: vectors of unit length times 4000, d at most 30,000."""

PER_UNIT = 4_000


def to_grid(vectors: NDArray[Any]) -> Grid:
    """Vectors (n, d) of unit length, rounded."""
    return np.asarray(np.rint(vectors.astype(np.float32) * np.float32(PER_UNIT)))


def cosines(a: Grid, b: Grid) -> NDArray[np.float32]:
    """(n, m) cosines of all of `a` (n, d) with all of `b` (m, d)."""
    return np.asarray(a @ b.T / np.float32(PER_UNIT**2))


def paired(a: Grid, b: Grid) -> NDArray[np.float32]:
    """(n,) cosines of the vectors of `a` (n, d) with those of `b` (n, d) at the same place."""
    return np.asarray(np.einsum("nd,nd->n", a, b) / np.float32(PER_UNIT**2))


def directions(sums: NDArray[np.float64]) -> Grid:
    """The directions (n, d) of sums of grid vectors; one that is zero stays zero."""
    length = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
    return to_grid(sums / np.maximum(length, 1))
