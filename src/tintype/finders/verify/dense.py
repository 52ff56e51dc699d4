"""How far two pictures agree where one lies on the other: block by block, after the guess was made exact."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.finders.verify.maps import Map, composed, in_pixels, in_shares, inverted, overlap
from tintype.finders.verify.pictures import BLOCK_PX, Level, Picture

_OUTSIDE = -1e4
_LEAST_OVERLAP = 0.05
_HOPELESS = 0.45  # share of blocks that agree
_TELLING, _STRANGE = 16, 0.35  # number of blocks, share that agrees; copies have 0.45 and more at a quarter
_STRANGE_IN_PLACE = 0.55  # copies that lie in place have 0.6 and more; those that don't are fitted
_IN_PLACE = 0.97  # share of blocks, and their correlation
_COVERED = 0.98  # of a block
_TEXTURE = 3.0
_AGREES = 0.7  # correlation
_FIRM = 0.6
_CONTRARY = 0.3
_NOISE = 0.5  # square levels
_FOLLOWS = 0.3  # correlation from which a block helps to correct the map
_STEPS = 3  # corrections at each level
_SOFT = 20.0  # square levels that noise may have in a block


@dataclass(frozen=True)
class Agreement:
    """What the blocks of the overlap say, at half size (`coarse`) and at full size (`fine`).

    Blocks of the fine one show a quarter of the area. Noise and blur spoil them first; where something covers a part
    of a picture, or its frame alone is shared, they tell what agrees from what only has the same outlines.
    """

    map: Map  # in shares, from the first picture to the second
    coarse: Blocks
    fine: Blocks

    @property
    def overlaps(self) -> tuple[float, float]:
        """Shares of the two pictures that show what both show."""
        return overlap(self.map)


@dataclass(frozen=True)
class Blocks:
    """The blocks of the picture that shows the overlap in fewer pixels, as a grid of (rows, columns)."""

    of_first: bool  # that is the first picture
    covered: NDArray[np.bool_]  # the other picture reaches there
    textured: NDArray[np.bool_]  # either of the two shows something
    correlation: NDArray[np.float32]  # -1 to 1, of the sign that most have: a negative agrees too
    share: float  # agreeing blocks among those that are covered and textured
    agreeing: int
    count: int
    firmness: float  # mean correlation of the blocks that have 0.6 or more
    contrary: float  # share of the blocks that have less than 0.3

    def is_strange(self, least: float) -> bool:
        """Whether enough blocks are seen to tell that less than this share agrees."""
        return self.count >= _TELLING and self.agreeing < least * self.count


def agreement(a: Picture, b: Picture, guess: Map, *, is_fitted: bool = True) -> Agreement | None:
    """Correct the guess, a map in shares from `a` to `b`, and compare block by block; None where nothing agrees.

    A guess that was fitted to local features has to agree at once, others after a correction and then better.
    """
    shares = overlap(guess)
    if max(shares) < _LEAST_OVERLAP:
        return None
    of_first = shares[0] * a.size[0] * a.size[1] <= shares[1] * b.size[0] * b.size[1]  # the coarser is the reference
    first, second = (a, b) if of_first else (b, a)
    mapping = guess if of_first else inverted(guess)
    if is_fitted and _blocks(first, second, mapping, 2, of_first).is_strange(_STRANGE):
        return None
    mapping = _corrected(first, second, mapping, 2)
    if _blocks(first, second, mapping, 2, of_first).is_strange(_STRANGE if is_fitted else _STRANGE_IN_PLACE):
        return None
    mapping = _corrected(first, second, mapping, 1)
    coarse = _blocks(first, second, mapping, 1, of_first)
    if coarse.share < _HOPELESS:
        return None
    fine = _blocks(first, second, mapping, 0, of_first)
    return Agreement(mapping if of_first else inverted(mapping), coarse, fine)


def in_place(a: Picture, b: Picture, turn: Map) -> Agreement | None:
    """Compare two whole pictures after a flip or quarter turn; None unless they agree so well that nothing needs to be
    corrected."""
    of_first = a.size[0] * a.size[1] <= b.size[0] * b.size[1]
    coarse = _blocks(a, b, turn, 1, True) if of_first else _blocks(b, a, inverted(turn), 1, False)
    if coarse.count < _TELLING or coarse.share < _IN_PLACE or coarse.firmness < _IN_PLACE:
        return None
    return Agreement(turn, coarse, coarse)


def _corrected(first: Picture, second: Picture, mapping: Map, level: int) -> Map:
    """A few steps of registration by the gradients of the reference (Lucas and Kanade, 1981; Baker and Matthews,
    2004), with contrast and brightness free in each block, and blocks that don't correlate left out."""
    reference, other = first.level(level), second.level(level)
    pixels = in_pixels(mapping, reference.size, other.size)
    fixed = _Fixed(reference)
    for _ in range(_STEPS):
        step = fixed.step(_warped(reference, other, pixels))
        if step is None:
            break
        pixels = composed(pixels, step)
        if np.abs(step[:, 2]).max() < 0.05 and np.abs(step[:, :2] - np.eye(2)).max() < 2e-4:
            break
    return in_shares(pixels, reference.size, other.size)


