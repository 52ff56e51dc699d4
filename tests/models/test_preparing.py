"""Pixels are prepared as the libraries do it that models were trained with: scaled as a whole, then cropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tintype.models.card import PixelInput
from tintype.models.preparing import enlarged, network_input, prepared, window
from tintype.testing.pictures import scene

SIZES = st.integers(30, 300)


def wanted(**changes: object) -> PixelInput:
    facts: dict[str, object] = {"kind": "pixels", "name": "image", "width": 24, "height": 24, "fit": "squeeze"}
    return PixelInput(**(facts | changes))  # type: ignore[arg-type]  # wrong on purpose, or of many types


def as_torchvision(rgb: np.ndarray, shorter_px: int, size: int, kind: Image.Resampling) -> np.ndarray:
    """Resize(shorter_px), then CenterCrop(size), as torchvision's transforms round their sizes and offsets."""
    picture = Image.fromarray(rgb)
    width, height = picture.size
    if width <= height:
        picture = picture.resize((shorter_px, int(shorter_px * height / width)), kind)
    else:
        picture = picture.resize((int(shorter_px * width / height), shorter_px), kind)
    left, top = round((picture.width - size) / 2.0), round((picture.height - size) / 2.0)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


@settings(max_examples=60)
@given(width=SIZES, height=SIZES, name=st.sampled_from(["bilinear", "bicubic", "lanczos"]))
def test_a_crop_is_that_of_scaling_first(width: int, height: int, name: str) -> None:
    rgb = scene(width * 1000 + height, width, height)
    made = prepared([rgb], wanted(fit="crop", shorter_px=28.0, filter=name))[0]
    reference = as_torchvision(rgb, 28, 24, Image.Resampling[name.upper()])
    assert np.abs(made.astype(int) - reference).max() <= 2  # steps of rounding between Pillow's two passes


@pytest.mark.parametrize("name", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
def test_squeezing_is_pillows(name: str) -> None:
    rgb = scene(3, 100, 60)
    made = prepared([rgb], wanted(width=31, height=17, filter=name))[0]
    assert np.array_equal(made, np.asarray(Image.fromarray(rgb).resize((31, 17), Image.Resampling[name.upper()])))


def test_a_share_of_the_shorter_side_is_cropped_to_the_fraction_of_a_pixel() -> None:
    rgb = scene(4, 320, 240)
    made = prepared([rgb], wanted(fit="crop", shorter_px=24 / 0.875, whole_pixels=False, filter="bilinear"))[0]
    box = (320 / 2 - 105, 15, 320 / 2 + 105, 225)  # the middle 87.5 % of 240
    assert np.array_equal(made, np.asarray(Image.fromarray(rgb).resize((24, 24), Image.Resampling.BILINEAR, box=box)))


def test_a_letterbox_shows_the_whole_between_bars() -> None:
    rgb = np.full((20, 40, 3), 200, np.uint8)
    made = prepared([rgb], wanted(fit="letterbox", pad=(1, 2, 3)))[0]
    assert (made[:6] == (1, 2, 3)).all()
    assert (made[6:18] == 200).all()
    assert (made[18:] == (1, 2, 3)).all()


@pytest.mark.parametrize("fit", ["squeeze", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (24, 24)])
def test_odd_shapes_come_to_the_size(fit: str, size: tuple[int, int]) -> None:
    rgb = np.full((*size, 3), 90, np.uint8)
    assert prepared([rgb, rgb], wanted(fit=fit, shorter_px=24.0)).shape == (2, 24, 24, 3)


def test_the_network_gets_its_order_layout_and_range() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    reference = (pixels.astype(np.float64) - mean) / std
    plain = wanted(mean=mean, std=std)
    assert network_input(pixels, plain) == pytest.approx(reference.transpose(0, 3, 1, 2), abs=1e-5)
    backwards = wanted(mean=mean, std=std, order="bgr", layout="NHWC")
    assert network_input(pixels, backwards) == pytest.approx(reference[..., ::-1], abs=1e-5)
    half = network_input(pixels, wanted(mean=mean, std=std, dtype="float16"))
    assert half.dtype == np.float16
    assert np.array_equal(network_input(pixels, wanted(dtype="uint8", layout="NHWC")), pixels)
    assert np.array_equal(network_input(pixels, wanted(dtype="uint8")), pixels.transpose(0, 3, 1, 2))


def as_jpeg_decoder(rgb: np.ndarray, eighths: int) -> np.ndarray:
    """Scaled by eighths: sides are rounded up, and the last pixel is part of one."""
    height, width = rgb.shape[:2]
    sides = [-(-side * eighths // 8) for side in (width, height)]
    box = (0, 0, *(side * 8 / eighths for side in sides))
    whole = [int(np.ceil(side)) for side in box[2:]]
    padded = np.pad(rgb, ((0, whole[1] - height), (0, whole[0] - width), (0, 0)), mode="edge")
    return np.asarray(Image.fromarray(padded).resize(tuple(sides), Image.Resampling.BOX, box=box))


@pytest.mark.parametrize("fit", ["crop", "squeeze", "letterbox"])
@pytest.mark.parametrize("eighths", [8, 4, 5, 3])
@settings(max_examples=15)
@given(width=st.integers(200, 500), height=st.integers(200, 500), down=st.booleans())
def test_what_a_decoder_scaled_is_cropped_where_the_whole_would_be(
    fit: str, eighths: int, width: int, height: int, down: bool
) -> None:
    """Its rounded sides must not move the crop by a pixel; what is left is what scaling twice does to detail."""
    rgb = scene(width * 1000 + height, width, height)
    card = wanted(fit=fit, shorter_px=28.0, filter="bilinear", round_down=down)
    whole = prepared([rgb], card)[0].astype(int)
    scaled = prepared([as_jpeg_decoder(rgb, eighths)], card, [(width, height)])[0].astype(int)
    assert np.abs(whole - scaled).mean() <= 1.0


@pytest.mark.parametrize(("size", "start"), [(27, 1), (29, 2)])
def test_half_an_offset_is_rounded_as_its_library_does(size: int, start: int) -> None:
    """Of 1.5 and 2.5 pixels torchvision goes to the even number, transformers down."""
    rgb = np.zeros((24, size, 3), np.uint8)
    rgb[:, :, 0] = np.arange(size)
    even = prepared([rgb], wanted(fit="crop", shorter_px=24.0, filter="nearest"))[0]
    down = prepared([rgb], wanted(fit="crop", shorter_px=24.0, filter="nearest", round_down=True))[0]
    assert (even[0, 0, 0], down[0, 0, 0]) == (2, start)


@given(
    size=st.tuples(st.integers(8, 500), st.integers(8, 500)),
    fit=st.sampled_from(["crop", "squeeze", "letterbox", "whole"]),
    side=st.integers(200, 600),
)
def test_how_far_an_image_is_enlarged_is_seen_in_what_is_prepared(size: tuple[int, int], fit: str, side: int) -> None:
    """Within the pixel that sizes are rounded to."""
    card = wanted(fit=fit, width=side, height=side, shorter_px=None if fit == "squeeze" else float(side))
    _, _, width, height = window(size, card)
    seen = max(width / size[0], height / size[1])
    assert enlarged(size, card) == pytest.approx(seen, abs=1 / min(size))


@pytest.mark.parametrize(("size", "times"), [((100, 50), 2.0), ((50, 100), 2.0), ((400, 100), 0.5)])
def test_a_padded_image_is_enlarged_by_its_longer_side(size: tuple[int, int], times: float) -> None:
    assert enlarged(size, wanted(fit="pad", width=200, height=200)) == times
