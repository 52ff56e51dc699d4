"""How good an image is to look at: sharpness, exposure, contrast, noise, and one score of them all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ConfigError
from tintype.stages.base import SHARED_SIDE_PX, Batch, Pixels, Stage

COLUMNS = (
    Column(
        "quality",
        pa.float32(),
        None,
        "overall score, 0 to 1, 1 is best: the weighted geometric mean of sharpness, exposure, contrast, "
        "freedom from noise and information",
    ),
    Column(
        "sharpness",
        pa.float32(),
        None,
        "0 to 1, 1 is sharp; blur of any direction lowers it, light and contrast do not matter",
    ),
    Column(
        "laplacian_variance",
        pa.float32(),
        "levels²",
        "variance of the Laplacian of the luma at 320 px; grows with sharpness, contrast and noise",
    ),
    Column("brightness", pa.float32(), None, "mean luma, 0 black to 1 white"),
    Column(
        "contrast",
        pa.float32(),
        None,
        "standard deviation of the luma, 0 to 1: 0 is an even area, 1 half black and half white",
    ),
    Column("dynamic_range", pa.float32(), None, "luma_p99 - luma_p01, 0 to 1"),
    Column("clipping", pa.float32(), None, "share of pixels that are fully black or fully white, 0 to 1; 0 is best"),
    Column("entropy", pa.float32(), "bits", "information in the histogram of the luma, 0 to 8; 0 is an even area"),
    Column("noise", pa.float32(), None, "0 to 1, 0 is clean, 1 very grainy"),
    Column(
        "noise_sigma",
        pa.float32(),
        "levels",
        "standard deviation of the noise at 320 px, measured where the image is smoothest",
    ),
    Column("luma_p01", pa.uint8(), "levels", "luma that 1 % of the pixels do not exceed"),
    Column(
        "luma_p05",
        pa.uint8(),
        "levels",
        "luma that 5 % of the pixels do not exceed; high in an overexposed image",
    ),
    Column("luma_p50", pa.uint8(), "levels", "median luma"),
    Column("luma_p95", pa.uint8(), "levels", "luma that 95 % of the pixels do not exceed"),
    Column("luma_p99", pa.uint8(), "levels", "luma that 99 % of the pixels do not exceed; low in a dark image"),
)

_PERCENTILES = (1, 5, 50, 95, 99)
_LEVELS = np.arange(256, dtype=np.int64)
_SECOND_DIFFERENCE = np.array([1, -2, 1], np.float32)
_BLOCK_PX = 8  # noise is measured in blocks of this side
_SMOOTHEST = 0.1  # share of the blocks that are taken for free of texture
_SIGMA_PER_MEAN = (
    1.24 * math.sqrt(math.pi / 2) / 6
)  # 1.24: how far the smoothest tenth lies below the mean of pure noise
_FULL_SHARPNESS = 2.0  # variance of second over first differences; half of sharp photos have 1.85 or more


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What counts how much in `quality`. Weights are relative to each other (decisions/0009-quality-measures.md)."""

    sharpness_weight: float = 4.0
    exposure_weight: float = 2.0
    contrast_weight: float = 1.5
    noise_weight: float = 2.0
    information_weight: float = 1.0

    def __post_init__(self) -> None:
        weights = (self.sharpness_weight, self.exposure_weight, self.contrast_weight, self.noise_weight)
        if min(*weights, self.information_weight) < 0 or sum(weights) + self.information_weight == 0:
            raise ConfigError("quality: weights must be 0 or more, and one of them more than 0")


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """Measure each image of the batch. Reads batch.detail_luma(320): (h, w) uint8.

    The scale is nearly the same for all images, a longer side of 320 to 416 px, so that figures can be compared; a
    smaller image is measured as it is.
    """
    lumas = batch.detail_luma(SHARED_SIDE_PX)
    histograms = np.array([_histogram(luma) for luma in lumas], np.int64).reshape(-1, 256)
    textures = np.array([_texture(luma) for luma in lumas], np.float64).reshape(-1, 3)
    measures = _tones(histograms) | dict(
        zip(("laplacian_variance", "sharpness", "noise_sigma"), textures.T, strict=True)
    )
    measures["noise"] = measures["noise_sigma"] / (measures["noise_sigma"] + 10)
    measures["quality"] = _overall(measures, settings)
    return {column.name: _arrow(measures[column.name], column.type) for column in COLUMNS}


def _arrow(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values.astype(kind.to_pandas_dtype()))


