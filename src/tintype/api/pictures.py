"""Images as pages show them: their facts, and their thumbnails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from blake3 import blake3

from tintype.core.expressions import Expression, In, Reference
from tintype.reports import content
from tintype.reports.summary import camera_name
from tintype.store.collection import Collection

_URI = Reference("uri", pa.string())
_FACTS = ("uri", "format", "size_bytes", "width", "height", "taken_at", "camera_make", "camera_model", "mean_rgb")


def pictures(collection: Collection, where: Expression | None = None) -> Iterator[content.Picture]:
    """The facts of images that stand beside them, in the order of their uris."""
    columns = [name for name in _FACTS if name in collection.schema.names]
    for batch in collection.batches(columns, where):
        for row in batch.to_pylist():
            yield content.Picture(
                uri=row["uri"],
                format=row["format"],
                size_bytes=row["size_bytes"],
                width=row["width"],
                height=row["height"],
                taken_at=row.get("taken_at"),
                camera=camera_name(row.get("camera_make"), row.get("camera_model")) or None,
                mean_rgb=tuple(row["mean_rgb"]) if row.get("mean_rgb") else None,
            )


def pictures_of(collection: Collection, uris: Sequence[str]) -> dict[str, content.Picture]:
    """The facts of some images, by uri."""
    return {picture.uri: picture for picture in pictures(collection, In(_URI, tuple(uris)))}


def thumbnails_of(collection: Collection, uris: Sequence[str]) -> dict[str, bytes]:
    """The stored thumbnails of some images, by uri, where they have one."""
    if "thumbnail" not in collection.schema.names or not uris:
        return {}
    batches = collection.store.batches(["uri", "thumbnail"], where=In(_URI, tuple(uris)))
    rows: Iterator[dict[str, Any]] = (row for batch in batches for row in batch.to_pylist())
    return {row["uri"]: row["thumbnail"] for row in rows if row["thumbnail"]}


def mark_of_data(collection: Collection) -> str:
    """Twelve hexadecimal digits that change with the images and their names, and with nothing else.

    The table's own version will not do: it depends on how many commits a scan took.
    """
    mark = blake3()
    for batch in collection.batches(["uri", "digest"]):
        for uri, digest in zip(batch["uri"].to_pylist(), batch["digest"].to_pylist(), strict=True):
            mark.update(f"{uri}\n".encode() + (digest or b""))
    return mark.hexdigest(6)
