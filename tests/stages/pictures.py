"""Pictures for the tests of stages, and a short way to run one."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from tintype.stages.base import Batch, Stage
from tintype.testing.stages import image_of

RGB = NDArray[np.uint8]


def batch(*pictures: RGB) -> Batch:
    """A batch of these (h, w, 3) pictures; the stages that use it read no bytes."""
    return Batch([b""] * len(pictures), [image_of(picture) for picture in pictures])


def run(stage: Stage, *pictures: RGB, **settings: Any) -> pa.Table:
    return pa.table(dict(stage.compute(batch(*pictures), stage.settings(**settings))))


def flat(level: int | Sequence[int], height: int = 240, width: int = 320) -> RGB:
    return np.full((height, width, 3), level, np.uint8)


def gray(luma: NDArray[Any]) -> RGB:
    return np.repeat(np.clip(np.rint(luma), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def checkerboard(cell: int, height: int = 240, width: int = 320) -> RGB:
    down, across = np.indices((height, width)) // cell
    return gray(255 * ((down + across) % 2))


def noise(sigma: float, mean: float = 128, height: int = 240, width: int = 320, seed: int = 0) -> RGB:
    return gray(np.random.default_rng(seed).normal(mean, sigma, (height, width)))


def blobs(seed: int, height: int, width: int) -> RGB:
    """Soft colored blobs on a ground: much structure, little of it fine."""
    random = np.random.default_rng(seed)
    down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[None, :, None]
    picture = np.full((height, width, 3), 128.0)
    for _ in range(12):
        size = random.uniform(0.05, 0.3)
        distance = ((down - random.random()) ** 2 + (across - random.random()) ** 2) / size**2
        picture += random.uniform(-120, 120, 3) * np.exp(-distance)
    return np.clip(picture, 0, 255).astype(np.uint8)


def photos(data: Path, count: int) -> list[RGB]:
    """The first photos of the test data, decoded at full size."""
    paths = sorted((data / "photos-imagenet").glob("*.JPEG"))[:count]
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def recompressed(picture: RGB, quality: int) -> RGB:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def scaled(picture: RGB, factor: float) -> RGB:
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


ODD_SHAPES = ((1, 1), (1, 2), (2, 1), (3, 3), (1, 20_000), (20_000, 1), (7, 9), (9, 320), (321, 2))
"""(height, width) of pictures that are tiny or very long."""


def turned(picture: RGB, turn: str) -> RGB:
    """The picture after one of `tintype.core.hashes.TURNS`."""
    return {
        "upright": picture,
        "mirrored": picture[:, ::-1],
        "turned_180": picture[::-1, ::-1],
        "flipped": picture[::-1],
        "transposed": picture.swapaxes(0, 1),
        "turned_90": np.rot90(picture, -1),
        "transversed": picture[::-1, ::-1].swapaxes(0, 1),
        "turned_270": np.rot90(picture, 1),
    }[turn]
