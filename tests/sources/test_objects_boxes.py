"""Boxes: their one text, their names, and the pixels that are cut."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.sources.boxes import MARK, Box, box_of, frames, hundredths, percents, split_uri, subject_of, texts
from tintype.sources.crops import cut

_numbers = st.floats(-10_000, 10_000, allow_nan=False)
_sizes = st.floats(0, 5_000, allow_nan=False)
_boxes = st.tuples(_numbers, _numbers, _sizes, _sizes, st.floats(-1_000, 1_000))


def written(*box):
    return texts(hundredths(np.array([box], float)))[0].as_py()


def edges(box, width=100, height=80):
    return frames(np.array([box], float), np.array([[width, height]]))[0].tolist()


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ((10, 20, 30, 40, 0), "10,20,30,40"),
        ((10.5, 20.25, 30.1, 40.004, 0), "10.5,20.25,30.1,40"),
        ((-0.001, -0.5, 0.05, 1e6, 0), "0,-0.5,0.05,1000000"),
        ((1, 2, 3, 4, 15), "1,2,3,4&angle=15"),
        ((1, 2, 3, 4, 345), "1,2,3,4&angle=-15"),
        ((1, 2, 3, 4, -180), "1,2,3,4&angle=180"),
        ((1, 2, 3, 4, 720.001), "1,2,3,4"),
    ],
)
def test_a_box_has_one_text(box, text):
    assert written(*box) == text


@given(_boxes)
def test_a_text_says_which_box_it_is(box):
    whole = hundredths(np.array([box], float))
    found = box_of(texts(whole)[0].as_py())
    assert found == Box(*(whole[0] / 100).tolist())


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,1e5", "nan,1,2,3", "1,2,3,4&angle=", "percent:1,2,3,4", "٣,1,1,1"]
)
def test_other_texts_are_no_boxes(text):
    assert box_of(text) is None


def test_uris_come_apart_whatever_the_image_is_called():
    for image in ("a.jpg", "s.tar#d/3.jpg", "a%23xywh=1,2,3,4.jpg", "t.parquet#17"):
        assert split_uri(f"{image}{MARK}1,2,3,4&angle=5&n=2") == (image, "1,2,3,4&angle=5")
    assert split_uri("a.jpg") == ("a.jpg", "")


def test_percents_are_of_width_and_height():
    assert percents(np.array([[0.125, 0.5, 1, -0.00001]]))[0].as_py() == "percent:12.5,50,100,0"


def test_the_subject_depends_on_image_and_box_alone():
    subjects = {subject_of(digest, text) for digest in (b"a" * 16, b"b" * 16) for text in ("1,2,3,4", "1,2,3,5")}
    assert len(subjects) == 4
    assert all(len(subject) == 16 for subject in subjects)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40, 0), [10, 20, 40, 60]),
        ((10.4, 20.5, 30, 40, 0), [10, 21, 40, 61]),
        ((10.6, 20, 0.3, 0.2, 0), [10, 20, 11, 21]),
        ((99.8, 79.9, 0.1, 0.1, 0), [99, 79, 100, 80]),
        ((-5, -5, 20, 20, 0), [0, 0, 15, 15]),
        ((90, 70, 1e6, 1e6, 0), [90, 70, 100, 80]),
        ((100, 10, 5, 5, 0), [0, 0, 0, 0]),
        ((-10, 10, 10, 5, 0), [0, 0, 0, 0]),
        ((10, 10, 0, 5, 0), [0, 0, 0, 0]),
        ((10, 10, -5, 5, 0), [0, 0, 0, 0]),
        ((10, 10, 0, 5, 45), [0, 0, 0, 0]),
        ((10, 20, 30, 40, 90), [0, 0, 30, 40]),
        ((-1e6, -1e6, 1e5, 1e5, 45), [0, 0, 0, 0]),
    ],
)
def test_pixels_that_are_cut(box, expected):
    assert edges(box) == expected


@given(_boxes, st.integers(1, 3_000), st.integers(1, 3_000))
def test_what_is_cut_is_never_larger_than_the_box_or_what_the_image_can_fill(box, width, height):
    left, top, right, bottom = edges(box, width, height)
    assert 0 <= left <= right <= max(1, round(box[2]) + 1) + (width if not box[4] else 0)
    assert 0 <= top <= bottom
    longest = (max(width, height) if not box[4] else np.hypot(width, height)) + 2
    assert max(right - left, bottom - top) <= longest


@given(_boxes, st.integers(10, 3_000), st.integers(10, 3_000))
def test_a_turned_box_is_outside_where_it_shares_no_area_with_the_image(box, width, height):
    """OpenCV's intersection of rectangles as the oracle; where it is a hair either way, both are right."""
    x, y, w, h, angle = box
    if min(w, h) < 1 or angle == 0:
        return
    image = ((width / 2, height / 2), (float(width), float(height)), 0.0)
    kind, polygon = cv2.rotatedRectangleIntersection(image, ((x + w / 2, y + h / 2), (w, h), angle))
    area = cv2.contourArea(cv2.convexHull(polygon)) if kind else 0.0
    left, top, right, bottom = edges(box, width, height)
    is_cut = right > left and bottom > top
    if area > 1:
        assert is_cut
    grown = ((x + w / 2, y + h / 2), (w + 1, h + 1), angle)
    if cv2.rotatedRectangleIntersection(image, grown)[0] == 0:
        assert not is_cut


