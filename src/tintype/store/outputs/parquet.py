"""Vectors as Parquet: a file a shard, with all columns."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tintype.store.outputs.base import Format, Part

_VECTORS = "embedding.list.element"
_READ = ["id", "embedding", "status", "reason"]


class Parquet:
    """`00000.parquet` and so on."""

    def names(self, part: Part) -> tuple[str, ...]:
        return (f"{part.padded(5)}.parquet",)

    def encode(self, rows: pa.Table, part: Part) -> tuple[bytes, ...]:
        return (parquet_bytes(rows),)

    def decode(self, contents: Sequence[bytes]) -> pa.Table:
        return read_parquet(contents[0], _READ)


def parquet_bytes(rows: pa.Table) -> bytes:
    """One Parquet file of one row group. Vectors are not compressed: they are noise to a compressor."""
    sink = pa.BufferOutputStream()
    plain = [name for name in rows.schema.names if name != "embedding"]
    compression = dict.fromkeys(plain, "zstd") | {_VECTORS: "none"}
    pq.write_table(
        rows,
        sink,
        row_group_size=max(1, rows.num_rows),
        compression=compression,
        use_dictionary=[name for name in plain if name not in ("id", "digest")],
        write_statistics=plain,
    )
    return bytes(sink.getvalue())


def read_parquet(content: bytes, columns: list[str]) -> pa.Table:
    """Some columns of a Parquet file. Raises ValueError."""
    try:
        return pq.read_table(pa.BufferReader(content), columns=columns).select(columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ValueError(f"it cannot be read as Parquet: {error}") from error


_format: type[Format] = Parquet
