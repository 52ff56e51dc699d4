"""The nearest others of each image of a collection: from the stored graph where that fits, else made and kept."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import DIGEST
from tintype.core.errors import CollectionError, StorageFull
from tintype.core.platform import FileLock
from tintype.engine.graph import stored
from tintype.engine.graph.answer import by_processes, in_memory
from tintype.engine.graph.extend import change, extended
from tintype.engine.graph.stored import StoredGraph
from tintype.index.base import Neighbors
from tintype.index.graph import Question, ask
from tintype.index.parts import EXACT_PAIRS
from tintype.index.vectors import Halves, checked, hashes
from tintype.store.layout import Layout, read_record
from tintype.store.trust import is_trusted

LEAST_K = 16  # kept for each image, so that finders that want fewer or a few more share one graph


def neighbors_of(
    layout: Layout,
    column: str,
    state: str,
    digest: pa.Array,
    vectors: NDArray[np.float16],
    k: int,
    *,
    version: int | None = None,
) -> Neighbors:
    """The k nearest others of each of n distinct images of a collection; bound to its first three arguments, a
    `finders.base.NeighborsOf`.

    `column` names the vectors and `state` the model and settings that they come from, `digest` (n,) is sorted,
    `vectors` (n, d) are of unit length. What is stored below `index/COLUMN` is used where it is of the same state
    and has k neighbors or more: as it is for the same images, and extended for images that came or are gone. Else
    the graph is made anew. The result is stored with `version`, the data's, unless the collection is not this
    user's, cannot be written to, or another process builds its graph just now: then it is only returned.

    Up to 20,000 images the neighbors are the true ones. Beyond that at least 95 of 100 are, as measured on a
    sample at every build. A build that was killed goes on where it stopped.

    Raises ValueError where digests are not sorted or vectors not of unit length, and WorkerFailed.
    """
    task = _Task.of(digest, vectors, k)
    if not len(digest) or not _may_use(layout):
        return task.updated(None, None).neighbors
    place = layout.index(column)
    table, leavings = place / "neighbors.lance", place / "work"
    known = stored.load(table, column, state)
    if known is not None and task.is_answered_by(known) and not leavings.exists():
        return _cut(known.neighbors, k)
    lock = FileLock(place / "lock")
    try:
        place.mkdir(parents=True, exist_ok=True)
        is_ours = lock.acquire()
    except OSError:
        is_ours = False
    if not is_ours:
        return _cut(task.updated(known, None).neighbors, k)
    try:
        known = stored.load(table, column, state)  # whoever held the lock a moment ago may have made what is wanted
        if known is None or not task.is_answered_by(known):
            if known is None:
                shutil.rmtree(table, ignore_errors=True)  # whatever lies there is of no use
            known = task.updated(known, leavings)
            with contextlib.suppress(OSError, StorageFull, CollectionError):
                stored.save(table, known, column, state, version)
        shutil.rmtree(leavings, ignore_errors=True)
        return _cut(known.neighbors, k)
    finally:
        lock.release()


@dataclass(frozen=True)
class _Task:
    """The images and vectors of today, and how many neighbors of each are wanted."""

    digest: pa.Array
    vectors: Halves
    vector_hash: NDArray[np.uint64]
    k: int

    @classmethod
    def of(cls, digest: pa.Array, vectors: NDArray[np.float16], k: int) -> _Task:
        halves = checked(vectors)
        if len(digest) != len(halves) or k < 1:
            raise ValueError(f"{len(digest)} digests do not go with {len(halves)} vectors and k = {k}")
        if not _ascends(digest):
            raise ValueError("digests must be of 16 bytes, sorted, and each there once")
        return cls(digest, halves, hashes(halves), k)

    def is_answered_by(self, known: StoredGraph) -> bool:
        return (
            known.k >= self.k
            and known.digest.equals(self.digest)
            and np.array_equal(known.vector_hash, self.vector_hash)
        )

    def updated(self, known: StoredGraph | None, place: Path | None) -> StoredGraph:
        """The graph of today, from the one known before if there is one that is worth it."""
        answered = partial(_answered, place)
        if known is not None and known.k >= self.k:
            changed = change(known, self.digest, self.vector_hash)
            if changed.is_small:
                neighbors, recall = extended(changed, self.vectors, answered)
                return StoredGraph(self.digest, self.vector_hash, neighbors, min(recall, known.recall))
        everyone = np.arange(len(self.vectors))
        wanted = self.k if place is None else max(self.k, LEAST_K)
        neighbors, recall = answered(lambda: ask(self.vectors, everyone, everyone, wanted))
        return StoredGraph(self.digest, self.vector_hash, neighbors, recall)


def _answered(place: Path | None, asked: Callable[[], Question]) -> tuple[Neighbors, float]:
    """The answer to what is asked and its recall: by processes where it is worth their start, and they have a place."""
    question = asked()
    recall = question.parts.recall
    if place is None or question.pairs <= EXACT_PAIRS:
        return in_memory(question), recall
    try:
        return by_processes(question, place), recall
    except (OSError, StorageFull):
        return in_memory(question), recall


def _may_use(layout: Layout) -> bool:
    """Whether the collection's index may be read: that of somebody else's collection could say anything."""
    try:
        return is_trusted(layout, read_record(layout))
    except (CollectionError, OSError):
        return False


def _ascends(digest: pa.Array) -> bool:
    if digest.type != DIGEST or digest.null_count:
        return False
    words = np.frombuffer(b"".join(digest.to_pylist()), ">u8").reshape(-1, 2)
    high, low = words[:, 0], words[:, 1]
    return bool(((high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))).all())


def _cut(neighbors: Neighbors, k: int) -> Neighbors:
    rows, similarity = neighbors.rows[:, :k], neighbors.similarity[:, :k]
    return Neighbors(np.ascontiguousarray(rows), np.ascontiguousarray(similarity))
