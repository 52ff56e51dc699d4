"""The closed-form part: pooling against plain means, and the discriminant on scatter that is known."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.train.projection import discriminant, pooled, region_pooling, unit_length


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 7])
def test_each_region_is_a_mean_over_some_cells(side: int) -> None:
    pooling = region_pooling(side)
    assert pooling.shape == (side * side, 10)
    assert np.allclose(pooling.sum(axis=0), 1)
    assert np.allclose(pooling[:, 0], 1 / side**2)


def test_regions_of_a_map_of_four_by_four() -> None:
    cells = np.arange(16, dtype=np.float16).reshape(4, 4)
    (means,) = pooled(cells.reshape(1, 1, 16), region_pooling(4))
    halves = [cells[:, :2], cells[:, 2:], cells[:2], cells[2:]]
    quarters = [cells[:2, :2], cells[:2, 2:], cells[2:, :2], cells[2:, 2:]]
    expected = [np.sqrt((part.astype(np.float32) ** 2).mean()) for part in (cells, *halves, cells[1:3, 1:3], *quarters)]
    assert means[:, 0] == pytest.approx(expected)


def test_the_discriminant_keeps_what_differs_and_drops_what_edits_change() -> None:
    """Pictures differ along the first two axes, edits along the last two: only the first two are kept."""
    random = np.random.default_rng(2)
    pictures = np.tile([5.0, -3.0, 2.0, 1.0], (400, 1, 1))
    pictures[..., :2] += random.normal(0, 1, (400, 1, 2))
    views = pictures + random.normal(0, [0.01, 0.01, 2, 2], (400, 6, 4))
    offset, projection = discriminant(views.astype(np.float32), 2, ridge=1e-6, emphasis=0.0)
    assert offset == pytest.approx(views.mean(axis=(0, 1)), abs=1e-5)
    assert np.abs(projection[2:]).max() < 0.02 * np.abs(projection[:2]).max()


def test_edits_scatter_evenly_behind_the_discriminant() -> None:
    random = np.random.default_rng(3)
    mixing = random.normal(0, 1, (6, 6))
    views = random.normal(0, 3, (500, 1, 6)) + random.normal(0, 1, (500, 8, 6)) @ mixing
    _, projection = discriminant(views.astype(np.float32), 6, ridge=0.0, emphasis=0.0)
    scatter = np.cov(((views - views.mean(axis=1, keepdims=True)) @ projection).reshape(-1, 6).T)
    assert scatter / scatter[0, 0] == pytest.approx(np.eye(6), abs=0.02)


def test_the_discriminant_does_not_hang_on_the_order_of_pictures() -> None:
    views = np.random.default_rng(4).normal(0, 1, (60, 5, 8)).astype(np.float32)
    _, one = discriminant(views, 4, ridge=0.1, emphasis=0.25)
    _, two = discriminant(views[::-1], 4, ridge=0.1, emphasis=0.25)
    assert one == pytest.approx(two, abs=1e-4)


def test_vectors_without_length_stay_zero() -> None:
    assert np.array_equal(unit_length(np.zeros((2, 3), np.float32)), np.zeros((2, 3)))


def test_emphasis_stretches_directions_by_their_ratio_of_scatter() -> None:
    random = np.random.default_rng(5)
    views = random.normal(0, [8.0, 2.0, 1.0], (3000, 1, 3)) + random.normal(0, 1, (3000, 8, 3))
    _, even = discriminant(views.astype(np.float32), 3, ridge=0.0, emphasis=0.0)
    _, stretched = discriminant(views.astype(np.float32), 3, ridge=0.0, emphasis=0.5)
    lengths = np.linalg.norm(stretched, axis=0) / np.linalg.norm(even, axis=0)
    ratios = 1 + np.array([8.0, 2.0, 1.0]) ** 2  # the mean of eight views still has an eighth of the edits' scatter
    assert lengths / lengths[0] == pytest.approx(np.sqrt(ratios / ratios[0]), rel=0.05)
