"""The views of a batch: their shapes, and that a turned image has turned views."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.pictures import ODD_SHAPES, RGB, batch, blobs, checkerboard, flat, turned
from tintype.core.hashes import TURNS

SHAPES = st.tuples(st.integers(1, 900), st.integers(1, 900))


def grain(seed: int, height: int, width: int) -> RGB:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(SHAPES, st.integers(8, 400))
@settings(max_examples=60)
def test_fitted_keeps_the_shape_and_never_enlarges(shape: tuple[int, int], side_px: int) -> None:
    (view,) = batch(flat(7, *shape)).fitted(side_px)
    longer = max(shape)
    if longer <= side_px:
        assert view.shape[:2] == shape
        return
    assert max(view.shape[:2]) == side_px
    expected = [max(1, side * side_px / longer) for side in shape]
    assert np.abs(np.array(view.shape[:2]) - expected).max() <= 1


@given(SHAPES, st.sampled_from(TURNS), st.integers(0, 99))
@settings(max_examples=60)
def test_a_turned_image_has_exactly_the_turned_views(shape: tuple[int, int], turn: str, seed: int) -> None:
    picture = grain(seed, *shape)
    plain, other = batch(picture), batch(turned(picture, turn))
    assert np.array_equal(other.fitted(320)[0], turned(plain.fitted(320)[0], turn))
    assert np.array_equal(other.detail_luma(320)[0], turned(plain.detail_luma(320)[0], turn))
    assert np.array_equal(other.rgb(64)[0], turned(plain.rgb(64)[0], turn))
    assert np.array_equal(other.luma(64)[0], turned(plain.luma(64)[0], turn))


@pytest.mark.parametrize("shape", [*ODD_SHAPES, (375, 500), (1201, 1600)])
def test_an_even_image_stays_even_in_every_view(shape: tuple[int, int]) -> None:
    views = batch(flat((200, 30, 90), *shape))
    assert (views.fitted(320)[0] == (200, 30, 90)).all()
    assert (views.rgb(64)[0] == (200, 30, 90)).all()
    assert len(np.unique(views.luma(64))) == 1
    assert len(np.unique(views.detail_luma(320)[0])) == 1


@pytest.mark.parametrize("factor", [2, 3, 5, 8])
def test_no_pixel_is_passed_over(factor: int) -> None:
    """The finest checkerboard becomes even gray, whatever it is divided by; skipping pixels would leave moiré."""
    (view,) = batch(checkerboard(1, 240 * factor, 320 * factor)).fitted(320)
    assert np.abs(view.astype(int) - 128).max() <= 3


def test_squares_come_near_exact_means_of_their_areas() -> None:
    picture = blobs(3, 640, 960)
    means = picture.reshape(64, 10, 64, 15, 3).mean(axis=(1, 3))
    assert np.abs(batch(picture).rgb(64)[0] - means).max() <= 4


def test_views_do_not_depend_on_those_made_before() -> None:
    picture = grain(1, 700, 500)
    first, second = batch(picture), batch(picture)
    first.fitted(320), first.detail_luma(320)
    assert np.array_equal(first.luma(64), second.luma(64))
    assert np.array_equal(first.fitted(320)[0], second.fitted(320)[0])


def test_views_are_made_once() -> None:
    views = batch(blobs(1, 400, 500))
    assert views.rgb(64) is views.rgb(64)
    assert views.fitted(320) is views.fitted(320)


def test_views_are_read_only() -> None:
    views = batch(blobs(1, 400, 500), blobs(2, 30, 20))
    for view in (*views.fitted(320), *views.detail_luma(320), views.rgb(64), views.luma(64)):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0


def test_detail_is_not_blurred_by_scaling_close_to_one() -> None:
    views = batch(flat(0, 300, 400), flat(0, 300, 417), flat(0, 20, 30), flat(0, 600, 800), flat(0, 300, 640))
    assert [luma.shape for luma in views.detail_luma(320)] == [(300, 400), (230, 320), (20, 30), (300, 400), (150, 320)]


def test_an_empty_batch_has_empty_views() -> None:
    views = batch()
    assert views.fitted(320) == []
    assert views.rgb(64).shape == (0, 64, 64, 3)
    assert views.luma(64).shape == (0, 64, 64)


def test_a_slice_holds_the_images_of_its_rows() -> None:
    views = batch(flat(1), flat(2), flat(3))
    assert [image.rgb[0, 0, 0] for image in views[1:3].images] == [2, 3]
