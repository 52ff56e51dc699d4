"""Thinning out: of images that are nearly equal by their vectors, one that stands for the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Neighbors

Rows = NDArray[np.int64]


def stand_ins(neighbors: Neighbors, at_least: float, rank: Rows, equal: Rows) -> Rows:
    """Which image stands for each of n, (n,): itself, or one that is kept and at least so similar to it.

    `equal` (n,) numbers the distinct vectors from 0: of equal ones, which may be more than have a place among the
    neighbors, the first by `rank` stands for the others in any case. Kept is, by `rank` (n,) distinct, lowest first,
    whatever is not so similar to one that is kept already: no chains, and each that is left out has its own kept
    one, its most similar. Found in rounds, as in Blelloch, Fineman and Shun, "Greedy Sequential Maximal Independent
    Set and Matching are Parallel on Average" (2012).
    """
    near, place = np.nonzero((neighbors.similarity >= at_least) & (neighbors.rows >= 0))
    other, similarity = equal[neighbors.rows[near, place]], neighbors.similarity[near, place]
    near = equal[near]
    by_rank = np.argsort(rank)
    _, first = np.unique(equal[by_rank], return_index=True)
    best = by_rank[first]  # (e,) the image that stands for each vector
    unlike = near != other
    a, b = np.concatenate([near, other])[np.tile(unlike, 2)], np.concatenate([other, near])[np.tile(unlike, 2)]
    kept_for = _kept_for(a, b, np.tile(similarity[unlike], 2), rank[best])
    return best[kept_for[equal]]


def _kept_for(a: Rows, b: Rows, similarity: NDArray[np.float32], rank: Rows) -> Rows:
    """The kept one of each of e, (e,), where each a is near b and the other way around."""
    count = len(rank)
    undecided, kept = np.ones(count, np.bool_), np.zeros(count, np.bool_)
    most = int(rank.max()) + 1
    while undecided.any():
        open_pairs = undecided[a] & undecided[b]
        lowest = np.full(count, most)
        np.minimum.at(lowest, a[open_pairs], rank[b[open_pairs]])
        fresh = undecided & (rank < lowest)
        kept |= fresh
        undecided &= ~fresh
        undecided[b[fresh[a]]] = False
    result = np.arange(count)
    offers = np.flatnonzero(kept[b] & ~kept[a])
    order = offers[np.lexsort((rank[b[offers]], -similarity[offers], a[offers]))]
    asked, first = np.unique(a[order], return_index=True)
    result[asked] = b[order[first]]
    return result
