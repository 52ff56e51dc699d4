"""Where pictures lie on each other, and what is drawn of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_makers import picture

from tintype.core.hashes import TURNS
from tintype.reports.alignment import area, inverse, is_turned, moved, shared, transform_of
from tintype.reports.content import Alignment, Transform
from tintype.reports.drawing import Marks, lies, marks_of_kept, marks_of_pair

IDENTITY: Transform = (1, 0, 0, 0, 1, 0)
RIGHT_HALF: Transform = (2, 0, -1, 0, 1, 0)  # b is the right half of a
PHOTO = picture("a.jpg", width=4000, height=3000)

numbers = st.floats(-3, 3)
transforms = st.tuples(numbers, numbers, numbers, numbers, numbers, numbers).filter(
    lambda t: abs(t[0] * t[4] - t[1] * t[3]) > 0.01
)


def test_orientations_are_those_of_the_hashes() -> None:
    """A pixel of a stands in the turned picture where the transform says."""
    image = np.arange(12).reshape(3, 4)
    turned = {
        "upright": image,
        "mirrored": image[:, ::-1],
        "turned_180": image[::-1, ::-1],
        "flipped": image[::-1],
        "transposed": image.T,
        "turned_90": np.rot90(image, -1),
        "transversed": image[::-1, ::-1].T,
        "turned_270": np.rot90(image),
    }
    assert set(turned) == set(TURNS)
    for orientation, result in turned.items():
        transform = transform_of(Alignment(orientation=orientation))
        assert transform is not None
        for row, column in np.ndindex(3, 4):
            [(x, y)] = moved([((column + 0.5) / 4, (row + 0.5) / 3)], transform)
            at = int(y * result.shape[0]), int(x * result.shape[1])
            assert result[at] == image[row, column], orientation


@given(transforms)
def test_the_way_back_undoes_the_way(transform: Transform) -> None:
    points = [(0.0, 0.0), (1.0, 0.5), (0.25, 1.0)]
    back = moved(moved(points, transform), inverse(transform))
    assert np.allclose(back, points, atol=1e-6)


@given(transforms)
def test_the_shared_part_is_as_large_seen_from_either_picture(transform: Transform) -> None:
    p, q, _, s, t, _ = transform
    on_a, on_b = area(shared(inverse(transform))), area(shared(transform))
    assert math.isclose(on_b, on_a * abs(p * t - q * s), rel_tol=1e-5, abs_tol=1e-9)
    assert on_a <= 1 + 1e-9
    assert on_b <= 1 + 1e-9


def test_the_shared_part_agrees_with_counted_points() -> None:
    transform = (0.9, -0.4, 0.2, 0.5, 0.8, -0.1)
    grid = np.stack(np.meshgrid(*[(np.arange(400) + 0.5) / 400] * 2), axis=-1).reshape(-1, 2)
    back = np.array(moved([(x, y) for x, y in grid.tolist()], inverse(transform)))
    counted = ((back >= 0) & (back <= 1)).all(axis=1).mean()
    assert math.isclose(area(shared(transform)), counted, abs_tol=0.005)


@pytest.mark.parametrize(
    "numbers",
    [(1, 0, 0, 0, 0, 0), (math.nan, 0, 0, 0, 1, 0), (math.inf, 0, 0, 0, 1, 0), (1e300, 0, 0, 0, 1e300, 0), (1, 2), ()],
)
def test_a_useless_transform_is_none(numbers: tuple[float, ...]) -> None:
    alignment = Alignment(transform=numbers)  # type: ignore[arg-type]  # as it may come from a damaged table
    assert transform_of(alignment) is None
    assert lies(alignment) == ""
    assert marks_of_pair(PHOTO, PHOTO, alignment) == (Marks(), Marks())


def test_an_unknown_orientation_is_none() -> None:
    assert transform_of(Alignment(orientation="<sideways>")) is None
    assert transform_of(None) is None


@pytest.mark.parametrize(("orientation", "turned"), [(name, name != "upright") for name in TURNS])
def test_all_turns_but_upright_are_seen(orientation: str, turned: bool) -> None:
    transform = transform_of(Alignment(orientation=orientation))
    assert transform is not None
    assert is_turned(transform, PHOTO) is turned


def test_a_slight_tilt_is_not_called_turned() -> None:
    assert not is_turned((1, -0.05, 0, 0.05, 1, 0), PHOTO)
    assert is_turned((1, -0.4, 0, 0.4, 1, 0), PHOTO)


def test_a_crop_is_framed_on_the_picture_that_shows_more() -> None:
    on_a, on_b = marks_of_pair(PHOTO, PHOTO, Alignment(transform=RIGHT_HALF))
    [(_, frame)] = on_a.frames
    assert sorted(frame) == [(0.5, 0), (0.5, 1), (1, 0), (1, 1)]
    assert on_b == Marks()
    back_a, back_b = marks_of_pair(PHOTO, PHOTO, Alignment(transform=inverse(RIGHT_HALF)))
    assert back_a == Marks()
    assert len(back_b.frames) == 1


def test_a_copy_of_the_whole_is_not_drawn_on() -> None:
    assert marks_of_pair(PHOTO, PHOTO, Alignment(transform=IDENTITY)) == (Marks(), Marks())
    assert marks_of_pair(PHOTO, PHOTO, Alignment(transform=(1.008, 0, -0.004, 0, 1.008, -0.004))) == (Marks(), Marks())
    assert Marks().drawn(PHOTO) == ""


def test_the_letter_is_turned_as_the_picture_is() -> None:
    on_a, on_b = marks_of_pair(PHOTO, PHOTO, Alignment(orientation="mirrored"))
    assert len(on_a.letter) == len(on_b.letter) == 2
    for own, other in zip(on_a.letter, on_b.letter, strict=True):
        assert np.allclose([(1 - x, y) for x, y in own], other)


def test_the_letter_lies_within_the_shared_part() -> None:
    on_a, on_b = marks_of_pair(PHOTO, PHOTO, Alignment(transform=(-2, 0, 2, 0, 1, 0)))
    for x, y in [point for stroke in on_a.letter for point in stroke]:
        assert 0.5 < x < 1
        assert 0 < y < 1
    for x, y in [point for stroke in on_b.letter for point in stroke]:
        assert 0 < x < 1
        assert 0 < y < 1


def test_only_parts_within_the_picture_are_marked_as_overlaid() -> None:
    boxes = ((0.0, 0.8, 1.0, 1.0), (0.5, 0.5, 0.4, 0.6), (-1.0, 0.0, 2.0, 1.0), (0.0, 0.0, math.nan, 1.0))
    _, on_b = marks_of_pair(PHOTO, PHOTO, Alignment(overlaid=boxes))
    assert on_b.boxes == boxes[:1]
    assert on_b.drawn(PHOTO).count('class="overlaid"') == 1


def test_frames_on_a_kept_picture_are_numbered_as_its_group_is() -> None:
    crop, whole = Alignment(transform=RIGHT_HALF), Alignment(transform=IDENTITY)
    marks = [marks_of_pair(PHOTO, PHOTO, one)[0] for one in (whole, crop, crop)]
    assert [number for number, _ in marks_of_kept(marks).frames] == ["3", "4"]
    assert [number for number, _ in marks_of_kept(marks[1:2]).frames] == [""]
    assert len(marks_of_kept([marks[1]] * 500).frames) < 10


def test_one_frame_is_shaded_around_and_several_are_not() -> None:
    one = marks_of_pair(PHOTO, PHOTO, Alignment(transform=RIGHT_HALF))[0]
    assert 'class="shade"' in one.drawn(PHOTO)
    assert 'class="shade"' not in replace(one, frames=one.frames * 2).drawn(PHOTO)


def test_the_drawing_has_the_shape_of_the_picture() -> None:
    marks = marks_of_pair(PHOTO, PHOTO, Alignment(transform=RIGHT_HALF))[0]
    assert 'viewBox="0 0 400 300"' in marks.drawn(PHOTO)
    assert 'viewBox="0 0 100 400"' in marks.drawn(picture("tall.jpg", width=500, height=2000))
    for width, height in ((None, 100), (100, None), (0, 100), (-5, 100)):
        assert marks.drawn(picture("unknown.jpg", width=width, height=height)) == ""


@given(transforms, st.integers(1, 50_000), st.integers(1, 50_000))
def test_whatever_is_drawn_is_short_and_made_of_numbers(transform: Transform, width: int, height: int) -> None:
    photo = picture("a.jpg", width=width, height=height)
    for marks in marks_of_pair(photo, photo, Alignment(transform=transform)):
        drawn = marks.drawn(photo)
        assert len(drawn) < 2_000
        for _, numbers in re.findall(r' (d|x|y|width|height|points)="([^"]*)"', drawn):
            assert re.fullmatch(r"(([MLHVZ ]?)(-?\d+(\.\d)?)?)+", numbers)
            assert not re.search(r"-0(?!\.[1-9])", numbers)
    assert len(lies(Alignment(transform=transform)).split()) == 6
