"""The parts of verification: maps, registration, groups, look-alikes."""

import cv2
import numpy as np
import pytest
from finder_makers import photos
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.core.hashes import TURNS
from tintype.finders.groups import components, stars
from tintype.finders.verify.compare import COPY, SCENE, UNLIKE, UNSEEN, compare
from tintype.finders.verify.dense import agreement
from tintype.finders.verify.judging import turned_around
from tintype.finders.verify.maps import (
    TURN_MAPS,
    applied,
    cells_shown,
    composed,
    frame,
    in_pixels,
    in_shares,
    inverted,
    overlap,
)
from tintype.finders.verify.pictures import Picture, decoded

NUMBERS = st.floats(-2, 2)


@st.composite
def maps(draw):
    angle, scale, stretch = draw(st.floats(-3, 3)), draw(st.floats(0.3, 3)), draw(st.floats(0.7, 1.4))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([draw(st.sampled_from([-1.0, 1.0])), 1.0])
    return np.column_stack([turn @ mirror @ np.diag([scale, scale * stretch]), [draw(NUMBERS), draw(NUMBERS)]])


@given(maps(), maps())
def test_maps_can_be_undone_and_chained(one, two):
    points = np.array([[0.0, 0], [1, 0], [0.3, 0.8]])
    np.testing.assert_allclose(applied(inverted(one), applied(one, points)), points, atol=1e-9)
    np.testing.assert_allclose(applied(composed(two, one), points), applied(two, applied(one, points)), atol=1e-9)
    np.testing.assert_allclose(in_shares(in_pixels(one, (320, 200), (90, 60)), (320, 200), (90, 60)), one, atol=1e-9)


@given(maps())
def test_overlaps_are_those_that_counting_points_gives(one):
    grid = (np.stack(np.meshgrid(np.arange(200), np.arange(200)), -1).reshape(-1, 2) + 0.5) / 200
    inside = [
        ((moved >= 0) & (moved <= 1)).all(axis=1).mean() for moved in (applied(one, grid), applied(inverted(one), grid))
    ]
    np.testing.assert_allclose(overlap(one), inside, atol=0.02)


@given(maps())
def test_cells_are_those_whose_middles_come_to_lie_within_the_other(one):
    (bits,) = cells_shown(np.array([one.ravel()])).tolist()
    middles = (np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(-1, 2) + 0.5) / 8
    moved = applied(one, middles)
    assert bits.bit_count() == ((moved >= 0) & (moved <= 1)).all(axis=1).sum()


def test_halves_have_no_cells_in_common():
    left, right, whole = np.array([[2.0, 0, 0, 0, 1, 0], [2, 0, -1, 0, 1, 0], [1, 0, 0, 0, 1, 0]])
    cells = cells_shown(np.stack([left, right, whole]))
    assert cells[0] & cells[1] == 0
    assert cells[0] | cells[1] == cells[2] == np.uint64(2**64 - 1)


def test_turns_are_those_of_pixels():
    """A point of the picture lies where turning the pixels puts it."""
    gray = np.zeros((60, 60), np.uint8)
    gray[10, 20] = 255
    turned = [
        gray, gray[:, ::-1], gray[::-1, ::-1], gray[::-1], gray.T, np.rot90(gray, -1), np.rot90(gray, 2).T,
        np.rot90(gray, 1),
    ]  # fmt: skip
    for turn, image, mapping in zip(TURNS, turned, TURN_MAPS, strict=True):
        down, across = np.argwhere(image)[0]
        place = applied(mapping, np.array([[20.5 / 60, 10.5 / 60]]))
        np.testing.assert_allclose(place[0] * 60, [across + 0.5, down + 0.5], err_msg=turn)


def test_the_frame_is_where_the_part_lies():
    assert frame(np.array([[0.5, 0, 0.25], [0, 0.5, 0.4]])) == pytest.approx((0.25, 0.4, 0.5, 0.5))


