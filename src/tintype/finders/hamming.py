"""Pairs of hashes that differ in few bits in some orientation, found without comparing all with all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]
Turned = Callable[[Hashes], Hashes]
"""(n,) hashes to (n, turns) hashes; column 0 is the hash itself. Every turn moves and inverts bits, always the same
ones, and the turns are a group: each can be undone by one of them."""
Accept = Callable[[Rows, Rows, NDArray[np.uint8]], NDArray[np.bool_]]
"""(first, second, distance) of pairs to which of them to keep; a smaller distance must not be worse."""

MAX_DISTANCE = 16  # past it, a quarter of the bits, the candidates are most of all pairs

_SAMPLE = 16_384  # hashes that the cost of a plan is estimated on
_SORT_COST = 250e-9  # seconds a hash and key, a candidate, and a key; measured at 1,000,000 hashes of 8 turns
_COMPARE_COST = 12e-9
_KEY_COST = 200e-6
_MOST_KEYS = 800
_GIANT = 4_096  # hashes with equal keys that are worth a search of their own
_PENDING = 4_000_000  # found pairs that are held before they are sorted in
_MAX_ROWS = 1 << 28


@dataclass(frozen=True)
class NearPairs:
    """Pairs with `first < second`, sorted by second, then first; `distance` is the smallest over all turns.

    `cut` says for each hash whether it had more pairs with earlier ones than were kept.
    """

    first: NDArray[np.int64]  # (m,)
    second: NDArray[np.int64]  # (m,)
    distance: NDArray[np.uint8]  # (m,)
    cut: NDArray[np.bool_]  # (n,)


def near_pairs(
    hashes: Hashes, distance: int, turned: Turned, accept: Accept | None = None, pairs_each: int = 32
) -> NearPairs:
    """All pairs of the (n,) hashes that differ in at most `distance` bits in some turn, and that `accept` takes.

    A hash keeps its `pairs_each` pairs with the earliest of the hashes before it, so memory is bounded by
    n · pairs_each: put the hashes that matter most first. n < 2^28, distance ≤ 16.

    Pigeonhole over m chunks of bits (multi-index hashing: Norouzi, Punjani and Fleet, "Fast Search in Hamming
    Space with Multi-Index Hashing", 2012): of m chunks at least m - distance are equal, so every choice of so
    many chunks is sorted by, and only equal keys are compared. Chunks are made of bits that turns exchange
    among themselves, so the smallest key over all turns is the same for all turns of an image: n keys are
    sorted, not 8 n, and each hash is compared in the one turn that has this key.
    """
    if not 0 <= distance <= MAX_DISTANCE:
        raise ValueError(f"distance must be 0 to {MAX_DISTANCE}, not {distance}")
    if len(hashes) >= _MAX_ROWS:
        raise ValueError(f"{len(hashes)} hashes are more than {_MAX_ROWS - 1}")
    found = _Found(len(hashes), pairs_each, accept)
    if len(hashes) > 1:
        turns = np.ascontiguousarray(turned(hashes).T)  # (turns, n)
        _search(np.arange(len(hashes)), turns, _orbits(turned), distance, found)
    return found.pairs()


@dataclass
class _Found:
    """Collects pairs, each once, at most `pairs_each` of a hash with those before it."""

    rows: int
    pairs_each: int
    accept: Accept | None
    kept: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))  # second << 36 | first << 8 | distance
    pending: list[Hashes] = field(default_factory=list)
    waiting: int = 0

    def __post_init__(self) -> None:
        self.cut = np.zeros(self.rows, np.bool_)

    def add(self, a: Rows, b: Rows, distance: NDArray[np.uint8]) -> None:
        different = a != b  # two turns of one hash can have the same key
        first, second = np.minimum(a, b)[different], np.maximum(a, b)[different]
        packed = (second.astype(np.uint64) << np.uint64(36)) | (first.astype(np.uint64) << np.uint64(8))
        self.pending.append(packed | distance[different].astype(np.uint64))
        self.waiting += len(packed)
        if self.waiting > _PENDING:
            self._sort_in()

    def pairs(self) -> NearPairs:
        self._sort_in()
        return NearPairs(*_unpacked(self.kept), self.cut)

    def _sort_in(self) -> None:
        fresh = np.unique(np.concatenate([np.empty(0, np.uint64), *self.pending]))
        self.pending, self.waiting = [], 0
        fresh = fresh[self._accepted(fresh)]
        together = np.sort(np.concatenate([self.kept, fresh]))
        pair = together >> np.uint64(8)
        nearest = np.r_[True, pair[1:] != pair[:-1]][: len(pair)]
        self.kept = self._first_of_each(together[nearest])

    def _accepted(self, packed: Hashes) -> NDArray[np.bool_]:
        if self.accept is None:
            return np.ones(len(packed), np.bool_)
        return self.accept(*_unpacked(packed))

    def _first_of_each(self, packed: Hashes) -> Hashes:
        second = (packed >> np.uint64(36)).astype(np.int64)
        edges = run_edges(second)
        place = np.arange(len(second)) - np.repeat(edges[:-1], np.diff(edges))
        over = place >= self.pairs_each
        self.cut[second[over]] = True
        return packed[~over]


def _unpacked(packed: Hashes) -> tuple[Rows, Rows, NDArray[np.uint8]]:
    first = ((packed >> np.uint64(8)) & np.uint64(_MAX_ROWS - 1)).astype(np.int64)
    return first, (packed >> np.uint64(36)).astype(np.int64), (packed & np.uint64(255)).astype(np.uint8)


@dataclass(frozen=True)
class _Choice:
    """Chunks of bits that are sorted by, and those before the last of them that are not among them.

    A pair in which one of the `passed` is equal too has been found by an earlier choice.
    """

    mask: int
    passed: tuple[int, ...]


def _search(rows: Rows, turns: Hashes, orbits: list[int], distance: int, found: _Found) -> None:
    for choice in _choices(turns, orbits, distance):
        key, row, value = _aligned(turns, choice.mask)
        order = np.argsort(key)
        key, row, value = key[order], rows[row[order]], value[order]
        rest = [orbit for orbit in orbits if not orbit & choice.mask]
        if len(rest) > distance:
            giant = np.zeros(len(key), np.bool_)
            for start, end in _giants(key):
                _search(row[start:end], value[None, start:end], _singles(rest), distance, found)
                giant[start:end] = True
            key, row, value = key[~giant], row[~giant], value[~giant]
        _compare(key, row, value, distance, choice.passed, found)


def _compare(key: Hashes, row: Rows, value: Hashes, distance: int, passed: tuple[int, ...], found: _Found) -> None:
    """Compare each entry with all that follow it and have the same key; entries are sorted by key."""
    shift = 1
    at = np.flatnonzero(key[1:] == key[:-1])
    while len(at):
        differ = value[at] ^ value[at + shift]
        near = np.bitwise_count(differ) <= distance
        if near.any():
            hits, bits = at[near], differ[near]
            fresh = np.ones(len(hits), np.bool_)
            for chunk in passed:
                fresh &= (bits & np.uint64(chunk)) != 0
            found.add(row[hits[fresh]], row[hits[fresh] + shift], np.bitwise_count(bits[fresh]))
        shift += 1
        at = at[: np.searchsorted(at, len(key) - shift)]
        at = at[key[at] == key[at + shift]]


def _aligned(turns: Hashes, mask: int) -> tuple[Hashes, Rows, Hashes]:
    """The smallest key of each hash over its turns, its row, and the hash so turned; one entry a turn that ties."""
    bits = np.uint64(mask)
    if len(turns) == 1:
        return turns[0] & bits, np.arange(turns.shape[1]), turns[0]
    key = turns[0] & bits
    for turn in turns[1:]:
        np.minimum(key, turn & bits, out=key)
    rows = [np.flatnonzero((turn & bits) == key) for turn in turns]
    row = np.concatenate(rows)
    return key[row], row, np.concatenate([turn[at] for turn, at in zip(turns, rows, strict=True)])


def _giants(key: Hashes) -> list[tuple[int, int]]:
    """Begin and end of the runs of equal keys that are worth a search of their own."""
    edges = run_edges(key)
    giant = np.diff(edges) > _GIANT
    return list(zip(edges[:-1][giant].tolist(), edges[1:][giant].tolist(), strict=True))


def run_edges(values: NDArray[Any]) -> Rows:
    """Where runs of equal values begin, and after them the length of the whole: (runs + 1,)."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    return np.concatenate([[0], changes, [len(values)]]) if len(values) else np.zeros(1, np.int64)


def _choices(turns: Hashes, orbits: list[int], distance: int) -> list[_Choice]:
    """What to sort by: of all numbers of chunks, those that are estimated to cost least."""
    return min(_plans(orbits, distance), key=lambda choices: _cost(turns, choices))


def _plans(orbits: list[int], distance: int) -> Iterator[list[_Choice]]:
    for count in range(distance + 1, min(len(orbits), distance + 6) + 1):
        if comb(count, distance) <= _MOST_KEYS:
            chunks = _chunks(orbits, count)
            yield [_choice(chunks, chosen) for chosen in combinations(range(count), count - distance)]


def _choice(chunks: list[int], chosen: tuple[int, ...]) -> _Choice:
    passed = tuple(chunks[at] for at in range(chosen[-1]) if at not in chosen)
    return _Choice(sum(chunks[at] for at in chosen), passed)


def _cost(turns: Hashes, choices: list[_Choice]) -> float:
    """Seconds that sorting and comparing by these takes, estimated on a sample of the hashes."""
    count = turns.shape[1]
    sample = turns[:, :: max(1, count // _SAMPLE)]
    scale = (count / sample.shape[1]) ** 2
    tried = choices[:: max(1, len(choices) // 3)][:3]
    candidates = 0.0
    for choice in tried:
        lengths = np.unique(_aligned(sample, choice.mask)[0], return_counts=True)[1].astype(np.float64)
        even = count**2 / 2 * len(turns) / 2.0 ** choice.mask.bit_count()
        candidates += max(even, scale * float((lengths * (lengths - 1)).sum()) / 2)
    return float(len(choices) * (_KEY_COST + count * _SORT_COST + candidates / len(tried) * _COMPARE_COST))


def _chunks(orbits: list[int], count: int) -> list[int]:
    """The orbits dealt into so many masks of nearly equal numbers of bits."""
    chunks = [0] * count
    for orbit in sorted(orbits, key=lambda bits: (-bits.bit_count(), bits)):
        lightest = min(range(count), key=lambda at: chunks[at].bit_count())
        chunks[lightest] |= orbit
    return chunks


def _singles(masks: list[int]) -> list[int]:
    """Each bit of the masks as a mask."""
    return [1 << bit for mask in masks for bit in range(64) if mask >> bit & 1]


def _orbits(turned: Turned) -> list[int]:
    """Masks of the bits that turns exchange among themselves; found by turning each bit alone."""
    bits = np.uint64(1) << np.arange(64, dtype=np.uint64)
    moved = turned(bits) ^ turned(np.zeros(1, np.uint64))  # (64, turns)
    return sorted({int(mask) for mask in np.bitwise_or.reduce(moved, axis=1)})
