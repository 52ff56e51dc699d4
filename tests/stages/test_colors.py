"""Colors: known answers, gray however it is stored, and a palette that agrees with plain k-means."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from stages.pictures import ODD_SHAPES, RGB, batch, blobs, flat, noise, photos, recompressed, run
from tintype.stages import palette
from tintype.stages.colors import STAGE


def row(picture: RGB) -> dict:
    return run(STAGE, picture).to_pylist()[0]


def in_gray(photo: RGB) -> RGB:
    return np.asarray(Image.fromarray(photo).convert("L").convert("RGB"))


def test_a_gray_card_has_no_color() -> None:
    found = row(flat(117))
    assert found["colorfulness"] == 0
    assert found["mean_rgb"] == [117, 117, 117]
    assert found["is_gray"] is True


@given(st.tuples(*[st.integers(0, 255)] * 3), st.sampled_from([*ODD_SHAPES, (50, 70)]))
@settings(max_examples=40)
def test_an_image_of_one_color_is_that_color(color: tuple[int, int, int], shape: tuple[int, int]) -> None:
    found = row(flat(color, *shape))
    assert found["mean_rgb"] == list(color)
    assert found["palette"] == list(color) * 5
    assert found["palette_shares"] == [1, 0, 0, 0, 0]


def test_colorfulness_is_the_published_measure() -> None:
    """Oracle: the formula of Hasler and Süsstrunk, per pixel."""
    picture = blobs(3, 64, 64)
    red, green, blue = np.moveaxis(batch(picture).rgb(64)[0].astype(float), -1, 0)
    across, along = red - green, (red + green) / 2 - blue
    expected = np.hypot(across.std(), along.std()) + 0.3 * np.hypot(across.mean(), along.mean())
    assert row(picture)["colorfulness"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("quality", [95, 75, 40, 10])
def test_a_gray_photo_is_gray_however_it_is_compressed(data: Path, quality: int) -> None:
    table = run(STAGE, *(recompressed(in_gray(photo), quality) for photo in photos(data, 20)))
    assert table["is_gray"].to_pylist() == [True] * 20


def test_a_gray_photo_with_noise_in_its_colors_is_gray(data: Path) -> None:
    random = np.random.default_rng(0)
    noisy = [np.clip(in_gray(photo) + random.normal(0, 8, photo.shape), 0, 255) for photo in photos(data, 20)]
    table = run(STAGE, *(recompressed(photo.astype(np.uint8), 75) for photo in noisy))
    assert table["is_gray"].to_pylist() == [True] * 20


def test_color_photos_are_not_gray_even_when_pale(data: Path) -> None:
    vivid = [photo for photo in photos(data, 60) if np.ptp(photo, axis=2).mean() > 20]
    pale = [np.asarray(ImageEnhance.Color(Image.fromarray(photo)).enhance(0.5)) for photo in vivid]
    assert len(vivid) > 40
    assert not any(run(STAGE, *vivid)["is_gray"].to_pylist())
    assert not any(run(STAGE, *pale)["is_gray"].to_pylist())


def test_a_sepia_photo_is_not_gray(data: Path) -> None:
    toned = [np.clip(in_gray(photo) * [1.07, 0.95, 0.78], 0, 255).astype(np.uint8) for photo in photos(data, 10)]
    assert not any(run(STAGE, *toned)["is_gray"].to_pylist())


def test_a_small_red_lamp_makes_a_gray_photo_a_color_photo() -> None:
    picture = noise(10).copy()
    picture[100:115, 100:120] = (220, 30, 30)  # 0.4 % of the pixels
    assert row(picture)["is_gray"] is False


def test_thresholds_are_settings() -> None:
    picture = flat((120, 130, 125))
    assert run(STAGE, picture)["is_gray"].to_pylist() == [True]
    assert run(STAGE, picture, gray_below=1.0)["is_gray"].to_pylist() == [False]


def test_the_palette_finds_colors_and_their_shares() -> None:
    picture = flat(0, 100, 100).copy()
    stripes = [((250, 250, 250), 40), ((200, 30, 30), 30), ((20, 40, 200), 15), ((240, 220, 20), 10), ((10, 90, 20), 5)]
    left = 0
    for color, width in stripes:
        picture[:, left : left + width] = color
        left += width
    found = row(picture)
    shares = np.array(found["palette_shares"])
    colors = np.array(found["palette"]).reshape(5, 3)
    assert shares == pytest.approx([width / 100 for _, width in stripes], abs=0.03)
    assert np.abs(colors - [color for color, _ in stripes]).max() <= 50  # edges mix, most in the narrowest


@given(st.integers(0, 999))
@settings(max_examples=25)
def test_shares_fall_and_sum_to_one(seed: int) -> None:
    shares = np.array(row(blobs(seed, 90, 120))["palette_shares"])
    assert shares.sum() == pytest.approx(1)
    assert (np.diff(shares) <= 0).all()


def test_the_palette_is_nearly_as_good_as_k_means_with_many_restarts(data: Path) -> None:
    """Oracle: OpenCV's k-means on the same points, the best of ten runs. Distances in CIELAB."""
    views = batch(*photos(data, 20)).rgb(64)
    points = palette._lab(palette._halved(views))  # (n, 3, 1024)
    colors, _ = palette.palettes(views)
    ours = palette._lab(colors[:, :, None, :])  # (n, 3, 5)
    ratios = []
    for mine, pixels in zip(ours, points, strict=True):
        distances = np.square(pixels[:, :, None] - mine[:, None, :]).sum(axis=0).min(axis=1)
        cv2.setRNGSeed(1)
        best, _, _ = cv2.kmeans(np.ascontiguousarray(pixels.T), 5, None, (3, 50, 0.01), 10, cv2.KMEANS_PP_CENTERS)
        ratios.append(distances.sum() / best)
    assert np.median(ratios) < 1.04
    assert max(ratios) < 1.4
