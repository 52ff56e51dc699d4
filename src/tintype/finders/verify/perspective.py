"""A picture seen from the side, as in a photo of a print or a screen, brought back to how it would lie flat."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.finders.verify.alignment import plausible
from tintype.finders.verify.maps import Map, in_shares
from tintype.finders.verify.pictures import Picture

_LEAST_MATCHES = 14
_REACH_PX = 4.0
_TRIALS = 1_000
_OUTSIDE = 0.04  # of a side by which the corners of the one may lie outside of the other
_MOST_TAPER = 1.8  # of a side against the opposite one


@dataclass(frozen=True)
class Straightened:
    """Two pictures of one shape that lie on each other as they are, and how the pair lies that they come from."""

    first: Picture
    second: Picture
    map: Map  # in shares, from the one picture to the other, as nearly as a parallelogram can be that quadrangle


def straightened(a: Picture, b: Picture, own: NDArray[np.float64], other: NDArray[np.float64]) -> Straightened | None:
    """Where one picture lies wholly within the other, seen from the side: the other as seen from the front.

    A homography on which most of the matching places agree, (n, 2) px of either (Raguram et al., "USAC", 2013); None
    where there is no plausible one.
    """
    if len(own) < _LEAST_MATCHES:
        return None
    found, inliers = cv2.findHomography(  # cv2.RANSAC takes a hundred times as long where nothing is to be found
        own, other, cv2.USAC_ACCURATE, _REACH_PX, maxIters=_TRIALS, confidence=0.999
    )
    if found is None or int(inliers.sum()) < _LEAST_MATCHES or abs(np.linalg.det(found)) < 1e-9:
        return None
    there, back = _corners(found, a), _corners(np.linalg.inv(found), b)
    if there is None or back is None:
        return None
    mapping = _flat(there, a)
    if not plausible(mapping):
        return None
    if _lies_within(there, b) and _taper(there) <= _MOST_TAPER:
        return Straightened(a, _seen_from_front(b, found, a), in_shares(mapping, a.size, b.size))
    if _lies_within(back, a) and _taper(back) <= _MOST_TAPER:
        return Straightened(_seen_from_front(a, np.linalg.inv(found), b), b, in_shares(mapping, a.size, b.size))
    return None


def _corners(homography: NDArray[np.float64], picture: Picture) -> NDArray[np.float64] | None:
    """Where the corners of a picture come to lie, (4, 2) px; None where that is no convex quadrangle."""
    wide, high = picture.size[0] - 1.0, picture.size[1] - 1.0
    corners = np.array([[0, 0, 1], [wide, 0, 1], [wide, high, 1], [0, high, 1]]) @ homography.T
    if not (np.sign(corners[:, 2]) == np.sign(corners[0, 2])).all() or np.abs(corners[:, 2]).min() < 1e-6:
        return None  # a part of it would lie behind the eye
    points: NDArray[np.float64] = corners[:, :2] / corners[:, 2:]
    sides = np.roll(points, -1, axis=0) - points
    turn = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    return points if (np.sign(turn) == np.sign(turn[0])).all() and np.abs(turn).min() > 1 else None


def _flat(corners: NDArray[np.float64], picture: Picture) -> Map:
    """The affine map in px that brings the corners of the picture nearest to these (least squares)."""
    wide, high = picture.size[0] - 1.0, picture.size[1] - 1.0
    places = np.array([[0, 0, 1], [wide, 0, 1], [wide, high, 1], [0, high, 1]])
    solved: Map = np.linalg.lstsq(places, corners, rcond=None)[0].T
    return solved


def _lies_within(corners: NDArray[np.float64], picture: Picture) -> bool:
    size = np.array(picture.size, np.float64)
    return bool((corners > -_OUTSIDE * size).all() and (corners < (1 + _OUTSIDE) * size).all())


def _taper(corners: NDArray[np.float64]) -> float:
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    pairs = [(lengths[0], lengths[2]), (lengths[1], lengths[3])]
    return float(max(max(pair) / max(min(pair), 1e-9) for pair in pairs))


def _seen_from_front(picture: Picture, homography: NDArray[np.float64], like: Picture) -> Picture:
    """What the picture shows where `like` lies, in the shape of that; the homography leads from `like` to it."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = cv2.warpPerspective(picture.pixels, homography, like.size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return Picture(np.asarray(shown, np.uint8))
