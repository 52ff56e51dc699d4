"""Small collections for the tests of finders."""

from typing import Any

import numpy as np
import pyarrow as pa

from tintype.core.columns import DIGEST, ROW_COLUMNS
from tintype.finders.base import Inputs
from tintype.stages import exif, phash, quality
from tintype.testing.finders import TableColumns

TYPES = {
    column.name: column.type
    for columns in (ROW_COLUMNS, exif.COLUMNS, quality.COLUMNS, phash.COLUMNS)
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
