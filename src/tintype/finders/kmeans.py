"""A given number of parts of a set of directions, each around its mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.finders.exact_cosine import Grid, cosines, directions

Labels = NDArray[np.int64]

_ROUNDS = 50
_BLOCK_ROWS = 4_096
_START_ROWS = 64  # rows for each center that the starting ones are chosen from


def kmeans(grid: Grid, count: int, seed: int) -> Labels:
    """(n,) numbers of at most `count` parts, from 0 without gaps; fewer where fewer vectors differ.

    Spherical k-means (Dhillon and Modha, "Concept decompositions for large sparse text data using clustering", 2001)
    from centers drawn far apart (Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007).
    Equally near centers go by number. A part that loses its last member is gone.
    """
    centers = _start(grid, count, np.random.default_rng(seed))
    label = np.full(len(grid), -1)
    for _ in range(_ROUNDS):
        nearest = _nearest(grid, centers)
        _, nearest = np.unique(nearest, return_inverse=True)
        if np.array_equal(nearest, label):
            break
        label = nearest
        centers = directions(part_sums(grid, label))
    return label


def part_sums(grid: Grid, label: Labels) -> NDArray[np.float64]:
    """(parts, d) sums of the vectors of each part; `label` (n,) is without gaps. They are whole, hence exact."""
    order = np.argsort(label, kind="stable")
    sums = np.zeros((int(label.max(initial=-1)) + 1, grid.shape[1]))
    for start in range(0, len(grid), _BLOCK_ROWS):
        rows = order[start : start + _BLOCK_ROWS]
        parts = label[rows]
        begins = np.flatnonzero(np.concatenate([[True], parts[1:] != parts[:-1]]))
        sums[parts[begins]] += np.add.reduceat(grid[rows].astype(np.float64), begins, axis=0)
    return sums


def _nearest(grid: Grid, centers: Grid) -> Labels:
    blocks = range(0, len(grid), _BLOCK_ROWS)
    return np.concatenate([cosines(grid[start : start + _BLOCK_ROWS], centers).argmax(axis=1) for start in blocks])


def _start(grid: Grid, count: int, random: np.random.Generator) -> Grid:
    """Centers (c, d), drawn with a chance that grows with the squared distance to those that were drawn before."""
    rows = np.sort(random.permutation(len(grid))[: _START_ROWS * count])
    sample = grid[rows]
    chosen = [int(random.integers(len(sample)))]
    far = np.full(len(sample), np.inf, np.float32)
    while len(chosen) < count:
        far = np.minimum(far, 1 - cosines(sample, sample[chosen[-1:]])[:, 0])
        far[far < 1e-3] = 0  # rounding: equal vectors
        mass = np.cumsum(far, dtype=np.float64)
        if mass[-1] <= 0:
            break
        chosen.append(int(np.searchsorted(mass, random.random() * mass[-1], side="right")))
    return sample[chosen]
