"""Clusters: none is too large, equal input gives equal output, and near ones end up together."""

import numpy as np
import pytest

from tintype.index.clusters import clusters, nearest_centers, on_lattice
from tintype.testing.index import made_vectors


def test_products_on_the_lattice_are_whole_and_exact():
    lattice = on_lattice(made_vectors(200, 4_096))
    found = lattice @ lattice.T
    exact = lattice.astype(np.int64) @ lattice.astype(np.int64).T
    assert np.array_equal(found, exact)
    assert exact.max() < 2**24


def test_what_lies_together_is_put_together():
    vectors = made_vectors(4_000)
    label, centers = clusters(vectors, 100, seed=0)
    own = (vectors.astype(np.float32) * (centers[label] / 4_000)).sum(axis=1).mean()
    other = (vectors.astype(np.float32) * (centers[np.roll(label, 1)] / 4_000)).sum(axis=1).mean()
    assert own > other + 0.3
    assert np.array_equal(clusters(vectors, 100, seed=0)[0], label)


@pytest.mark.parametrize(
    "crowd",
    [
        lambda: np.repeat(made_vectors(1), 5_000, axis=0),
        lambda: np.concatenate([np.repeat(made_vectors(1), 4_000, axis=0), made_vectors(1_000)]),
        lambda: np.concatenate([made_vectors(2_500), -made_vectors(2_500)]),
        lambda: np.repeat(np.eye(32, dtype=np.float16), 150, axis=0),
        lambda: nearly_equal(5_000),
    ],
)
def test_none_is_larger_than_three_times_the_size(crowd):
    vectors = crowd()
    label, centers = clusters(vectors, 100, seed=0)
    sizes = np.bincount(label, minlength=len(centers))
    assert sizes.max() <= 300
    assert sizes.min() >= 1
    assert len(sizes) == len(centers)
    assert len(sizes) <= 4 * len(vectors) / 100


def nearly_equal(count):
    random = np.random.default_rng(0)
    vectors = made_vectors(1).astype(np.float32) + 1e-3 * random.standard_normal((count, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def test_the_first_of_equally_near_centers_is_taken():
    centers = np.repeat(on_lattice(made_vectors(3)), 2, axis=0)
    assert nearest_centers(made_vectors(3), centers).tolist() == [0, 2, 4]


def test_one_vector_is_a_cluster():
    label, centers = clusters(made_vectors(1), 256, seed=0)
    assert label.tolist() == [0]
    assert centers.shape == (1, 32)
