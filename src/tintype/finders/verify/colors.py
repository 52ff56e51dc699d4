"""How the colors of a picture as a whole became those of another, whatever covers parts of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Colors = NDArray[np.float32]
"""(h, w, 3), or (n, 3) where they are means over cells: luma and chroma (YCrCb) in levels."""

Places = NDArray[np.float64]
"""(n, 2) across and down, -1 to 1 from the first cell to the last."""

CELL_PX = 5

_CENTER = np.array([0, 128, 128.0])
_TO_BGR = np.array([[1, 0, 1.773], [1, -0.714, -0.344], [1, 1.403, 0]])  # ITU-R BT.601
_FROM_BGR = np.linalg.inv(_TO_BGR)
_LOWEST, _HIGHEST = 6.0, 249.0  # levels past which a cell was probably clipped
_LEAST_CLEAR, _CLIPPED_WEIGHT = 0.3, 0.02
_STEPS = 3
_LEAST_SPREAD, _SPREADS = 1.5, 3.0  # levels; medians
_GOOD_FIT, _BETTER = 2.0, 0.7  # levels; share of them that is left
_PLAIN_TERMS, _PLACE_TERMS = 5, 5
_HOLD = np.array([1e-5] * _PLAIN_TERMS + [1e-3] * (2 * _PLACE_TERMS))  # against what nothing speaks for


@dataclass(frozen=True)
class Recoloring:
    """What a color becomes: each channel changes by a linear function of all three and the square of luma (gamma);
    where light falls off, by the place too: a square function of it is added, and one times luma. What leaves RGB is
    cut."""

    model: NDArray[np.float64]  # (5, 3), or (15, 3) with the place: what is added to BGR, by the terms of _terms

    def of_cells(self, colors: Colors, at: Places) -> NDArray[np.float64]:
        expected = _bgr(colors) + _terms(colors, at)[:, : len(self.model)] @ self.model
        return np.asarray(np.clip(expected, 0, 255) @ _FROM_BGR.T + _CENTER)

    def of_picture(self, colors: Colors) -> Colors:
        linear = _TO_BGR + self.model[:3].T / 128
        offset = self.model[4] - self.model[:3].sum(axis=0) - _TO_BGR @ _CENTER
        bgr = cv2.transform(colors, np.column_stack([linear, offset]))
        luma = colors[..., :1] / np.float32(128) - np.float32(1)
        square = luma * self.model[3].astype(np.float32)
        if len(self.model) > _PLAIN_TERMS:
            added, times = self._shading(colors.shape[0], colors.shape[1])
            bgr += added
            square += times
        bgr += luma * square
        np.clip(bgr, 0, 255, out=bgr)
        return np.asarray(cv2.transform(bgr, np.column_stack([_FROM_BGR, _CENTER])), np.float32)

    def _shading(self, height: int, width: int) -> list[Colors]:
        """What is added, and what is added times luma, at each pixel."""
        rows, columns = -(-height // CELL_PX), -(-width // CELL_PX)
        ground = _place_terms(places(rows, columns).reshape(-1, 2))
        shading = ground @ self.model[_PLAIN_TERMS:].reshape(2, _PLACE_TERMS, 3)
        grids = shading.reshape(2, rows, columns, 3).astype(np.float32)
        return [np.asarray(cv2.resize(grid, (width, height)), np.float32) for grid in grids]


def recoloring(own: Colors, other: Colors, at: Places) -> Recoloring:
    """Fit the cells (n, 3) of two pictures; those far off count little (weights of Geman and McClure, 1987).

    Cells that were clipped on the way don't tell what they would have become; they are left to the others. The place
    is taken in where that makes most cells fit far better: else a bar across a picture would be taken for shadow.
    """
    terms, before, after = _terms(own, at), _bgr(own), _bgr(other)
    clear = ((after > _LOWEST) & (after < _HIGHEST)).all(axis=1)
    base = np.where(clear | (clear.mean() < _LEAST_CLEAR), 1.0, _CLIPPED_WEIGHT)
    plain, off = _fitted(terms[:, :_PLAIN_TERMS], before, after, base)
    if off < _GOOD_FIT:
        return plain
    shaded, left = _fitted(terms, before, after, base)
    return shaded if left < _BETTER * off else plain


def _fitted(
    terms: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64], base: NDArray[np.float64]
) -> tuple[Recoloring, float]:
    """The fit to BGR, and by how many levels the cells with full weight are off in the median.

    It starts with the cells that stay as they are: a covering is not to be taken for a rule.
    """
    change, hold, sure = after - before, np.diag(_HOLD[: terms.shape[1]]), base == 1
    left = change
    for _ in range(_STEPS):
        off = (left * left).mean(axis=1)
        weight = base / (1 + off / max(_LEAST_SPREAD**2, _SPREADS**2 * median(off[sure]))) ** 2
        weighted = terms * weight[:, None]
        model = np.linalg.solve(weighted.T @ terms + hold * weight.sum(), weighted.T @ change)
        left = np.clip(before + terms @ model, 0, 255) - after
    return Recoloring(model), float(np.sqrt(median((left * left).mean(axis=1)[sure])))


def median(values: NDArray[np.floating[Any]]) -> float:
    """The upper median; NumPy's own takes three times as long on a few hundred values."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def clipped_share(colors: Colors) -> float:
    """Share of (n, 3) colors that have a channel at its end."""
    bgr = _bgr(colors)
    return float(((bgr < _LOWEST) | (bgr > _HIGHEST)).any(axis=1).mean())


def colorfulness(colors: Colors) -> float:
    """Mean distance of (n, 3) colors from gray in levels."""
    return float(np.hypot(colors[:, 1] - 128, colors[:, 2] - 128).mean())


def cells_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over cells of CELL_PX; those cut at the right and lower edge are left out."""
    rows, columns = values.shape[0] // CELL_PX, values.shape[1] // CELL_PX
    cut = values[: rows * CELL_PX, : columns * CELL_PX]
    return np.asarray(cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def places(rows: int, columns: int) -> Places:
    """(rows, columns, 2): the places of a grid of cells."""
    across, down = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows))
    return np.stack([across, down], axis=-1)


def _bgr(colors: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((colors - _CENTER) @ _TO_BGR.T)


def _terms(colors: Colors, at: Places) -> NDArray[np.float64]:
    centered = colors.astype(np.float64) / 128 - 1
    luma, ground = centered[:, :1], _place_terms(at)
    return np.concatenate([centered, luma**2, np.ones((len(colors), 1)), ground, ground * luma], axis=1)


def _place_terms(at: Places) -> NDArray[np.float64]:
    across, down = at.T
    return np.stack([across, down, across**2, down**2, across * down], axis=1)
