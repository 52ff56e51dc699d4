"""Vectors at 8 bits in memory, among which candidates for a query are chosen: all are compared, filtered or not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.index.faiss_library import library, one_thread

_HEADROOM = 1.25  # of the largest number of a sample; larger ones are cut
_HIGHEST = 127


class Screen:
    """(n, d) vectors at a byte a number, in one part for each core.

    A cosine by them is off by about a thousandth, so among four times as many candidates the nearest of a million are
    found; who wants them in order compares the candidates themselves.
    """

    def __init__(self, blocks: Iterable[NDArray[np.float32]], rows: int, sample: NDArray[np.float32]) -> None:
        """`blocks` of (b, d), `rows` in all, of any length; those without one, or not finite, are like nothing.

        `sample` is some of them. Raises ValueError where there are other than `rows`.
        """
        self._dimensions = sample.shape[1]
        self._step = _HIGHEST / (_HEADROOM * max(float(np.abs(_unit(sample)[0]).max(initial=0.0)), 1e-6))
        self._usable = np.zeros(rows, np.bool_)
        self._ends = np.linspace(0, rows, len(os.sched_getaffinity(0)) + 1).astype(np.int64)
        self._parts = [self._empty() for _ in self._ends[1:]]
        row = 0
        for block in blocks:
            self._add(row, block)
            row += len(block)
        if row != rows:
            raise ValueError(f"{row:,} vectors came of {rows:,}")

    def __len__(self) -> int:
        return len(self._usable)

    def candidates(
        self, query: NDArray[np.floating[Any]], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Rows, ascending, among which the nearest of a query (d,) are; of those that are `allowed` (n,)."""
        usable = self._usable if allowed is None else self._usable & allowed
        codes = (np.asarray(query, np.float64) / np.linalg.norm(query) * self._step).astype(np.float32)[None]
        with one_thread(), ThreadPoolExecutor(len(self._parts)) as pool:
            found = pool.map(lambda part: self._nearest(part, codes, count, usable), range(len(self._parts)))
            values, rows = (np.concatenate(column) for column in zip(*found, strict=True))
        best = np.lexsort((rows, -values))[:count]
        return np.sort(rows[best])

    def _nearest(
        self, part: int, codes: NDArray[np.float32], count: int, usable: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        start, end = self._ends[part], self._ends[part + 1]
        wanted = usable[start:end]
        faiss = library()
        bits = np.packbits(wanted, bitorder="little")
        chosen = None if wanted.all() else faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        few = min(count, int(wanted.sum()))
        if not few:
            return np.empty(0, np.float32), np.empty(0, np.int64)
        values, rows = self._parts[part].search(codes, few, params=chosen)
        return values[0], rows[0] + start

    def _add(self, first: int, block: NDArray[np.float32]) -> None:
        unit, usable = _unit(block)
        self._usable[first : first + len(block)] = usable
        codes = np.clip(np.rint(unit * np.float32(self._step)), -_HIGHEST, _HIGHEST)
        for part, (start, end) in enumerate(pairwise(self._ends.tolist())):
            mine = codes[max(start - first, 0) : max(end - first, 0)]
            if len(mine):
                self._parts[part].add(np.ascontiguousarray(mine))

    def _empty(self) -> Any:
        faiss = library()
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        return faiss.IndexScalarQuantizer(self._dimensions, kind, faiss.METRIC_INNER_PRODUCT)


def _unit(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The vectors at unit length, and which of them have one; the others become zero."""
    largest = np.abs(vectors).max(axis=1, initial=0, keepdims=True)
    usable = np.isfinite(largest[:, 0]) & (largest[:, 0] > 0)
    scaled = np.where(usable[:, None], vectors, 0) / np.where(usable[:, None], largest, 1)  # no square overflows
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths > 0, lengths, 1), np.float32), usable