def picture(width=100, height=80):
    random = np.random.default_rng(1)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_an_upright_box_is_cut_as_it_is():
    rgb = picture()
    assert np.array_equal(cut(rgb, Box(10, 20, 30, 40)), rgb[20:60, 10:40])
    assert cut(rgb, Box(200, 20, 30, 40)) is None


@pytest.mark.parametrize(("angle", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_quarter_turns_are_exact(angle, quarters):
    """A box of 30 x 20 around (50, 40), turned a quarter, covers 20 x 30; upright again it is turned back."""
    rgb = picture()
    region = rgb[25:55, 40:60] if quarters % 2 else rgb[30:50, 35:65]
    found = cut(rgb, Box(35, 30, 30, 20, angle))
    assert np.array_equal(found, np.rot90(region, quarters))


def test_a_turned_box_is_cut_upright():
    """On a plane of slanted brightness every pixel of the crop is known."""
    height, width = 240, 320
    y, x = np.mgrid[:height, :width] + 0.5
    plane = (0.4 * x + 0.3 * y + 20).astype(np.float64)
    rgb = np.repeat(plane.round().astype(np.uint8)[..., None], 3, axis=2)
    box = Box(100, 90, 80, 40, 30)
    found = cut(rgb, box)
    assert found.shape == (40, 80, 3)
    v, u = np.mgrid[:40, :80] + 0.5
    radians = np.deg2rad(30)
    u, v = u - 40, v - 20
    there_x = 140 + u * np.cos(radians) - v * np.sin(radians)
    there_y = 110 + u * np.sin(radians) + v * np.cos(radians)
    expected = 0.4 * there_x + 0.3 * there_y + 20
    assert np.abs(found[..., 0] - expected).max() < 1.1  # rounded to whole levels twice


def test_a_picture_that_was_turned_comes_back_upright():
    rgb = cv2.GaussianBlur(picture(200, 200), (0, 0), 3)
    matrix = cv2.getRotationMatrix2D((99.5, 99.5), -25, 1)  # OpenCV's angles go the other way
    turned = cv2.warpAffine(rgb, matrix, (200, 200))
    found = cut(turned, Box(60, 70, 80, 60, 25))
    assert np.abs(found.astype(int) - rgb[70:130, 60:140]).mean() < 2


def test_what_a_turned_box_has_outside_repeats_the_edge():
    rgb = np.full((50, 50, 3), 77, np.uint8)
    found = cut(rgb, Box(30, 30, 40, 40, 45))
    assert (found == 77).all()


def test_a_far_larger_turned_box_costs_no_more_than_its_image():
    found = cut(picture(), Box(-5e6, -5e6, 1e7, 1e7, 45))
    assert max(found.shape) <= np.hypot(100, 80) + 2


def test_a_side_that_cannot_be_warped_is_an_error():
    with pytest.raises(ValueError, match="turned box"):
        cut(np.zeros((2, 40_000, 3), np.uint8), Box(0, 0, 40_000, 2, 1e-2))
