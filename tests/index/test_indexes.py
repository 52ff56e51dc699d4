"""Every index keeps the contract, in every storage; the exact one is exact, and the choice among them fits."""

import numpy as np
import pytest

from tintype.core.errors import CollectionDamaged
from tintype.index import files
from tintype.index.ann import AnnIndex
from tintype.index.build import EXACT_BELOW, build, choose, load
from tintype.index.exact import ExactIndex
from tintype.testing.index import DIMENSIONS, IndexContract, made_vectors, true_nearest


class TestExact(IndexContract):
    @pytest.fixture
    def empty(self):
        return ExactIndex(DIMENSIONS)

    def test_is_the_oracle_to_the_last_bit(self, filled):
        ids, vectors = np.arange(2_000) * 7 + 3, made_vectors(2_000)
        queries = np.concatenate([vectors[:100], made_vectors(50, seed=3)])
        hits, true = filled.search(queries, 25), true_nearest(ids, vectors, queries, 25)
        assert np.array_equal(hits.ids, true.ids)
        assert np.array_equal(hits.similarity, true.similarity)


class TestExactInEightBits(IndexContract):
    wanted_recall = 0.95
    tolerance = 0.01

    @pytest.fixture
    def empty(self):
        return ExactIndex(DIMENSIONS, "int8")

    def test_tells_what_eight_bits_lose(self, filled):
        assert 0.95 < filled.recall.share < 1


class TestAnn(IndexContract):
    wanted_recall = 0.95

    @pytest.fixture
    def empty(self):
        return AnnIndex(DIMENSIONS)


class TestAnnInEightBits(IndexContract):
    wanted_recall = 0.9
    tolerance = 0.01

    @pytest.fixture
    def empty(self):
        return AnnIndex(DIMENSIONS, "int8")


@pytest.mark.parametrize("kind", [ExactIndex, AnnIndex])
def test_eight_bits_take_half_the_space(kind, tmp_path):
    sizes = []
    for storage in ("float16", "int8"):
        index = kind(256, storage)
        index.add(np.arange(4_000), made_vectors(4_000, 256))
        index.save(tmp_path / storage)
        sizes.append((tmp_path / storage).stat().st_size)
    assert sizes[1] < 0.65 * sizes[0]


def test_measured_recall_is_the_true_one():
    """Against the oracle on all vectors, where a part of the clusters is searched."""
    ids, vectors = np.arange(8_000), made_vectors(8_000)
    index = AnnIndex(DIMENSIONS)
    index.add(ids, vectors)
    some = ids[::9]
    found, true = index.search(vectors[some], 11), true_nearest(ids, vectors, vectors[some], 11)
    shares = []
    for own, a, b in zip(some.tolist(), found.ids.tolist(), true.ids.tolist(), strict=True):
        wanted = [other for other in b if other != own][:10]
        shares.append(len(set(wanted) & set(a)) / 10)
    assert index.recall.share < 1
    assert np.mean(shares) == pytest.approx(index.recall.share, abs=0.02)


def test_recall_counts_what_was_added_later():
    index = ExactIndex(DIMENSIONS)
    index.add(np.arange(600), made_vectors(600))
    index.add(np.arange(600, 1_200), made_vectors(600, seed=1))
    assert index.recall.share == 1


def test_few_are_searched_one_and_all_and_many_by_clusters():
    assert choose(10) is ExactIndex
    assert choose(EXACT_BELOW) is AnnIndex


def test_an_index_is_read_whatever_its_kind(tmp_path):
    build(np.arange(100), made_vectors(100), "int8").save(tmp_path / "exact")
    other = AnnIndex(DIMENSIONS)
    other.add(np.arange(100), made_vectors(100))
    other.save(tmp_path / "ann")
    assert isinstance(load(tmp_path / "exact"), ExactIndex)
    assert isinstance(load(tmp_path / "ann"), AnnIndex)
    with pytest.raises(CollectionDamaged, match="kind 'ann'"):
        ExactIndex.load(tmp_path / "ann")
    files.write(tmp_path / "other", {"kind": "tree"}, {})
    with pytest.raises(CollectionDamaged, match="unknown kind, 'tree'"):
        load(tmp_path / "other")
