"""Thinning out: of images that are nearly equal by their vectors, one that stands for the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Neighbors

Rows = NDArray[np.int64]


def stand_ins(neighbors: Neighbors, at_least: float, rank: Rows) -> Rows:
    """Which image stands for each of n, (n,): itself, or one that is kept and at least so similar to it.

    Kept is, by `rank` (n,) distinct, lowest first, whatever is not so similar to one that is kept already: no
    chains, and each that is left out has its own kept one, its most similar. Found in rounds, as in Blelloch,
    Fineman and Shun, "Greedy Sequential Maximal Independent Set and Matching are Parallel on Average" (2012).
    """
    near, place = np.nonzero((neighbors.similarity >= at_least) & (neighbors.rows >= 0))
    other, similarity = neighbors.rows[near, place].astype(np.int64), neighbors.similarity[near, place]
    a, b = np.concatenate([near, other]), np.concatenate([other, near])
    similarity = np.tile(similarity, 2)
    count = len(rank)
    undecided, kept = np.ones(count, np.bool_), np.zeros(count, np.bool_)
    while undecided.any():
        open_pairs = undecided[a] & undecided[b]
        best = np.full(count, count)
        np.minimum.at(best, a[open_pairs], rank[b[open_pairs]])
        fresh = undecided & (rank < best)
        kept |= fresh
        undecided &= ~fresh
        undecided[b[fresh[a]]] = False
    result = np.arange(count)
    offers = np.flatnonzero(kept[b] & ~kept[a])
    order = offers[np.lexsort((rank[b[offers]], -similarity[offers], a[offers]))]
    asked, first = np.unique(a[order], return_index=True)
    result[asked] = b[order[first]]
    return result
