"""Like images lie close together on the map, and the map is the same every time."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_collections import WIDTH, around, directions, inputs, unit, with_vectors

from tintype.core.errors import ConfigError
from tintype.finders.embedding import embedded, principal_axes
from tintype.finders.exact_cosine import to_grid
from tintype.finders.projection import FINDER, Settings, project
from tintype.index.graph import nearest_others
from tintype.testing.finders import FinderContract


class TestMapContract(FinderContract):
    finder = FINDER


def places(vectors, **options):
    table = project(inputs(with_vectors(vectors)), Settings(**options)).table
    return np.stack([table["map_x"].to_numpy(), table["map_y"].to_numpy()], axis=1)


def trustworthiness(vectors, at, k=10):
    """Of the k nearest on the plane, how near they are in truth, 0 to 1 (Venna and Kaski, 2001)."""
    count = len(vectors)
    far, apart = -(vectors @ vectors.T), ((at[:, None] - at[None]) ** 2).sum(axis=2)
    np.fill_diagonal(far, np.inf)
    np.fill_diagonal(apart, np.inf)
    rank = np.argsort(np.argsort(far, axis=1), axis=1) + 1
    near = np.argsort(apart, axis=1)[:, :k]
    beyond = np.maximum(np.take_along_axis(rank, near, axis=1) - k, 0).sum()
    return 1 - 2 / (count * k * (2 * count - 3 * k - 1)) * beyond


def test_ten_clusters_are_ten_islands():
    """The nearest on the map is of the same cluster, which two principal axes cannot show."""
    label = np.repeat(np.arange(10), 40)
    vectors = around(directions(10), 40, spread=0.6)

    def share_of_own(at):
        apart = ((at[:, None] - at[None]) ** 2).sum(axis=2)
        np.fill_diagonal(apart, np.inf)
        return (label[apart.argmin(axis=1)] == label).mean()

    at, axes = places(vectors), principal_axes(to_grid(vectors)).T
    assert share_of_own(at) > 0.98
    assert share_of_own(axes) < 0.9
    assert trustworthiness(vectors, at) > trustworthiness(vectors, axes) + 0.05


def test_places_fill_the_unit_square_on_one_side():
    at = places(around(directions(6), 50))
    assert at.min() >= 0
    assert at.max() <= 1
    assert np.ptp(at, axis=0).max() > 0.99


def test_all_files_of_one_image_are_at_one_place():
    table = with_vectors(around(directions(4), 10))
    again = table.set_column(0, "uri", pa.array([f"copies/{uri}" for uri in table["uri"].to_pylist()]))
    found = project(inputs(pa.concat_tables([table, again]))).table
    assert found.num_rows == 80
    assert found["a_uri"].to_pylist() == sorted(found["a_uri"].to_pylist())
    at = {row["a_uri"]: (row["map_x"], row["map_y"]) for row in found.to_pylist()}
    assert all(at[uri] == at[f"copies/{uri}"] for uri in table["uri"].to_pylist())


def test_every_row_is_a_place_of_score_one():
    found = project(inputs(with_vectors(directions(12)))).table
    assert set(found["kind"].to_pylist()) == {"place"}
    assert set(found["score"].to_pylist()) == {1.0}
    assert found.num_rows == 12


def test_another_seed_gives_another_map_and_the_same_one_the_same():
    vectors = around(directions(4), 20)
    assert np.array_equal(places(vectors), places(vectors))
    assert not np.array_equal(places(vectors), places(vectors, seed=1))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 11])
def test_a_few_images_have_places_of_their_own(count):
    at = places(directions(11)[:count])
    assert len(np.unique(at, axis=0)) == count
    assert np.isfinite(at).all()


def test_equal_images_have_finite_places():
    at = places(np.repeat(directions(1), 500, axis=0))
    assert np.isfinite(at).all()


def test_vectors_that_say_nothing_have_no_place():
    vectors = np.vstack([directions(10), np.full(WIDTH, np.nan), np.zeros(WIDTH)])
    found = project(inputs(with_vectors(vectors))).table
    assert found["a_uri"].to_pylist() == [f"{row:05d}.jpg" for row in range(10)]


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.integers(3, 80))
def test_the_order_of_rows_changes_nothing(seed, count):
    random = np.random.default_rng(seed)
    table = with_vectors(unit(random.standard_normal((count, WIDTH))))
    shuffled = table.take(pa.array(random.permutation(count)))
    assert project(inputs(shuffled, 7)).table.equals(project(inputs(table)).table)


def test_blocks_do_not_show(monkeypatch):
    """Nodes move at once, however few are computed at a time."""
    vectors = around(directions(4), 20).astype(np.float16)
    grid, near = to_grid(vectors), nearest_others(vectors, 5)
    whole = embedded(grid, near, 50, 0)
    monkeypatch.setattr("tintype.finders.embedding._BLOCK_ROWS", 7)
    assert np.array_equal(embedded(grid, near, 50, 0), whole)


def test_the_axes_are_those_of_most_variance():
    vectors = around(directions(3), 60)
    grid = to_grid(vectors)
    centered = grid / 4_000 - (grid / 4_000).mean(axis=0)
    left, strength, _ = np.linalg.svd(centered, full_matrices=False)
    for axis, truth in zip(principal_axes(grid), (left * strength).T, strict=False):
        assert min(np.abs(axis - truth).max(), np.abs(axis + truth).max()) < 1e-6


def test_json_has_the_points():
    answer = project(inputs(with_vectors(directions(5)))).to_json()
    assert answer["schema"] == 1
    assert [point["uri"] for point in answer["points"]] == [f"{row:05d}.jpg" for row in range(5)]
    assert all(point["x"] == round(point["x"], 4) for point in answer["points"])


@pytest.mark.parametrize("options", [{"neighbors": 0}, {"neighbors": 101}, {"seed": -1}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Settings(**options)
