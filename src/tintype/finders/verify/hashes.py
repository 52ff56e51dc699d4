"""Look-alikes by their perceptual hashes and tones, in any flip or quarter turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.core.hashes import phash_turns
from tintype.finders.chance import Reach
from tintype.finders.hamming import near_pairs
from tintype.finders.sets import Rows, Sets

PAIRS_EACH = 32  # pairs with better images that an image is listed with, at most

# How far the same picture may be apart in 8-bit levels, in another size or compression: the mean hardly moves,
# the ends of the histogram do. Measured; see decisions/0012-duplicate-search.md.
_TOLERANCES = np.array([3, 20, 6, 20], np.int16)  # brightness, luma_p05, luma_p50, luma_p95


@dataclass(frozen=True)
class LookAlikes:
    """Pairs `first` < `second` of n images that are numbered from the best on, each once.

    Of an image there are at most PAIRS_EACH with better ones, and of many images of equal hashes and tones only
    those of their best.
    """

    first: Rows  # (m,)
    second: Rows  # (m,)
    sure: NDArray[np.bool_]  # (m,) so near that hashes and tones alone make them copies


def look_alikes(phash: NDArray[np.uint64], tones: NDArray[np.int16], reach: Reach, wide: int = 0) -> LookAlikes:
    """Compare n images by pHash (n,) in all eight turns, and by their tones (n, 4) in levels, -1 where not known.

    Two are surely alike where their hashes differ in at most `reach.alone` bits, or in at most `reach.toned` and their
    tones agree. Those that differ in at most `wide` bits are given too, to be looked at. Images with the same hash
    and tones are compared as one.
    """
    if not len(phash):
        none = np.empty(0, np.int64)
        return LookAlikes(none, none, np.empty(0, np.bool_))
    sets = Sets.of_equals(phash_turns(phash).min(axis=1), *tones.T)
    levels = tones[sets.first]

    def sure(first: Rows, second: Rows, distance: NDArray[np.uint8]) -> NDArray[np.bool_]:
        agree = (distance <= reach.toned) & tones_agree(levels[first], levels[second])
        return np.asarray((distance <= reach.alone) | agree)

    def accept(first: Rows, second: Rows, distance: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return (distance <= wide) | sure(first, second, distance)

    farthest = max(reach.alone, reach.toned, wide)
    near = near_pairs(phash[sets.first], farthest, phash_turns, accept, PAIRS_EACH)
    certain = sure(near.first, near.second, near.distance)
    pairs = [sets.between(near.first[certain], near.second[certain]), sets.within(PAIRS_EACH)]
    count = sum(len(pair[0]) for pair in pairs)
    pairs.append((sets.first[near.first[~certain]], sets.first[near.second[~certain]]))
    ends = [np.concatenate(part) for part in zip(*pairs, strict=True)]
    code, once = np.unique(np.maximum(*ends) * len(phash) + np.minimum(*ends), return_index=True)
    return LookAlikes(code % len(phash), code // len(phash), once < count)


def tones_agree(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which pairs of (n, 4) tones may be those of one picture; unknown ones agree with nothing."""
    known = (a[:, 0] >= 0) & (b[:, 0] >= 0)
    return np.asarray(known & (np.abs(a - b) <= _TOLERANCES).all(axis=1))
