"""What share of the true nearest an index finds, and how quickly, measured on a sample of its own vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Hits
from tintype.index.best import Best, Others
from tintype.index.faiss_library import one_thread
from tintype.index.record import Effort, Measured
from tintype.index.vectors import Halves

MEASURED_K = 10
SAMPLED = 1_000
_TIMED = 200
_MARGIN = 0.01  # half of the sample chooses, the other half tells: it must not fall short by chance
_LEAST_GAIN = 0.002  # of twice the probes; below it nothing more is to be had
MOST_CANDIDATES = 64  # for each neighbor that is asked for
_ROUNDING = 1e-6

Candidates = Callable[[Halves, int, int], Hits]
"""Queries, how many candidates, how many probes → these candidates by their stored vectors, in the order of codes."""


@dataclass(frozen=True)
class Truth:
    """The true nearest others of some sampled vectors: of the vectors as they were given, not as they are stored."""

    own: NDArray[np.int64]  # (s,) rows of the sampled
    queries: Halves  # (s, d)
    rows: NDArray[np.int64]  # (s, MEASURED_K) of their nearest others; -1 where there are fewer
    similarity: NDArray[np.float32]  # (s, MEASURED_K); -2 there

    @classmethod
    def empty(cls, own: NDArray[np.int64], queries: Halves) -> Truth:
        """Of vectors that have seen no others yet."""
        shape = len(own), MEASURED_K
        return cls(own, queries, np.full(shape, -1, np.int64), np.full(shape, -2, np.float32))

    def owning(self, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> Truth:
        """The truth when it is known which rows some of the sampled (by their numbers) are."""
        own = self.own.copy()
        own[numbers] = rows
        return Truth(own, self.queries, self.rows, self.similarity)

    def seeing(self, rows: NDArray[np.int64], vectors: Others) -> Truth:
        """The truth when (n, d) vectors have been added as rows (n,)."""
        best = Best(self.queries, vectors, rows, MEASURED_K + 1)
        best.see(0, len(vectors))
        return self.joined(*best.result())

    def joined(self, rows: NDArray[np.int64], similarity: NDArray[np.float32]) -> Truth:
        """The truth when others (s, j), perhaps the sampled themselves, were found as near as (s, j) cosines."""
        similarity = np.where(rows == self.own[:, None], -3, similarity)  # itself is no other
        all_rows = np.concatenate([self.rows, rows], axis=1)
        all_similarity = np.concatenate([self.similarity, similarity], axis=1)
        order = np.lexsort((all_rows, -all_similarity))[:, :MEASURED_K]
        kept = np.take_along_axis(all_rows, order, 1), np.take_along_axis(all_similarity, order, 1)
        return Truth(self.own, self.queries, np.where(kept[1] < -2, -1, kept[0]), np.maximum(kept[1], -2))

    def without(self, removed: NDArray[np.int64]) -> Truth:
        """The truth of those that are left."""
        left = ~np.isin(self.own, removed)
        gone = np.isin(self.rows[left], removed)
        rows, similarity = np.where(gone, -1, self.rows[left]), np.where(gone, -2, self.similarity[left])
        return Truth(self.own[left], self.queries[left], rows, similarity.astype(np.float32))

    def recall(self, hits: Hits, part: slice, k: int = MEASURED_K) -> float:
        """The share of the true ones among the first of what was found for a part of the sample; 1 where none are.

        What is exactly as near as the last true one counts too: of equal vectors it is chance which are told.
        """
        wanted = found = 0
        pairs = zip(self.own[part], self.rows[part], self.similarity[part], hits.rows, hits.similarity, strict=True)
        for own, true, nearness, rows, similarity in pairs:
            true, nearness = true[true >= 0], nearness[true >= 0]
            if not len(true):
                continue
            other = (rows != own) & (rows >= 0)
            mine, near = rows[other][: len(true)], similarity[other][: len(true)]
            wanted += len(true)
            found += int((np.isin(mine, true) | (near >= nearness.min() - _ROUNDING)).sum())
        return found / wanted if wanted else 1.0

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Truth:
        return cls(*(arrays[name] for name in ("own", "queries", "rows", "similarity")))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """As they are written into a file."""
        return {"own": self.own, "queries": self.queries, "rows": self.rows, "similarity": self.similarity}


def tuned(truth: Truth, candidates: Candidates, wanted: float, first: int, most: Effort) -> Effort:
    """The least effort by which the half of the sample that chooses finds what is wanted, and a little more.

    Twice the probes, from `first` on, until that is reached or nothing is gained; then as few of them, and as few
    candidates, as are enough. `most` is as much as there may be of each.
    """
    chooses = slice(0, None, 2)
    goal = min(1.0, wanted + _MARGIN)

    def reached(probes: int) -> tuple[float, int]:
        return _candidates_needed(truth, chooses, candidates, Effort(probes, most.candidates), goal)

    probes, before = first, -1.0
    share, needed = reached(probes)
    while share < goal and probes < most.probes and share >= before + _LEAST_GAIN:
        before, probes = share, min(2 * probes, most.probes)
        share, needed = reached(probes)
    if share >= goal:
        for fewer in sorted({probes * part // 8 for part in (5, 6, 7)} - {probes}):
            if fewer > first and (found := reached(fewer))[0] >= goal:
                return Effort(fewer, found[1])
    return Effort(probes, needed)


def measured(truth: Truth, search: Callable[[Halves, int], Hits]) -> Measured:
    """Recall and time of a search as it stands, by the half of the sample that did not choose."""
    tells = slice(1, None, 2) if len(truth.own) > 1 else slice(None)
    queries = truth.queries[tells]
    recall = truth.recall(search(queries, MEASURED_K + 1), tells)
    taken = []
    with one_thread():
        for row in range(min(_TIMED, len(queries))):
            began = time.perf_counter()
            search(queries[row : row + 1], MEASURED_K)
            taken.append(1_000 * (time.perf_counter() - began))
    median, slowest = np.quantile(taken, [0.5, 0.95]).round(3).tolist() if taken else (0.0, 0.0)
    return Measured(round(recall, 4), MEASURED_K, len(queries), median, slowest)


def _candidates_needed(
    truth: Truth, part: slice, candidates: Candidates, effort: Effort, goal: float
) -> tuple[float, int]:
    """The recall with so much effort, and the fewest candidates for each neighbor that give the goal, or the best."""
    count = effort.candidates
    found = candidates(truth.queries[part], (MEASURED_K + 1) * count, effort.probes)
    best = truth.recall(_first(found, count), part)
    enough = goal if best >= goal else best - _LEAST_GAIN / 2
    while count > 1 and truth.recall(_first(found, count // 2), part) >= enough:
        count //= 2
    return best, count


def _first(found: Hits, count: int) -> Hits:
    """The nearest of the first candidates, by their stored vectors."""
    rows = found.rows[:, : count * (MEASURED_K + 1)]
    similarity = found.similarity[:, : count * (MEASURED_K + 1)]
    order = np.lexsort((rows, -similarity))[:, : MEASURED_K + 1]
    return Hits(np.take_along_axis(rows, order, 1), np.take_along_axis(similarity, order, 1))
