"""How one picture may lie on another: guesses that the dense check then judges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.finders.verify.maps import TURN_MAPS, Map, in_shares
from tintype.finders.verify.pictures import SIDE_PX, SQUARE_PX, Features, Picture

_RATIO = 0.86  # of the distances to the best and the second best match (Lowe, 2004)
_MOST_BITS = 80  # of 256 in which matching features may differ
_REACH_PX = 5.0
_TRIALS = 1_000
_LEAST_MATCHES = 8
_PLACE_PX = 12  # features closer than this are one place
_SCALES = (1 / 8, 8.0)
_MOST_STRETCH = 1.8  # of one direction against the other: sides' ratio changed, or a print seen from the side
_TURN_LIKENESS = 0.45
_TURN_TRIES = 2
_RAY_PX = 1.5  # from the line that a point of the one picture is seen on in the other


def _turned(square: NDArray[np.int64], turn: int) -> NDArray[np.int64]:
    if turn >= 4:
        square = square.T
    return square[:: -1 if turn in (2, 3, 6, 7) else 1, :: -1 if turn in (1, 2, 5, 6) else 1]


_PLACES = np.arange(SQUARE_PX * SQUARE_PX).reshape(SQUARE_PX, SQUARE_PX)
_TURNED = np.stack([_turned(_PLACES, turn).ravel() for turn in range(8)])  # where each turn has its pixels from


@dataclass(frozen=True)
class Fit:
    """A map in shares from the first picture to the second, and the matches that it was found among."""

    map: Map
    places: int  # distinct places of either picture that agree, the smaller number
    spread: float  # share of the smaller part of a picture that these places stand in
    own: NDArray[np.float64]  # (n, 2) all features of the first picture that have a match, in px
    other: NDArray[np.float64]  # (n, 2) their matches


def turned(a: Picture, b: Picture) -> list[tuple[Map, float]]:
    """The flips and quarter turns in which the whole of `a` resembles the whole of `b`, and how much; most alike
    first."""
    likeness = np.abs(a.square[_TURNED] @ b.square)  # a negative is as good
    order = np.argsort(-likeness, kind="stable")[:_TURN_TRIES]
    return [(TURN_MAPS[at], float(likeness[at])) for at in order if likeness[at] >= _TURN_LIKENESS]


def fitted(a: Picture, b: Picture, mirrored: bool) -> Fit | None:
    """An affine map of bounded scale, stretch and shear on which the most local features agree (RANSAC)."""
    if mirrored:
        to, at = matches(b.mirrored_features, a.features)
        own, other = a.features.points[at], b.mirrored_features.points[to]
    else:
        at, to = matches(a.features, b.features)
        own, other = a.features.points[at], b.features.points[to]
    if len(own) < _LEAST_MATCHES:
        return None
    found, inliers = cv2.estimateAffine2D(
        own, other, method=cv2.RANSAC, ransacReprojThreshold=_REACH_PX, maxIters=_TRIALS, confidence=0.999
    )
    if found is None or not plausible(found):
        return None
    chosen = inliers.ravel().astype(bool)
    count, spread = _support(own[chosen], other[chosen], a, b)
    return Fit(in_shares(found, a.size, b.size), count, spread, own, other)


def places_of_two_views(fit: Fit, a: Picture, b: Picture) -> int:
    """Distinct places whose matches lie where two photos of one unmoved scene would show them, whatever its depth.

    That is, on each other's lines of sight (Hartley and Zisserman, "Multiple View Geometry", 2004, chapter 11).
    """
    try:
        found, inliers = cv2.findFundamentalMat(fit.own, fit.other, cv2.USAC_ACCURATE, _RAY_PX, 0.999, _TRIALS)
    except cv2.error:  # it gives up so where all points are of one line
        return 0
    if found is None or inliers is None or inliers.sum() < _LEAST_MATCHES:
        return 0
    chosen = inliers.ravel().astype(bool)
    return _support(fit.own[chosen], fit.other[chosen], a, b)[0]


def plausible(pixels: Map) -> bool:
    """Whether a map is what people do to pictures: no extreme scale, stretch or shear."""
    larger, smaller = np.linalg.svd(pixels[:, :2], compute_uv=False).tolist()
    return bool(smaller > _SCALES[0] and larger < _SCALES[1] and larger < smaller * _MOST_STRETCH)


def matches(a: Features, b: Features) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of features of both that belong together: the best match by far, and of both sides."""
    if len(a.bits) < 2 or len(b.bits) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    differ = np.zeros((len(a.bits), len(b.bits)), np.uint8)  # 256 wraps to 0 and is never seen
    for word in range(4):
        differ += np.bitwise_count(a.bits[:, word, None] ^ b.bits[None, :, word])
    rows = np.arange(len(a.bits))
    to = differ.argmin(axis=1)
    best = differ[rows, to]
    differ[rows, to] = 255
    second = differ.min(axis=1)
    good = (best <= _MOST_BITS) & (best < _RATIO * second)
    return rows[good], to[good]


def _support(places: NDArray[np.float64], targets: NDArray[np.float64], a: Picture, b: Picture) -> tuple[int, float]:
    counts = [len(np.unique(_cells(points, _PLACE_PX))) for points in (places, targets)]
    spreads = [_hull_share(points, picture) for points, picture in ((places, a), (targets, b))]
    return min(counts), max(spreads)


def _cells(points: NDArray[np.float64], side_px: float) -> NDArray[np.int64]:
    cells = (points // side_px).astype(np.int64)
    return cells[:, 1] * SIDE_PX + cells[:, 0]


def _hull_share(points: NDArray[np.float64], picture: Picture) -> float:
    hull = cv2.convexHull(points.astype(np.float32))
    return float(cv2.contourArea(hull)) / (picture.size[0] * picture.size[1])
