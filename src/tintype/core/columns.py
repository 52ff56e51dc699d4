"""What a column is, and those that every row has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

_NAME = re.compile(r"_?[a-z][a-z0-9_]*")

STATUSES = ("ok", "damaged", "rejected", "unsupported", "unreadable", "timeout", "crashed")
"""What can be said of a file that its name or first bytes call an image; see the words of `status`."""


@dataclass(frozen=True)
class Column:
    """One column of the images table: its name, Arrow type, unit and meaning in words."""

    name: str
    type: pa.DataType
    unit: str | None
    words: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"column name {self.name!r} does not match [a-z][a-z0-9_]*")

    @property
    def field(self) -> pa.Field:
        """The Arrow field; every column may be null."""
        return pa.field(self.name, self.type)


DIGEST = pa.binary(16)
TIMESTAMP = pa.timestamp("us")

ROW_COLUMNS = (
    Column(
        "uri",
        pa.string(),
        None,
        "path below the source's root, `shard.tar#member` or `table.parquet#row`",
    ),
    Column("digest", DIGEST, None, "BLAKE3-128 of the file's bytes; null where the bytes could not be read"),
    Column(
        "status",
        pa.string(),
        None,
        "ok, damaged, rejected (over a limit), unsupported, unreadable, timeout or crashed",
    ),
    Column("reason", pa.string(), None, "why the status is not ok, in one line; null for ok"),
    Column("size_bytes", pa.int64(), "bytes", "size of the file"),
    Column("modified_at", pa.timestamp("us", "UTC"), None, "when the file was last modified, as the file system says"),
    Column(
        "format",
        pa.string(),
        None,
        "what the bytes are, in lower case: jpeg, png, webp, gif, tiff, bmp, avif, heic, jp2, …",
    ),
    Column("width", pa.int32(), "px", "width of the upright image at full size"),
    Column("height", pa.int32(), "px", "height of the upright image at full size"),
    Column("frames", pa.int32(), None, "number of frames or pages; 1 for a still image; null where not known"),
    Column(
        "color_mode",
        pa.string(),
        None,
        "how pixels are stored: gray, rgb, rgba, palette, …; with the bits of a sample where not 8",
    ),
    Column("_mtime_ns", pa.int64(), "ns", "modification time of the file or of the container it lies in"),
    Column("_inode", pa.uint64(), None, "inode of the file or of the container it lies in"),
    Column("_device", pa.uint64(), None, "device of that inode; with it tells hard links"),
    Column("_offset", pa.int64(), "bytes", "where the image begins in its container; null for a plain file"),
    Column("_shard", pa.string(), None, "run, shard and fence that the row was committed with"),
)
"""Columns that every row has, whatever stages ran."""


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Arrow schema of the columns, in order."""
    return pa.schema([column.field for column in columns])
