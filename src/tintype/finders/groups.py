"""Groups of look-alikes of bounded diameter: one best image, and others that each look like that one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tintype.core.hashes import phash_turns
from tintype.finders.chance import Reach
from tintype.finders.hamming import near_pairs, run_edges
from tintype.finders.sets import Rows, Sets

PAIRS_EACH = 32  # pairs with better images that an image is listed with, at most

# How far the same picture may be apart in 8-bit levels, in another size or compression: the mean hardly moves,
# the ends of the histogram do. Measured; see decisions/0012-duplicate-search.md.
_TOLERANCES = np.array([3, 20, 6, 20], np.int16)  # brightness, luma_p05, luma_p50, luma_p95


@dataclass(frozen=True)
class LookAlikes:
    """What looks alike among n images that are numbered from the best on.

    Image i belongs to the group of `keeper[i]` ≤ i, which is i itself for the best of a group; the two were
    compared, so no two of a group are further apart than twice the distance allowed. `first` < `second` are all
    pairs found, by second, then first; of an image at most PAIRS_EACH with better ones, and of many images of equal
    hashes only those of their best.
    """

    keeper: Rows  # (n,)
    first: Rows  # (m,)
    second: Rows  # (m,)


def look_alikes(phash: NDArray[np.uint64], tones: NDArray[np.int16], reach: Reach) -> LookAlikes:
    """Compare n images by pHash (n,) in all eight turns, and by their tones (n, 4) in levels, -1 where not known.

    Two look alike where their hashes differ in at most `reach.alone` bits, or in at most `reach.toned` and their
    tones agree. Images with the same hash and tones are compared as one.
    """
    if not len(phash):
        return LookAlikes(*np.empty((3, 0), np.int64))
    sets = Sets.of_equals(phash_turns(phash).min(axis=1), *tones.T)
    levels = tones[sets.first]

    def accept(first: Rows, second: Rows, distance: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return (distance <= reach.alone) | tones_agree(levels[first], levels[second])

    near = near_pairs(phash[sets.first], max(reach.alone, reach.toned), phash_turns, accept, PAIRS_EACH)
    keeper = _keepers(len(levels), near.first, near.second, near.distance)
    first, second = sets.between(near.first, near.second)
    before, after = sets.within(PAIRS_EACH)
    pairs = _sorted_once(np.concatenate([first, before]), np.concatenate([second, after]), len(phash))
    return LookAlikes(sets.first[keeper][sets.of], *pairs)


def tones_agree(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which pairs of (n, 4) tones may be those of one picture; unknown ones agree with nothing."""
    known = (a[:, 0] >= 0) & (b[:, 0] >= 0)
    return np.asarray(known & (np.abs(a - b) <= _TOLERANCES).all(axis=1))


def _keepers(count: int, first: Rows, second: Rows, distance: NDArray[np.uint8]) -> Rows:
    """For each node the keeper it belongs to: the nearest keeper among its better neighbors, or itself.

    Pairs come sorted by second. Going from the best node on, every better neighbor has been decided.
    """
    keeper = np.arange(count)
    for start, end in pairwise(run_edges(second).tolist()):
        better = first[start:end]
        keeping = np.flatnonzero(keeper[better] == better)
        if len(keeping):
            keeper[second[start]] = better[keeping[np.argmin(distance[start:end][keeping])]]
    return keeper


def _sorted_once(a: Rows, b: Rows, count: int) -> tuple[Rows, Rows]:
    code = np.unique(np.maximum(a, b) * count + np.minimum(a, b))
    return code % count, code // count
