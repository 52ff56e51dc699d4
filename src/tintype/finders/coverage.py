"""Choosing vectors that stand for many others, in an order of which every beginning is a good choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.index.clusters import clusters, on_lattice

Rows = NDArray[np.int64]

_BLOCK = 2_048  # vectors that are compared all with all; (2048, 2048) of int64 are 32 MB
_AHEAD = 3  # times a block's share of what is wanted, that are chosen in it at once
_UNIT = 1 << 20  # the cost of a distance of 1, in whole numbers
_POWER = 4  # of the squared distance: what is far from all counts most, and yet the crowds count
_MOST = _UNIT * 2**_POWER  # of what is at a right angle or farther, or has nothing that stands for it yet
_PRODUCT = np.float32(4_000.0**2)  # of two equal vectors on the lattice
_BLOCK_VALUES = 1 << 23


@dataclass(frozen=True)
class _Chosen:
    rows: Rows  # (c,) in the order of their choice
    gain: Rows  # (c,) by how much each lowered the sum; it falls


def choose(vectors: NDArray[np.float16], count: int, seed: int) -> Rows:
    """The rows of `count` of (n, d) distinct vectors of unit length, those that stand for most others first.

    Greedy facility location (Nemhauser, Wolsey and Fisher, "An analysis of approximations for maximizing submodular
    set functions", 1978): each next one lowers most the sum over all vectors of the eighth power of the distance to
    the nearest chosen one. The first power would serve the crowds alone, an infinite one (the k-center of Gonzalez,
    1985) only what is farthest (decisions/0023-leaks-labels-selection.md). More than 2,048 vectors are cut into
    clusters, in each of which that is done apart; the choices are merged by their gain, and the first 2,048 put in
    order once more among themselves, each counting as many as it stands for (Mirzasoleiman et al., "Distributed
    Submodular Maximization", 2013). All arithmetic is in whole numbers, so the answer is the same on every machine.
    `seed` is that of the clusters.
    """
    count = min(count, len(vectors))
    if len(vectors) <= _BLOCK:
        return _chosen_in(vectors, np.ones(len(vectors), np.int64), count).rows
    rows = _merged(vectors, max(count, _BLOCK), seed)
    first = rows[:_BLOCK]
    place, _ = nearest_chosen(vectors, first)
    again = _chosen_in(vectors[first], np.bincount(place, minlength=len(first)), len(first))
    return np.concatenate([first[again.rows], rows[_BLOCK:]])[:count]


def nearest_chosen(vectors: NDArray[np.float16], chosen: Rows) -> tuple[Rows, NDArray[np.float32]]:
    """For each of (n, d) vectors the place of the nearest of (c,) chosen ones, the first of equals, and its cosine."""
    place, cosine = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    others = on_lattice(vectors[chosen])
    step = max(1, _BLOCK_VALUES // max(1, len(chosen)))
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        products = on_lattice(vectors[part]) @ others.T
        place[part] = products.argmax(axis=1)
        cosine[part] = np.minimum(products.max(axis=1) / _PRODUCT, 1)
    return place, cosine


def nearest_before(vectors: NDArray[np.float16]) -> tuple[Rows, NDArray[np.float32]]:
    """For each of (c, d) vectors the nearest of those before it, the first of equals, and its cosine; -1 and -2 for
    the first."""
    place, cosine = np.full(len(vectors), -1), np.full(len(vectors), -2, np.float32)
    grid = on_lattice(vectors)
    step = max(1, _BLOCK_VALUES // max(1, len(vectors)))
    for start in range(0, len(vectors), step):
        stop = min(start + step, len(vectors))
        products = grid[start:stop] @ grid[:stop].T
        products[np.arange(stop) >= np.arange(start, stop)[:, None]] = -np.inf
        place[start:stop] = products.argmax(axis=1)
        cosine[start:stop] = np.minimum(products.max(axis=1) / _PRODUCT, 1)
    place[:1], cosine[:1] = -1, -2
    return place, cosine


def _merged(vectors: NDArray[np.float16], count: int, seed: int) -> Rows:
    """The choices in each cluster, together in the order of their gain."""
    label, _ = clusters(vectors, _BLOCK // 2, seed)
    order = np.argsort(label, kind="stable")
    rows, gains = [], []
    for members in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        share = -(-len(members) * count // len(vectors))
        inside = _chosen_in(vectors[members], np.ones(len(members), np.int64), _AHEAD * share + 8)
        rows.append(members[inside.rows])
        gains.append(inside.gain)
    together = np.concatenate(rows)
    return together[np.lexsort((together, -np.concatenate(gains)))][:count]


def _chosen_in(vectors: NDArray[np.float16], weights: Rows, count: int) -> _Chosen:
    """The greedy choice of `count`, or all, among a few vectors that are compared all with all.

    The gains are kept up to date: after each choice only those vectors count anew that it came nearer to.
    """
    count = min(count, len(vectors))
    grid = on_lattice(vectors)
    cosine = (grid @ grid.T).astype(np.float64) / _PRODUCT
    squared = np.clip(2 - 2 * cosine, 0, 2)
    cost = np.rint(_UNIT * squared**_POWER).astype(np.int64)
    np.fill_diagonal(cost, 0)
    now = np.full(len(vectors), _MOST)
    gain = weights @ (_MOST - cost)
    rows, gains = np.empty(count, np.int64), np.empty(count, np.int64)
    for turn in range(count):
        row = int(gain.argmax())
        rows[turn], gains[turn] = row, gain[row]
        nearer = np.flatnonzero(cost[row] < now)
        others, then = cost[nearer], cost[row, nearer]
        # What a vector could still gain falls from max(0, now - cost) to max(0, then - cost).
        lost = np.clip(now[nearer, None] - others, 0, (now[nearer] - then)[:, None])
        gain -= weights[nearer] @ lost
        gain[row] = -1 - _MOST * int(weights.sum())  # never again, not even where nothing is left to gain
        now[nearer] = then
    return _Chosen(rows, gains)
