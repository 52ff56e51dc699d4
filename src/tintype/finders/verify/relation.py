"""What was done to a picture, measured on two that agree: colors, coverings, borders; and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, hypot, sqrt
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.finders.verify.maps import Map, frame, in_pixels, inverted, overlap
from tintype.finders.verify.pictures import Picture

RELATIONS = (
    "identical", "same pixels", "re-encoded", "resized", "cropped", "rotated", "mirrored", "recolored", "gray",
    "overlaid", "same scene",
)  # fmt: skip

_WHOLE = 0.97  # share of a picture from which it counts as shown in full
_SAME_SIZE = 0.015
_SAME_SCALE = 0.05  # what a crop's scale can be told by
_STRAIGHT_DEG = 1.2
_LIGHT, _TINT = 4.5, 7.0  # mean change in levels
_DARK_LIGHT = 1.5  # where there is little light to change
_COLORLESS, _COLORFUL = 1.3, 2.2  # mean distance from gray in levels
_COVERED, _COVERED_RECOLORED = 0.012, 0.06  # share of cells
_STRONG = 12.0  # levels
_OUTLIER = 22.0  # levels that a cell differs in, after what the colors did as a whole
_CELL_PX = 5  # of the half-size picture
_EVEN = 0.8  # mean change from pixel to pixel in levels
_ONE_TONE = 5.0  # levels
_PLAIN = 16.0  # change from pixel to pixel in levels
_MARK = 8.0  # levels by which a mark stands out at least
_AS_SHARP = 1.4
_LEAST_MARK = 0.014
_STANDS_OUT = (4.0, 2.5)  # and times the median, and the 70th percentile, of what other cells are off
_EVEN_BORDER = 0.7


@dataclass(frozen=True)
class Change:
    """Measures of what differs between two pictures where one lies on the other, in levels and shares."""

    light: float  # mean change of luma
    luma: float  # mean luma of the darker
    tint: float  # mean change of chroma
    chroma: tuple[float, float]  # mean distance from gray of either
    covered: float  # share of the overlap that shows something else
    even: tuple[float, float]  # share of the rest of either picture, outside of the overlap, that is plain


Model = NDArray[np.float64]
"""(5, 3): how each channel changes with the terms of a color."""

_NOTHING = Change(0, 128, 0, (0, 0), 0, (0, 0))


def changed(a: Picture, b: Picture, shares: Map) -> Change:
    """Compare colors in small cells, by a map in shares from `a` to `b`."""
    overlaps = overlap(shares)
    of_first = overlaps[0] * a.size[0] * a.size[1] <= overlaps[1] * b.size[0] * b.size[1]  # the coarser one's cells
    first, second = (a, b) if of_first else (b, a)
    mask, laid = _laid(first, second, shares if of_first else inverted(shares))
    inside = _cells(mask) >= 0.99
    own, other = _cells(first.color)[inside], _cells(laid)[inside]
    if len(own) < 8:
        return _NOTHING
    if _colorfulness(own) >= _colorfulness(other):  # from color to gray there is a rule, back there is none
        model, strange = _recoloring(own, other)
        mark = _marked(first.color, laid, mask, model)
    else:
        model, strange = _recoloring(other, own)
        mark = _marked(laid, first.color, mask, model)
    covered = max(_together(inside, strange), mark if mark >= _LEAST_MARK else 0.0)
    own, other = own[~strange], other[~strange]
    if not len(own):
        return _NOTHING
    moved = np.abs(other - own).mean(axis=0)
    chroma = [_colorfulness(values) for values in (own, other)]
    return Change(
        light=float(moved[0]),
        luma=float(min(own[:, 0].mean(), other[:, 0].mean())),
        tint=float(moved[1:].sum()),
        chroma=(chroma[0], chroma[1]) if of_first else (chroma[1], chroma[0]),
        covered=covered,
        even=(_even_outside(a, b, shares), _even_outside(b, a, inverted(shares))),
    )


def _laid(first: Picture, second: Picture, mapping: Map) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the second shows something of the first, 0 to 1, and its colors there."""
    (width, height), size = first.level(1).size, second.level(1).size
    pixels = in_pixels(mapping, (width, height), size)
    scale = sqrt(abs(float(np.linalg.det(pixels[:, :2]))))
    color = second.color if scale < 1.3 else cv2.GaussianBlur(second.color, (0, 0), 0.45 * scale)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(color, pixels, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.ones(size[::-1], np.float32), pixels, (width, height), flags=flags)
    return mask, laid


def _colorfulness(colors: NDArray[np.float32]) -> float:
    """Mean distance from gray in levels."""
    return float(np.hypot(*(colors[:, 1:] - 128).T).mean())


