"""Groups of look-alikes of bounded diameter: one best image, and others that each look like that one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tintype.core.hashes import phash_turns
from tintype.finders.chance import Reach
from tintype.finders.hamming import near_pairs, run_edges

Rows = NDArray[np.int64]

PAIRS_EACH = 32  # pairs with better images that an image is listed with, at most
_MOST_IN_FULL = 16  # pairs between two sets of equal hashes that are listed one by one
_MOST_PAIRS = 20_000_000

# How far the same picture may be apart in 8-bit levels, in another size or compression: the mean hardly moves,
# the ends of the histogram do. Measured; see decisions/0012-duplicate-search.md.
_TOLERANCES = np.array([5, 24, 12, 24], np.int16)  # brightness, luma_p05, luma_p50, luma_p95


@dataclass(frozen=True)
class LookAlikes:
    """What looks alike among n images that are numbered from the best on.

    Image i belongs to the group of `keeper[i]` ≤ i, which is i itself for the best of a group; the two were
    compared, so no two of a group are further apart than twice the distance allowed. `first` < `second` are all
    pairs found, by second, then first; of an image at most PAIRS_EACH with better ones, and between many images
    of equal hashes only those of their best.
    """

    keeper: Rows  # (n,)
    first: Rows  # (m,)
    second: Rows  # (m,)


def look_alikes(phash: NDArray[np.uint64], tones: NDArray[np.int16], reach: Reach) -> LookAlikes:
    """Compare n images by pHash (n,) in all eight turns, and by their tones (n, 4) in levels, -1 where not known.

    Two look alike where their hashes differ in at most `reach.alone` bits, or in at most `reach.toned` and their
    tones agree. Images with the same hash and tones are compared as one.
    """
    sets = _sets_of_equals(phash, tones)
    hashes, levels = phash[sets.best], tones[sets.best]

    def accept(first: Rows, second: Rows, distance: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return (distance <= reach.alone) | _agree(levels[first], levels[second])

    widest = max(reach.alone, reach.toned)
    near = near_pairs(hashes, widest, phash_turns, accept, PAIRS_EACH)
    keeper = _keepers(len(hashes), near.first, near.second, near.distance)
    first, second = _between(sets, near.first, near.second)
    inner_first, inner_second = _within(sets)
    return LookAlikes(
        sets.best[keeper][sets.of],
        *_sorted_once(np.concatenate([first, inner_first]), np.concatenate([second, inner_second]), len(phash)),
    )


@dataclass(frozen=True)
class _Sets:
    """Images with equal hash (in some turn) and equal tones, the sets numbered by their best image."""

    of: Rows  # (n,) set of each image
    best: Rows  # (sets,) its best image
    members: Rows  # (n,) the images, set by set, each set from its best on
    start: Rows  # (sets + 1,) where each set begins in `members`

    @property
    def size(self) -> Rows:
        return np.diff(self.start)


def _sets_of_equals(phash: NDArray[np.uint64], tones: NDArray[np.int16]) -> _Sets:
    canonical = phash_turns(phash).min(axis=1) if len(phash) else phash
    order = np.lexsort((*tones.T, canonical))  # stable, so the best of equals comes first
    keys = np.column_stack([canonical.view(np.int64), tones])[order]
    run = np.cumsum(np.r_[False, (keys[1:] != keys[:-1]).any(axis=1)][: len(order)])
    heads = order[run_edges(run)[:-1]]  # best image of each run
    number = np.empty(len(heads), np.int64)
    number[np.argsort(heads)] = np.arange(len(heads))
    of = np.empty(len(phash), np.int64)
    of[order] = number[run]
    members = np.argsort(of, kind="stable")
    start = np.searchsorted(of[members], np.arange(len(heads) + 1))
    return _Sets(of, members[start[:-1]], members, start)


def _agree(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.bool_]:
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


def _within(sets: _Sets) -> tuple[Rows, Rows]:
    """Pairs inside of sets: each image with those before it, at most PAIRS_EACH, counted from the best."""
    place = np.arange(len(sets.members)) - np.repeat(sets.start[:-1], sets.size)
    begin = np.repeat(sets.start[:-1], sets.size)
    pairs: list[tuple[Rows, Rows]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for step in range(min(PAIRS_EACH, int(sets.size.max(initial=0)))):
        later = np.flatnonzero(place > step)
        pairs.append((sets.members[begin[later] + step], sets.members[later]))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _between(sets: _Sets, first: Rows, second: Rows) -> tuple[Rows, Rows]:
    """Pairs of images of two near sets: all where they are few, else that of the best of each."""
    few = sets.size[first] * sets.size[second] <= _MOST_IN_FULL
    if int((sets.size[first] * sets.size[second])[few].sum()) > _MOST_PAIRS:
        few[:] = False
    a, b = _product(sets, first[few], second[few])
    return np.r_[a, sets.best[first[~few]]], np.r_[b, sets.best[second[~few]]]


def _product(sets: _Sets, first: Rows, second: Rows) -> tuple[Rows, Rows]:
    """All images of each first set with all of its second one."""
    width = sets.size[second]
    count = sets.size[first] * width
    pair = np.repeat(np.arange(len(first)), count)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    a = sets.members[sets.start[first[pair]] + place // width[pair]]
    b = sets.members[sets.start[second[pair]] + place % width[pair]]
    return a, b


def _sorted_once(a: Rows, b: Rows, count: int) -> tuple[Rows, Rows]:
    first, second = np.minimum(a, b), np.maximum(a, b)
    code = np.unique(second * max(count, 1) + first)
    return code % max(count, 1), code // max(count, 1)