def test_a_guess_some_pixels_off_is_corrected():
    (rgb,) = photos(1)
    true = np.array([[0.8, 0.05, 0.08], [-0.04, 0.8, 0.12]])
    moved = cv2.warpAffine(rgb, in_pixels(true, (320, 240), (320, 240)), (320, 240))
    off = true + np.array([[0.01, 0, 0.012], [0.01, 0, -0.01]])
    found = agreement(Picture(rgb), Picture(moved), off)
    np.testing.assert_allclose(found.map, true, atol=0.003)
    assert found.coarse.share > 0.9


def test_a_wrong_guess_agrees_with_nothing():
    one, other = (Picture(rgb) for rgb in photos(2))
    found = agreement(one, other, TURN_MAPS[0])
    assert found is None or found.coarse.share < 0.4


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_verdict_is_the_same_from_both_sides(top, left):
    (rgb,) = photos(1)
    one, other = Picture(rgb), Picture(rgb[top : top + 180, left : left + 240])
    there = compare(one, other)
    assert there["kind"] == COPY
    back = turned_around(turned_around(there[None]))[0]
    np.testing.assert_allclose(back["map"], there["map"], atol=1e-5)


@pytest.mark.parametrize("turned", [False, True])
def test_a_frame_of_a_film_is_a_copy_that_lies_between_its_bars(turned):
    (rgb,) = photos(1)
    film = np.zeros_like(rgb)
    film[50:190] = rgb[40:180]  # of 240 rows
    one, other = (Picture(np.ascontiguousarray(rgb.transpose(1, 0, 2) if turned else rgb)) for rgb in (rgb, film))
    found = compare(one, other)
    assert found["kind"] == COPY
    moved = [[1, 0, 10 / 240], [0, 1, 0]] if turned else [[1, 0, 0], [0, 1, 10 / 240]]
    np.testing.assert_allclose(found["map"].reshape(2, 3), moved, atol=0.006)
    back = compare(other, one, inverted(found["map"].reshape(2, 3).astype(float)))
    assert back["kind"] == COPY
    np.testing.assert_allclose(back["overlaps"], found["overlaps"][::-1], atol=0.02)


def test_black_pictures_and_uneven_bars_stay_as_they_are():
    (rgb,) = photos(1)
    for picture in (rgb * 0, np.concatenate([rgb[:180] * 0, rgb[:60]]), np.concatenate([rgb * 0, rgb[:20], rgb * 0])):
        assert Picture(picture).inner == (0, 0, 1, 1)


def test_a_negative_is_a_copy():
    (rgb,) = photos(1)
    assert compare(Picture(rgb), Picture(255 - rgb))["kind"] == COPY


def test_different_pictures_are_unlike_and_unreadable_ones_unseen():
    one, other = (Picture(rgb) for rgb in photos(2))
    assert compare(one, other)["kind"] == UNLIKE
    assert compare(one, None)["kind"] == UNSEEN
    assert decoded(b"no JPEG") is None


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_pictures_of_a_few_pixels_are_no_obstacle(size):
    picture = Picture(np.full((*size, 3), 99, np.uint8))
    assert compare(picture, picture)["kind"] in (UNLIKE, COPY)
    assert compare(picture, Picture(photos(1)[0]))["kind"] == UNLIKE


@pytest.mark.parametrize("names", ["berlin/01 berlin/02", "lund/02 lund/03", "lund/10 lund/11", "lund/13 lund/14"])
def test_photos_of_one_scene_are_told_from_copies(data, names):
    """Two photos of one place, a few steps apart."""
    pictures = []
    for name in names.split():
        bgr = cv2.imread(str(data / "opensfm-series" / f"{name}.jpg"))
        scale = 320 / max(bgr.shape)
        pictures.append(Picture(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)))
    assert compare(*pictures)["kind"] == SCENE


