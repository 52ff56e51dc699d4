"""A small JPEG of each image, and a blurred placeholder of some 25 bytes to show until it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import simplejpeg
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ConfigError
from tintype.stages.base import SHARED_SIDE_PX, Batch, Pixels, Stage
from tintype.stages.placeholder import placeholders

COLUMNS = (
    Column(
        "thumbnail",
        pa.binary(),
        None,
        "JPEG, upright and in sRGB, of 320 px on the longer side; of the full size where that is smaller",
    ),
    Column(
        "placeholder",
        pa.binary(),
        None,
        "ThumbHash of some 25 bytes: a blurred version with its shape, to show while the image loads",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How well the thumbnails are kept (decisions/0011-thumbnails.md)."""

    jpeg_quality: int = 75  # 1 to 100

    def __post_init__(self) -> None:
        if not 1 <= self.jpeg_quality <= 100:
            raise ConfigError(f"thumbnail.jpeg_quality must be 1 to 100, not {self.jpeg_quality}")


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """Encode each image of the batch. Reads batch.fitted(320) and batch.rgb(64)."""
    thumbnails = [_jpeg(view, settings.jpeg_quality) for view in batch.fitted(SHARED_SIDE_PX)]
    sizes = np.array([(image.width, image.height) for image in batch.images], np.int64).reshape(-1, 2)
    return {
        "thumbnail": pa.array(thumbnails, pa.binary()),
        "placeholder": pa.array(placeholders(batch.rgb(64), sizes), pa.binary()),
    }


def _jpeg(rgb: NDArray[np.uint8], quality: int) -> bytes:
    encoded: bytes = simplejpeg.encode_jpeg(
        rgb, quality=quality, colorspace="RGB", colorsubsampling="420", fastdct=True
    )
    return encoded


STAGE = Stage("thumbnail", 1, COLUMNS, Pixels(SHARED_SIDE_PX), Settings, compute)
