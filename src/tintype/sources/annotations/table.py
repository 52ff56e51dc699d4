"""Boxes of a table: a Parquet, CSV or JSONL file with a row for each box, or with lists of boxes in its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tintype.core.errors import SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.annotations.base import BoxFormat, Rows, is_plain, is_text, number, numbers, whole
from tintype.sources.base import Notes
from tintype.sources.labels import REST
from tintype.sources.table_rows import Layout, Table, Wanted

EDGES = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("left", "top", "right", "bottom"),
)
"""Names of columns with a box's edges, in the order they are looked for; case does not matter."""
SIZES = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
    ("col_x", "row_y", "width", "height"),
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
    ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
    ("box_x", "box_y", "box_width", "box_height"),
)
"""Names of columns with a box's left and upper edge and its size."""
CENTERS = (
    ("x_center", "y_center", "width", "height"),
    ("center_x", "center_y", "width", "height"),
    ("cx", "cy", "width", "height"),
    ("cx", "cy", "w", "h"),
)
"""Names of columns with a box's center and its size."""
CORNERS = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
"""Names of columns with the corners of a turned box; the first four alone are edges."""
LISTS = ("bbox", "box", "bboxes", "boxes")
"""Names of a column with x, y, width and height as a list, or with a list of such lists."""
ANGLES = ("angle", "rotation", "angle_deg", "box_angle", "bbox_angle")
LABELS = ("label", "class", "category", "class_name", "category_name")

_ROWS = 8_192


def _read(path: Path, rows: Rows, notes: Notes) -> Iterator[pa.RecordBatch]:
    """Which columns hold the boxes is told by their names.

    Images are named by path, as in a table of images, or are the very rows of the table, where it holds their bytes.
    A column `objects` with lists of boxes and labels, as data sets for detection have it, is taken as well. Other
    columns become labels. With edges, `width` and `height` are taken for the size of the image.
    """
    table = _table(path)
    layout, stand_in = _without_bytes(path, table.layout())
    listed = table.listed(layout, notes)
    prefix = uri_from_path(os.fsencode(path.name)) + "#"
    names: tuple[str, ...] = ()
    columns: _Columns | None = None
    while wanted := [Wanted(row.number, row.offset) for row in islice(listed, _ROWS)]:
        for row in table.wanted(layout, wanted):
            uri = f"{prefix}{row.number}"
            values = row.values if stand_in is None else {**row.values, stand_in: row.image}
            if tuple(values) != names:  # rows of JSONL may differ
                names = tuple(values)
                columns = _Columns.among(names) or columns
            image = row.image if stand_in is None and isinstance(row.image, str) else uri
            if columns is None:
                notes.refuse(uri, "no box in this row")
            elif not row.image and stand_in is None:
                notes.refuse(uri, "no image in this row")
            elif not is_text(image):
                notes.refuse(uri, "the image's name is no text")
            else:
                for problem in filter(None, columns.boxes(values, image, uri, rows)):
                    notes.refuse(uri, problem)
            yield from rows.full()
    if columns is None:
        raise _no_boxes(str(path), names)


def _table(path: Path) -> Table:
    if path.suffix.lower() == ".parquet":
        from tintype.sources.parquet_rows import ParquetRows  # its library is slow to load

        return ParquetRows(path)
    from tintype.sources.text_rows import CsvRows, JsonlRows

    return JsonlRows(path) if path.suffix.lower() in (".jsonl", ".ndjson") else CsvRows(path)


