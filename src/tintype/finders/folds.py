"""Parts for cross-validation: every class in several of them, near-copies of one image all in one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Neighbors

Rows = NDArray[np.int64]


def near_groups(neighbors: Neighbors, at_least: float, largest: int) -> Rows:
    """The group of each of n images, (n,), by its first row: those joined by similarities of `at_least`, chains too.

    Where more than `largest` hang together, likeness that high is nothing special there, and each is alone.
    """
    count = len(neighbors.rows)
    near, place = np.nonzero((neighbors.similarity >= at_least) & (neighbors.rows >= 0))
    other = neighbors.rows[near, place].astype(np.int64)
    group = np.arange(count)
    while True:
        least = np.minimum(group[near], group[other])
        joined = group.copy()
        np.minimum.at(joined, group[near], least)
        np.minimum.at(joined, group[other], least)
        joined = joined[joined]
        if np.array_equal(joined, group):
            break
        group = joined
    sizes = np.bincount(group, minlength=count)
    return np.where(sizes[group] > largest, np.arange(count), group)


def folds_of(labels: Rows, groups: Rows, count: int) -> Rows:
    """The fold of each of n images, (n,) 0 to count - 1; images of one group share it.

    Each class is dealt out evenly, in the order of rows, by the labels of the groups' first images. Rows must be in
    an order that has nothing to do with the labels, such as that of digests.
    """
    first = np.flatnonzero(groups == np.arange(len(groups)))
    order = first[np.argsort(labels[first], kind="stable")]
    fold = np.zeros(len(labels), np.int64)
    fold[order] = np.arange(len(order)) % count  # on from one class to the next, so that folds are of one size
    return fold[groups]
