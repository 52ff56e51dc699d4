"""What vectors are to an index: float16 of unit length. Checked, widened without loss, and equal ones told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Vectors

Halves = NDArray[np.float16]
"""(n, d), contiguous, each of unit length."""

MOST_DIMENSIONS = 4_096
LENGTH_TOLERANCE = 0.01
_BLOCK_ROWS = 16_384


def checked(vectors: Vectors) -> Halves:
    """The (n, d) vectors as float16.

    Raises ValueError unless each is of unit length, give or take one in a hundred. So zeros, and what is not a
    number, are refused: who has such images leaves them out, since they are like nothing.
    """
    given = np.asarray(vectors)
    if given.ndim != 2 or not 1 <= given.shape[1] <= MOST_DIMENSIONS:
        raise ValueError(f"vectors must be rows of 1 to {MOST_DIMENSIONS} numbers, not of shape {given.shape}")
    if given.dtype not in (np.float16, np.float32, np.float64):
        raise ValueError(f"vectors must be floats, not {given.dtype}")
    with np.errstate(over="ignore"):  # what is too large for float16 becomes infinite, and is refused below
        halves = np.ascontiguousarray(given, np.float16)
    for start in range(0, len(halves), _BLOCK_ROWS):
        lengths = np.sqrt(_squares(widened(halves[start : start + _BLOCK_ROWS])))
        good = np.abs(lengths - 1) <= LENGTH_TOLERANCE  # false for NaN
        if not good.all():
            row = int(np.argmin(good))
            raise ValueError(f"vector {start + row} is of length {lengths[row]:.4g}; all must be of length 1")
    return halves


def widened(halves: NDArray[np.float16] | NDArray[np.float32]) -> NDArray[np.float32]:
    """The same numbers as float32, six times as fast as numpy's `astype`. Infinite ones and NaN come out as large.

    What is float32 stays as it is. A float16 keeps its sign, exponent and fraction in the same order as a float32
    does: shifted into their places they make the number times 2^-112, the difference of the two exponents' biases.
    """
    if halves.dtype == np.float32:
        return halves.view(np.float32)
    bits = np.ascontiguousarray(halves).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(~0x7000_0000)  # copies of the sign
    wide = bits.view(np.float32)
    wide *= np.float32(2.0**112)
    return wide


def products(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Dot products of row i of `a` with row i of `b`: (n, d), (n, d) → (n,). The same on every machine.

    Both are widened vectors of unit length. Their products are exact in float32, as their numbers have 11 bits, and
    the sum of these is exact in float64, in whatever order it is taken: all are multiples of 2^-48, and no partial
    sum is above 1.03. Only the last step rounds.
    """
    sums: NDArray[np.float64] = (a * b).sum(axis=1, dtype=np.float64)
    return sums.astype(np.float32)


def hashes(halves: Halves) -> NDArray[np.uint64]:
    """A 64-bit hash of each vector's bytes, (n,); the same in every version, but no safeguard against malice."""
    weights = np.arange(1, halves.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
    weights ^= weights >> np.uint64(31)
    weights *= np.uint64(0xBF58_476D_1CE4_E5B9)
    weights |= np.uint64(1)
    result = np.empty(len(halves), np.uint64)
    for start in range(0, len(halves), _BLOCK_ROWS):
        part = halves[start : start + _BLOCK_ROWS].view(np.uint16).astype(np.uint64)
        result[start : start + _BLOCK_ROWS] = part @ weights
    result ^= result >> np.uint64(29)
    return result


def distinct(halves: Halves) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first row of each distinct vector, ascending, (e,); and for each row the number of its vector, (n,)."""
    _, first, number = np.unique(hashes(halves), return_index=True, return_inverse=True)
    alike = np.setdiff1d(np.arange(len(halves)), first, assume_unique=True)
    equal = np.empty(len(alike), np.bool_)
    for start in range(0, len(alike), _BLOCK_ROWS):
        rows = alike[start : start + _BLOCK_ROWS]
        same = halves[rows].view(np.uint16) == halves[first[number[rows]]].view(np.uint16)
        equal[start : start + _BLOCK_ROWS] = same.all(axis=1)
    odd = alike[~equal]  # other vectors with the hash of an earlier one: rare enough to stand alone
    number[odd] = len(first) + np.arange(len(odd))
    first = np.concatenate([first, odd])
    order = np.argsort(first)
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(first))
    return first[order], rank[number]


def _squares(wide: NDArray[np.float32]) -> NDArray[np.float32]:
    squares: NDArray[np.float32] = np.einsum("nd,nd->n", wide, wide)
    return squares
