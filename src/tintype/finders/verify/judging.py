"""Verdicts on many pairs: those that are remembered, and those that are worked out on thumbnails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.columns import DIGEST
from tintype.finders.base import Memory
from tintype.finders.sets import Rows
from tintype.finders.verify.compare import COPY, SCENE, UNSEEN, VERDICT, VERSION
from tintype.finders.verify.comparing import Comparers, Pair, Verdicts
from tintype.finders.verify.maps import Map, inverted

_MEMORY = "verified"
_CHUNK = 48  # pairs that are compared together
_TABLE = pa.schema(
    [
        pa.field("a", DIGEST),  # the smaller digest of the pair
        pa.field("b", DIGEST),
        pa.field("via", DIGEST),  # the picture over which a way from one to the other was known; null where none was
        pa.field("version", pa.int32()),
        pa.field("verdict", pa.binary(VERDICT.itemsize)),
    ]
)


class Thumbnails(Protocol):
    """Where thumbnails come from."""

    def __call__(self, subjects: Rows) -> Sequence[bytes | None]: ...


class Judge:
    """Gives verdicts on pairs of subjects, which are numbered as in `digest`.

    A pair is always compared from its smaller digest to its larger, so that a verdict hangs on nothing but the two
    pictures (and where one is given, the way over a third).
    """

    def __init__(self, digest: pa.Array, thumbnails: Thumbnails, memory: Memory, compare: Comparers) -> None:
        self.compared = 0
        self.remembered = 0
        self._count = len(digest)
        self._digest = digest
        self._order = _ranks(digest)
        self._thumbnails = thumbnails
        self._memory = memory
        self._compare = compare
        self._keys, self._known = self._loaded()
        self._fresh: list[tuple[NDArray[np.uint64], Verdicts]] = []
        self._unsettled = False

    def judge(
        self, first: Rows, second: Rows, guesses: Sequence[Map] | None = None, via: Rows | None = None
    ) -> Verdicts:
        """Verdicts on n pairs, each once. `guesses` are maps from first to second, found over the subjects `via`."""
        swapped = self._order[first] > self._order[second]
        low, high = np.where(swapped, second, first), np.where(swapped, first, second)
        if guesses is not None:
            guesses = [inverted(guess) if swap else guess for guess, swap in zip(guesses, swapped, strict=True)]
        found = np.zeros(len(first), VERDICT)
        keys = self._key(low, high, via)
        place, known = self._lookup(keys)
        found[known] = self._known[place[known]]
        self.remembered += int(known.sum())
        left = np.flatnonzero(~known)
        if len(left):
            found[left] = self._compared(low[left], high[left], None if guesses is None else [guesses[i] for i in left])
            seen = found[left]["kind"] != UNSEEN  # a thumbnail may come later
            self._note(keys[left][seen], found[left][seen])
        found[swapped] = turned_around(found[swapped])
        return found

    def save(self) -> None:
        """Keep what is known, the new verdicts with the old."""
        if not self._fresh:
            return
        self._settle()
        low, high, via = self._parted(self._keys)
        table = pa.table(
            [
                self._digest.take(pa.array(low)),
                self._digest.take(pa.array(high)),
                self._digest.take(pa.array(via, mask=via < 0)),
                pa.repeat(pa.scalar(VERSION, pa.int32()), len(low)),
                pa.array([bytes(row) for row in self._known], _TABLE.field("verdict").type),
            ],
            schema=_TABLE,
        )
        self._memory.save(_MEMORY, table)

    def _compared(self, low: Rows, high: Rows, guesses: Sequence[Map] | None) -> Verdicts:
        found = np.zeros(len(low), VERDICT)
        order = np.lexsort((high, low))  # pairs of one picture together
        parts = [order[start : start + _CHUNK] for start in range(0, len(order), _CHUNK)]
        for part, verdicts in zip(parts, self._compare(self._pairs(parts, low, high, guesses)), strict=True):
            found[part] = verdicts
        self.compared += len(low)
        return found

    def _pairs(
        self, parts: Sequence[Rows], low: Rows, high: Rows, guesses: Sequence[Map] | None
    ) -> Iterator[list[Pair]]:
        for part in parts:
            subjects = np.unique(np.concatenate([low[part], high[part]]))
            thumbnails = dict(zip(subjects.tolist(), self._thumbnails(subjects), strict=True))
            yield [
                (thumbnails[int(low[at])], thumbnails[int(high[at])], guesses[at] if guesses is not None else None)
                for at in part.tolist()
            ]

    def _key(self, low: Rows, high: Rows, via: Rows | None) -> NDArray[np.uint64]:
        """(n, 2): the pair, and the third picture + 1."""
        pair = low.astype(np.uint64) * np.uint64(self._count) + high.astype(np.uint64)
        third = np.zeros(len(low), np.uint64) if via is None else via.astype(np.uint64) + np.uint64(1)
        return np.stack([pair, third], axis=1)

    def _parted(self, keys: NDArray[np.uint64]) -> tuple[Rows, Rows, Rows]:
        low, high = np.divmod(keys[:, 0], np.uint64(self._count))
        return low.astype(np.int64), high.astype(np.int64), keys[:, 1].astype(np.int64) - 1

    def _lookup(self, keys: NDArray[np.uint64]) -> tuple[Rows, NDArray[np.bool_]]:
        """The place of each key among the known ones, and whether it is there."""
        self._settle()
        if not len(self._keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        place = np.minimum(np.searchsorted(_joined(self._keys), _joined(keys)), len(self._keys) - 1)
        return place, (self._keys[place] == keys).all(axis=1)

    def _note(self, keys: NDArray[np.uint64], verdicts: Verdicts) -> None:
        self._fresh.append((keys, verdicts))
        self._unsettled = True

    def _settle(self) -> None:
        if not self._unsettled:
            return
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._fresh)])
        known = np.concatenate([self._known, *(verdicts for _, verdicts in self._fresh)])
        _, once = np.unique(_joined(keys), return_index=True)
        self._keys, self._known, self._unsettled = keys[once], known[once], False

    def _loaded(self) -> tuple[NDArray[np.uint64], Verdicts]:
        """What an earlier run found out about images that are still here."""
        table = self._memory.load(_MEMORY)
        none = np.empty((0, 2), np.uint64), np.empty(0, VERDICT)
        if table is None or not table.schema.equals(_TABLE):
            return none
        table = table.filter(pc.equal(table["version"], VERSION)).combine_chunks()
        rows = [
            pc.fill_null(pc.index_in(table[name], value_set=self._digest), -1).to_numpy() for name in ("a", "b", "via")
        ]
        here = (rows[0] >= 0) & (rows[1] >= 0) & ((rows[2] >= 0) | table["via"].is_null().to_numpy())
        if not here.any():
            return none
        bytes_of = b"".join(table["verdict"].filter(pa.array(here)).to_pylist())
        known = np.frombuffer(bytes_of, VERDICT)
        low, high, via = (values[here].astype(np.int64) for values in rows)
        keys = self._key(low, high, via)
        order = np.argsort(_joined(keys))
        return keys[order], known[order]


def turned_around(verdicts: Verdicts) -> Verdicts:
    """The verdicts as seen from the second picture to the first."""
    around = verdicts.copy()
    for name in ("overlaps", "chroma", "even"):
        around[name] = verdicts[name][:, ::-1]
    for at in np.flatnonzero(np.isin(verdicts["kind"], (COPY, SCENE))):
        around["map"][at] = inverted(verdicts["map"][at].reshape(2, 3).astype(np.float64)).ravel()
    return around


def _joined(keys: NDArray[np.uint64]) -> NDArray[np.void]:
    """(n,) keys that sort as the pairs of numbers do."""
    return np.ascontiguousarray(keys).view([("pair", "u8"), ("via", "u8")]).ravel()


def _ranks(digest: pa.Array) -> Rows:
    """The place of each digest in the order of all."""
    order = pc.sort_indices(digest).to_numpy().astype(np.int64)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks
