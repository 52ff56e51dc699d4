"""What annotations are read into, whatever format they come in: one table of boxes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from tintype.core.columns import Column
from tintype.core.names import shown
from tintype.sources.annotations.names import Naming
from tintype.sources.base import Notes
from tintype.sources.labels import MAX_TEXT, Seen

Unit = Literal["px", "share"]

BOXES = pa.schema(
    [
        pa.field("image", pa.string(), nullable=False),  # its name as it is written in the annotations
        pa.field("other_name", pa.string()),  # for where no image has the first; a table's own row, by its uri
        pa.field("x", pa.float64()),  # left edge before the box is turned; in px or as a share of the image's width
        pa.field("y", pa.float64()),  # upper edge
        pa.field("width", pa.float64()),
        pa.field("height", pa.float64()),
        pa.field("angle", pa.float64()),  # degrees clockwise around the center
        pa.field("corners", pa.list_(pa.float64())),  # x, y of four corners, clockwise from the upper left one;
        # then the numbers before are null
        pa.field("label", pa.string()),  # its class
        pa.field("values", pa.string()),  # other labels, as a JSON object
        pa.field(
            "stated_width", pa.int64()
        ),  # size of the image as the annotations have it, in px; null where not said
        pa.field("stated_height", pa.int64()),
    ]
)
"""Numbers are finite. Whether they make sense is not looked at yet."""

LABEL = "label"
"""The name that the class of a box has as a label, whatever the format calls it."""

ROWS_PER_BATCH = 16_384

_MOST_SHAPES = 10_000  # of values; the types of columns are told from as many
_ENCODER = json.JSONEncoder(default=str)


@dataclass(frozen=True)
class BoxFormat:
    """A way to write boxes down. A new one is a file with one of these, named in `resolve`.

    `read` takes a path, the rows to add boxes to, and the notes where what cannot be read is `refused` with its
    reason; it yields `rows.full()` again and again, and need not yield what is left at the end. It raises SourceError
    where the whole cannot be read.
    """

    name: str
    read: Callable[[Path, Rows, Notes], Iterator[pa.RecordBatch]]
    unit: Unit | None = "px"  # what the numbers are; None where only the numbers themselves can tell
    naming: Naming = "paths"


class Annotations:
    """A file or folder with boxes."""

    def __init__(self, written_as: BoxFormat, path: Path, unit: Unit | None = None) -> None:
        self._format, self._path = written_as, Path(os.path.abspath(path))
        self._rows = Rows()
        self.unit: Unit | None = unit or written_as.unit
        self.naming: Naming = written_as.naming

    @property
    def place(self) -> str:
        """The path as the user may write it, absolute."""
        return str(self._path)

    @property
    def labels(self) -> tuple[Column, ...]:
        """The label columns; complete once `batches` is exhausted. Raises SourceError where two would share a name."""
        return self._rows.labels(shown(self.place))

    def batches(self, notes: Notes) -> Iterator[pa.RecordBatch]:
        """All boxes that can be read, in the order of the file, as rows of BOXES; what cannot is `refused`, with its
        reason. Raises SourceError where the whole cannot be read."""
        self._rows = Rows()
        yield from self._format.read(self._path, self._rows, notes)
        yield from self._rows.rest()


class Rows:
    """Gathers boxes into batches of BOXES."""

    def __init__(self) -> None:
        self._columns: list[list[Any]] = [[] for _ in BOXES]
        self._seen = Seen()
        self._shapes: set[tuple[object, ...]] = set()  # names and types that were seen

    def labels(self, place: str) -> tuple[Column, ...]:
        return self._seen.columns(place)

    def add(
        self,
        image: str,
        box: Sequence[float] | None,
        corners: Sequence[float] | None,
        label: str | None,
        values: Mapping[str, Any],
        stated: tuple[int | None, int | None] = (None, None),
        other_name: str | None = None,
    ) -> None:
        """A box is (x, y, width, height, angle)."""
        shape = (label is None, *values, *map(type, values.values()))
        if shape not in self._shapes and len(self._shapes) < _MOST_SHAPES:  # looking at each one again would cost most
            self._shapes.add(shape)
            self._seen.add(values if label is None else {LABEL: label, **values})
        places = box if box is not None else (None,) * 5
        values_of_row = (image, other_name, *places, corners, label, _as_json(values), *stated)
        for column, value in zip(self._columns, values_of_row, strict=True):
            column.append(value)

    def full(self) -> Iterator[pa.RecordBatch]:
        """A batch, where enough rows for one have come."""
        if len(self._columns[0]) >= ROWS_PER_BATCH:
            yield from self.rest()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The rows that are left."""
        if self._columns[0]:
            arrays = [pa.array(values, field.type) for values, field in zip(self._columns, BOXES, strict=True)]
            self._columns = [[] for _ in BOXES]
            yield pa.RecordBatch.from_arrays(arrays, schema=BOXES)


def number(value: Any) -> float | None:
    """A finite number, also where it is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def numbers(values: Any, counts: Container[int]) -> list[float] | None:
    """A list of so many finite numbers; None for anything else."""
    if not isinstance(values, list | tuple) or len(values) not in counts:
        return None
    found = []
    for value in values:
        one = value if type(value) is float and math.isfinite(value) else number(value)  # nearly always
        if one is None:
            return None
        found.append(one)
    return found


def around(points: Sequence[float]) -> tuple[float, float, float, float]:
    """x, y, width and height of the upright box around an outline of x, y, x, y, …"""
    left, top = min(points[::2]), min(points[1::2])
    return left, top, max(points[::2]) - left, max(points[1::2]) - top


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: half a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_plain(value: Any) -> bool:
    """Whether a value can be a label."""
    return value is not None and isinstance(value, bool | int | float | str)


def whole(value: Any) -> int | None:
    """A size in px; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else None


def _as_json(values: Mapping[str, Any]) -> str | None:
    if not values:
        return None
    try:
        text = _ENCODER.encode(values)
    except (RecursionError, ValueError):
        return json.dumps({"not kept": "labels that are nested too deep"})
    return text if len(text) <= MAX_TEXT else json.dumps({"not kept": f"{len(text):,} characters of labels"})
