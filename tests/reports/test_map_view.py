"""The map: every point is drawn, some are pinned, and what has no place is counted."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from report_makers import picture

from tintype.reports.content import Bounds, Cluster, Clusters, Map
from tintype.reports.density import drawn, png
from tintype.reports.palette import COLORS, GRAY, colored
from tintype.reports.views.likeness import view_clusters
from tintype.reports.views.map import HEIGHT, WIDTH, MapView, view_map


def view(
    x: Sequence[float], y: Sequence[float], clusters: Sequence[int | None] | None = None, bounds: Bounds | None = None
) -> MapView:
    pictures = [picture(f"{n:06d}.jpg") for n in range(len(x))]
    return view_map(Map(pictures=pictures, x=x, y=y, clusters=clusters), None, bounds or Bounds())


def pixels(found: MapView) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found.picture))))


def some(points: int, seed: int = 1) -> tuple[list[float], list[float]]:
    places = np.random.default_rng(seed).normal(size=(2, points))
    return places[0].tolist(), places[1].tolist()


def test_the_picture_is_what_was_drawn() -> None:
    random = np.random.default_rng(3)
    image = random.integers(0, 256, (40, 30, 4), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(image)))), image)


def test_the_order_of_the_points_is_of_no_concern() -> None:
    random = np.random.default_rng(3)
    x, y, rgb = random.integers(0, 90, 500), random.integers(0, 60, 500), random.integers(0, 256, (500, 3))
    mixed = random.permutation(500)
    assert np.array_equal(drawn(x, y, rgb, 90, 60), drawn(x[mixed], y[mixed], rgb[mixed], 90, 60))


def test_a_point_is_seen_in_its_color_and_many_are_more_solid_than_one() -> None:
    rgb = np.array([[200, 10, 30]])
    one = drawn(np.array([20]), np.array([10]), rgb, 40, 30)
    assert one[10, 20, :3].tolist() == [200, 10, 30]
    assert one[10, 20, 3] > 100
    assert not one[25, 35].any()
    crowd = drawn(np.array([20] * 9 + [5]), np.array([10] * 10), rgb.repeat(10, axis=0), 40, 30)
    assert crowd[10, 20, 3] > crowd[10, 5, 3] > 0


def test_points_at_the_edge_do_not_come_back_on_the_other_side() -> None:
    image = drawn(np.array([39]), np.array([29]), np.array([[9, 9, 9]]), 40, 30)
    assert image[29, 39, 3]
    assert not image[:, :20].any()
    assert not image[:15].any()


def test_all_points_lie_on_the_picture_and_likeness_is_not_stretched() -> None:
    found = view([0.0, 10.0, 0.0, 10.0], [0.0, 0.0, 4.0, 4.0])
    left, top = min(pin.x for pin in found.pins), min(pin.y for pin in found.pins)
    right, bottom = max(pin.x for pin in found.pins), max(pin.y for pin in found.pins)
    assert (left, right) == (5, 95)
    assert math.isclose((bottom - top) * HEIGHT, 0.4 * (right - left) * WIDTH, rel_tol=0.001)
    assert math.isclose(top + bottom, 100, abs_tol=0.1)


def test_what_has_no_place_is_counted_and_not_drawn() -> None:
    found = view([0.0, math.nan, 1.0, math.inf], [0.0, 0.0, 1.0, 1.0], [1, 1, 2, 2])
    assert (found.placed, found.without_place) == (2, 2)
    assert [pin.shot.name for pin in found.pins] == ["000000.jpg", "000002.jpg"]
    assert [(entry.title, entry.images) for entry in found.legend] == [("Cluster 1", 1), ("Cluster 2", 1)]


@pytest.mark.parametrize("points", [1, 2, 50])
def test_equal_places_come_to_one_pin_in_the_middle(points: int) -> None:
    found = view([7.0] * points, [-3.0] * points)
    assert [(pin.x, pin.y, pin.shot.name) for pin in found.pins] == [(50, 50, "000000.jpg")]
    assert found.placed == points
    assert pixels(found)[HEIGHT // 2, WIDTH // 2, 3]


def test_a_map_of_nothing_is_empty() -> None:
    found = view([], [])
    assert (found.pins, found.legend, found.placed) == ((), (), 0)
    assert not pixels(found).any()


def test_places_as_far_apart_as_numbers_go_are_drawn() -> None:
    found = view([-1.7e308, 1.7e308, 0.0], [0.0, 1.0, 5e-324])
    assert sorted(pin.x for pin in found.pins) == [5, 50, 95]


def test_pins_are_bounded_spread_and_each_a_picture_of_its_own() -> None:
    x, y = some(20_000)
    found = view(x, y)
    names = [pin.shot.name for pin in found.pins]
    assert 30 < len(names) == len(set(names)) <= Bounds().pins
    places = np.array([(pin.x * WIDTH, pin.y * HEIGHT) for pin in found.pins]) / 100
    apart = np.abs(places[:, None] - places[None]).max(axis=-1)
    assert apart[~np.eye(len(places), dtype=bool)].min() >= found.pin_width * WIDTH / 100
    assert len(view(x, y, bounds=Bounds(pins=10)).pins) <= 10


def test_the_same_pictures_in_another_order_give_the_same_map() -> None:
    x, y = some(3_000)
    numbers = [n % 7 if n % 5 else None for n in range(3_000)]
    pictures = [picture(f"{n:06d}.jpg") for n in range(3_000)]
    mixed = np.random.default_rng(2).permutation(3_000).tolist()
    straight = view_map(Map(pictures=pictures, x=x, y=y, clusters=numbers), None, Bounds())
    other = view_map(
        Map(
            pictures=[pictures[i] for i in mixed],
            x=[x[i] for i in mixed],
            y=[y[i] for i in mixed],
            clusters=[numbers[i] for i in mixed],
        ),
        None,
        Bounds(),
    )
    assert straight == other


def test_a_hundred_thousand_points_stay_small() -> None:
    x, y = some(100_000)
    found = view(x, y, [n % 30 for n in range(100_000)])
    assert len(found.picture) < 1_500_000
    assert found.placed == 100_000
    assert (pixels(found)[..., 3] > 0).mean() > 0.05


def test_colors_are_those_of_the_clusters_sheets() -> None:
    clusters = view_clusters(
        Clusters(clusters=[Cluster(number=n, size=9 - n, representatives=(), name=f"Nr. {n}") for n in (5, 3)]),
        Bounds(),
    )
    pictures = [picture(f"{n}.jpg") for n in range(4)]
    content = Map(pictures=pictures, x=[0, 1, 2, 3], y=[0, 0, 0, 0], clusters=[3, 5, 8, None])
    found = view_map(content, clusters, Bounds())
    assert [(entry.color, entry.title, entry.images, entry.link) for entry in found.legend] == [
        (COLORS[0], "Nr. 5", 1, "cluster-5"),
        (COLORS[1], "Nr. 3", 1, "cluster-3"),
        (GRAY, "others", 2, None),
    ]
    assert {pin.shot.name: pin.color for pin in found.pins} == {
        "0.jpg": COLORS[1],
        "1.jpg": COLORS[0],
        "2.jpg": GRAY,
        "3.jpg": GRAY,
    }


def test_the_legend_adds_up_to_the_pictures_on_the_map() -> None:
    x, y = some(1_000)
    found = view(x, y, [n % 40 if n % 3 else None for n in range(1_000)])
    assert sum(entry.images for entry in found.legend) == 1_000
    assert len(found.legend) == len(COLORS) + 1


def test_there_are_no_more_colors_than_can_be_told_apart() -> None:
    assert len(set(COLORS) | {GRAY}) == len(COLORS) + 1
    assert list(colored(range(100)).values()) == list(COLORS)
