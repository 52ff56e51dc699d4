"""A navigable graph: from node to node towards the query. Quick and thorough, but all of it lies in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.index.choice import LINKS
from tintype.index.faiss_library import filled, library, one_thread, taken
from tintype.index.record import Effort, Segment
from tintype.index.rows import Rows, damaged, mapped, write_array
from tintype.index.vectors import widened

_BREADTH = 120  # candidates for a new node's links
_BLOCK_ROWS = 16_384
_FACTS = 2  # at the front of `levels`: where searches start, and the highest level


def files_of(name: str) -> list[str]:
    """The files of a segment that is a graph."""
    return [f"{name}.levels.npy", f"{name}.links.npy"]


def write_graph(folder: Path, name: str, rows: Rows) -> None:
    """Link rows by a hierarchical navigable small world (Malkov and Yashunin, 2018), always the same."""
    with one_thread():
        graph = _empty(rows)
        graph.hnsw.efConstruction = _BREADTH
        for start in range(0, len(rows), _BLOCK_ROWS):
            graph.add(widened(rows[start : start + _BLOCK_ROWS]))
    hnsw = graph.hnsw
    facts = np.array([hnsw.entry_point, hnsw.max_level], np.int32)
    write_array(folder / f"{name}.levels.npy", np.concatenate([facts, taken(hnsw.levels).astype(np.int32)]))
    write_array(folder / f"{name}.links.npy", taken(hnsw.neighbors).astype(np.int32))


class Graph:
    """One segment's graph, in memory."""

    def __init__(self, folder: Path, segment: Segment, rows: Rows, first_row: int) -> None:
        """Raises CollectionDamaged where links lead out of the graph: nothing outside of it may be read."""
        faiss = library()
        path = folder / f"{segment.name}.links.npy"
        levels, links = mapped(folder / f"{segment.name}.levels.npy"), mapped(path)
        count = segment.rows
        graph = _empty(rows)
        widths = faiss.vector_to_array(graph.hnsw.cum_nneighbor_per_level)
        if levels.shape != (count + _FACTS,) or levels.dtype != np.int32 or links.dtype != np.int32:
            raise damaged(path)
        (entry, highest), own = levels[:_FACTS].tolist(), np.array(levels[_FACTS:])
        if not (0 <= entry < count and (own >= 1).all() and own.max() < len(widths) and highest == own.max() - 1):
            raise damaged(path)
        offsets = np.concatenate([[0], np.cumsum(widths[own])]).astype(np.uint64)
        if links.shape != (int(offsets[-1]),) or links.min(initial=0) < -1 or links.max(initial=0) >= count:
            raise damaged(path)
        if own[entry] != highest + 1 or not _stays_within(own, widths, offsets, links):
            raise damaged(path)
        hnsw = graph.hnsw
        filled(hnsw.levels, own)
        filled(hnsw.offsets, offsets)
        filled(hnsw.neighbors, np.array(links))
        hnsw.entry_point, hnsw.max_level = entry, highest
        for start in range(first_row, first_row + count, _BLOCK_ROWS):
            graph.storage.add(widened(rows[start : min(first_row + count, start + _BLOCK_ROWS)]))
        graph.ntotal = count
        self._graph, self._first, self.count = graph, first_row, count

    def search(
        self, queries: NDArray[np.float16], k: int, effort: Effort, selector: Any
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k best of (q, d) queries that are met: rows (q, k), -1 where there are fewer, and scores."""
        faiss = library()
        chosen = faiss.SearchParametersHNSW(sel=selector, efSearch=max(effort.probes, k))
        scores, rows = self._graph.search(widened(queries), k, params=chosen)
        return np.where(rows >= 0, rows + self._first, -1), scores


def _stays_within(
    levels: NDArray[np.int32], widths: NDArray[np.int32], offsets: NDArray[np.uint64], links: NDArray[np.int32]
) -> bool:
    """Whether links of upper levels lead to nodes of these levels only."""
    for level in range(1, int(levels.max())):
        for node in np.flatnonzero(levels > level).tolist():
            begin = int(offsets[node])
            linked = links[begin + widths[level] : begin + widths[level + 1]]
            if (levels[linked[linked >= 0]] <= level).any():
                return False
    return True


def _empty(rows: Rows) -> Any:
    """A graph without nodes, whose numbers need no learning."""
    faiss = library()
    dimensions = rows.dimensions
    graph = faiss.IndexHNSWSQ(dimensions, faiss.ScalarQuantizer.QT_fp16, LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.is_trained = True
    graph.storage.is_trained = True
    return graph
