"""Color of an image as a whole: how colorful it is, its mean color, whether it is gray, and its five main colors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.stages.base import SHARED_SIDE_PX, Batch, Pixels, Stage
from tintype.stages.palette import COLORS, palettes

COLUMNS = (
    Column("colorfulness", pa.float32(), None, "how colorful; 0 is gray, about 100 very vivid"),
    Column("mean_rgb", pa.list_(pa.uint8(), 3), "sRGB", "mean color, not in linear light"),
    Column("is_gray", pa.bool_(), None, "true where the image has no color but noise, however it is stored"),
    Column(
        "palette",
        pa.list_(pa.uint8(), 3 * COLORS),
        "sRGB",
        "five main colors as red, green, blue, the most frequent first",
    ),
    Column(
        "palette_shares",
        pa.list_(pa.float32(), COLORS),
        None,
        "share of the pixels that each color of `palette` stands for; 0 where an image has fewer colors",
    ),
)

_SIDE_PX = 64


@dataclass(frozen=True, kw_only=True)
class Settings:
    """When an image counts as gray: both must hold (decisions/0009-quality-measures.md)."""

    gray_below: float = 4.0  # in units of colorfulness; noise of 15 levels in a gray photo gives up to 5
    colored_share_below: float = 0.002  # of the pixels; a small red lamp makes a photo a color photo
    colored_above: int = 16  # difference of the largest and the smallest of red, green and blue, in 8-bit levels


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """Measure each image of the batch. Reads batch.rgb(64): (n, 64, 64, 3) uint8 sRGB.

    Colorfulness is the measure M of Hasler and Süsstrunk, "Measuring colourfulness in natural images" (2003).
    """
    rgb = batch.rgb(_SIDE_PX)
    mean, covariance = _moments(rgb)
    colorfulness = _colorfulness(mean, covariance)
    few_colored = _colored_share(rgb, settings.colored_above) < settings.colored_share_below
    colors, shares = palettes(rgb)
    return {
        "colorfulness": pa.array(colorfulness.astype(np.float32)),
        "mean_rgb": _lists(np.floor(mean + 0.5).astype(np.uint8)),
        "is_gray": pa.array((colorfulness < settings.gray_below) & few_colored),
        "palette": _lists(colors.reshape(-1, 3 * COLORS)),
        "palette_shares": _lists(shares),
    }


def _lists(values: NDArray[np.generic]) -> pa.Array:
    """(n, k) as n lists of k."""
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _moments(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (n, 3) and covariance (n, 3, 3) of the colors of each image, from sums that are exact in any order."""
    pixels = np.empty((len(rgb), 4, _SIDE_PX, _SIDE_PX))  # a constant makes sums out of products
    pixels[:, :3], pixels[:, 3] = np.moveaxis(rgb, -1, 1), 1
    rows = pixels.reshape(len(rgb), 4, _SIDE_PX * _SIDE_PX)
    products = np.matmul(rows, rows.swapaxes(1, 2)) / rows.shape[2]  # (n, 4, 4)
    mean, products = products[:, 3, :3], products[:, :3, :3]
    return mean, products - mean[:, :, None] * mean[:, None, :]


def _colorfulness(mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) from the mean and spread along the axes red - green and (red + green) / 2 - blue."""
    axes = np.array([[1, -1, 0], [0.5, 0.5, -1]])
    offset = np.hypot(*(mean @ axes.T).T)
    variances = np.einsum("ai,nij,aj->n", axes, covariance, axes)  # summed over both axes
    colorfulness: NDArray[np.float64] = np.sqrt(np.maximum(variances, 0)) + 0.3 * offset
    return colorfulness


def _colored_share(rgb: NDArray[np.uint8], above: int) -> NDArray[np.float64]:
    """Share of the pixels of each image that are clearly not gray: (n,)."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    share: NDArray[np.float64] = np.count_nonzero(chroma > above, axis=(1, 2)) / _SIDE_PX**2
    return share


STAGE = Stage("colors", 1, COLUMNS, Pixels(SHARED_SIDE_PX), Settings, compute)
