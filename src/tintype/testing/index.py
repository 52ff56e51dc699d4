"""The contract of an index: what it finds, what it keeps and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged
from tintype.index.base import Hits, Index

DIMENSIONS = 32


def made_vectors(count: int, dimensions: int = DIMENSIONS, seed: int = 0) -> NDArray[np.float16]:
    """So many vectors of unit length in some forty clusters of unequal width, always the same."""
    random = np.random.default_rng(seed)
    centers = random.standard_normal((40, dimensions))
    chosen = random.integers(0, len(centers), count)
    spread = random.uniform(0.05, 1, len(centers))[chosen]
    vectors = centers[chosen] + spread[:, None] * random.standard_normal((count, dimensions))
    made: NDArray[np.float16] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    return made


def true_nearest(ids: NDArray[np.int64], vectors: NDArray[np.float16], queries: NDArray[np.float16], k: int) -> Hits:
    """By comparing all with all in float64: the oracle."""
    cosines = (queries.astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32)
    order = np.lexsort((np.broadcast_to(ids, cosines.shape), -cosines))[:, :k]
    return Hits(ids[order], np.take_along_axis(cosines, order, 1))


class IndexContract:
    """Subclass it with a fixture `empty`: an index of 32 dimensions that holds nothing, each time a new one."""

    wanted_recall = 1.0  # of the measured ten nearest
    tolerance = 0.001  # of a cosine; float32 sums of float16 numbers are closer, 8 bits are not

    @pytest.fixture
    def empty(self) -> Index:
        raise NotImplementedError("the subclass makes the index")

    @pytest.fixture
    def filled(self, empty: Index) -> Index:
        empty.add(np.arange(2_000) * 7 + 3, made_vectors(2_000))
        return empty

    def test_an_empty_one_finds_nothing(self, empty: Index) -> None:
        hits = empty.search(made_vectors(3), 5)
        assert len(empty) == 0
        assert (hits.ids == -1).all()
        assert (hits.similarity == -2).all()

    def test_finds_what_was_added_under_its_id(self, filled: Index) -> None:
        assert len(filled) == 2_000
        hits = filled.search(made_vectors(2_000)[:50], 1)
        assert np.mean(hits.ids[:, 0] == np.arange(50) * 7 + 3) >= self.wanted_recall
        assert hits.similarity == pytest.approx(np.ones((50, 1)), abs=0.01)

    def test_finds_the_true_nearest_with_their_cosines(self, filled: Index) -> None:
        vectors, queries = made_vectors(2_000), made_vectors(2_100)[2_000:]
        ids = np.arange(2_000) * 7 + 3
        hits, true = filled.search(queries, 10), true_nearest(ids, vectors, queries, 10)
        shares = [len(set(a) & set(b)) / 10 for a, b in zip(hits.ids.tolist(), true.ids.tolist(), strict=True)]
        assert np.mean(shares) >= self.wanted_recall - 0.05
        cosines = np.einsum("qd,qkd->qk", queries.astype(np.float32), vectors[(hits.ids - 3) // 7].astype(np.float32))
        assert hits.similarity == pytest.approx(cosines, abs=self.tolerance)

    def test_gives_the_nearest_first_and_ties_by_id(self, empty: Index) -> None:
        vectors = made_vectors(20)
        empty.add(np.array([9, 4, 7]), vectors[[0, 0, 0]])
        empty.add(np.array([1, 2]), vectors[1:3])
        hits = empty.search(vectors[:1], 5)
        assert hits.ids[0, :3].tolist() == [4, 7, 9]
        assert (np.diff(hits.similarity[0]) <= 0).all()

    def test_fills_up_where_there_are_fewer_than_k(self, empty: Index) -> None:
        empty.add(np.array([5, 6]), made_vectors(2))
        hits = empty.search(made_vectors(2), 4)
        assert sorted(hits.ids[0].tolist()) == [-1, -1, 5, 6]
        assert hits.similarity[0, 2:].tolist() == [-2, -2]

    def test_takes_more_after_a_search(self, filled: Index) -> None:
        more = made_vectors(10, seed=1)
        filled.search(more, 3)
        filled.add(np.arange(10) + 100_000, more)
        assert filled.search(more, 1).ids[:, 0].tolist() == list(range(100_000, 100_010))

    def test_takes_a_crowd_of_equal_vectors(self, empty: Index) -> None:
        vectors = np.repeat(made_vectors(2), [3_000, 1], axis=0)
        empty.add(np.arange(3_001), vectors)
        assert empty.search(vectors[-1:], 1).ids.tolist() == [[3_000]]

    def test_answers_a_query_alone_as_among_others(self, filled: Index) -> None:
        queries = made_vectors(2_040)[2_000:]
        together = filled.search(queries, 7)
        for row in range(0, 40, 9):
            alone = filled.search(queries[row : row + 1], 7)
            assert alone.ids.tolist() == [together.ids[row].tolist()]

    def test_comes_back_from_its_file_as_it_was(self, filled: Index, tmp_path: Path) -> None:
        filled.save(tmp_path / "index")
        loaded = type(filled).load(tmp_path / "index")
        queries = made_vectors(2_040)[2_000:]
        before, after = filled.search(queries, 7), loaded.search(queries, 7)
        assert len(loaded) == len(filled)
        assert np.array_equal(after.ids, before.ids)
        assert np.array_equal(after.similarity, before.similarity)
        loaded.add(np.array([1]), made_vectors(1, seed=2))
        assert len(loaded) == len(filled) + 1
        assert [path.name for path in tmp_path.iterdir()] == ["index"]

    def test_an_empty_one_comes_back_from_its_file(self, empty: Index, tmp_path: Path) -> None:
        empty.save(tmp_path / "index")
        assert len(type(empty).load(tmp_path / "index")) == 0

    def test_the_same_vectors_make_the_same_file(self, filled: Index, tmp_path: Path) -> None:
        filled.save(tmp_path / "one")
        type(filled).load(tmp_path / "one").save(tmp_path / "two")
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()

    def test_measures_its_recall_when_it_is_built(self, filled: Index, tmp_path: Path) -> None:
        measured = filled.recall  # type: ignore[attr-defined]  # not of the protocol
        assert measured.k == 10
        assert measured.sample == 512
        assert measured.share >= self.wanted_recall
        filled.save(tmp_path / "index")
        assert type(filled).load(tmp_path / "index").recall == measured  # type: ignore[attr-defined]  # not of the protocol

    @pytest.mark.parametrize("change", ["cut", "emptied", "flipped", "longer", "text", "missing"])
    def test_a_damaged_file_is_said(self, filled: Index, tmp_path: Path, change: str) -> None:
        place = tmp_path / "index"
        filled.save(place)
        content = place.read_bytes()
        middle = len(content) // 2
        changed = {
            "cut": content[:-100],
            "emptied": b"",
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "longer": content + b"x",
            "text": b"no index " * 99,
        }
        place.write_bytes(changed.get(change, content))
        if change == "missing":
            place.unlink()
        with pytest.raises(CollectionDamaged):
            type(filled).load(place)

    @pytest.mark.parametrize(
        ("ids", "vectors"),
        [
            (np.arange(2), np.full((2, DIMENSIONS), np.nan)),
            (np.arange(2), np.full((2, DIMENSIONS), np.inf)),
            (np.arange(2), np.zeros((2, DIMENSIONS), np.float32)),
            (np.arange(2), np.ones((2, DIMENSIONS), np.float16)),
            (np.arange(2), made_vectors(2, DIMENSIONS + 1)),
            (np.arange(2), made_vectors(3)),
            (np.arange(2), made_vectors(2).astype(np.int8)),
            (np.array([1, 1]), made_vectors(2)),
            (np.array([-1, 1]), made_vectors(2)),
            (np.array([2, 3]), made_vectors(2)),
        ],
    )
    def test_refuses_what_it_cannot_hold_and_stays_as_it_was(
        self, filled: Index, ids: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> None:
        with pytest.raises(ValueError, match=r"vectors?|ids?"):
            filled.add(ids, vectors)
        assert len(filled) == 2_000

    @pytest.mark.parametrize("query", [np.full((1, DIMENSIONS), np.nan), np.zeros((1, DIMENSIONS)), made_vectors(1, 8)])
    def test_refuses_queries_that_are_like_nothing(self, filled: Index, query: NDArray[np.float32]) -> None:
        with pytest.raises(ValueError, match="vector"):
            filled.search(query, 1)
        with pytest.raises(ValueError, match="k must"):
            filled.search(made_vectors(1), 0)