def _histogram(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    counts: NDArray[np.float32] = cv2.calcHist([luma], [0], None, [256], [0, 256]).ravel()
    return counts


def _tones(histograms: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """What the histograms alone tell: (n, 256) counts → a column each, (n,)."""
    pixels = histograms.sum(axis=1)
    mean = histograms @ _LEVELS / pixels
    variance = np.maximum(histograms @ _LEVELS**2 / pixels - mean**2, 0)
    cumulated = histograms.cumsum(axis=1)
    # The lowest level that at least so many percent of the pixels do not exceed, in whole numbers.
    levels = {q: (100 * cumulated < q * pixels[:, None]).sum(axis=1) for q in _PERCENTILES}
    share = histograms / pixels[:, None]
    information = share * np.log2(np.where(histograms > 0, share, 1))
    return {
        "brightness": mean / 255,
        "contrast": np.sqrt(variance) / 127.5,
        "dynamic_range": (levels[99] - levels[1]) / 255,
        "clipping": (histograms[:, 0] + histograms[:, 255]) / pixels,
        "entropy": np.abs(information.sum(axis=1)),
    } | {f"luma_p{q:02}": level for q, level in levels.items()}


def _texture(luma: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Laplacian variance, sharpness and sigma of the noise of one image, (h, w) uint8."""
    sigma = _noise_sigma(luma)
    return _laplacian_variance(luma), _sharpness(luma, sigma), sigma


def _laplacian_variance(luma: NDArray[np.uint8]) -> float:
    laplacian: NDArray[np.int16] = cv2.Laplacian(luma, cv2.CV_16S)
    mean = float(cv2.sumElems(laplacian)[0]) / laplacian.size
    return max(0.0, float(cv2.norm(laplacian, cv2.NORM_L2SQR)) / laplacian.size - mean**2)


def _noise_sigma(luma: NDArray[np.uint8]) -> float:
    """Standard deviation of the noise in 8-bit levels; 0 where no part of the image can tell.

    Immerkær, "Fast Noise Variance Estimation" (1996), takes the mean of a filter that is blind to planes over the
    whole image and takes texture for noise. Here it is the mean in blocks, and of these the smoothest tenth counts.
    Blocks near black or white are left out: clipping has removed their noise.
    """
    height, width = (side // _BLOCK_PX for side in luma.shape)
    if not height or not width:
        return 0.0
    response = cv2.sepFilter2D(luma, cv2.CV_16S, _SECOND_DIFFERENCE, _SECOND_DIFFERENCE)
    noise, light = (
        cv2.resize(view[: height * _BLOCK_PX, : width * _BLOCK_PX], (width, height), interpolation=cv2.INTER_AREA)
        for view in (cv2.convertScaleAbs(response), luma)
    )
    readable = np.sort(noise[(light > 5) & (light < 250)])
    if readable.size == 0:
        return 0.0
    return float(readable[int(_SMOOTHEST * readable.size)]) * _SIGMA_PER_MEAN


def _sharpness(luma: NDArray[np.uint8], sigma: float) -> float:
    """0 to 1: the variance of second differences over that of first ones, in the least sharp of four directions.

    The ratio of the Laplacian's variance to the gradient's along one direction: 3 for white noise, about 1.85 for a
    sharp photo, 0.3 for one that was blurred by 2 px; light and contrast cancel out. A direction in which nothing
    changes (stripes) does not count. The part of noise is taken off: 2σ² of the first and 6σ² of the second, but
    never all.
    """
    directions = [_differences(luma, down, across) for down, across in ((0, 1), (1, 0), (1, 1), (1, -1))]
    noise = sigma**2
    strongest = max(first for first, _ in directions)
    ratios = [
        max(second - 6 * noise, second / 10) / (max(first - 2 * noise, first / 10) + 0.5)  # 0.5: whole levels
        for first, second in directions
        if first > 0.002 * strongest
    ]
    return min(1.0, min(ratios, default=0.0) / _FULL_SHARPNESS)


def _differences(luma: NDArray[np.uint8], down: int, across: int) -> tuple[float, float]:
    """Mean squares of the first and of the second differences along a direction, in levels².

    |x₂ - 2x₁ + x₀|² is on average 4·|x₁ - x₀|² - |x₂ - x₀|², so two norms of shifted images do.
    """
    near = _mean_square(luma, down, across)
    return near, max(0.0, 4 * near - _mean_square(luma, 2 * down, 2 * across))  # borders weigh in a tiny image


def _mean_square(luma: NDArray[np.uint8], down: int, across: int) -> float:
    height, width = luma.shape
    later = luma[down:, max(across, 0) : width + min(across, 0)]
    earlier = luma[: height - down, max(-across, 0) : width - max(across, 0)]
    return float(cv2.norm(later, earlier, cv2.NORM_L2SQR) / later.size) if later.size else 0.0


def _overall(measures: Mapping[str, NDArray[Any]], settings: Settings) -> NDArray[np.float64]:
    """Weighted geometric mean of five scores in 0 to 1: one that is 0 makes the whole 0."""
    too_dark = np.minimum(measures["luma_p95"] / 128, 1)
    too_bright = np.minimum((255 - measures["luma_p05"]) / 128, 1)
    scores = (
        (settings.sharpness_weight, measures["sharpness"]),
        (settings.exposure_weight, np.minimum(too_dark, too_bright) * (1 - measures["clipping"] / 2)),
        (settings.contrast_weight, np.minimum(measures["dynamic_range"] / 0.6, 1)),
        (settings.noise_weight, 1 - measures["noise"]),
        (settings.information_weight, np.minimum(measures["entropy"] / 7, 1)),
    )
    product = np.prod([score**weight for weight, score in scores], axis=0)
    overall: NDArray[np.float64] = product ** (1 / sum(weight for weight, _ in scores))
    return overall


STAGE = Stage("quality", 1, COLUMNS, Pixels(SHARED_SIDE_PX), Settings, compute)
