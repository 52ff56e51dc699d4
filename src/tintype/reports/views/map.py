"""The map as the page shows it: a picture of all points, and some of the pictures pinned to it."""

from __future__ import annotations

import math
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.reports.content import Bounds, Map
from tintype.reports.density import drawn, png
from tintype.reports.palette import GRAY, colored
from tintype.reports.shots import Badge, Shot, small
from tintype.reports.views.likeness import ClustersView

WIDTH, HEIGHT = 1200, 800  # px of the picture
_MARGIN = 0.05  # of the width, on all sides: half a pin
_FEW = 500  # pictures; among more than these pins are smaller, so as not to hide the points
_FEWEST_CELLS, _CELLS_FOR_A_PICTURE = 8, 3
_APART = 0.85  # of a cell of the grid of pins: two of them are at least as far apart


@dataclass(frozen=True)
class Pin:
    """A picture on the map."""

    shot: Shot
    x: float  # percent of the map's width
    y: float
    color: str  # #rrggbb


@dataclass(frozen=True)
class Entry:
    """One color of the map; `link` is the id of the cluster's sheet where there is one."""

    color: str
    title: str
    images: int
    link: str | None = None


@dataclass(frozen=True)
class MapView:
    """The map: a PNG in base64, pins, what the colors mean, and how many pictures have no place."""

    picture: str
    pins: tuple[Pin, ...]
    legend: tuple[Entry, ...]
    pin_width: float  # percent of the map's width
    placed: int
    without_place: int


def view_map(content: Map, clusters: ClustersView | None, bounds: Bounds) -> MapView:
    places = np.stack([np.asarray(content.x, np.float64), np.asarray(content.y, np.float64)], axis=-1)  # (n, 2)
    known = np.flatnonzero(np.isfinite(places).all(axis=1)).tolist()
    numbers = [None] * len(known) if content.clusters is None else [content.clusters[row] for row in known]
    colors = _colors(numbers, clusters)
    own = [colors.get(number, GRAY) if number is not None else GRAY for number in numbers]
    at = _on_canvas(places[known])
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in own], np.int64).reshape(-1, 3)
    whole = np.rint(at * WIDTH).astype(np.int64)
    cells = _cells(len(known), bounds.pins)
    titles = {view.number: view.title for view in (clusters.clusters.shown if clusters else ())}
    return MapView(
        picture=b64encode(png(drawn(whole[:, 0], whole[:, 1], rgb, WIDTH, HEIGHT))).decode("ascii"),
        pins=tuple(
            Pin(
                small(content.pictures[known[i]], _badges(numbers[i], titles)),
                round(100 * float(at[i, 0]), 2),
                round(100 * float(at[i, 1]) * WIDTH / HEIGHT, 2),
                own[i],
            )
            for i in _pinned(at, [content.pictures[row].uri for row in known], cells)[: bounds.pins]
        ),
        legend=_legend(numbers, colors, titles),
        pin_width=round(100 * (_APART if len(known) <= _FEW else _APART / 2) / cells, 2),
        placed=len(known),
        without_place=len(places) - len(known),
    )


def _colors(numbers: Sequence[int | None], clusters: ClustersView | None) -> Mapping[int, str]:
    """As on the sheets of the clusters; without these the clusters with the most pictures have colors."""
    if clusters is not None:
        return {view.number: view.color for view in clusters.clusters.shown if view.color is not None}
    counts = Counter(number for number in numbers if number is not None)
    return colored(sorted(counts, key=lambda number: (-counts[number], number)))


def _legend(numbers: Sequence[int | None], colors: Mapping[int, str], titles: Mapping[int, str]) -> tuple[Entry, ...]:
    counts = Counter(numbers)
    entries = [
        Entry(color, _title(number, titles), counts[number], f"cluster-{number}" if number in titles else None)
        for number, color in colors.items()
        if counts[number]
    ]
    rest = len(numbers) - sum(entry.images for entry in entries)
    if rest and entries:
        entries.append(Entry(GRAY, "others", rest))
    return tuple(entries)


def _title(number: int, titles: Mapping[int, str]) -> str:
    return titles.get(number, f"Cluster {number}")


def _badges(number: int | None, titles: Mapping[int, str]) -> tuple[Badge, ...]:
    return () if number is None else (Badge(_title(number, titles)),)


def _on_canvas(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (n, 2) in shares of the map's width, in the middle and as large as fits, not stretched."""
    if not len(places):
        return places
    # The largest range that there can be is divided first, so that nothing becomes infinite.
    low, high = places.min(axis=0) / 4, places.max(axis=0) / 4
    room = np.array([1.0, HEIGHT / WIDTH]) - 2 * _MARGIN
    spread = high - low
    with np.errstate(divide="ignore"):
        scale = float(np.min(np.where(spread > 0, room / spread, np.inf)))
    middle = (low + high) / 2
    off = (places / 4 - middle) * scale if math.isfinite(scale) else np.zeros_like(places)
    centered: NDArray[np.float64] = off + np.array([0.5, HEIGHT / WIDTH / 2])
    return centered


def _cells(pictures: int, most: int) -> int:
    """How many pins there may be side by side: few large ones on a map of few pictures."""
    wanted = min(_CELLS_FOR_A_PICTURE * pictures, most)
    return max(int(math.sqrt(wanted * WIDTH / HEIGHT)), _FEWEST_CELLS)


def _pinned(at: NDArray[np.float64], uris: Sequence[str], cells: int) -> list[int]:
    """The rows of pictures to pin: in each cell of a grid the one nearest its middle, if no other pin is too near."""
    cell = 1 / cells
    grid = np.floor(at / cell).astype(np.int64)
    off = np.abs(at - (grid + 0.5) * cell).max(axis=1) if len(at) else np.empty(0)
    by_name = np.argsort(np.argsort(np.array(uris, object), kind="stable"), kind="stable")
    pinned: dict[tuple[int, int], int] = {}
    for i in np.lexsort((by_name, off, grid[:, 0], grid[:, 1])).tolist():
        column, row = int(grid[i, 0]), int(grid[i, 1])
        if (column, row) in pinned:
            continue
        beside = (pinned.get((column + dx, row + dy)) for dy in (-1, 0) for dx in (-1, 0, 1))
        if all(one is None or np.abs(at[one] - at[i]).max() >= _APART * cell for one in beside):
            pinned[column, row] = i
    return list(pinned.values())
