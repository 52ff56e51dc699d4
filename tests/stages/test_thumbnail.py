"""Thumbnails and placeholders: sizes, likeness, and the published format of ThumbHash."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.pictures import ODD_SHAPES, RGB, batch, blobs, flat, photos, run
from tintype.core.errors import ConfigError
from tintype.stages.placeholder import placeholder_to_rgb, placeholders
from tintype.stages.thumbnail import STAGE


def opened(jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    return picture


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((375, 500), (320, 240)),
        ((500, 375), (240, 320)),
        ((40, 30), (30, 40)),
        ((1, 20_000), (320, 1)),
        ((1, 1), (1, 1)),
    ],
)
def test_thumbnails_have_a_longer_side_of_320_or_the_full_size(shape: tuple[int, int], size: tuple[int, int]) -> None:
    (jpeg,) = run(STAGE, flat((10, 90, 200), *shape))["thumbnail"].to_pylist()
    assert opened(jpeg).size == size


def test_thumbnails_look_like_their_images(data: Path) -> None:
    originals = photos(data, 20)
    views = batch(*originals).fitted(320)
    for jpeg, view in zip(run(STAGE, *originals)["thumbnail"].to_pylist(), views, strict=True):
        error = np.asarray(opened(jpeg).convert("RGB")).astype(float) - view
        assert 10 * math.log10(255**2 / np.square(error).mean()) > 24  # dB
        assert len(jpeg) < 45_000


def test_a_higher_quality_setting_gives_larger_and_truer_thumbnails() -> None:
    picture = blobs(1, 300, 400)
    sizes = [len(run(STAGE, picture, jpeg_quality=q)["thumbnail"][0].as_py()) for q in (30, 75, 95)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("quality", [0, 101])
def test_an_impossible_quality_is_refused(quality: int) -> None:
    with pytest.raises(ConfigError, match="1 to 100"):
        STAGE.settings(jpeg_quality=quality)


def thumbhash(rgb: RGB) -> bytes:
    """Oracle: the published algorithm as plain loops over the pixels of the image itself."""
    height, width = rgb.shape[:2]
    red, green, blue = np.moveaxis(rgb.astype(float) / 255, -1, 0)
    longer = max(width, height)
    waves = [max(1, math.floor(7 * side / longer + 0.5)) for side in (width, height)]

    def encoded(plane: np.ndarray, across: int, down: int) -> tuple[float, list[float], float]:
        parts = []
        for y in range(down):
            x = 0
            while x * down < across * (down - y):
                wave = np.outer(
                    np.cos(math.pi / height * y * (np.arange(height) + 0.5)),
                    np.cos(math.pi / width * x * (np.arange(width) + 0.5)),
                )
                parts.append(float((plane * wave).mean()))
                x += 1
        scale = max(abs(part) for part in parts[1:])
        return parts[0], [0.5 + 0.5 / scale * part if scale else 0 for part in parts[1:]], scale

    def rounded(value: float) -> int:
        return math.floor(value + 0.5)

    light, light_waves, light_scale = encoded((red + green + blue) / 3, max(3, waves[0]), max(3, waves[1]))
    yellow, yellow_waves, yellow_scale = encoded((red + green) / 2 - blue, 3, 3)
    warm, warm_waves, warm_scale = encoded(red - green, 3, 3)
    head = rounded(63 * light) | rounded(31.5 + 31.5 * yellow) << 6 | rounded(31.5 + 31.5 * warm) << 12
    head |= rounded(31 * light_scale) << 18
    landscape = width > height
    tail = (waves[1] if landscape else waves[0]) | rounded(63 * yellow_scale) << 3 | rounded(63 * warm_scale) << 9
    octets = bytearray([head & 255, head >> 8 & 255, head >> 16, (tail | landscape << 15) & 255])
    octets.append((tail | landscape << 15) >> 8)
    for i, wave in enumerate([*light_waves, *yellow_waves, *warm_waves]):
        if i % 2:
            octets[-1] |= rounded(15 * wave) << 4
        else:
            octets.append(rounded(15 * wave))
    return bytes(octets)


@pytest.mark.parametrize("shape", [(64, 64), (48, 64), (64, 48), (64, 20), (9, 64)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_placeholders_follow_the_published_format(seed: int, shape: tuple[int, int]) -> None:
    picture = blobs(seed, *shape)
    (found,) = run(STAGE, picture)["placeholder"].to_pylist()
    expected = thumbhash(picture)
    assert len(found) == len(expected)
    assert found[4] >> 7 == expected[4] >> 7  # landscape
    assert found[3] & 7 == expected[3] & 7  # shape
    ours, theirs = placeholder_to_rgb(found).astype(int), placeholder_to_rgb(expected).astype(int)
    assert np.abs(ours - theirs).mean() < 6  # the squeezed view differs a little from the pixels


def test_placeholders_of_a_square_equal_the_published_algorithm_bit_by_bit() -> None:
    for seed in range(20):
        picture = blobs(seed, 64, 64)
        assert placeholders(picture[None], np.array([[64, 64]])) == [thumbhash(picture)]


@given(st.integers(0, 999), st.sampled_from([*ODD_SHAPES, (375, 500), (500, 281)]))
@settings(max_examples=40)
def test_placeholders_have_some_25_bytes_and_the_shape_of_the_image(seed: int, shape: tuple[int, int]) -> None:
    (found,) = run(STAGE, blobs(seed, *shape))["placeholder"].to_pylist()
    assert 5 < len(found) <= 25
    pixels = placeholder_to_rgb(found)
    assert max(pixels.shape[:2]) == 32
    assert (shape[0] > shape[1]) == (pixels.shape[0] > pixels.shape[1]) or abs(shape[0] / shape[1] - 1) < 0.1


def test_placeholders_look_like_blurred_images(data: Path) -> None:
    views = batch(*photos(data, 20)).rgb(64)
    for found, view in zip(placeholders(views, np.full((20, 2), 64)), views, strict=True):
        likeness = np.asarray(Image.fromarray(placeholder_to_rgb(found)).resize((64, 64), Image.Resampling.BILINEAR))
        error, spread = view - likeness.astype(float), view - view.mean(axis=(0, 1))
        assert np.square(error).mean() < np.square(spread).mean()  # better than the mean color alone


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 60)])
def test_a_placeholder_of_one_color_shows_it(color: tuple[int, int, int]) -> None:
    (found,) = run(STAGE, flat(color))["placeholder"].to_pylist()
    assert np.abs(placeholder_to_rgb(found) - np.array(color, float)).max() <= 8  # six bits of each mean


@given(st.binary(max_size=40))
@settings(max_examples=200)
def test_bytes_that_are_no_placeholder_are_refused_or_shown_but_never_crash(octets: bytes) -> None:
    try:
        pixels = placeholder_to_rgb(octets)
    except ValueError:
        return
    assert pixels.dtype == np.uint8
    assert max(pixels.shape) <= 32


def test_a_cut_placeholder_is_refused() -> None:
    (found,) = run(STAGE, blobs(1, 60, 80))["placeholder"].to_pylist()
    for length in range(len(found) - 1):
        with pytest.raises(ValueError, match="ThumbHash"):
            placeholder_to_rgb(found[:length])
