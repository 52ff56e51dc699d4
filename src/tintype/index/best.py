"""The nearest of many others for each of some queries, found block by block: exact, and the same on every machine."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tintype.index.vectors import products, widened

BLOCK_ROWS = 1_024
"""Queries that are worth a block of their own: with more, products no longer get cheaper."""

BLOCK_COLUMNS = 8_192
"""Others that are compared at once: 32 MB of products for 1,024 queries."""

_GROUPS = 256
_TIED_ROWS = 64
_FEW = 1 << 16


class Others(Protocol):
    """(o, d) vectors of unit length: an array of float16, a mapped file, or a store that makes them.

    Float32 is as good where no number has more than the 11 bits of a float16.
    """

    def __getitem__(self, rows: Any) -> NDArray[np.float16] | NDArray[np.float32]: ...

    def __len__(self) -> int: ...


class Best:
    """Keeps the k nearest of m queries while the others come by in any order, in any blocks.

    A float32 matrix product screens: its errors are at most d·2^-24 for vectors of unit length, whoever computes
    it, so what was screened twice that much below the k-th best is not among the k nearest. What is left at the
    end is scored exactly (`vectors.products`), and equally near ones are told apart by their key.
    """

    def __init__(
        self,
        queries: NDArray[np.float16],
        others: Others,
        key: NDArray[np.int64],
        k: int,
        at_least: NDArray[np.float32] | None = None,
    ) -> None:
        """`queries` (m, d) float16 of unit length; `key` (o,) of the others, no two alike, or -1: not to be found.

        Below `at_least` (m,), a cosine, nothing needs to be found, though it may be.
        """
        self._queries, self._others, self._key, self._k = queries, others, key, k
        self._wide = widened(queries)
        self._error = np.float32(1.05 * (queries.shape[1] + 16) * 2.0**-24)
        # Those k at least were screened as this near, or nobody asks for what is not.
        self._bound = np.full(len(queries), -np.inf, np.float32) if at_least is None else at_least.copy()
        self._found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        self._waiting = 0
        self._room = np.empty(0, np.float32)

    def see(self, first: int, last: int, queries: NDArray[np.int64] | None = None) -> None:
        """Compare all queries, or some by their number, with the others from `first` to `last`; each pair once."""
        rows = np.arange(len(self._queries)) if queries is None else queries
        for start in range(first, last, BLOCK_COLUMNS):
            places = start + np.flatnonzero(self._key[start : min(start + BLOCK_COLUMNS, last)] >= 0)
            if not len(places):
                continue
            whole = len(places) == places[-1] + 1 - places[0]
            wide = widened(self._others[places[0] : places[-1] + 1 : 1] if whole else self._others[places])
            step = max(BLOCK_ROWS, BLOCK_ROWS * BLOCK_COLUMNS // (2 * len(places)))
            for begin in range(0, len(rows), step):
                self._see_block(rows[begin : begin + step], places, wide)

    def result(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Keys (m, k), nearest first, -1 where there are fewer; and cosines (m, k), -2 there."""
        shape = len(self._queries), self._k
        keys, similarity = np.full(shape, -1, np.int64), np.full(shape, -2, np.float32)
        self._screen()
        self._settle()
        for query, place, value in self._found:
            rank = rank_in_run(query)
            keys[query, rank] = self._key[place]
            similarity[query, rank] = value
        return keys, similarity

    def _see_block(self, rows: NDArray[np.int64], places: NDArray[np.int64], wide: NDArray[np.float32]) -> None:
        count = len(rows) * len(wide)
        if count > len(self._room):  # kept: memory that is asked for anew costs a fault for every page
            self._room = np.empty(count, np.float32)
        screened = self._room[:count].reshape(len(rows), len(wide))  # (m, c)
        np.matmul(self._wide[rows], wide.T, out=screened)
        if np.isneginf(self._bound[rows].min(initial=0)):
            self._raise_bound(rows, screened)
        hits = self._hits(rows, screened)
        most = max(_FEW, 16 * self._k * len(rows))
        if len(hits) > most:
            self._raise_bound(rows, screened)
            hits = self._hits(rows, screened)
        if len(hits) > most:
            self._see_ties(rows, places, wide)
            return
        query, column = np.divmod(hits, len(places))
        self._note(rows[query], places[column], screened.ravel()[hits])

    def _hits(self, rows: NDArray[np.int64], screened: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.flatnonzero(screened >= (self._bound[rows] - 2 * self._error)[:, None])

    def _raise_bound(self, rows: NDArray[np.int64], screened: NDArray[np.float32]) -> None:
        self._bound[rows] = np.maximum(self._bound[rows], _lower_bound_of_kth(screened, self._k))

    def _see_ties(self, rows: NDArray[np.int64], places: NDArray[np.int64], wide: NDArray[np.float32]) -> None:
        """As `_see_block`, where more others tie with the k-th best than can be kept."""
        by_key = np.argsort(self._key[places])
        others, places = wide[by_key].astype(np.float64).T, places[by_key]
        for start in range(0, len(rows), _TIED_ROWS):
            some = rows[start : start + _TIED_ROWS]
            exact = (self._wide[some].astype(np.float64) @ others).astype(np.float32)
            nearest = np.argsort(-exact, axis=1, kind="stable")[:, : self._k]
            value = np.take_along_axis(exact, nearest, 1)
            self._note(np.repeat(some, nearest.shape[1]), places[nearest].ravel(), value.ravel())

    def _note(self, query: NDArray[np.int64], place: NDArray[np.int64], value: NDArray[np.float32]) -> None:
        self._found.append((query, place, value))
        self._waiting += len(query)
        many = max(_FEW, 4 * self._k * len(self._queries))
        if self._waiting > many:
            self._screen()
            if self._waiting > many // 2:  # many are as near as the k-th
                self._settle()

    def _screen(self) -> None:
        """Drop what is too far below the k-th best by the screening."""
        query, place, value = self._all_found()
        order = np.argsort((query << 32) | _descending(value))
        query, place, value = query[order], place[order], value[order]
        last = rank_in_run(query) == self._k - 1
        self._bound[query[last]] = np.maximum(self._bound[query[last]], value[last])
        kept = value >= self._bound[query] - 2 * self._error
        self._keep(query[kept], place[kept], value[kept])

    def _settle(self) -> None:
        """Score what is left exactly and keep the k best of each query, in order."""
        query, place, _ = self._all_found()
        value = _products_at(self._queries, query, self._others, place)
        order = np.lexsort((self._key[place], -value, query))
        query, place, value = query[order], place[order], value[order]
        rank = rank_in_run(query)
        last = rank == self._k - 1
        self._bound[query[last]] = np.maximum(self._bound[query[last]], value[last] - self._error)
        kept = rank < self._k
        self._keep(query[kept], place[kept], value[kept])

    def _all_found(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        none = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
        query, place, value = zip(none, *self._found, strict=True)
        return np.concatenate(query), np.concatenate(place), np.concatenate(value)

    def _keep(self, query: NDArray[np.int64], place: NDArray[np.int64], value: NDArray[np.float32]) -> None:
        self._found, self._waiting = [(query, place, value)], len(query)


def rank_in_run(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each item of a sorted array among its equals: 5 5 5 7 7 → 0 1 2 0 1."""
    begins = np.flatnonzero(np.diff(values, prepend=values[:1] - 1))
    return np.arange(len(values)) - np.repeat(begins, np.diff(begins, append=len(values)))


def _products_at(
    queries: NDArray[np.float16], query: NDArray[np.int64], others: Others, place: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Exact dot products of queries with others, (n,), in bounded memory."""
    result = np.empty(len(query), np.float32)
    for start in range(0, len(query), BLOCK_COLUMNS):
        part = slice(start, start + BLOCK_COLUMNS)
        result[part] = products(widened(queries[query[part]]), widened(others[place[part]]))
    return result


def _lower_bound_of_kth(values: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """For each row of (m, c) a number that at least k of its values reach; -inf where c < k.

    The k-th largest of the maxima of groups of columns: that many groups reach it, each with one value or more.
    """
    count = values.shape[1]
    if count < k:
        return np.full(len(values), -np.inf, np.float32)
    if count >= 2 * _GROUPS and 4 * k <= _GROUPS:
        maxima = values[:, :_GROUPS].copy()
        for start in range(_GROUPS, count - _GROUPS + 1, _GROUPS):
            np.maximum(maxima, values[:, start : start + _GROUPS], out=maxima)
        values = maxima
    return np.partition(values, values.shape[1] - k, axis=1)[:, -k]


def _descending(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Numbers of 32 bits that are the smaller, the larger the finite value."""
    bits = values.view(np.int32)
    return np.int64(0x7FFF_FFFF) - (bits ^ ((bits >> 31) & np.int32(0x7FFF_FFFF)))
