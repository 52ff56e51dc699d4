"""From boxes as annotations have them to boxes in px of the upright image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.sources.annotations.base import Unit
from tintype.sources.boxes import MAX_PX

Orientation = Literal["auto", "upright", "stored"]
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)
"""What annotations speak of where EXIF turns an image: the image as it is seen, or the pixels as they are stored.

With "auto" it is the upright image, unless the size that annotations state is that of the stored pixels alone.
"""

_LARGEST_SHARE = 2.0  # no box in px lies within two pixels of the upper left corner in a whole table of them
_SWAPS, _MIRRORS = (5, 6, 7, 8), (2, 4, 5, 7)  # EXIF orientations that swap the sides; that mirror
_RIGHT_TO_LEFT, _BOTTOM_UP = (2, 3, 6, 7), (3, 4, 7, 8)  # after the swap


@dataclass(frozen=True)
class Places:
    """n boxes in px of the upright image, (n, 5) as in `boxes.Box`; NaN where the size of the image is not known."""

    boxes: NDArray[np.float64]
    shares: NDArray[np.float64]  # (n, 4) x, y, width, height as shares of the image; NaN where they were px
    problems: NDArray[np.object_]  # (n,) why the box makes no sense in its image, or None
    is_lost: NDArray[np.bool_]  # (n,) too far away to be written down


def largest_number(boxes: pa.RecordBatch) -> float:
    """The largest number of rows of BOXES, whatever its sign; angles are none."""
    columns = [*(boxes[name] for name in ("x", "y", "width", "height")), pc.list_flatten(boxes["corners"])]
    return max(pc.max(pc.abs(column)).as_py() or 0.0 for column in columns)


def unit_of(largest: float) -> Unit:
    """What the numbers of a table are, where nothing says so: shares, if all lie within twice the image's size."""
    return "share" if largest <= _LARGEST_SHARE else "px"


def places_of(boxes: pa.Table, unit: Unit, images: pa.Table, orientation: Orientation) -> Places:
    """`boxes` are n rows of BOXES, `images` the n rows of their images with `width`, `height`, `orientation`."""
    sizes = np.stack([_integers(images["width"]), _integers(images["height"])], axis=1)
    turned = _integers(images["orientation"])
    turned[(turned < 1) | (turned > 8)] = 1
    stated = np.stack([_integers(boxes["stated_width"]), _integers(boxes["stated_height"])], axis=1)
    is_stored, problems = _as_stored(stated, sizes, turned, orientation, unit)
    stored_sizes = np.where(np.isin(turned, _SWAPS)[:, None] & is_stored[:, None], sizes[:, ::-1], sizes)
    scale = stored_sizes.astype(np.float64) if unit == "share" else np.ones(sizes.shape)
    scale[(sizes == 0).any(axis=1) & (unit == "share")] = np.nan
    numbers = np.stack([_floats(boxes[name]) for name in ("x", "y", "width", "height", "angle")], axis=1)
    shares = numbers[:, :4].copy()
    with np.errstate(over="ignore", invalid="ignore"):
        found = numbers * np.concatenate([scale, scale, np.ones((len(scale), 1))], axis=1)
        with_corners = boxes["corners"].is_valid().to_numpy(zero_copy_only=False)
        if with_corners.any():
            flat = pc.list_flatten(boxes["corners"]).to_numpy().reshape(-1, 4, 2)
            found[with_corners] = _rectangles(flat * scale[with_corners][:, None])
            low = flat.min(axis=1)
            shares[with_corners] = np.concatenate([low, flat.max(axis=1) - low], axis=1)
        found[is_stored] = _upright(found[is_stored], stored_sizes[is_stored], turned[is_stored])
        is_unknown = np.isnan(found).any(axis=1)
        is_lost = ~((np.abs(found[:, :4]) <= MAX_PX).all(axis=1) | is_unknown)
        is_lost |= is_unknown & ~(np.abs(shares) <= MAX_PX / 100).all(axis=1)
        is_lost |= ~(np.abs(found[:, 4]) <= MAX_PX) & ~is_unknown
    negative = (found[:, 2:4] < 0).any(axis=1) & (problems == None)  # noqa: E711  element by element
    problems[negative] = "a box of negative size"
    return Places(found, shares, problems, is_lost)


def _as_stored(
    stated: NDArray[np.int64],
    sizes: NDArray[np.int64],
    turned: NDArray[np.int64],
    orientation: Orientation,
    unit: Unit,
) -> tuple[NDArray[np.bool_], NDArray[np.object_]]:
    """Which boxes speak of the stored pixels, and which of another image than the one that is there."""
    problems = np.full(len(sizes), None, object)
    if orientation != "auto":
        return (turned > 1) & (orientation == "stored"), problems
    is_stated = (stated > 0).all(axis=1) & (sizes > 0).all(axis=1) & (unit == "px")
    fits = (stated == sizes).all(axis=1)
    fits_stored = (stated == sizes[:, ::-1]).all(axis=1) & np.isin(turned, _SWAPS)
    for row in np.flatnonzero(is_stated & ~fits & ~fits_stored).tolist():
        there, said = sizes[row].tolist(), stated[row].tolist()
        problems[row] = f"annotated in {said[0]} × {said[1]} px; the image has {there[0]} × {there[1]}"
    return is_stated & ~fits & fits_stored, problems


def _rectangles(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turned boxes (n, 5) of four corners each, (n, 4, 2), from the upper left one around.

    Of corners that are not quite a rectangle's, opposite edges are averaged.
    """
    edges = np.roll(corners, -1, axis=1) - corners
    clockwise = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]  # y points down
    corners = np.where(clockwise[:, None, None] < 0, corners[:, [0, 3, 2, 1]], corners)
    edges = np.roll(corners, -1, axis=1) - corners
    lengths = np.hypot(edges[..., 0], edges[..., 1])
    size = (lengths[:, :2] + lengths[:, 2:]) / 2
    along = edges[:, 0] - edges[:, 2]
    angle = np.rad2deg(np.arctan2(along[:, 1], along[:, 0]))
    return np.concatenate([corners.mean(axis=1) - size / 2, size, angle[:, None]], axis=1)


def _upright(boxes: NDArray[np.float64], sizes: NDArray[np.int64], turned: NDArray[np.int64]) -> NDArray[np.float64]:
    """Boxes in stored pixels of images of these stored sizes, as they lie when the orientation was applied."""
    centers, size, angle = boxes[:, :2] + boxes[:, 2:4] / 2, boxes[:, 2:4], boxes[:, 4]
    swap = np.isin(turned, _SWAPS)[:, None]
    centers, size, sizes = (np.where(swap, pair[:, ::-1], pair) for pair in (centers, size, sizes))
    across = np.isin(turned, _RIGHT_TO_LEFT)
    down = np.isin(turned, _BOTTOM_UP)
    flipped = np.stack([across, down], axis=1)
    centers = np.where(flipped, sizes - centers, centers)
    angle = np.where(np.isin(turned, _MIRRORS), -angle, angle)
    return np.concatenate([centers - size / 2, size, angle[:, None]], axis=1)


def _integers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Values, 0 for null."""
    values: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy().astype(np.int64)
    return values


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Values, NaN for null."""
    values: NDArray[np.float64] = pc.fill_null(column, float("nan")).to_numpy()
    return values
