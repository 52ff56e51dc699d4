"""Clusters of vectors by k-means: the same on every machine, none larger than a bound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.index.vectors import widened

_SCALE = 4_000.0  # whole numbers of this length, times LENGTH_TOLERANCE and rounding, have products below 2^24
_ROUNDS = 6
_SAMPLED = 48  # vectors a center; more hardly move it
_BLOCK = 1 << 22  # products at once
_SUMMED_ROWS = 8_192
_LARGEST = 3  # times the mean size
_DEEPEST = 8

Lattice = NDArray[np.float32]
"""(n, d) whole numbers as float32. Their matrix products are exact in whatever order they are summed."""


def on_lattice(vectors: NDArray[np.float16]) -> Lattice:
    """Vectors of unit length, rounded to whole numbers of 1/4000."""
    wide = widened(vectors)
    wide *= np.float32(_SCALE)
    return np.rint(wide, out=wide)


def clusters(vectors: NDArray[np.float16], size: int, seed: int) -> tuple[NDArray[np.int32], Lattice]:
    """The cluster of each of (n, d) distinct vectors of unit length, (n,), and the centers, (c, d) on the lattice.

    Spherical k-means (Dhillon and Modha, "Concept decompositions for large sparse text data using clustering",
    2001) on a sample, for n / size centers. A cluster of more than three times that size is split again, so that
    a crowd of nearly equal vectors costs no more than others; where even that does not part them, it is cut.
    """
    label, centers = _split(vectors, size, seed, depth=0)
    return label, centers


def nearest_centers(vectors: NDArray[np.float16], centers: Lattice) -> NDArray[np.int32]:
    """The nearest center of each of (n, d) vectors, (n,); the first of equally near ones."""
    label = np.empty(len(vectors), np.int32)
    step = max(1, _BLOCK // len(centers))
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        label[part] = (on_lattice(vectors[part]) @ centers.T).argmax(axis=1)
    return label


def _split(vectors: NDArray[np.float16], size: int, seed: int, depth: int) -> tuple[NDArray[np.int32], Lattice]:
    count = -(-len(vectors) // size)
    centers = _centers(vectors, count, seed)
    label = nearest_centers(vectors, centers)
    sizes = np.bincount(label, minlength=count)
    label, kept = _renumbered(label, sizes)
    centers = centers[kept]
    more = [centers]
    made = len(centers)
    for large in np.flatnonzero(sizes[kept] > _LARGEST * size):
        rows = np.flatnonzero(label == large)
        if depth == _DEEPEST or len(kept) == 1:
            inner = np.arange(len(rows), dtype=np.int32) // size
            inner_centers = np.repeat(centers[large : large + 1], inner[-1] + 1, axis=0)
        else:
            inner, inner_centers = _split(vectors[rows], size, seed + 1, depth + 1)
        # The first of the parts takes the number of the whole.
        label[rows] = np.where(inner == 0, large, made + inner - 1)
        centers[large] = inner_centers[0]
        more.append(inner_centers[1:])
        made += len(inner_centers) - 1
    return label, np.concatenate(more)


def _renumbered(label: NDArray[np.int32], sizes: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Labels without gaps where a center has no members, and the centers that stay."""
    kept = np.flatnonzero(sizes)
    number = np.zeros(len(sizes), np.int32)
    number[kept] = np.arange(len(kept))
    return number[label], kept


def _centers(vectors: NDArray[np.float16], count: int, seed: int) -> Lattice:
    random = np.random.default_rng(seed)
    sampled = np.sort(random.choice(len(vectors), min(len(vectors), count * _SAMPLED), replace=False))
    sample = np.ascontiguousarray(vectors[sampled])
    centers = on_lattice(sample[np.sort(random.choice(len(sample), count, replace=False))])
    for _ in range(_ROUNDS):
        label = nearest_centers(sample, centers)
        used, sums = _sums(sample, label)
        lengths = np.sqrt(np.einsum("cd,cd->c", sums, sums))
        whole = lengths > 0  # opposite vectors cancel out: their center stays where it was
        moved = np.rint(sums[whole] * (_SCALE / lengths[whole])[:, None])
        centers[used[whole]] = moved.astype(np.float32)
    return centers


def _sums(vectors: NDArray[np.float16], label: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The labels that occur, and the sum of the vectors of each on the lattice, exact in float64."""
    order = np.argsort(label, kind="stable")
    used = np.unique(label)
    sums = np.zeros((len(used), vectors.shape[1]))
    for start in range(0, len(order), _SUMMED_ROWS):
        rows = order[start : start + _SUMMED_ROWS]
        inside, begin = np.unique(label[rows], return_index=True)
        sums[np.searchsorted(used, inside)] += np.add.reduceat(on_lattice(vectors[rows]), begin, dtype=np.float64)
    return used, sums
