"""Vectors as NumPy archives: a file a shard, with plain arrays that need no pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.store.outputs.base import Format, Part, rows_schema

_FIXED = ("id", "embedding", "status", "reason", "digest")
_FAILED = ("failed_ids", "failed_status", "failed_reasons")


class Npz:
    """`00000.npz` and so on. Row i of `embeddings` is the vector of `ids[i]`; `digests` and `labels` go along.

    Images without a vector stand in `failed_ids`, `failed_status` and `failed_reasons`. `labels` is UTF-8 text as
    uint8: a JSON object a line, an image each; where no source has any, it is missing.
    """

    def names(self, part: Part) -> tuple[str, ...]:
        return (f"{part.padded(5)}.npz",)

    def encode(self, rows: pa.Table, part: Part) -> tuple[bytes, ...]:
        good = rows.filter(rows["embedding"].is_valid())
        failed = rows.filter(rows["embedding"].is_null())
        arrays: dict[str, NDArray[Any]] = {
            "ids": _texts(good["id"]),
            "embeddings": vectors_of(good),
            "digests": np.frombuffer(b"".join(good["digest"].to_pylist()), np.uint8).reshape(-1, 16),
            "failed_ids": _texts(failed["id"]),
            "failed_status": _texts(failed["status"]),
            "failed_reasons": _texts(failed["reason"]),
        }
        if labels := [name for name in rows.column_names if name not in _FIXED]:
            lines = (json.dumps(row, ensure_ascii=False) for row in good.select(labels).to_pylist())
            arrays["labels"] = np.frombuffer("".join(f"{line}\n" for line in lines).encode(), np.uint8)
        sink = io.BytesIO()
        np.savez(sink, allow_pickle=False, **arrays)
        return (sink.getvalue(),)

    def decode(self, contents: Sequence[bytes]) -> pa.Table:
        try:
            with np.load(io.BytesIO(contents[0]), allow_pickle=False) as file:
                ids, vectors, *failed = (file[name] for name in ("ids", "embeddings", *_FAILED))
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"it cannot be read as an archive of arrays: {error}") from error
        return with_failed(ids.tolist(), vectors, *failed)


def vectors_of(rows: pa.Table) -> NDArray[np.float16]:
    """The (n, d) vectors of rows that all have one."""
    dimension = rows.schema.field("embedding").type.list_size
    column = rows["embedding"].combine_chunks()
    flat: NDArray[np.float16] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, dimension)


def with_failed(
    ids: list[str],
    vectors: NDArray[np.float16],
    failed_ids: NDArray[Any],
    failed_status: NDArray[Any],
    failed_reason: NDArray[Any],
) -> pa.Table:
    """The rows that `Format.decode` gives, of those with a vector and then the others. Raises ValueError."""
    if vectors.ndim != 2 or vectors.dtype != np.float16 or len(vectors) != len(ids):
        raise ValueError(f"{len(ids)} ids have vectors of {vectors.dtype} and shape {vectors.shape}")
    schema = rows_schema(vectors.shape[1])
    schema = pa.schema([schema.field(name) for name in ("id", "embedding", "status", "reason")])
    count, lost = len(ids), len(failed_ids)
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    good = [
        pa.array(ids, pa.string()),
        pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        pa.array(["ok"] * count),
        pa.nulls(count, pa.string()),
    ]
    others = [
        pa.array(failed_ids.tolist(), pa.string()),
        pa.nulls(lost, schema.field("embedding").type),
        pa.array(failed_status.tolist(), pa.string()),
        pa.array(failed_reason.tolist(), pa.string()),
    ]
    return pa.concat_tables([pa.table(good, schema=schema), pa.table(others, schema=schema)])


def _texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    return np.array([text or "" for text in column.to_pylist()], np.str_)


_format: type[Format] = Npz