class _Columns:
    """Which columns of a table hold what."""

    def __init__(self, kind: str, box: tuple[str, ...], names: Mapping[str, str], columns: Sequence[str]) -> None:
        self._kind, self._box = kind, box
        self._angle = next((names[name] for name in ANGLES if name in names), None)
        self._label = next((names[name] for name in LABELS if name in names), None)
        has_size = kind == "edges" and "width" in names and "height" in names
        self._stated = (names["width"], names["height"]) if has_size else None
        used = (*box, self._angle, self._label, *(self._stated or ()))
        self._others = [name for name in columns if name not in used]

    @classmethod
    def among(cls, columns: Sequence[str]) -> _Columns | None:
        """None where no names of boxes are among the columns'."""
        names = {name.lower(): name for name in reversed(columns)}
        kinds = [("corners", CORNERS), *(("edges", edges) for edges in (*EDGES, CORNERS[:4]))]
        kinds += [*(("sizes", sizes) for sizes in SIZES), *(("centers", centers) for centers in CENTERS)]
        kinds += [("list", (name,)) for name in (*LISTS, "objects")]
        for kind, wanted in kinds:
            if all(name in names for name in wanted):
                return cls(kind, tuple(names[name] for name in wanted), names, columns)
        return None

    def boxes(self, values: Mapping[str, Any], image: str, uri: str, rows: Rows) -> Iterator[str | None]:
        """Take in the boxes of a row; for each why not, or None."""
        others = {name: values[name] for name in self._others if is_plain(values.get(name))}
        label = _as_text(values.get(self._label)) if self._label else None
        if self._kind == "list":
            yield from self._listed(values, image, uri, label, others, rows)
            return
        places = numbers([values.get(name) for name in self._box], (4, 8))
        if places is None:
            yield f"no finite numbers in {', '.join(map(shown, self._box))}"
        elif self._kind == "corners":
            rows.add(image, None, places, label, others, other_name=uri)
            yield None
        else:
            stated = tuple(whole(values.get(name)) for name in self._stated or ())
            size = (stated[0], stated[1]) if stated else (None, None)
            rows.add(image, (*self._laid_out(places), self._turn(values)), None, label, others, size, uri)
            yield None

    def _laid_out(self, places: list[float]) -> list[float]:
        """x, y, width, height."""
        a, b, c, d = places
        if self._kind == "edges":
            return [a, b, c - a, d - b]
        return [a - c / 2, b - d / 2, c, d] if self._kind == "centers" else places

    def _turn(self, values: Mapping[str, Any]) -> float:
        return number(values.get(self._angle)) or 0.0 if self._angle else 0.0

    def _listed(
        self,
        values: Mapping[str, Any],
        image: str,
        uri: str,
        label: str | None,
        others: Mapping[str, Any],
        rows: Rows,
    ) -> Iterator[str | None]:
        """Boxes of a cell: x, y, width and height, perhaps an angle; a list of such; or lists in an object."""
        cell = values.get(self._box[0])
        labels: Sequence[Any] = ()
        if isinstance(cell, Mapping):
            lists = {str(name).lower(): found for name, found in cell.items() if isinstance(found, list)}
            labels = next((lists[name] for name in (*LABELS, "categories", "labels") if name in lists), ())
            cell = next((lists[name] for name in LISTS if name in lists), None)
        if cell is None:
            return  # an image without boxes
        several = cell if isinstance(cell, list) and all(isinstance(one, list) for one in cell) else [cell]
        for place, one in enumerate(several):
            box = numbers(one, (4, 5))
            if box is None:
                yield "not a list of four finite numbers"
                continue
            angle = box[4] if len(box) == 5 else self._turn(values)
            own = _as_text(labels[place]) if place < len(labels) else label
            rows.add(image, (*box[:4], angle), None, own, others, other_name=uri)
            yield None


def _without_bytes(path: Path, layout: Layout) -> tuple[Layout, str | None]:
    """The layout with another column in the place of the images, where they are bytes: nobody needs these here."""
    if path.suffix.lower() != ".parquet":
        return layout, None
    import pyarrow.parquet as pq

    kind = pq.read_schema(path).field(layout.image).type
    stand_in = next((column.words for column in layout.labels if column != REST), None)
    if stand_in is None or not (pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        return layout, None
    return replace(layout, image=stand_in, left_out=(*layout.left_out, layout.image)), stand_in


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        return None
    text = str(value)
    return text if is_text(text) else None


def _no_boxes(place: str, names: Sequence[str]) -> SourceError:
    there = ", ".join(shown(name) for name in names[:20])
    return SourceError(
        f"{shown(place)}: no columns with boxes are among {there}. They have to be called "
        + "; ".join(", ".join(kind[0]) for kind in (EDGES, SIZES, CENTERS))
        + f"; {', '.join(CORNERS)}; or bbox"
    )


TABLE = BoxFormat("table", _read, unit=None)
