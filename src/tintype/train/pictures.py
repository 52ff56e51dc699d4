"""The pictures that a descriptor learns from: photos that may be used for it, and others made by program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tintype.codec.image import Image
from tintype.core.errors import SourceError
from tintype.stages.base import SHARED_SIDE_PX, Batch
from tintype.train.edits import Picture

PHOTOS = "clothing-168/train.parquet"


def photos(data: Path) -> list[Picture]:
    """The training photos below `data`, in the order of their table, at most 320 px on the longer side.

    Its validation part is left to those who choose between recipes. Raises SourceError where there are none.
    """
    table = data / PHOTOS
    if not table.is_file():
        raise SourceError(f"No training photos at {table}. Name the folder that holds them: --data DIR.")
    files = (row["bytes"] for row in pq.read_table(table, columns=["image"])["image"].to_pylist())
    decoded = (np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)) for file in files)
    return [at_view_size(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8)) for pixels in decoded]


def made(count: int, seed: int) -> list[Picture]:
    """Pictures of overlapping textured shapes, 160 to 320 px: what no photo of clothes has in it.

    The "dead leaves" model (Lee, Mumford and Huang, Occlusion models for natural images, 2001), whose edges and sizes
    are distributed as in photos; each leaf is filled by noise with the spectrum of a natural texture.
    """
    return [_leaves(np.random.default_rng((seed, number))) for number in range(count)]


def at_view_size(picture: Picture) -> Picture:
    """The picture as stages see it: at most 320 px on the longer side."""
    return batch_of([picture]).fitted(SHARED_SIDE_PX)[0]


def squares(pictures: Sequence[Picture], side_px: int) -> NDArray[np.uint8]:
    """(n, side, side, 3) uint8: each picture as the stage hands it to the network."""
    return batch_of([at_view_size(picture) for picture in pictures]).rgb(side_px)


def batch_of(pictures: Sequence[Picture]) -> Batch:
    images = [Image(pixels, "jpeg", pixels.shape[1], pixels.shape[0], 1, "rgb", 1) for pixels in pictures]
    return Batch([b""] * len(images), images)


def _leaves(random: np.random.Generator) -> Picture:
    width, height = (int(side) for side in random.integers(160, 321, 2))
    canvas = _texture(random, width, height)
    smallest, largest = 10.0, 0.5 * max(width, height)
    for _ in range(int(random.integers(6, 90))):
        # Areas by an inverse cube law of the radius, so that every scale has the same share of edges.
        uniform = random.random()
        radius = 1 / np.sqrt(smallest**-2 + uniform * (largest**-2 - smallest**-2))
        mask = np.zeros((height, width), np.uint8)
        center = random.uniform((0, 0), (width, height))
        if random.random() < 0.4:
            axes = (int(radius) + 1, int(radius * random.uniform(0.3, 1)) + 1)
            cv2.ellipse(mask, (int(center[0]), int(center[1])), axes, random.uniform(0, 180), 0, 360, 255, -1)
        else:
            angles = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(3, 9))))
            reach = radius * random.uniform(0.4, 1, len(angles))
            points = center + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
            cv2.fillPoly(mask, [points.astype(np.int32)], 255)
        left, top, wide, high = cv2.boundingRect(mask)
        if wide and high:
            inside = mask[top : top + high, left : left + wide] > 0
            canvas[top : top + high, left : left + wide][inside] = _texture(random, wide, high)[inside]
    return canvas


def _texture(random: np.random.Generator, width: int, height: int) -> Picture:
    """Noise summed over octaves, with a random fall-off, about one color."""
    color = random.uniform(0, 255, 3)
    noise = np.zeros((height, width, 3), np.float32)
    contrast, fall = random.uniform(0, 60), random.uniform(0.4, 1.1)
    cells = int(random.integers(1, 6))
    strength = 1.0
    while cells < max(width, height):
        stretch = random.uniform(0.4, 2.5) if cells > 1 else 1.0
        shape = (max(1, min(height, int(cells * stretch))), max(1, min(width, int(cells / stretch))))
        channels = int(random.choice((1, 3)))
        grid = random.standard_normal((*shape, channels), np.float32)
        wide = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        noise += strength * wide.reshape(height, width, channels)
        strength *= fall
        cells *= 2
    return (color + contrast * noise).clip(0, 255).astype(np.uint8)
