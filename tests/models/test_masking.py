"""Masks are written as COCO writes them, and lie in the image where the model has them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tintype.models.card import Card, Output, PixelInput, PlaceInput
from tintype.models.card_file import built_in
from tintype.models.masking import compressed, decompressed, grid_of, mask_of, masks_of, run_lengths, whole_of

SIDE = 64


def plain_run_lengths(mask: np.ndarray) -> list[int]:
    """Pixel by pixel, down each column from left to right."""
    counts, covered = [0], False
    for column in range(mask.shape[1]):
        for row in range(mask.shape[0]):
            if bool(mask[row, column]) != covered:
                counts.append(0)
                covered = not covered
            counts[-1] += 1
    return counts


def plain_compressed(counts: list[int]) -> str:
    """Signed numbers of two's complement in base 32, as COCO's documentation of its masks describes them."""
    text = ""
    for place, count in enumerate(counts):
        number = count - counts[place - 2] if place > 2 else count
        digits = 1
        while not -(2 ** (5 * digits - 1)) <= number < 2 ** (5 * digits - 1):
            digits += 1
        bits = format(number % 2 ** (5 * digits), f"0{5 * digits}b")
        groups = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)][::-1]
        text += "".join(chr(48 + group + 32 * (at < digits - 1)) for at, group in enumerate(groups))
    return text


MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@settings(max_examples=150)
@given(mask=MASKS)
def test_masks_come_back_and_are_written_as_a_plain_reading_of_the_format_has_it(mask: np.ndarray) -> None:
    counts = run_lengths(mask)
    assert counts == plain_run_lengths(mask)
    assert compressed(counts) == plain_compressed(counts)
    assert np.array_equal(mask_of(compressed(counts), mask.shape[::-1]), mask)


@settings(max_examples=150)
@given(counts=st.lists(st.integers(0, 10**7), min_size=1, max_size=12))
def test_any_numbers_come_back(counts: list[int]) -> None:
    assert decompressed(compressed(counts)) == counts
    assert compressed(counts) == plain_compressed(counts)


def test_known_masks() -> None:
    assert compressed([3, 4, 3]) == "343"
    assert compressed(run_lengths(np.ones((4, 8), bool))) == "0P1"
    assert compressed(run_lengths(np.zeros((4, 8), bool))) == "P1"


@pytest.mark.parametrize(
    "text", ["P", "~", "0P1", "3O0~"], ids=["cut off", "no character of it", "too few", "negative"]
)
def test_what_is_no_mask_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="run lengths"):
        mask_of(text, (5, 5))


def masker() -> Card:
    pixels = PixelInput("pixels", "image", SIDE, SIDE, "whole", longer_px=float(SIDE), sides="nearest")
    outputs = (Output("masks", (2, 16, 16)), Output("confidence", (2,)), Output("stability", (2,)))
    places = (PlaceInput("places", "places"),)
    return dataclasses.replace(built_in("descriptor"), task="mask", input=pixels, outputs=outputs, beside=places)


def test_places_are_asked_in_pixels_of_what_is_prepared() -> None:
    points = grid_of((200, 100), masker(), 2)
    assert points.tolist() == [[[16, 8, 16, 8], [48, 8, 48, 8], [16, 24, 16, 24], [48, 24, 48, 24]]]
    assert whole_of((100, 200), masker()).tolist() == [[[0, 0, 32, 64]]]


def made(*boxes: tuple[int, int, int, int], sure: list[float]) -> dict[str, np.ndarray]:
    logits = np.full((len(boxes), 16, 16), -8.0, np.float32)
    for mask, (left, top, right, bottom) in zip(logits, boxes, strict=True):
        mask[top:bottom, left:right] = 8
    return {"masks": logits, "confidence": np.array(sure, np.float32), "stability": np.ones(len(boxes), np.float32)}


FILTERS = {"min_confidence": 0.5, "min_stability": 0.5, "overlap": 0.7, "most": 10}


def test_a_mask_lies_where_the_picture_has_it() -> None:
    """The lower right quarter of a picture twice as wide as high: of the square, its lower half is filling."""
    (mask,) = masks_of(masker(), made((8, 4, 16, 8), sure=[0.9]), (320, 160), **FILTERS)
    assert mask.box == pytest.approx((0.5, 0.5, 0.5, 0.5), abs=0.01)
    assert mask.area == pytest.approx(0.25, abs=0.01)
    pixels = mask_of(mask.rle, (320, 160))
    assert pixels[100:, 180:].all()
    assert not pixels[:70].any()
    assert not pixels[:, :150].any()
    assert pixels.mean() == pytest.approx(mask.area, abs=1e-6)


def test_unsure_double_and_empty_masks_are_left_out() -> None:
    boxes = [(0, 0, 8, 8), (0, 0, 8, 8), (8, 8, 16, 16), (0, 8, 4, 12), (3, 3, 3, 3)]
    answers = made(*boxes, sure=[0.7, 0.9, 0.8, 0.4, 0.95])
    found = masks_of(masker(), answers, (64, 64), **FILTERS)
    assert [round(mask.confidence, 2) for mask in found] == [0.9, 0.8]
    assert len(masks_of(masker(), answers, (64, 64), **{**FILTERS, "overlap": 1.0})) == 3
    assert len(masks_of(masker(), answers, (64, 64), **{**FILTERS, "most": 1})) == 1
    answers["stability"][1] = 0.1
    assert [round(mask.confidence, 2) for mask in masks_of(masker(), answers, (64, 64), **FILTERS)] == [0.8, 0.7]
    answers["confidence"][:] = np.nan
    assert masks_of(masker(), answers, (64, 64), **FILTERS) == []


def test_a_large_picture_is_masked_in_parts_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = made((3, 2, 9, 7), (10, 1, 12, 8), sure=[0.9, 0.8])
    whole = masks_of(masker(), answers, (173, 91), **FILTERS)
    monkeypatch.setattr("tintype.models.masking._AT_ONCE", 91 * 7)
    assert masks_of(masker(), answers, (173, 91), **FILTERS) == whole
