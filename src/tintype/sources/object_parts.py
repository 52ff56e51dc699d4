"""Objects that come in any order and leave in that of their uris, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tintype.sources.boxes import MARK

MOST_PARTS = 64


class Parts:
    """Rows on disk, in parts by the place of their image among all images: each part is sorted alone.

    Rows have the columns `uri`, of the image with MARK and the box, and `image`, the row of the image. What lies in
    memory is a part, which is a 64th of the objects if no image has far more of them than others.
    """

    def __init__(self, folder: Path, uris: pa.Array, schema: pa.Schema) -> None:
        """`uris` are those of all images."""
        self._folder, self._schema = folder, schema
        self._count = min(MOST_PARTS, max(len(uris), 1))
        rank = np.empty(len(uris), np.int64)
        rank[pc.sort_indices(pc.binary_join_element_wise(uris, "", MARK)).to_numpy()] = np.arange(len(uris))
        self._part_of = rank * self._count // max(len(uris), 1)  # (images,)
        self._is_used = np.zeros(len(uris), np.bool_)
        self._stack = ExitStack()
        self._streams: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for part in self._streams:
            self._path(part).unlink()

    def add(self, objects: pa.Table) -> None:
        images = objects["image"].to_numpy()
        self._is_used[images] = True
        parts = self._part_of[images]
        order = np.argsort(parts, kind="stable")
        sorted_by_part = objects.take(pa.array(order)).combine_chunks()
        used, starts = np.unique(parts[order], return_index=True)
        for part, start, end in zip(used.tolist(), starts, np.append(starts, len(order))[1:], strict=True):
            self._stream(part).write_table(sorted_by_part.slice(start, end - start))

    def used_images(self) -> pa.Array:
        """Rows of the images that have objects."""
        return pa.array(np.flatnonzero(self._is_used))

    def sorted(self) -> Iterator[pa.Table]:
        """All rows in the order of their uris, for one reading; `image` is the place among `used_images`.

        Of boxes that are written alike in one image the second ends with `&n=2`, and so on, in the order they came in.
        """
        self._stack.close()
        place = np.cumsum(self._is_used) - 1
        for part in sorted(self._streams):
            with pa.OSFile(str(self._path(part))) as file, pa.ipc.open_stream(file) as stream:
                rows = stream.read_all().combine_chunks()
            at = self._schema.get_field_index("image")
            rows = rows.set_column(at, self._schema.field(at), pa.array(place[rows["image"].to_numpy()]))
            yield _numbered(rows)

    def _stream(self, part: int) -> pa.ipc.RecordBatchStreamWriter:
        if part not in self._streams:
            file = self._stack.enter_context(pa.OSFile(str(self._path(part)), "wb"))
            self._streams[part] = self._stack.enter_context(pa.ipc.new_stream(file, self._schema))
        return self._streams[part]

    def _path(self, part: int) -> Path:
        return self._folder / f"part {part}.arrow"


def _numbered(objects: pa.Table) -> pa.Table:
    """Sorted by uri, and repeated ones numbered."""
    codes = objects["uri"].combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], codes[order][1:] != codes[order][:-1]]))
    rank = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(codes))))
    number = np.empty(len(codes), np.int64)
    number[order] = rank + 1
    again = pc.binary_join_element_wise(objects["uri"], pa.array(number).cast(pa.string()), "&n=")
    uris = pc.if_else(pa.array(number > 1), again, objects["uri"])
    objects = objects.set_column(objects.schema.get_field_index("uri"), "uri", uris)
    return objects.take(pc.sort_indices(objects, sort_keys=[("uri", "ascending")]))
