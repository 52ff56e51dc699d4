"""What share of the true nearest an index finds, measured on a sample of its own vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Hits
from tintype.index.best import Best
from tintype.index.vectors import Halves

MEASURED_K = 10
_SAMPLED = 512
_SEED = 0


@dataclass(frozen=True)
class Recall:
    """Of the true `k` nearest others of `sample` vectors, the share that is found; 1 where there are no others."""

    share: float
    k: int
    sample: int


@dataclass(frozen=True)
class Truth:
    """The true nearest others of some sampled vectors: of the vectors as they were given, not as they are stored."""

    own: NDArray[np.int64]  # (s,) ids of the sampled
    queries: Halves  # (s, d)
    ids: NDArray[np.int64]  # (s, MEASURED_K) ids of their nearest others; -1 where there are fewer
    similarity: NDArray[np.float32]  # (s, MEASURED_K); -2 there

    @classmethod
    def sampled(cls, ids: NDArray[np.int64], vectors: Halves) -> Truth:
        """Always the same ones of (n, d) vectors with ids (n,), which have seen no others yet."""
        chosen = np.random.default_rng(_SEED).choice(len(ids), min(len(ids), _SAMPLED), replace=False)
        rows = np.sort(chosen)
        shape = len(rows), MEASURED_K
        return cls(ids[rows], vectors[rows], np.full(shape, -1, np.int64), np.full(shape, -2, np.float32))

    def seeing(self, ids: NDArray[np.int64], vectors: Halves) -> Truth:
        """The truth when (n, d) vectors with ids (n,) have been added."""
        best = Best(self.queries, vectors, ids, MEASURED_K + 1)
        best.see(0, len(vectors))
        found, similarity = best.result()
        similarity[found == self.own[:, None]] = -3  # itself is no other
        all_ids = np.concatenate([self.ids, found], axis=1)
        all_similarity = np.concatenate([self.similarity, similarity], axis=1)
        order = np.lexsort((all_ids, -all_similarity))[:, :MEASURED_K]
        kept = np.take_along_axis(all_ids, order, 1), np.take_along_axis(all_similarity, order, 1)
        return Truth(self.own, self.queries, *kept)

    def recall(self, search: Callable[[Halves, int], Hits]) -> Recall:
        """How many of the true ones a search finds that returns the sampled themselves as well."""
        hits, wanted = 0, 0
        found = search(self.queries, MEASURED_K + 1).ids
        for own, true, mine in zip(self.own, self.ids, found, strict=True):
            true = true[true >= 0]
            wanted += len(true)
            hits += len(np.intersect1d(true, mine[mine != own][: len(true)]))
        return Recall(hits / wanted if wanted else 1.0, MEASURED_K, len(self.own))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Truth:
        return cls(*(arrays[f"truth_{name}"] for name in ("own", "queries", "ids", "similarity")))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """As they are written into an index's file."""
        return {
            "truth_own": self.own,
            "truth_queries": self.queries,
            "truth_ids": self.ids,
            "truth_similarity": self.similarity,
        }