def test_photos_of_different_things_are_of_no_scene(data):
    """Photos of different things have no scene in common, however many of them are compared."""
    files = sorted((data / "demo-photos").glob("*.jpg"))[:12]
    pictures = [Picture(cv2.resize(cv2.imread(str(file)), (320, 240), interpolation=cv2.INTER_AREA)) for file in files]
    told = [compare(one, other)["kind"] for at, one in enumerate(pictures) for other in pictures[:at]]
    assert set(map(int, told)) == {UNLIKE}


@st.composite
def edges(draw):
    count = draw(st.integers(1, 14))
    pairs = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=20))
    pairs = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    first, second = (np.array([pair[at] for pair in pairs], np.int64) for at in (0, 1))
    return count, first, second


@given(edges(), st.integers(0, 2**32))
def test_groups_are_stars_of_what_was_compared(graph, seed):
    count, first, second = graph
    like = np.random.default_rng(seed).random((count, count)) < 0.5
    known = set(zip(first.tolist(), second.tolist(), strict=True))
    asked = []

    def together(keepers, others):
        asked.extend(zip(keepers.tolist(), others.tolist(), strict=True))
        return like[keepers, others]

    keeper = stars(count, first, second, together)
    assert len(asked) == len(set(asked))
    assert not known & set(asked)
    for node, kept in enumerate(keeper.tolist()):
        assert kept <= node
        assert keeper[kept] == kept
        assert kept == node or (kept, node) in known or ((kept, node) in asked and like[kept, node])


@given(edges())
def test_components_are_those_of_a_walk(graph):
    count, first, second = graph
    least = list(range(count))
    for _ in range(count):
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            least[a] = least[b] = min(least[a], least[b])
    assert components(count, first, second).tolist() == least


def test_those_that_are_apart_are_in_no_group_together():
    first, second = np.array([0, 0]), np.array([1, 2])
    keeper = stars(3, first, second, lambda a, b: np.ones(len(a), bool), apart=[(1, 2)])
    assert keeper.tolist() == [0, 0, 2]


def test_a_long_chain_ends():
    nodes = np.arange(3_000)
    keeper = stars(3_000, nodes[:-1], nodes[1:], lambda a, b: b - a < 3)
    assert (nodes - keeper).max() <= 2


@settings(max_examples=60)
@given(st.tuples(*[st.integers(1, 330)] * 4), st.integers(0, 3))
def test_pictures_of_any_shape_can_be_compared(sides: tuple[int, int, int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    grain = [random.integers(0, 256, (*size, 3), np.uint8) for size in (sides[:2], sides[2:])]
    one, other = (Picture(cv2.GaussianBlur(picture, (0, 0), 2) if seed else picture) for picture in grain)
    for a, b in ((one, other), (one, one)):
        assert compare(a, b)["kind"] in (UNLIKE, COPY, SCENE)
    assert one.color.shape[:2] == one.level(1).gray.shape


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_photo_of_a_print_seen_from_the_side_is_a_copy(mirrored: bool) -> None:
    photo = photos(1)[0]
    high, wide = photo.shape[:2]
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    seen = np.array([[0.2, 0.15], [0.85, 0.05], [0.95, 0.9], [0.1, 0.8]], np.float32) * (wide, high)
    table = np.full_like(photo, 90)
    shot = cv2.warpPerspective(
        photo, cv2.getPerspectiveTransform(corners, seen.astype(np.float32)), (wide, high),
        dst=table, borderMode=cv2.BORDER_TRANSPARENT,
    )  # fmt: skip
    verdict = compare(Picture(photo), Picture(np.ascontiguousarray(shot[:, ::-1] if mirrored else shot)))
    assert verdict["kind"] == COPY
    center = applied(verdict["map"].reshape(2, 3).astype(float), np.array([[0.5, 0.5]]))[0]
    expected = seen.mean(axis=0) / (wide, high)  # where a parallelogram nearest to the quadrangle has its middle
    expected[0] = 1 - expected[0] if mirrored else expected[0]
    assert np.abs(center - expected).max() < 0.01
