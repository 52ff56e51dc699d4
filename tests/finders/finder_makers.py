"""Small collections for the tests of finders."""

from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from tintype.core.columns import DIGEST, ROW_COLUMNS
from tintype.finders.base import Inputs
from tintype.stages import exif, phash, quality, thumbnail
from tintype.stages.base import Batch
from tintype.testing.finders import TableColumns
from tintype.testing.stages import image_of

TYPES = {
    column.name: column.type
    for columns in (ROW_COLUMNS, exif.COLUMNS, quality.COLUMNS, phash.COLUMNS, thumbnail.COLUMNS)
    for column in columns
} | {"is_gray": pa.bool_()}


def digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


def collection(*rows: dict[str, Any]) -> pa.Table:
    """A table of these rows with the types that a scan gives; ok, not empty, each with its own bytes unless said."""
    full = [
        {"uri": f"{at:05d}.jpg", "digest": digest(at), "status": "ok", "size_bytes": 1_000, "width": 100, "height": 100}
        | row
        for at, row in enumerate(rows)
    ]
    names = sorted({name for row in full for name in row} | {"uri", "digest", "status"})
    return pa.table({name: pa.array([row.get(name) for row in full], TYPES[name]) for name in names})


def inputs(table: pa.Table, batch_rows: int = 1_000) -> Inputs:
    return Inputs(TableColumns(table, batch_rows))


def copies(count: int) -> pa.Table:
    """So many files with the same bytes."""
    return pa.table(
        {
            "uri": [f"{at:06d}.jpg" for at in range(count)],
            "digest": pa.array([digest(1)] * count, DIGEST),
            "status": ["ok"] * count,
            "size_bytes": [10] * count,
            "width": [10] * count,
            "height": [10] * count,
            "phash": pa.array(np.full(count, 99), pa.uint64()),
        }
    )


def photos(count: int, side_px: int = 320, seed: int = 0) -> list[np.ndarray]:
    """So many different pictures with detail everywhere: (240, 320, 3) uint8 RGB, smooth noise of several scales."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        height = side_px * 3 // 4
        picture = np.zeros((height, side_px, 3), np.float32)
        for cells, weight in ((5, 60), (13, 50), (40, 40)):
            grid = random.normal(0, weight, (cells, cells * 4 // 3, 3)).astype(np.float32)
            picture += cv2.resize(grid, (side_px, height), interpolation=cv2.INTER_CUBIC)
        made.append(np.clip(picture + 128, 0, 255).astype(np.uint8))
    return made


def scanned(*images: np.ndarray, **columns: Any) -> pa.Table:
    """The rows that a scan leaves of these RGB pictures, with thumbnails, hashes and tones; bytes are all different."""
    batch = Batch([b""] * len(images), [image_of(np.ascontiguousarray(image)) for image in images])
    measured = {
        **phash.compute(batch, phash.Settings()),
        **thumbnail.compute(batch, thumbnail.Settings()),
        **quality.compute(batch, quality.Settings()),
    }
    names = ("phash", "thumbnail", "brightness", "luma_p05", "luma_p50", "luma_p95", "entropy", "sharpness")
    rows = [
        {name: measured[name][at].as_py() for name in names}
        | {"width": image.shape[1], "height": image.shape[0]}
        | {name: values[at] for name, values in columns.items()}
        for at, image in enumerate(images)
    ]
    return collection(*rows)


def described(table: pa.Table, vectors: np.ndarray, regions: np.ndarray | None = None) -> pa.Table:
    """The table with (n, d) vectors as `descriptor`, and with (n, R, d) regions."""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    column = pa.FixedSizeListArray.from_arrays(unit.astype(np.float16).ravel(), vectors.shape[1])
    table = table.append_column("descriptor", column)
    if regions is None:
        return table
    parts = np.round(regions / np.linalg.norm(regions, axis=-1, keepdims=True) * 127).astype(np.int8)
    each = pa.FixedSizeListArray.from_arrays(parts.ravel(), regions.shape[2])
    return table.append_column("descriptor_regions", pa.FixedSizeListArray.from_arrays(each, regions.shape[1]))


class Kept:
    """A memory that lasts as long as the test."""

    def __init__(self) -> None:
        self.tables: dict[str, pa.Table] = {}

    def load(self, name: str) -> pa.Table | None:
        return self.tables.get(name)

    def save(self, name: str, rows: pa.Table) -> None:
        self.tables[name] = rows
