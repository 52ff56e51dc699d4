"""Brings a stored neighbor graph up to date: images that came are put in, those that are gone are taken out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.engine.graph.stored import StoredGraph
from tintype.index.base import Neighbors
from tintype.index.graph import Question, ask
from tintype.index.parts import EXACT_PAIRS
from tintype.index.vectors import Halves

Answered = Callable[[Callable[[], Question]], tuple[Neighbors, float]]
"""From what makes a question to its answer and recall. The maker is called there, so that nobody else holds it."""

_PAIRS_PER_ROW = 2.0  # times the root of n: below that, finding clusters costs more than it saves


@dataclass(frozen=True)
class Change:
    """What differs between a stored graph and the n images of today."""

    lists: NDArray[np.int32]  # (m, k) the stored neighbors of the images that stay, as rows of today; -1 for none
    similarity: NDArray[np.float32]  # (m, k)
    stay: NDArray[np.int64]  # (m,) rows of today
    came: NDArray[np.int64]  # rows of today that the graph lacks, or that have another vector there
    lost: NDArray[np.bool_]  # (m,) whether a neighbor is gone

    @property
    def asking(self) -> NDArray[np.int64]:
        """Rows whose lists must be made anew."""
        return np.sort(np.concatenate([self.came, self.stay[self.lost]]))

    @property
    def is_small(self) -> bool:
        """Whether making the changes compares fewer pairs than making the graph anew."""
        count = len(self.stay) + len(self.came)
        return (len(self.asking) + len(self.came)) * 2 < count


def change(stored: StoredGraph, digest: pa.Array, vector_hash: NDArray[np.uint64]) -> Change:
    """Compare a stored graph with the images of today, both sorted by digest."""
    there = pc.index_in(digest, value_set=stored.digest).fill_null(-1).to_numpy(zero_copy_only=False)
    there = np.where((there >= 0) & (stored.vector_hash[there] == vector_hash), there, -1).astype(np.int64)
    stay, came = np.flatnonzero(there >= 0), np.flatnonzero(there < 0)
    today = np.full(len(stored.digest) + 1, -1, np.int32)  # the last is what -1 finds
    today[there[stay]] = stay
    before = stored.neighbors.rows[there[stay]]
    lists = today[before]
    lost = ((before >= 0) & (lists < 0)).any(axis=1)
    return Change(lists, stored.neighbors.similarity[there[stay]], stay, came, lost)


def extended(changed: Change, halves: Halves, answered: Answered) -> tuple[Neighbors, float]:
    """The graph of today, (n, k), and the lowest recall among the questions asked for it.

    Images that came, and those that lost a neighbor, are compared with all. Every other one only with those that
    came: of its old neighbors none is gone, and nobody else was nearer. So with all compared, the result is the
    graph that would be made anew.
    """
    count, k = len(halves), changed.lists.shape[1]
    rows, similarity = np.full((count, k), -1, np.int32), np.full((count, k), -2, np.float32)
    exact_pairs = max(EXACT_PAIRS, int(_PAIRS_PER_ROW * count**1.5))
    recall = 1.0
    asking = changed.asking
    if len(asking):
        found, recall = answered(lambda: ask(halves, asking, np.arange(count), k, exact_pairs=exact_pairs))
        rows[asking], similarity[asking] = found.rows, found.similarity
    kept = changed.stay[~changed.lost]
    rows[kept], similarity[kept] = changed.lists[~changed.lost], changed.similarity[~changed.lost]
    if len(kept) and len(changed.came):
        last = similarity[kept, -1]
        found, theirs = answered(lambda: ask(halves, kept, changed.came, k, at_least=last, exact_pairs=exact_pairs))
        recall = min(recall, theirs)
        merged = _merged(Neighbors(rows[kept], similarity[kept]), found)
        rows[kept], similarity[kept] = merged.rows, merged.similarity
    return Neighbors(rows, similarity), recall


def _merged(a: Neighbors, b: Neighbors) -> Neighbors:
    """The k nearest of both, which have no neighbor in common; equally near ones by row."""
    rows = np.concatenate([a.rows, b.rows], axis=1)
    similarity = np.concatenate([a.similarity, b.similarity], axis=1)
    order = np.lexsort((rows, -similarity))[:, : a.rows.shape[1]]
    return Neighbors(np.take_along_axis(rows, order, 1), np.take_along_axis(similarity, order, 1))
