"""Quality measures: known answers, ranges, and what must lower or leave them."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.pictures import ODD_SHAPES, RGB, blobs, checkerboard, flat, gray, noise, photos, run, scaled, turned
from tintype.core.errors import ConfigError
from tintype.core.hashes import TURNS
from tintype.stages.quality import STAGE

SCORES = ("quality", "sharpness", "brightness", "contrast", "dynamic_range", "clipping", "noise")


def measure(*pictures: RGB, **weights: float) -> dict[str, np.ndarray]:
    table = run(STAGE, *pictures, **weights)
    return {name: table[name].to_numpy().astype(float) for name in table.column_names}


def row(picture: RGB) -> dict[str, float]:
    return run(STAGE, picture).to_pylist()[0]


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_an_even_image_has_its_level_and_nothing_else(level: int) -> None:
    found = row(flat(level))
    assert found["brightness"] == pytest.approx(level / 255)
    assert [found[f"luma_p{q:02}"] for q in (1, 5, 50, 95, 99)] == [level] * 5
    nothing = ("entropy", "contrast", "dynamic_range", "laplacian_variance", "sharpness", "noise", "noise_sigma")
    assert {name: found[name] for name in (*nothing, "quality")} == dict.fromkeys((*nothing, "quality"), 0)
    assert found["clipping"] == (1 if level in (0, 255) else 0)


def test_a_checkerboard_of_black_and_white_has_one_bit_and_full_contrast() -> None:
    found = row(checkerboard(8))
    assert found["entropy"] == pytest.approx(1)
    assert found["contrast"] == pytest.approx(1)
    assert found["dynamic_range"] == 1
    assert found["clipping"] == 1
    assert found["brightness"] == pytest.approx(0.5)
    assert found["sharpness"] > 0.9


def test_a_ramp_over_all_levels_has_eight_bits() -> None:
    found = row(gray(np.tile(np.arange(256), (16, 1))))
    assert found["entropy"] == pytest.approx(8)
    assert [found[f"luma_p{q:02}"] for q in (1, 5, 50, 95, 99)] == [2, 12, 127, 243, 253]
    assert found["clipping"] == pytest.approx(2 / 256)


def test_laplacian_variance_is_that_of_four_neighbors() -> None:
    """Oracle: the Laplacian in numpy, mirrored at the border."""
    picture = noise(20, height=50, width=70)
    luma = np.pad(picture[:, :, 0].astype(float), 1, mode="reflect")
    ahead, behind = luma[1:-1, 2:] + luma[1:-1, :-2], luma[2:, 1:-1] + luma[:-2, 1:-1]
    expected = (ahead + behind - 4 * luma[1:-1, 1:-1]).var()
    assert row(picture)["laplacian_variance"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("sigma", [2, 5, 10, 20])
def test_noise_sigma_of_pure_noise_is_its_standard_deviation(sigma: float) -> None:
    assert row(noise(sigma))["noise_sigma"] == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("sigma", [4, 8, 16])
def test_noise_is_told_from_texture(sigma: float) -> None:
    half_even = gray(np.hstack([np.full((240, 160), 128.0), checkerboard(2)[:, :160, 0].astype(float)]))
    grain = np.random.default_rng(1).normal(0, sigma, half_even.shape[:2])
    assert row(half_even)["noise_sigma"] == 0
    assert row(gray(half_even[:, :, 0] * 0.8 + 25 + grain))["noise_sigma"] == pytest.approx(sigma, rel=0.2)


@given(st.integers(0, 999), st.sampled_from([*ODD_SHAPES, (50, 80), (400, 300)]), st.booleans())
@example(24, (3, 3), True)  # second differences were negative at the border
@settings(max_examples=50)
def test_every_score_lies_between_0_and_1(seed: int, shape: tuple[int, int], grainy: bool) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (*shape, 3), np.uint8) if grainy else blobs(seed, *shape)
    found = row(picture)
    for name in SCORES:
        assert 0 <= found[name] <= 1, name
    assert 0 <= found["entropy"] <= 8
    assert found["laplacian_variance"] >= 0
    levels = [found[f"luma_p{q:02}"] for q in (1, 5, 50, 95, 99)]
    assert levels == sorted(levels)


def blurred(sigma: float) -> Callable[[RGB], RGB]:
    return lambda photo: cv2.GaussianBlur(photo, (0, 0), sigma)


def dragged(length: int, diagonal: bool = False) -> Callable[[RGB], RGB]:
    line = np.eye(length) if diagonal else np.outer(np.arange(length) == length // 2, np.ones(length))
    return lambda photo: cv2.filter2D(photo, -1, (line / length).astype(np.float32))


BLURS = {
    "gauss 2": blurred(2),
    "gauss 4": blurred(4),
    "dragged across": dragged(15),
    "dragged far": dragged(41),
    "dragged down": lambda photo: dragged(15)(photo.swapaxes(0, 1)).swapaxes(0, 1),
    "dragged diagonally": dragged(15, diagonal=True),
}


@pytest.mark.parametrize("blur", BLURS)
def test_blur_of_every_kind_is_told_from_sharp_photos(data: Path, blur: str) -> None:
    sharp = photos(data, 40)
    before, after = measure(*sharp), measure(*map(BLURS[blur], sharp))
    assert (after["sharpness"] < before["sharpness"]).all()
    better = before["sharpness"][:, None] > after["sharpness"][None, :]
    assert better.mean() > 0.98  # area under the curve
    assert (after["quality"] < before["quality"]).all()


@pytest.mark.parametrize("factor", [0.8, 0.5, 0.25])
def test_sharpness_does_not_depend_on_light(data: Path, factor: float) -> None:
    sharp = photos(data, 20)
    before = measure(*sharp)["sharpness"]
    for changed in ((photo * factor for photo in sharp), (255 - (255 - photo) * factor for photo in sharp)):
        after = measure(*(photo.astype(np.uint8) for photo in changed))["sharpness"]
        assert np.median(np.abs(after - before)) < 0.03 / factor


@pytest.mark.parametrize("size", [0.64, 0.7, 0.8, 1.3, 2.0])
def test_measures_hardly_depend_on_the_size_of_the_file(data: Path, size: float) -> None:
    originals = photos(data, 20)
    before, after = measure(*originals), measure(*(scaled(photo, size) for photo in originals))
    assert np.median(np.abs(after["sharpness"] - before["sharpness"])) < 0.1
    for name in ("brightness", "contrast", "dynamic_range"):
        assert np.abs(after[name] - before[name]).max() < 0.05, name
    assert np.abs(after["quality"] - before["quality"]).max() < 0.15


def test_stripes_are_sharp_although_nothing_changes_along_them() -> None:
    stripes = gray(np.tile(np.arange(320) // 6 % 2 * 200 + 20, (240, 1)))
    assert row(stripes)["sharpness"] > 0.9
    assert row(stripes.swapaxes(0, 1))["sharpness"] > 0.9


DAMAGES: dict[str, tuple[Callable[[RGB], RGB], float]] = {
    "dark": (lambda photo: (photo * 0.2).astype(np.uint8), 1),
    "bright": (lambda photo: (255 - (255 - photo) * 0.2).astype(np.uint8), 1),
    "flat": (lambda photo: (128 + (photo.astype(float) - 128) * 0.1).astype(np.uint8), 1),
    "grainy": (
        lambda photo: np.clip(photo + np.random.default_rng(0).normal(0, 30, photo.shape), 0, 255).astype("u1"),
        0.8,
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_quality_falls_with_each_damage(data: Path, damage: str) -> None:
    worsen, least_share = DAMAGES[damage]
    originals = photos(data, 30)
    before, after = measure(*originals), measure(*map(worsen, originals))
    assert (after["quality"] < before["quality"]).mean() >= least_share


def test_the_columns_tell_dark_and_bright_photos_from_good_ones(data: Path) -> None:
    originals = photos(data, 40)
    good = measure(*originals)
    dark = measure(*((photo * 0.2).astype(np.uint8) for photo in originals))
    bright = measure(*((255 - (255 - photo) * 0.2).astype(np.uint8) for photo in originals))
    assert dark["luma_p99"].max() < good["luma_p99"].min()
    assert bright["luma_p05"].min() > good["luma_p05"].max()


@pytest.mark.parametrize("turn", TURNS)
def test_turning_changes_no_measure_of_tone_and_hardly_one_of_detail(turn: str) -> None:
    picture = blobs(2, 330, 441)
    before, after = row(picture), row(turned(picture, turn))
    tones = ("brightness", "contrast", "dynamic_range", "clipping", "entropy", "luma_p01", "luma_p50", "luma_p99")
    assert {name: after[name] for name in tones} == {name: before[name] for name in tones}
    assert after["laplacian_variance"] == pytest.approx(before["laplacian_variance"], rel=1e-6)
    assert after["sharpness"] == pytest.approx(before["sharpness"], abs=0.02)


def test_weights_choose_what_counts() -> None:
    picture = blobs(1, 200, 300)
    alone = {f"{name}_weight": 0.0 for name in ("exposure", "contrast", "noise", "information")}
    found = measure(picture, **alone)
    assert found["quality"] == pytest.approx(found["sharpness"], abs=1e-6)


@pytest.mark.parametrize("weights", [{"noise_weight": -1.0}, dict.fromkeys(["sharpness_weight"], -0.1)])
def test_negative_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="weights"):
        STAGE.settings(**weights)


def test_at_least_one_weight_is_needed() -> None:
    names = ("sharpness", "exposure", "contrast", "noise", "information")
    with pytest.raises(ConfigError, match="weights"):
        STAGE.settings(**{f"{name}_weight": 0.0 for name in names})


def test_a_photo_stored_at_one_pixel_a_side_is_measured() -> None:
    tiny = np.asarray(Image.new("RGB", (1, 1), (10, 20, 30)))
    assert row(tiny)["brightness"] == pytest.approx(18 / 255, abs=0.005)
