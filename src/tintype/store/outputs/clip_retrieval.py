"""Vectors in the folders that clip-retrieval writes, and that its back end, embedding-reader and autofaiss read."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tintype.store.outputs.base import Format, Part
from tintype.store.outputs.npz import vectors_of, with_failed
from tintype.store.outputs.parquet import parquet_bytes, read_parquet

_FAILED = ["id", "status", "reason"]


class ClipRetrieval:
    """`img_emb/img_emb_0.npy` beside `metadata/metadata_0.parquet`, row for row, and `failed/failed_0.parquet`.

    Metadata have the column `image_path` (the image's uri) where clip-retrieval has it, `digest`, and labels by their
    own names, `caption` among them. Readers take all files of a folder in the order of their names and expect a
    metadata row for each vector, so images without one stand apart.
    """

    def names(self, part: Part) -> tuple[str, ...]:
        number = part.padded(1)
        return (
            f"img_emb/img_emb_{number}.npy",
            f"metadata/metadata_{number}.parquet",
            f"failed/failed_{number}.parquet",
        )

    def encode(self, rows: pa.Table, part: Part) -> tuple[bytes, ...]:
        good = rows.filter(rows["embedding"].is_valid())
        sink = io.BytesIO()
        np.save(sink, vectors_of(good), allow_pickle=False)
        failed = rows.filter(rows["embedding"].is_null()).select([*_FAILED, "digest"])
        return sink.getvalue(), parquet_bytes(_metadata(good)), parquet_bytes(failed)

    def decode(self, contents: Sequence[bytes]) -> pa.Table:
        vectors, metadata, failed = contents
        ids = read_parquet(metadata, ["image_path"])["image_path"].to_pylist()
        lost = read_parquet(failed, _FAILED).to_pydict()
        try:
            array = np.load(io.BytesIO(vectors), allow_pickle=False)
        except (OSError, EOFError) as error:
            raise ValueError(f"it cannot be read as an array: {error}") from error
        return with_failed(ids, array, *(np.array(lost[name], object) for name in _FAILED))


def _metadata(good: pa.Table) -> pa.Table:
    """Labels under their own names, as far as these are free."""
    names, taken = ["image_path", "digest"], {"image_path", "digest"}
    labels = [field for field in good.schema if field.name not in ("id", "embedding", "status", "reason", "digest")]
    for field in labels:
        own = (field.metadata or {}).get(b"label", b"").decode()
        names.append(own if own and own not in taken else field.name)
        taken.add(names[-1])
    return good.select(["id", "digest", *(field.name for field in labels)]).rename_columns(names)


_format: type[Format] = ClipRetrieval
