"""What lies on one of two pictures but not on the other: words, stickers, bars, parts made unreadable.

A covering has edges of its own and takes away those below it. So what counts is the change from pixel to pixel of the
difference, against the change that both pictures show there, and levels that are far off. Compression, grain, few
colors, another sharpness or a slightly wrong place spoil the whole picture alike: how much they do is read off the
pair itself, and a covering stands out from that, in cells that hang together.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.finders.verify.colors import Colors, cells_of, median

Grid = NDArray[np.float32]
"""(rows, columns) of cells."""

_BLURS_PX = (0.6, 1.0, 1.6, 2.4)
_AS_SHARP = 1.08
_HELPS = 0.95  # of the difference that is left when the sharper is blurred so much
_LEAST_NOISE = 1.2  # levels from pixel to pixel
_LEAST_SLOPE = 0.06
_CHROMA_WEIGHT = 0.8
_STANDS_OUT, _MOST = 2.5, 8.0  # times what the pair leads one to expect
_LEAST_CELLS = 3
_STRENGTH = 6.0
_DOUBTFUL = 20.0  # levels
_OFF, _OFF_MEDIANS = 10.0, 2.5  # levels
_GRAIN_PX, _FINE = 1.0, 0.3


def covered(
    expected: Colors, found: Colors, mask: NDArray[np.float32], moved: float, *, was_scaled: bool
) -> NDArray[np.bool_]:
    """(rows, columns) of cells within the mask (h, w), 0 to 1, where a covering lies on either of two pictures that
    should be equal. Colors had to be `moved` by so many levels for that: the more, the surer it has to be. Grain
    tells little where one of them `was_scaled`."""
    inside = cells_of(mask) >= 0.99
    pictures = [expected, found]
    changes = [cells_of(_change(picture)) for picture in pictures]
    detail = [float(change[..., 0][inside].mean()) for change in changes]
    if max(detail) > _AS_SHARP * min(detail):
        sharper = int(detail[1] > detail[0])
        pictures[sharper] = _blurred_like(pictures[sharper], pictures[1 - sharper], mask)
        changes[sharper] = cells_of(_change(pictures[sharper]))
    off = pictures[1] - pictures[0]
    if mask.min() < 0.99:  # the edge of what both show is no edge of a covering
        off *= (cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=1) > 0.99)[..., None]
    common, own = np.minimum(*changes), cells_of(_change(off))
    luma, chroma = (_against_usual(own[..., at], common[..., at], inside) for at in (0, 1))
    levels = np.abs(cells_of(off)).sum(axis=2)
    against_levels = levels / max(_OFF, _OFF_MEDIANS * median(levels[inside]))
    least = _STRENGTH * (1 + moved / _DOUBTFUL)
    seeds = _seeds(np.maximum.reduce([luma, chroma * _CHROMA_WEIGHT, against_levels]), inside, least)
    if was_scaled and seeds.any():
        luma *= own[..., 0] / np.maximum(own[..., 0] + luma * _FINE * _common_grain(pictures), 1e-3)
        seeds = _seeds(np.maximum.reduce([luma, chroma * _CHROMA_WEIGHT, against_levels]), inside, least)
    return _reached(inside & ((against_levels > 1) | seeds), seeds)


def _seeds(strange: Grid, inside: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """The cells that stand out together; none where all of them are too weak."""
    seeds = _together(strange > _STANDS_OUT)
    strength = ((np.minimum(strange[seeds], _MOST) - _STANDS_OUT + 0.5) ** 2).sum() / np.sqrt(inside.sum())
    return seeds if strength >= least else np.zeros_like(seeds)


def _common_grain(pictures: list[Colors]) -> Grid:
    """Change that either picture has from one pixel to the next alone, and that no two ways of scaling leave alike."""
    luma = [np.ascontiguousarray(picture[..., 0]) for picture in pictures]
    return np.minimum(*(cells_of(_luma_change(part - cv2.GaussianBlur(part, (0, 0), _GRAIN_PX))) for part in luma))


def _luma_change(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(sum(np.abs(cv2.Sobel(luma, cv2.CV_32F, *ways, scale=0.25)) for ways in ((1, 0), (0, 1))))


def _blurred_like(sharp: Colors, other: Colors, mask: NDArray[np.float32]) -> Colors:
    """The picture blurred as far as that brings it nearer to the other, by the luma of a quarter of the pixels."""
    some = mask[::2, ::2] > 0.99
    aim = other[::2, ::2, 0][some]
    least, blur_px = median(np.abs(sharp[::2, ::2, 0][some] - aim)), 0.0
    luma = np.ascontiguousarray(sharp[..., 0])
    for trial_px in _BLURS_PX:
        left = median(np.abs(cv2.GaussianBlur(luma, (0, 0), trial_px)[::2, ::2][some] - aim))
        if left >= _HELPS * least:
            break
        least, blur_px = left, trial_px
    return np.asarray(cv2.GaussianBlur(sharp, (0, 0), blur_px), np.float32) if blur_px else sharp


def _change(colors: Colors) -> NDArray[np.float32]:
    """(h, w, 2): change from pixel to pixel of luma and of chroma, in levels."""
    across, down = (cv2.Sobel(colors, cv2.CV_32F, *ways, scale=0.25) for ways in ((1, 0), (0, 1)))
    change = np.abs(across, out=across)
    change += np.abs(down, out=down)
    change[..., 1] += change[..., 2]
    return np.asarray(change[..., :2])


def _against_usual(own: Grid, common: Grid, inside: NDArray[np.bool_]) -> Grid:
    """How many times each cell's change of the difference is what cells of as much common change have."""
    around, own_inside = (cv2.blur(common, (3, 3)) + common)[inside] / 2, own[inside]
    order = np.argpartition(around, (len(around) // 3, len(around) // 2))
    plain, rich = order[: len(order) // 3 + 1], order[len(order) // 2 :]
    noise = max(_LEAST_NOISE, median(own_inside[plain]))
    slope = max(_LEAST_SLOPE, median((own_inside[rich] - noise) / (around[rich] + 1e-3)))
    against = np.zeros_like(own)
    against[inside] = own_inside / (noise + slope * around)
    return against


def _together(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells that hang together with some others."""
    _, labels, numbers, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8), connectivity=8)
    large = numbers[:, cv2.CC_STAT_AREA] >= _LEAST_CELLS
    large[0] = False
    return np.asarray(large[labels])


def _reached(cells: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells that hang together with a seed."""
    count, labels = cv2.connectedComponents(cells.astype(np.uint8), connectivity=8)
    chosen = np.zeros(count, np.bool_)
    chosen[labels[seeds]] = True
    chosen[0] = False
    return np.asarray(chosen[labels])
