"""A hash of all values of a table: Lance does not see a byte that changed on the disk."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3


def table_hash(rows: pa.Table) -> str:
    """32 hexadecimal digits that depend on the names and values alone, not on chunks or on what lies under nulls."""
    digest = blake3()
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        digest.update(f"{name} {column.type}\n".encode())
        _add(digest, column.combine_chunks())
    return digest.hexdigest(length=16)


def _add(digest: blake3, array: pa.Array) -> None:
    digest.update(len(array).to_bytes(8, "little"))
    digest.update(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes())
    kind = array.type
    if pa.types.is_null(kind):
        return
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        digest.update(_bytes(pc.fill_null(pc.list_value_length(array), 0)))
        _add(digest, array.flatten() if not pa.types.is_fixed_size_list(kind) else array.drop_null().flatten())
    elif pa.types.is_fixed_size_binary(kind) or _is_text(kind):
        values = array.drop_null().cast(pa.large_binary())
        digest.update(_bytes(pc.binary_length(values)))
        offsets = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
        if len(offsets) > 1 and values.buffers()[2] is not None:
            digest.update(memoryview(values.buffers()[2])[offsets[0] : offsets[-1]])
    else:
        digest.update(_bytes(array.drop_null()))


def _is_text(kind: pa.DataType) -> bool:
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in known)


def _bytes(values: pa.Array) -> bytes:
    numbers: bytes = np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).tobytes()
    return numbers
