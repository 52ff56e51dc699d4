"""Things in numbered sets, and pairs of things from pairs of sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

IN_FULL = 16  # pairs of things from one pair of sets that are always listed one by one
_MOST_PAIRS = 5_000_000  # more than these in all are not listed one by one where a pair of sets has more than IN_FULL


@dataclass(frozen=True)
class Sets:
    """n things in sets that are numbered by their first thing: set 0 has thing 0."""

    of: Rows  # (n,) set of each thing
    members: Rows  # (n,) the things set by set, those of a set in order
    start: Rows  # (sets + 1,) where each set begins in `members`

    @classmethod
    def of_equals(cls, *keys: NDArray[Any]) -> Sets:
        """Things in one set where all their keys, each (n,), are equal."""
        order = np.lexsort(keys)  # stable, so the first of equals comes first
        new = np.zeros(len(order), np.bool_)
        new[:1] = True
        for key in keys:
            new[1:] |= key[order][1:] != key[order][:-1]
        heads = order[new]
        number = np.empty(len(heads), np.int64)
        number[np.argsort(heads)] = np.arange(len(heads))
        of = np.empty(len(order), np.int64)
        of[order] = number[np.cumsum(new) - 1]
        members = np.argsort(of, kind="stable")
        return cls(of, members, np.searchsorted(of[members], np.arange(len(heads) + 1)))

    @property
    def first(self) -> Rows:
        """First thing of each set: (sets,)."""
        return self.members[self.start[:-1]]

    @property
    def size(self) -> Rows:
        return np.diff(self.start)

    def within(self, most: int) -> tuple[Rows, Rows]:
        """Pairs of things of one set: all of them where the set has at most `most`, else those with its first."""
        begin = np.repeat(self.start[:-1], self.size)
        place = np.arange(len(self.members)) - begin
        partners = np.where(np.repeat(self.size, self.size) > most, np.minimum(place, 1), place)
        later = np.repeat(np.arange(len(self.members)), partners)
        step = np.arange(len(later)) - np.repeat(np.cumsum(partners) - partners, partners)
        return self.members[begin[later] + step], self.members[later]

    def between(self, a: Rows, b: Rows) -> tuple[Rows, Rows]:
        """Pairs of things of the sets a[i] and b[i]: all of them, but only the two first where that is too many."""
        count = self.size[a] * self.size[b]
        few = np.ones(len(a), np.bool_) if count.sum() <= _MOST_PAIRS else count <= IN_FULL
        first, second = self._product(a[few], b[few])
        return np.concatenate([first, self.first[a[~few]]]), np.concatenate([second, self.first[b[~few]]])

    def _product(self, a: Rows, b: Rows) -> tuple[Rows, Rows]:
        width = self.size[b]
        count = self.size[a] * width
        pair = np.repeat(np.arange(len(a)), count)
        place = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
        first = self.members[self.start[a[pair]] + place // width[pair]]
        return first, self.members[self.start[b[pair]] + place % width[pair]]
