"""Makes small pictures and folders of them, the same on every run."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def scene(seed: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 sRGB: soft shapes with some texture, different for each seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    grain = random.integers(-12, 13, (height, width, 1), dtype=np.int16)
    return (smooth + grain).clip(0, 255).astype(np.uint8)


def encoded(pixels: NDArray[np.uint8], format_name: str = "JPEG", quality: int = 90) -> bytes:
    """The picture as the bytes of a file."""
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format_name, quality=quality)
    return sink.getvalue()


def fill_folder(root: Path, count: int, first_seed: int = 0, folders: int = 3) -> list[Path]:
    """Write `count` JPEGs below `root`, spread over some subfolders; returns their paths, sorted."""
    paths = []
    for number in range(count):
        folder = root / f"folder {number % folders}" if number % (folders + 1) else root
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"picture {number:04d}.jpg"
        path.write_bytes(encoded(scene(first_seed + number)))
        paths.append(path)
    return sorted(paths)
