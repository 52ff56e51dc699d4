"""A thumbnail made ready for comparing: in gray at three sizes, its colors, and the local features it is aligned by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_PX = 320
"""Longer side that thumbnails are compared at; smaller ones are enlarged, so that features of both have one scale."""

BLOCK_PX = 10
"""Side of the blocks that are compared; no level of a picture is narrower or lower than one."""

SQUARE_PX = 32
_SQUARE_SHADING = 11  # of them; photos of like things have like shading

_FEATURES = 400
_FEATURES_PX = 240  # longer side at which features are looked for: finer ones differ between copies, and cost more
_MIRRORED_FEATURES = 200  # the clearest; enough to tell whether the mirror image lies on the other picture
_BLUR_PX = 1.0  # at every level: compression and pixel grids differ between copies
_SHADING_PX = 21  # slower changes are light and shadow, which photos of different things share
_BLACK, _NEARLY_BLACK = 12.0, 40  # mean and highest level of a row of a bar
_LEAST_BAR, _ODD_BARS, _LEAST_INNER = 0.04, 0.04, 0.3  # shares of the side
_GRADIENT = 1 / 8  # of OpenCV's Sobel, to be in levels a pixel


@dataclass(frozen=True)
class Features:
    """Local features (ORB: Rublee et al., "ORB: an efficient alternative to SIFT or SURF", 2011)."""

    points: NDArray[np.float64]  # (n, 2) x and y in px of the gray picture
    bits: NDArray[np.uint64]  # (n, 4) binary descriptors


@dataclass(frozen=True)
class Level:
    """The picture in gray at one size, smoothed, with what is read off it again and again."""

    gray: NDArray[np.float32]  # (h, w)

    @cached_property
    def across(self) -> NDArray[np.float32]:
        """Change of gray a pixel to the right."""
        return np.asarray(cv2.Sobel(self.gray, cv2.CV_32F, 1, 0, scale=_GRADIENT))

    @cached_property
    def down(self) -> NDArray[np.float32]:
        return np.asarray(cv2.Sobel(self.gray, cv2.CV_32F, 0, 1, scale=_GRADIENT))

    @property
    def size(self) -> tuple[int, int]:
        return self.gray.shape[1], self.gray.shape[0]


class Picture:
    """One image's thumbnail; what costs is worked out when it is first asked for."""

    def __init__(self, bgr: NDArray[np.uint8]) -> None:
        height, width = bgr.shape[:2]
        scale = SIDE_PX / max(height, width)
        size = (max(16, round(width * scale)), max(16, round(height * scale)))
        self.gray: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)  # (h, w)
        if size != (width, height):
            self.gray = cv2.resize(self.gray, size, interpolation=cv2.INTER_LINEAR)
        self._bgr = bgr
        self._levels: dict[int, Level] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px of `gray`."""
        return self.gray.shape[1], self.gray.shape[0]

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height in px of the thumbnail itself."""
        return self._bgr.shape[1], self._bgr.shape[0]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(h, w, 3) BGR of the size of `gray`."""
        if self._bgr.shape[:2] == self.gray.shape:
            return self._bgr
        return np.asarray(cv2.resize(self._bgr, self.size, interpolation=cv2.INTER_LINEAR), np.uint8)

    @cached_property
    def color(self) -> NDArray[np.float32]:
        """(h, w, 3) luma and chroma (YCrCb) in levels, of the size of level 1."""
        small = cv2.resize(self._bgr, self.level(1).size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2YCrCb), np.float32)

    def level(self, step: int) -> Level:
        """At full size (0), half (1) or a quarter (2)."""
        if step not in self._levels:
            self._levels[step] = self._level(step)
        return self._levels[step]

    @cached_property
    def square(self) -> NDArray[np.float32]:
        """(32 · 32,) detail of the picture squeezed to a square, of mean 0 and length 1; zero where it is even."""
        square = cv2.resize(self.gray, (SQUARE_PX, SQUARE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
        square -= cv2.blur(square, (_SQUARE_SHADING, _SQUARE_SHADING), borderType=cv2.BORDER_REFLECT)
        square -= square.mean()
        length = float(np.linalg.norm(square))
        return np.asarray(square / length if length > SQUARE_PX / 2 else square * 0, np.float32).ravel()

    @cached_property
    def without_bars(self) -> Picture:
        """The picture without black bars above and below it, or beside it, as films have them; itself without such."""
        left, top, right, bottom = self.inner
        if (left, top, right, bottom) == (0, 0, 1, 1):
            return self
        height, width = self._bgr.shape[:2]
        inside = self._bgr[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
        return Picture(np.ascontiguousarray(inside))

    @cached_property
    def inner(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what lies between black bars, in shares; whole rows and columns of the
        thumbnail."""
        gray = cv2.cvtColor(self._bgr, cv2.COLOR_BGR2GRAY)
        top, bottom = _between_bars(gray)
        left, right = _between_bars(gray.T)
        return left, top, right, bottom

    @cached_property
    def features(self) -> Features:
        return self._found[1]

    @cached_property
    def mirrored_features(self) -> Features:
        """The clearest features of the mirror image, at their places in this one.

        Where the picture has features its mirror image has them too: nothing is looked for again.
        """
        gray = np.ascontiguousarray(self._small[:, ::-1])
        last = gray.shape[1] - 1.0
        clearest = sorted(self._found[0], key=lambda one: -one.response)[:_MIRRORED_FEATURES]
        points = [
            cv2.KeyPoint(last - one.pt[0], one.pt[1], one.size, (540 - one.angle) % 360, one.response, one.octave)
            for one in clearest
        ]
        found = self._features(*_finder().compute(gray, points))
        return Features(found.points * (-1, 1) + (self.size[0] - 1, 0), found.bits)

    @cached_property
    def _small(self) -> NDArray[np.uint8]:
        width, height = self.size
        scale = _FEATURES_PX / SIDE_PX
        size = (max(12, round(width * scale)), max(12, round(height * scale)))
        return np.asarray(cv2.resize(self.gray, size, interpolation=cv2.INTER_AREA), np.uint8)

    @cached_property
    def _found(self) -> tuple[Sequence[cv2.KeyPoint], Features]:
        points, bits = _finder().detectAndCompute(self._small, None)
        return points, self._features(points, bits)

    def _features(self, points: Sequence[cv2.KeyPoint], bits: NDArray[np.uint8] | None) -> Features:
        if bits is None:
            return Features(np.empty((0, 2)), np.empty((0, 4), np.uint64))
        scale = np.array(self.size) / (self._small.shape[1], self._small.shape[0])
        places = np.array(cv2.KeyPoint.convert(points), np.float64)
        return Features((places + 0.5) * scale - 0.5, np.asarray(bits).view(np.uint64))

    def _level(self, step: int) -> Level:
        width, height = self.size
        gray = self.gray
        if step:
            gray = cv2.resize(
                gray, (max(BLOCK_PX, width >> step), max(BLOCK_PX, height >> step)), interpolation=cv2.INTER_AREA
            )
        wide = gray.astype(np.float32)
        return Level(cv2.GaussianBlur(wide, (0, 0), _BLUR_PX) - cv2.stackBlur(wide, (_SHADING_PX, _SHADING_PX)))


def _between_bars(gray: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the rows between two black bars of about one height begin and end, in shares; 0 and 1 without bars."""
    lit = np.flatnonzero((gray.mean(axis=1) > _BLACK) | (gray.max(axis=1) > _NEARLY_BLACK))
    if not len(lit):
        return 0.0, 1.0
    above, below = int(lit[0]), len(gray) - 1 - int(lit[-1])
    least, odd = _LEAST_BAR * len(gray), _ODD_BARS * len(gray)
    if min(above, below) < least or abs(above - below) > odd or len(gray) - above - below < _LEAST_INNER * len(gray):
        return 0.0, 1.0
    return (above + 1) / len(gray), 1 - (below + 1) / len(gray)  # a row at the edge holds some of both


def decoded(thumbnail: bytes | None) -> Picture | None:
    """The picture of a stored thumbnail; None where there is none, or it cannot be read."""
    if not thumbnail:
        return None
    bgr = cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else Picture(np.asarray(bgr, np.uint8))


def _finder() -> cv2.ORB:
    return cv2.ORB.create(nfeatures=_FEATURES, scaleFactor=1.4, nlevels=5, edgeThreshold=12, fastThreshold=15)
