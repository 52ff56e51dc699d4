"""Which pairs are worth verifying: near in their hashes, their descriptors, or in a part of one and the whole of the
other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.finders.sets import Rows
from tintype.index.base import Neighbors
from tintype.index.graph import Answer, ask
from tintype.index.parts import compare

NEIGHBORS = 10  # of each image that are looked at
_BACKGROUND = slice(7, 10)  # neighbors that say how alike images are around here; nearer ones may be copies
_USUAL = 0.9  # quantile
_REGION_HITS = 6
_MOST_BY_REGIONS = 250_000  # images; past it their regions would fill the memory


@dataclass(frozen=True)
class Candidates:
    """Pairs of subjects `first` < `second`, each once, the most promising first; `promise` falls from about 1 to 0."""

    first: Rows
    second: Rows
    promise: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Candidates:
        return Candidates(self.first[chosen], self.second[chosen], self.promise[chosen])

    @classmethod
    def of(cls, a: Rows, b: Rows, promise: NDArray[np.float32]) -> Candidates:
        """Pairs in any order of the two, some perhaps several times."""
        first, second = np.minimum(a, b), np.maximum(a, b)
        order = np.lexsort((-promise, second, first))
        first, second, promise = first[order], second[order], promise[order]
        new = np.ones(len(first), np.bool_)
        new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
        first, second, promise = first[new], second[new], promise[new]
        best = np.lexsort((second, first, -promise))
        return cls(first[best], second[best], promise[best])

    @classmethod
    def none(cls) -> Candidates:
        """No pairs."""
        nothing = np.empty(0, np.int64)
        return cls(nothing, nothing, np.empty(0, np.float32))

    @classmethod
    def together(cls, *parts: Candidates) -> Candidates:
        return cls.of(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "second", "promise"))
        )


def by_neighbors(found: Neighbors, asking: Rows, least: float) -> Candidates:
    """Neighbors that are more alike than images around either of them are: (q, k) neighbors of the images `asking`.

    A cosine says little by itself: in a collection of portraits all are near each other. What counts is by how much
    it is above the mean of both images' eighth to tenth neighbors (compare Jégou et al., "Accurate image search
    using the contextual dissimilarity measure", 2010). Where those are copies themselves, above what is usual.
    """
    there = found.rows >= 0
    nearness = np.where(there, found.similarity, np.float32(0))
    around = nearness[:, _BACKGROUND].mean(axis=1) if nearness.shape[1] > _BACKGROUND.start else nearness[:, -1] * 0
    around = np.minimum(around, np.quantile(around, _USUAL)) if len(around) else around
    row, column = np.nonzero(there)
    other = found.rows[row, column].astype(np.int64)
    place = np.minimum(np.searchsorted(asking, other), len(asking) - 1)
    theirs = np.where(asking[place] == other, around[place], around[row]) if len(row) else around[row]
    promise = nearness[row, column] - (around[row] + theirs) / 2
    good = promise >= least
    return Candidates.of(asking[row[good]], other[good], promise[good].astype(np.float32))


def by_regions(
    vectors: NDArray[np.float16], regions: NDArray[np.float16], asking: Rows, asked: Rows, least: float
) -> Candidates:
    """Images `asking` that are near to a part of one of those `asked`: (n, D) vectors and (n, R, d) of regions.

    Regions may have the first numbers of vectors alone; the whole images are then compared by these.
    """
    count, each, width = regions.shape
    if width > vectors.shape[1]:
        return Candidates.none()
    parts = regions[asked].reshape(-1, width)
    shown = np.flatnonzero(np.abs(parts).max(axis=1) > 0)
    if not len(shown) or not len(asking) or count > _MOST_BY_REGIONS:
        return Candidates.none()
    whole = asked[shown // each]  # whose part it is
    hits = min(_REGION_HITS + each, len(shown))
    stacked = np.concatenate([_first_numbers(vectors[asking], width), parts[shown]])
    found = nearest(stacked, np.arange(len(asking)), np.arange(len(asking), len(stacked)), hits)
    other = np.where(found.rows >= 0, whole[found.rows - len(asking)], asking[:, None])
    there = other != asking[:, None]
    nearness = np.where(there, found.similarity, np.float32(2))
    ordered = -np.sort(-np.where(there, found.similarity, np.float32(0)), axis=1)
    around = ordered[:, _REGION_HITS - 3 : _REGION_HITS].mean(axis=1)
    around = np.minimum(around, np.quantile(around, _USUAL))
    promise = nearness - around[:, None]
    row, column = np.nonzero(there & (promise >= least))
    return Candidates.of(asking[row], other[row, column], promise[row, column].astype(np.float32))


def _first_numbers(vectors: NDArray[np.float16], width: int) -> NDArray[np.float16]:
    """(n, width) of unit length, zero where there is nothing."""
    first = vectors[:, :width].astype(np.float32)
    lengths = np.linalg.norm(first, axis=1, keepdims=True)
    return (first / np.where(lengths > 0, lengths, 1)).astype(np.float16)


def nearest(vectors: NDArray[np.float16], asking: Rows, asked: Rows, k: int) -> Neighbors:
    """The k nearest of the rows `asked` for each of the rows `asking`, both ascending, itself left out."""
    question = ask(vectors, asking, asked, k)
    answer = Answer(question)
    for start, stop in question.parts.ranges():
        answer.note(*compare(question.parts, start, stop, question.width))
    return answer.neighbors()
