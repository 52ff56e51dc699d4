"""What was done to a picture, measured on two that agree: colors, coverings, borders; and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, hypot, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.finders.verify.colors import Colors, cells_of, clipped_share, colorfulness, places, recoloring
from tintype.finders.verify.coverings import covered
from tintype.finders.verify.maps import Map, applied, frame, in_pixels, inverted, overlap
from tintype.finders.verify.pictures import Picture

RELATIONS = (
    "identical", "same pixels", "re-encoded", "resized", "cropped", "rotated", "mirrored", "recolored", "gray",
    "overlaid", "same scene",
)  # fmt: skip

_WHOLE = 0.97  # share of a picture from which it counts as shown in full
_SLACK = 0.018  # of a side by which the map may be off
_SAME_SIZE = 0.015
_SAME_SCALE = 0.05  # what a crop's scale can be told by
_STRAIGHT_DEG = 1.2
_LIGHT, _TINT = 2.5, 7.0  # mean change in levels
_DARK_LIGHT = 1.0  # where there is little light to change
_COLORLESS, _COLORFUL = 0.6, 2.0  # mean distance from gray in levels
_MUCH_MORE = 1.5  # times as colorful
_UNCHANGED = 0.5  # levels
_LEAST_CELLS = 40  # of the overlap, to tell anything by
_SAMPLED = 2  # each so many-th cell tells the colors as a whole
_EVEN = 0.8  # mean change from pixel to pixel in levels
_ONE_TONE = 5.0  # levels
_EVEN_BORDER = 0.85  # plain share from which the rest is a border


@dataclass(frozen=True)
class Change:
    """Measures of what differs between two pictures where one lies on the other, in levels and shares."""

    light: float  # mean change of luma, as a rule for the whole picture tells it
    luma: float  # mean luma of the darker
    tint: float  # mean change of both chroma channels together, by that rule
    chroma: tuple[float, float]  # mean distance from gray of either
    covered: float  # share of the overlap where something lies on one of the two, or was made unreadable
    even: tuple[float, float]  # share of the rest of either picture, outside of the overlap, that is plain


_NOTHING = Change(0, 128, 0, (0, 0), 0, (0, 0))


def changed(a: Picture, b: Picture, shares: Map) -> Change:
    """Compare the colors of what both show, by a map in shares from `a` to `b`."""
    overlaps = overlap(shares)
    of_first = overlaps[0] * a.size[0] * a.size[1] <= overlaps[1] * b.size[0] * b.size[1]  # the coarser one's cells
    first, second = (a, b) if of_first else (b, a)
    mask, laid = _laid(first, second, shares if of_first else inverted(shares))
    inside = cells_of(mask) >= 0.99
    if inside.sum() < _LEAST_CELLS:
        return _NOTHING
    pictures = [first.color, laid]
    cells = [cells_of(picture) for picture in pictures]
    samples = [part[inside][::_SAMPLED] for part in cells]
    before, after = (1, 0) if _is_undone(*samples) else (0, 1)
    at = places(*inside.shape)[inside]
    model = recoloring(samples[before], samples[after], at[::_SAMPLED])
    moved = np.zeros_like(cells[before])
    moved[inside] = np.abs(model.of_cells(cells[before][inside], at) - cells[before][inside])
    light, *tints = moved[inside].mean(axis=0).tolist()
    expected = pictures[before]
    if max(light, *tints) > _UNCHANGED:
        expected = model.of_picture(expected)
    was_scaled = abs(_scale(in_pixels(shares, a.stored_size, b.stored_size)) - 1) > _SAME_SCALE
    covering = covered(expected, pictures[after], mask, max(light, sum(tints)), was_scaled=was_scaled)
    seen = inside & ~covering
    if not seen.any():
        return _NOTHING
    light, *tints = moved[seen].mean(axis=0).tolist()
    chroma = colorfulness(cells[0][seen]), colorfulness(cells[1][seen])
    return Change(
        light=light,
        luma=float(min(part[seen][:, 0].mean() for part in cells)),
        tint=sum(tints),
        chroma=chroma if of_first else chroma[::-1],
        covered=float(covering.sum()) / float(inside.sum()),
        even=(_even_outside(a, b, shares, overlaps[0]), _even_outside(b, a, inverted(shares), overlaps[1])),
    )


def _is_undone(first: Colors, second: Colors) -> bool:
    """Whether a rule leads from the second's colors to the first's rather than back: to gray, or to clipped light."""
    chroma = colorfulness(first), colorfulness(second)
    if max(chroma) > _MUCH_MORE * min(chroma):
        return chroma[0] < chroma[1]
    return clipped_share(first) > clipped_share(second)


def _laid(first: Picture, second: Picture, mapping: Map) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the second shows something of the first, 0 to 1, and its colors there."""
    (width, height), size = first.level(1).size, second.level(1).size
    pixels = in_pixels(mapping, (width, height), size)
    scale = _scale(pixels)
    color = second.color if scale < 1.3 else cv2.GaussianBlur(second.color, (0, 0), 0.45 * scale)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(color, pixels, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.ones(size[::-1], np.float32), pixels, (width, height), flags=flags)
    return mask, laid


def _scale(pixels: Map) -> float:
    """Px of the second picture for one px of the first."""
    return sqrt(abs(float(np.linalg.det(pixels[:, :2]))))


def _even_outside(a: Picture, b: Picture, shares: Map, shown_share: float) -> float:
    """The plain share of the part of `a` that lies outside of `b`; 0 where hardly anything does."""
    if shown_share >= _WHOLE:
        return 0.0
    size, other = a.level(1).size, b.level(1).size
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(np.ones(other[::-1], np.float32), in_pixels(shares, size, other), size, flags=flags)
    outside = cells_of(shown) < 0.01
    if not outside.any():
        return 0.0
    luma = a.color[..., 0]
    change = cells_of(cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)))[outside]
    level = cells_of(luma)[outside]
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
    scale = _scale(pixels)
    mirrored = bool(np.linalg.det(pixels[:, :2]) < 0)
    angle = _angle(pixels, mirrored)
    kinds, words = [], []
    part = None if _shows_all(shares) else _part(overlaps)
    whole_in_a = overlaps[0] < overlaps[1]
    cut = part is not None and change.even[0 if whole_in_a else 1] < _EVEN_BORDER
    both_cut = part is not None and max(overlaps) < _WHOLE
    box = frame(inverted(shares) if whole_in_a else shares) if part is not None else None
    if cut or both_cut:
        kinds.append("cropped")
        words.append(_cut_words(overlaps, whole_in_a, both_cut))
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
    if change.covered:
        kinds.append("overlaid")
        words.append(f"{_share(change.covered)} of what both show is covered or blurred in one")
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


def _cut_words(overlaps: tuple[float, float], whole_in_a: bool, both_cut: bool) -> str:
    if both_cut:
        return f"{overlaps[0]:.0%} of the one and {overlaps[1]:.0%} of the other show the same"
    return f"{'keeps' if whole_in_a else 'shows it within a larger one, as'} {min(overlaps):.0%} of the area"


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "less than 1%"


def _shows_all(shares: Map) -> bool:
    """Whether the corners lie on each other as exactly as can be told."""
    corners = applied(shares, np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]))
    return bool(np.abs(corners - np.clip(np.round(corners), 0, 1)).max() <= _SLACK)


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
        words.append(f"light changed by {change.light:.0f} and color by {change.tint:.0f} of 255 levels on average")
        return ["recolored"]
    return []