def _together(inside: NDArray[np.bool_], strange: NDArray[np.bool_]) -> float:
    """Share of the cells inside that are strange and not alone; single ones are edges."""
    grid = np.zeros(inside.shape, np.uint8)
    grid[inside] = strange
    return float(cv2.morphologyEx(grid, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)).sum()) / float(inside.sum())


def _marked(colors: NDArray[np.float32], other: NDArray[np.float32], mask: NDArray[Any], model: Model) -> float:
    """Share of what is plain in the first picture where a faint mark lies in the other: words that shine through.

    A mark stands out from how well all other colors are known. Where one of the two is sharper, or full of grain,
    there are no marks to be told from detail.
    """
    expected = _expected(colors.reshape(-1, 3), model)[:, 0].reshape(mask.shape).astype(np.float32)
    inside = cv2.erode((mask > 0.99).astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0).astype(bool)
    around = np.ones((3, 3), np.uint8)
    change = [cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, around) for luma in (expected, other[..., 0])]
    detail = [float(part[inside].mean()) + 1 for part in change]
    plain = inside & (change[0] < _PLAIN)
    if max(detail) > _AS_SHARP * min(detail) or plain.sum() < 200:
        return 0.0
    off = cv2.blur(np.abs(other[..., 0] - expected), (2, 2))
    usual = np.quantile(off[plain], (0.5, 0.7))
    bound = max(_MARK, _STANDS_OUT[0] * usual[0], _STANDS_OUT[1] * usual[1])
    return float((plain & (off > bound)).sum()) / float(inside.sum())


