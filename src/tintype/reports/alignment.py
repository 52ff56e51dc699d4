"""Where one picture lies on another: transforms, the area that both show, and whether it was turned or mirrored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tintype.core.hashes import TURNS
from tintype.reports.content import Alignment, Picture, Transform

Point = tuple[float, float]
Polygon = list[Point]

_CORNERS: Polygon = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
_TURNS: Mapping[str, Transform] = dict(
    zip(
        TURNS,
        (
            (1, 0, 0, 0, 1, 0),
            (-1, 0, 1, 0, 1, 0),
            (-1, 0, 1, 0, -1, 1),
            (1, 0, 0, 0, -1, 1),
            (0, 1, 0, 1, 0, 0),
            (0, -1, 1, 1, 0, 0),
            (0, -1, 1, -1, 0, 1),
            (0, 1, 0, -1, 0, 1),
        ),
        strict=True,
    )
)
_LARGEST = 100.0  # of any number of a transform: what is enlarged or moved further is no copy that can be drawn
_UPRIGHT_DEGREES = 8.0  # what is turned by less is seen as upright


def transform_of(alignment: Alignment | None) -> Transform | None:
    """The transform from a to b, by the orientation where there is no other; None where it is unknown or useless."""
    if alignment is None:
        return None
    if alignment.transform is None:
        return _TURNS.get(alignment.orientation or "")
    numbers = tuple(alignment.transform)
    if len(numbers) != 6 or not all(math.isfinite(one) and abs(one) <= _LARGEST for one in numbers):
        return None
    p, q, r, s, t, u = (float(one) for one in numbers)
    return (p, q, r, s, t, u) if abs(p * t - q * s) * _LARGEST**2 >= 1 else None


def inverse(transform: Transform) -> Transform:
    """The transform back."""
    p, q, r, s, t, u = transform
    area = p * t - q * s
    return (t / area, -q / area, (q * u - t * r) / area, -s / area, p / area, (s * r - p * u) / area)


def moved(points: Sequence[Point], transform: Transform) -> Polygon:
    """The points, each where the transform takes it."""
    p, q, r, s, t, u = transform
    return [(p * x + q * y + r, s * x + t * y + u) for x, y in points]


def shared(transform: Transform) -> Polygon:
    """The part of picture b, in shares of it, that a shows too; empty where there is none."""
    return _within(moved(_CORNERS, transform))


def area(polygon: Polygon) -> float:
    """Area of a polygon that does not cross itself."""
    following = polygon[1:] + polygon[:1]
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(polygon, following, strict=True))) / 2


def is_turned(transform: Transform, b: Picture) -> bool:
    """Whether b is turned or mirrored against a: the upper edge of a does not run to the right in b."""
    p, q, _, s, t, _ = transform
    width_to_height = (b.width or 1) / (b.height or 1)
    return p * t - q * s < 0 or abs(math.degrees(math.atan2(s, p * width_to_height))) > _UPRIGHT_DEGREES


def _within(polygon: Polygon) -> Polygon:
    """The part of a convex polygon that lies in the unit square (Sutherland and Hodgman, 1974)."""
    for axis, limit, sign in ((0, 0.0, 1), (0, 1.0, -1), (1, 0.0, 1), (1, 1.0, -1)):
        kept: Polygon = []
        for start, end in zip(polygon[-1:] + polygon[:-1], polygon, strict=True):
            before, after = sign * (start[axis] - limit), sign * (end[axis] - limit)
            if (before < 0) != (after < 0):
                share = before / (before - after)
                kept.append((start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])))
            if after >= 0:
                kept.append(end)
        polygon = kept
    return polygon