class _Fixed:
    """What stays the same of the reference from step to step: means over its blocks."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.mean = _means(level.gray)
        self.variance = _means(level.gray**2) - self.mean**2
        self.across, self.down = _means(level.across), _means(level.down)
        self.tensor = [_means(x * y) for x, y in ((level.across,) * 2, (level.across, level.down), (level.down,) * 2)]
        self.own_across = _means(level.across * level.gray) - self.across * self.mean
        self.own_down = _means(level.down * level.gray) - self.down * self.mean
        rows, columns = self.mean.shape
        self.y, self.x = np.mgrid[0:rows, 0:columns] * float(BLOCK_PX) + (BLOCK_PX - 1) / 2

    def step(self, warped: NDArray[np.float32]) -> Map | None:
        """The map by which the reference's points have to move before the present one; None where nothing helps."""
        covered, values = _filled(warped)
        mean = _means(values)
        variance = _means(values**2) - mean**2
        together = _means(values * self.level.gray) - mean * self.mean
        correlation = together / np.sqrt((self.variance + 1) * (variance + 1))
        if correlation[covered].sum() < 0:
            correlation = -correlation
        usable = covered & (correlation > _FOLLOWS) & (self.variance > _SOFT) & (np.abs(together) > 1)
        if usable.sum() < 6:
            return None
        gain = together[usable] / self.variance[usable]
        wide = (_means(self.level.across * values) - self.across * mean)[usable] / gain - self.own_across[usable]
        high = (_means(self.level.down * values) - self.down * mean)[usable] / gain - self.own_down[usable]
        weight = correlation[usable] / (self.variance[usable] + _SOFT)
        return self._solved(usable, weight, wide, high)

    def _solved(
        self,
        usable: NDArray[np.bool_],
        weight: NDArray[np.float32],
        wide: NDArray[np.float32],
        high: NDArray[np.float32],
    ) -> Map | None:
        place = np.stack([self.x[usable], self.y[usable], np.ones(len(weight))])  # (3, n)
        xx, xy, yy = ((place * (part[usable] * weight)) @ place.T for part in self.tensor)
        normal = np.empty((6, 6))
        normal[:3, :3], normal[:3, 3:], normal[3:, :3], normal[3:, 3:] = xx, xy, xy, yy
        right = np.concatenate([place @ (wide * weight), place @ (high * weight)])
        hold = np.array([self.level.size[0], self.level.size[1], 1.0] * 2)  # against what nothing speaks for
        normal[np.arange(6), np.arange(6)] += (normal[2, 2] + normal[5, 5]) * 2.5e-4 * hold**2
        moved = np.linalg.solve(normal, right).reshape(2, 3)
        corners = np.array([[0, 0], [self.level.size[0], 0], [0, self.level.size[1]]], np.float64)
        if np.abs(corners @ moved[:, :2].T + moved[:, 2]).max() > self.level.size[0] / 4:
            return None
        return inverted(np.eye(2, 3) + moved)


def _blocks(first: Picture, second: Picture, mapping: Map, level: int, of_first: bool) -> Blocks:
    reference, other = first.level(level), second.level(level)
    covered, values = _filled(_warped(reference, other, in_pixels(mapping, reference.size, other.size)))
    mean, own = _means(values), _means(reference.gray)
    variance = np.maximum(_means(values**2) - mean**2, 0)
    own_variance = np.maximum(_means(reference.gray**2) - own**2, 0)
    together = _means(values * reference.gray) - mean * own
    correlation = together / np.sqrt((variance + _NOISE) * (own_variance + _NOISE))
    textured = np.maximum(variance, own_variance) > _TEXTURE**2
    seen = correlation[covered & textured]
    if seen.sum() < 0:
        correlation, seen = -correlation, -seen
    agreeing, firm = int((seen >= _AGREES).sum()), seen[seen >= _FIRM]
    return Blocks(
        of_first, covered, textured, correlation, agreeing / max(1, len(seen)), agreeing, len(seen),
        float(firm.mean()) if len(firm) else 0.0, int((seen < _CONTRARY).sum()) / max(1, len(seen)),
    )  # fmt: skip


def _warped(reference: Level, other: Level, pixels: Map) -> NDArray[np.float32]:
    """The other picture as it lies on the reference; far below zero where it does not reach."""
    gray = other.gray
    scale = float(np.sqrt(abs(np.linalg.det(pixels[:, :2]))))
    if scale > 1.6:  # finer than the reference: what it cannot show is smoothed away first
        gray = cv2.GaussianBlur(gray, (0, 0), 0.5 * scale)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(gray, pixels, reference.size, flags=flags, borderValue=_OUTSIDE), np.float32)


def _filled(warped: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which blocks are covered, and the pixels with zeros where nothing is."""
    inside = warped > -1000
    return _means(inside.astype(np.float32)) >= _COVERED, np.where(inside, warped, np.float32(0))


def _means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of the blocks, those cut at the right and lower edge left out: (h, w) → (h // 10, w // 10)."""
    rows, columns = values.shape[0] // BLOCK_PX, values.shape[1] // BLOCK_PX
    cut = values[: rows * BLOCK_PX, : columns * BLOCK_PX]
    return np.asarray(cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