def _cells(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = values.shape[0] // _CELL_PX, values.shape[1] // _CELL_PX
    cut = values[: rows * _CELL_PX, : columns * _CELL_PX]
    return np.asarray(cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def _recoloring(own: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[Model, NDArray[np.bool_]]:
    """What the colors as a whole became, and the cells (n, 3) that became something else.

    Each channel changes by a linear function of all three and the square of luma (gamma); cells that are far off are
    left out and the rest is fitted again.
    """
    known = _terms(own)
    strange = np.zeros(len(own), np.bool_)
    model = np.zeros((known.shape[1], 3))
    for bound in (3 * _OUTLIER, 1.5 * _OUTLIER, _OUTLIER):
        kept = ~strange
        if kept.sum() < 8:
            break
        weight = known[kept].T @ known[kept] + np.eye(known.shape[1]) * 1e-5 * kept.sum()
        model = np.linalg.solve(weight, known[kept].T @ (other[kept] - own[kept]))
        strange = _far(_expected(own, model), other, bound) & _far(own, other, bound)
    return model, strange


def _terms(colors: NDArray[np.float32]) -> NDArray[np.float64]:
    centered = colors.astype(np.float64) / 128 - 1
    return np.column_stack([centered, centered[:, 0] ** 2, np.ones(len(colors))])


def _expected(colors: NDArray[np.float32], model: Model) -> NDArray[np.float64]:
    return np.clip(colors + _terms(colors) @ model, 0, 255)


def _far(expected: NDArray[Any], found: NDArray[Any], bound: float) -> NDArray[np.bool_]:
    off = np.abs(expected - found)
    return np.asarray((off[:, 0] > bound) | (off[:, 1:].sum(axis=1) > bound))


def _even_outside(a: Picture, b: Picture, shares: Map) -> float:
    """The plain share of the part of `a` that lies outside of `b`; 0 where nothing does."""
    size, other = a.level(1).size, b.level(1).size
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(np.ones(other[::-1], np.float32), in_pixels(shares, size, other), size, flags=flags)
    outside = _cells(shown) < 0.01
    if not outside.any():
        return 0.0
    luma = a.color[..., 0]
    change = _cells(cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)))[outside]
    level = _cells(luma)[outside]
    return float(((change < _EVEN) & (np.abs(level - np.median(level)) < _ONE_TONE)).mean())


@dataclass(frozen=True)
class Related:
    """How the second picture came from the first, in words and in numbers."""

    kind: str  # RELATIONS joined with " + "
    words: str
    scale: float  # px of the second for one px of the first
    degrees: float  # clockwise, -180 to 180, after mirroring left to right where `mirrored`
    mirrored: bool
    frame: tuple[float, float, float, float] | None  # left, top, width, height of the part, in shares of the whole
    frame_in_a: bool  # the whole is the first picture


def related(
    shares: Map, overlaps: tuple[float, float], change: Change, size_a: tuple[int, int], size_b: tuple[int, int]
) -> Related:
    """Name what was done, from a map in shares and the sizes of the full pictures in px."""
    pixels = in_pixels(shares, size_a, size_b)
    scale = sqrt(abs(float(np.linalg.det(pixels[:, :2]))))
    mirrored = bool(np.linalg.det(pixels[:, :2]) < 0)
    angle = _angle(pixels, mirrored)
    kinds, words = [], []
    part = _part(overlaps)
    whole_in_a = overlaps[0] < overlaps[1]
    cut = part is not None and change.even[0 if whole_in_a else 1] < _EVEN_BORDER
    both_cut = max(overlaps) < _WHOLE
    box = frame(inverted(shares) if whole_in_a else shares) if part is not None else None
    if cut or both_cut:
        kinds.append("cropped")
        words.append(f"{'keeps' if whole_in_a else 'shows it within a larger one, as'} {min(overlaps):.0%} of the area")
    if mirrored:
        kinds.append("mirrored")
    turn, side = _turn_words(angle, mirrored)
    if turn or side:
        words.append(" and ".join(word for word in (side, turn) if word))
    if turn:
        kinds.append("rotated")
    stretch = _resized(pixels, size_a, size_b, part is not None or both_cut or _tilted(angle))
    if stretch:
        kinds.append("resized")
        words.append(stretch)
    kinds += _colored(change, words)
    strongly = max(change.light, change.tint) > _STRONG  # then clipped colors are easily taken for a covering
    if change.covered >= (_COVERED_RECOLORED if strongly else _COVERED):
        kinds.append("overlaid")
        words.append(f"{change.covered:.0%} of it shows something else")
    elif part is not None and not cut and not both_cut:
        kinds.append("overlaid")
        words.append("with a border around it" if not whole_in_a else "without its border")
    if not kinds:
        kinds, words = ["re-encoded"], ["the same picture, saved again"]
    order = {kind: at for at, kind in enumerate(RELATIONS)}
    return Related(
        " + ".join(sorted(kinds, key=lambda kind: order[kind])),
        "; ".join(words),
        scale,
        angle,
        mirrored,
        box,
        whole_in_a,
    )


def _part(overlaps: tuple[float, float]) -> float | None:
    """How much of the larger one the other shows; None where both show all."""
    return min(overlaps) if min(overlaps) < _WHOLE else None


def _angle(pixels: Map, mirrored: bool) -> float:
    """Degrees clockwise (y goes down) of the rotation nearest to the linear part."""
    (a, b), (c, d) = pixels[:, :2].tolist()
    if mirrored:
        a, c = -a, -c
    angle = degrees(atan2(c - b, a + d)) if hypot(c - b, a + d) else 0.0
    return 180.0 if angle <= -179.5 else angle


def _tilted(angle: float) -> bool:
    return abs(angle - 90 * round(angle / 90)) > _STRAIGHT_DEG


def _turn_words(angle: float, mirrored: bool) -> tuple[str, str]:
    """The turn and the mirroring; top to bottom is said instead of both."""
    if mirrored and abs(abs(angle) - 180) <= _STRAIGHT_DEG:
        return "", "mirrored top to bottom"
    side = "mirrored left to right" if mirrored else ""
    if abs(angle) <= _STRAIGHT_DEG:
        return "", side
    if abs(abs(angle) - 180) <= _STRAIGHT_DEG:
        return "turned by 180°", side
    shown = f"{abs(angle):.0f}°" if not _tilted(angle) or abs(angle) >= 10 else f"{abs(angle):.1f}°"
    return f"turned {shown} {'clockwise' if angle > 0 else 'counterclockwise'}", side


def _resized(pixels: Map, size_a: tuple[int, int], size_b: tuple[int, int], by_fit: bool) -> str:
    """How the size changed, by the sizes where both show all, else by what was fitted; empty where it did not."""
    if by_fit:
        across, down = (float(np.linalg.norm(pixels[:, at])) for at in (0, 1))
        bound = _SAME_SCALE
    else:
        quarter = abs(pixels[0, 0]) * size_a[0] < abs(pixels[0, 1]) * size_a[1]
        wide, high = (size_b[1], size_b[0]) if quarter else size_b
        across, down = wide / max(1, size_a[0]), high / max(1, size_a[1])
        bound = _SAME_SIZE
    if max(abs(across - 1), abs(down - 1)) <= bound:
        return ""
    if abs(across / down - 1) > 0.04:
        return f"stretched to {across:.2f} × its width and {down:.2f} × its height"
    return f"{sqrt(across * down):.2f} × the size"


def _colored(change: Change, words: list[str]) -> list[str]:
    gray = [chroma <= _COLORLESS for chroma in change.chroma]
    if gray[0] != gray[1] and max(change.chroma) >= _COLORFUL:
        words.append("in gray" if gray[1] else "in color instead of gray")
        return ["gray"]
    if change.light > min(_LIGHT, max(_DARK_LIGHT, 0.15 * change.luma)) or change.tint > _TINT:
        words.append(f"light changed by {change.light:.0f} and color by {change.tint:.0f} of 255 levels")
        return ["recolored"]
    return []
