"""All-with-some: which vectors are compared with which, cut into parts that can be done apart and in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.index.best import BLOCK_ROWS, Best
from tintype.index.clusters import clusters, on_lattice
from tintype.index.vectors import Halves

EXACT_PAIRS = 20_000**2
"""So many comparisons are made one and all; they take some three seconds of CPU at 256 dimensions."""

RECALL = 0.95
_MARGIN = 0.02  # half of the sample chooses; the other half, which is told, must not fall short by chance
_SAMPLED = 1_024
_LEAST_SIZE = 256
_SEED = 0
_ROWS_PER_PART = 8_192
_LEAST_ROWS_PER_PART = 128


@dataclass(frozen=True)
class Parts:
    """e distinct vectors, cluster by cluster, of which some are queries and some are others to be found.

    Each query is compared with the others of the `probes` clusters whose centers are nearest to it; with all
    where that is the number of clusters.
    """

    vectors: Halves  # (e, d)
    order: NDArray[np.int64]  # (e,) each one's number in what was given
    starts: NDArray[np.int64]  # (c + 1,) where each cluster begins
    centers: NDArray[np.float32]  # (c, d) on the lattice
    is_query: NDArray[np.bool_]  # (e,)
    key: NDArray[np.int64]  # (e,) the key under which it is found; -1 where it is not looked for
    at_least: NDArray[np.float32]  # (e,) the cosine below which a query has no use for others
    probes: int
    recall: float  # share of the true k nearest that are found, measured on a sample; 1 where all are compared

    @property
    def is_exact(self) -> bool:
        return self.probes == len(self.centers)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Positions from and to, of about equally many queries; together they hold all."""
        queries = np.flatnonzero(self.is_query)
        step = _ROWS_PER_PART
        if self.is_exact:  # few queries are shared out as well
            step = max(_LEAST_ROWS_PER_PART, min(BLOCK_ROWS, len(queries) // 8))
        for start in range(0, len(queries), step):
            yield int(queries[start]), int(queries[min(start + step, len(queries)) - 1]) + 1


def parts_of(
    vectors: Halves,
    is_query: NDArray[np.bool_],
    key: NDArray[np.int64],
    k: int,
    *,
    at_least: NDArray[np.float32] | None = None,
    recall: float = RECALL,
    exact_pairs: int = EXACT_PAIRS,
) -> Parts:
    """How to find the k nearest others of each query among (e, d) distinct vectors.

    Up to `exact_pairs` comparisons all are made. With more, as many clusters are probed as give `recall` on a
    sample of the queries, whose nearest are found by comparing them with all.
    """
    if at_least is None:
        at_least = np.full(len(vectors), -np.inf, np.float32)
    others = int((key >= 0).sum())
    everything = np.arange(len(vectors))
    whole = np.array([0, len(vectors)])
    no_center = np.zeros((1, vectors.shape[1]), np.float32)
    if int(is_query.sum()) * others <= exact_pairs or not others:
        return Parts(vectors, everything, whole, no_center, is_query, key, at_least, 1, 1.0)
    label, centers = clusters(vectors, max(_LEAST_SIZE, int(0.75 * len(vectors) ** 0.5)), _SEED)
    label, centers = _near_ones_together(label, centers)
    order = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(len(centers) + 1))
    probes, reached = _probes(vectors, label, centers, np.flatnonzero(is_query), key, k, recall)
    arrays = is_query[order], key[order], at_least[order]
    return Parts(vectors[order], order, starts, centers, *arrays, probes, reached)


def compare(
    parts: Parts, start: int, stop: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The nearest others of the queries from position `start` to `stop`, themselves included where they are others.

    Returns the queries' positions (m,), keys (m, k), -1 where there are fewer, and cosines (m, k), -2 there.
    """
    queries = start + np.flatnonzero(parts.is_query[start:stop])
    best = Best(parts.vectors[queries], parts.vectors, parts.key, k, parts.at_least[queries])
    if parts.is_exact:
        best.see(0, len(parts.key))
    else:
        for cluster, rows in _probed(parts, parts.vectors[queries]):
            best.see(parts.starts[cluster], parts.starts[cluster + 1], rows)
    return queries, *best.result()


def _probed(parts: Parts, queries: Halves) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The clusters that are probed, each with the rows of the queries that do.

    Each query's nearest cluster comes first, as that leaves few candidates in the others. A center that is as near
    as the last one counts as well, so that the answer hangs on no order.
    """
    pairs = []
    for first in range(0, len(queries), BLOCK_ROWS):
        nearness = on_lattice(queries[first : first + BLOCK_ROWS]) @ parts.centers.T
        last = np.partition(nearness, -parts.probes, axis=1)[:, -parts.probes]
        row, label = np.nonzero(nearness >= last[:, None])
        pairs.append((first + row, label, label == nearness.argmax(axis=1)[row]))
    row, label, is_nearest = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    for chosen in (is_nearest, ~is_nearest):
        order = np.flatnonzero(chosen)[np.argsort(label[chosen], kind="stable")]
        found, begin, count = np.unique(label[order], return_index=True, return_counts=True)
        for cluster, start, stop in zip(found, begin, begin + count, strict=True):
            yield int(cluster), row[order[start:stop]]


def _near_ones_together(
    label: NDArray[np.int32], centers: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The clusters numbered anew, so that a part's queries probe the same ones."""
    units = (centers / np.linalg.norm(centers, axis=1, keepdims=True)).astype(np.float16)
    crowd, _ = clusters(units, 16, _SEED)
    order = np.argsort(crowd, kind="stable")
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order))
    return number[label], centers[order]


def _probes(
    vectors: Halves,
    label: NDArray[np.int32],
    centers: NDArray[np.float32],
    queries: NDArray[np.int64],
    key: NDArray[np.int64],
    k: int,
    recall: float,
) -> tuple[int, float]:
    """How many clusters to probe, and the recall that this gives."""
    random = np.random.default_rng(_SEED)
    sample = random.choice(queries, min(len(queries), _SAMPLED), replace=False)
    best = Best(vectors[sample], vectors, np.where(key >= 0, np.arange(len(key)), -1), k + 1)
    best.see(0, len(key))
    nearest, _ = best.result()
    wanted = (nearest >= 0) & (nearest != sample[:, None])  # itself is found at no cost
    nearness = on_lattice(vectors[sample]) @ centers.T
    theirs = np.take_along_axis(nearness, label[nearest], 1)
    before = np.stack([(row[:, None] > mine).sum(axis=0) for row, mine in zip(nearness, theirs, strict=True)])
    chooses = np.arange(len(sample)) % 2 == 0
    enough = min(1.0, recall + _MARGIN)
    places = np.sort(before[chooses][wanted[chooses]])
    probes = 1 + int(places[max(0, int(np.ceil(enough * len(places))) - 1)]) if len(places) else 1
    told = before[~chooses][wanted[~chooses]]
    return probes, float((told < probes).mean()) if len(told) else 1.0
