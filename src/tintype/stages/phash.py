"""Perceptual hashes: numbers that stay nearly the same when an image is compressed, shrunk or toned anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ConfigError
from tintype.core.hashes import packed
from tintype.stages.base import SHARED_SIDE_PX, Batch, Pixels, Stage

COLUMNS = (
    Column(
        "phash",
        pa.uint64(),
        None,
        "perceptual hash of the coarse structure, comparable with any flip or quarter turn; null where there "
        "is too little structure",
    ),
    Column(
        "phash_sure_bits",
        pa.uint8(),
        None,
        "how many of the 64 bits of `phash` stand above noise; 0 for an even area, about 60 for most photos",
    ),
    Column(
        "dhash",
        pa.uint64(),
        None,
        "difference hash: where brightness rises from left to right; null unless asked for",
    ),
    Column(
        "ahash",
        pa.uint64(),
        None,
        "average hash: which of 8x8 cells are brighter than their mean; null unless asked for",
    ),
    Column(
        "whash",
        pa.uint64(),
        None,
        "Haar wavelet hash: which of 8x8 cells are brighter than their median; null unless asked for",
    ),
)

HASHES = ("phash", "dhash", "ahash", "whash")

_SIDE_PX = 64  # of the square that all hashes read
_SCALE = 1 << 12  # cosines become whole numbers, so sums are exact in float64 and in any order
_LEVEL = (_SIDE_PX // 2) ** 2 * _SCALE**2  # the coefficient of a wave with an amplitude of one 8-bit level


def _waves() -> NDArray[np.float64]:
    """The first eight cosines of the DCT-II but the constant one: (8, 64), whole numbers, exactly (anti)symmetric."""
    half_waves, places = np.arange(1, 9), np.arange(_SIDE_PX) + 0.5
    waves: NDArray[np.float64] = np.rint(_SCALE * np.cos(np.pi / _SIDE_PX * np.outer(half_waves, places)))
    return waves


_WAVES = _waves()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Which hashes are computed, and when an image is too even to have one (decisions/0010-perceptual-hash.md)."""

    hashes: tuple[str, ...] = ("phash",)  # of HASHES
    noise_levels: float = 0.25  # a bit is sure where its wave has at least this amplitude, in 8-bit levels
    min_sure_bits: int = 24  # with fewer, `phash` is null: even areas would all look alike

    def __post_init__(self) -> None:
        unknown = sorted(set(self.hashes) - set(HASHES))
        if unknown:
            raise ConfigError(f"phash.hashes: no hash is named {unknown[0]!r}; there are {', '.join(HASHES)}")


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """Hash each image of the batch. Reads batch.luma(64).

    The first bit, the most significant, belongs to the top left; the others follow row by row.

    `phash` after Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): bit 8·i + j
    belongs to the wave with i + 1 half periods down and j + 1 across. It is set where the coefficient is above zero
    rather than above the median, which makes the hashes of all turns a rearrangement of this one:
    `tintype.core.hashes.phash_turns`. `ahash` and `dhash` after Krawetz, "Looks Like It" (2011) and "Kind of Like
    That" (2013). `whash` is the approximation of 8x8 cells of the Haar wavelet, without its mean.
    """
    luma = batch.luma(_SIDE_PX).astype(np.float64)  # (n, 64, 64)
    coefficients = _WAVES @ luma @ _WAVES.T  # (n, 8, 8)
    sure_bits = np.count_nonzero(np.abs(coefficients) >= settings.noise_levels * _LEVEL, axis=(1, 2))
    columns = {name: _nulls(len(batch)) for name in HASHES}
    columns["phash_sure_bits"] = pa.array(sure_bits.astype(np.uint8))
    for name in settings.hashes:
        bits = coefficients > 0 if name == "phash" else _OTHERS[name](luma)
        missing = sure_bits < settings.min_sure_bits if name == "phash" else None
        columns[name] = pa.array(packed(bits.reshape(-1, 64)), mask=missing)
    return columns


def _nulls(count: int) -> pa.Array:
    return pa.nulls(count, pa.uint64())


def _cells(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of 8x8 cells: (n, 64, 64) → (n, 8, 8), whole numbers."""
    sums: NDArray[np.float64] = luma.reshape(-1, 8, 8, 8, 8).sum(axis=(2, 4))
    return sums


def _above_mean(luma: NDArray[np.float64]) -> NDArray[np.bool_]:
    cells = _cells(luma)
    brighter: NDArray[np.bool_] = cells > cells.mean(axis=(1, 2), keepdims=True)
    return brighter


def _above_median(luma: NDArray[np.float64]) -> NDArray[np.bool_]:
    cells = _cells(luma)
    brighter: NDArray[np.bool_] = cells > np.median(cells, axis=(1, 2), keepdims=True)
    return brighter


def _rises(luma: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, 8, 8): whether each of nine cells of a row of eight is brighter than the one to its left."""
    across = luma.reshape(-1, 8, 8, _SIDE_PX).sum(axis=2) @ _NINTHS  # (n, 8, 9), whole numbers
    rises: NDArray[np.bool_] = np.diff(across, axis=2) > 0
    return rises


def _ninths() -> NDArray[np.float64]:
    """How much of each of 64 pixels lies in each of nine equal cells, times nine: (64, 9), whole numbers."""
    pixels = np.arange(_SIDE_PX)[:, None] * 9
    cells = np.arange(9)[None, :] * _SIDE_PX
    overlap = np.minimum(pixels + 9, cells + _SIDE_PX) - np.maximum(pixels, cells)
    shares: NDArray[np.float64] = np.maximum(overlap, 0).astype(np.float64)
    return shares


_NINTHS = _ninths()

_OTHERS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.bool_]]] = {
    "dhash": _rises,
    "ahash": _above_mean,
    "whash": _above_median,
}

STAGE = Stage("phash", 1, COLUMNS, Pixels(SHARED_SIDE_PX), Settings, compute)
