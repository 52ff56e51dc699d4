"""Boxes that a stage found and that lie in a column of a collection, read like annotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from tintype.sources.annotations.base import Annotations, BoxFormat, Rows
from tintype.sources.base import Notes

SIDES = ("x", "y", "width", "height")
FIELDS = ("label", "confidence", *SIDES)
"""What a box of such a column has; sides are shares of the upright image."""

RLE = "rle"
"""Where a box has it as well, the mask of what is in it, of the whole image, becomes a label too."""

_DECIMALS = 6  # of a confidence: float32 has no more


class StoredBoxes(Annotations):
    """The column `name` of the collection at `place`.

    `batches` are its rows, (uri, boxes) each, where boxes are a list of structs with FIELDS, or null.
    """

    def __init__(self, place: Path, name: str, batches: Iterable[pa.RecordBatch]) -> None:
        super().__init__(BoxFormat("column", partial(_read, batches, name), unit="share"), place)
        self._name = name

    @property
    def place(self) -> str:
        return f"{super().place}#{self._name}"


def is_boxes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds boxes."""
    if not pa.types.is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    return set(FIELDS) <= {kind.value_type.field(number).name for number in range(kind.value_type.num_fields)}


def _read(
    batches: Iterable[pa.RecordBatch], name: str, _path: Path, rows: Rows, _notes: Notes
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for uri, boxes in zip(batch["uri"].to_pylist(), batch[name].to_pylist(), strict=True):
            for box in boxes or ():
                numbers = [*(box[side] for side in SIDES), 0.0]
                values: dict[str, object] = {"confidence": round(box["confidence"], _DECIMALS)}
                if RLE in box:
                    values[RLE] = box[RLE]
                rows.add(uri, numbers, None, box["label"], values)
            yield from rows.full()
