"""The nearest others of many vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.index.base import Neighbors, Vectors
from tintype.index.best import rank_in_run
from tintype.index.parts import EXACT_PAIRS, RECALL, Parts, compare, parts_of
from tintype.index.vectors import Halves, checked, distinct

_BLOCK_ROWS = 8_192

Rows = NDArray[np.int64]


def nearest_others(vectors: Vectors, k: int, *, recall: float = RECALL, exact_pairs: int = EXACT_PAIRS) -> Neighbors:
    """The k nearest others of each of (n, d) vectors of unit length, nearest first, equally near ones by row.

    Vectors are compared as float16, and the answer is the same on every machine and with any number of threads.
    Up to `exact_pairs` comparisons all are made. With more, clusters are compared, so many that on a sample
    `recall` of the true neighbors are found (`parts.parts_of`). Equal vectors are compared once, and are each
    other's neighbors by row. Where k is larger than n - 1, rows end in -1 and similarities in -2.

    Raises ValueError for vectors that are not of unit length, zero and NaN among them.
    """
    halves = checked(vectors)
    everyone = np.arange(len(halves))
    question = ask(halves, everyone, everyone, k, recall=recall, exact_pairs=exact_pairs)
    answer = Answer(question)
    for start, stop in question.parts.ranges():
        answer.note(*compare(question.parts, start, stop, question.width))
    return answer.neighbors()


@dataclass(frozen=True)
class Question:
    """Who looks for its nearest among which others, asked once for equal vectors."""

    rows: Rows  # (q,) who asks
    k: int
    number: Rows  # (n,) of each row's vector among the distinct ones
    members: Rows  # (o,) the others, those of one vector together and by row
    member_starts: Rows  # (e + 1,) where those of each vector begin
    parts: Parts  # of the e distinct vectors; an other's key is the first of its members

    @property
    def width(self) -> int:
        """How many distinct vectors must be known to know k others: one of them may be the asker alone."""
        return min(self.k + 1, max(1, int((self.parts.key >= 0).sum())))

    @property
    def pairs(self) -> int:
        """How many comparisons it would take to compare all."""
        return int(self.parts.is_query.sum()) * int((self.parts.key >= 0).sum())


def ask(
    halves: Halves,
    rows: Rows,
    others: Rows,
    k: int,
    *,
    at_least: NDArray[np.float32] | None = None,
    recall: float = RECALL,
    exact_pairs: int = EXACT_PAIRS,
) -> Question:
    """The k nearest of `others` for each of `rows`, itself left out; both are ascending rows of (n, d) vectors.

    Others that are less near than `at_least`, (q,) for each of `rows`, may be left out as well.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    first, number = distinct(halves)
    members = others[np.argsort(number[others], kind="stable")]
    starts = np.searchsorted(number[members], np.arange(len(first) + 1))
    is_query = np.zeros(len(first), np.bool_)
    is_query[number[rows]] = True
    key = np.full(len(first), -1, np.int64)
    some = starts[1:] > starts[:-1]
    key[some] = members[starts[:-1][some]]
    vectors = halves if len(first) == len(halves) else halves[first]
    lowest = np.full(len(first), -np.inf, np.float32)
    if at_least is not None:
        lowest[number[rows]] = np.inf
        np.minimum.at(lowest, number[rows], at_least)
    parts = parts_of(vectors, is_query, key, k, at_least=lowest, recall=recall, exact_pairs=exact_pairs)
    return Question(rows, k, number, members, starts, parts)


class Answer:
    """Gathers what came of the parts of a question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        shape = len(question.parts.key), question.width
        self._key = np.full(shape, -1, np.int32)
        self._similarity = np.full(shape, -2, np.float32)

    def note(self, positions: Rows, keys: NDArray[np.integer], similarity: NDArray[np.float32]) -> None:
        """Take what `parts.compare` found."""
        number = self._question.parts.order[positions]
        self._key[number] = keys
        self._similarity[number] = similarity

    def neighbors(self) -> Neighbors:
        """The neighbors of the question's rows, (q, k), in the order of these."""
        question = self._question
        shape = len(question.rows), question.k
        rows, similarity = np.full(shape, -1, np.int32), np.full(shape, -2, np.float32)
        for start in range(0, len(question.rows), _BLOCK_ROWS):
            asker, row, value = self._each(question.rows[start : start + _BLOCK_ROWS])
            order = np.lexsort((row, -value, asker))
            asker, row, value = asker[order], row[order], value[order]
            place = rank_in_run(asker)
            kept = place < question.k
            rows[start + asker[kept], place[kept]] = row[kept]
            similarity[start + asker[kept], place[kept]] = value[kept]
        return Neighbors(rows, similarity)

    def _each(self, rows: Rows) -> tuple[Rows, Rows, NDArray[np.float32]]:
        """Every other that some of the rows may be near to: the asker's place, the other's row, the similarity.

        Of equal others the first k + 1 are enough, the asker perhaps among them.
        """
        question = self._question
        number = question.number[rows]
        key, similarity = self._key[number], self._similarity[number]  # (q, width)
        asker, column = np.nonzero(key >= 0)
        crowd = question.number[key[asker, column]]
        begin = question.member_starts[crowd]
        count = np.minimum(question.member_starts[crowd + 1] - begin, question.k + 1)
        inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        row = question.members[np.repeat(begin, count) + inside]
        asker, value = np.repeat(asker, count), np.repeat(similarity[asker, column], count)
        other = row != rows[asker]
        return asker[other], row[other], value[other]
