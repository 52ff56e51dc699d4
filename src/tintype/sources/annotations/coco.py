"""Boxes of a COCO file: `images`, `annotations` and `categories` in one JSON object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.sources.annotations.base import BOXES, LABEL, BoxFormat, Rows, is_plain, is_text, number, numbers, whole
from tintype.sources.annotations.json_members import JsonMembers
from tintype.sources.annotations.packed import Packed
from tintype.sources.base import Notes

_NOT_VALUES = frozenset(("bbox", "image_id", "category_id", "segmentation", "keypoints", "attributes", LABEL))


def _read(path: Path, rows: Rows, notes: Notes) -> Iterator[pa.RecordBatch]:
    """A COCO file of instances.

    A box is `bbox`: x, y, width, height, turned by `rotation` (also in `attributes`, as CVAT writes it) degrees
    clockwise around its center; five numbers are center, size and degrees counterclockwise, as detectron2 has it.
    Other numbers, texts and booleans of an annotation and of its `attributes` become labels beside the category's
    name. Outlines and keypoints are left out.
    """
    images, categories = _Images(), _Categories()
    parts = Packed()  # images and categories may come after the boxes
    takers: dict[str, Callable[[dict[str, Any]], str | None]] = {
        "images": images.add,
        "annotations": partial(_add, rows),
        "categories": categories.add,
    }
    there = set()
    for member, elements in JsonMembers(path):
        there.add(member)
        if member not in takers:
            continue
        for place, element in enumerate(elements):
            problem = takers[member](element) if isinstance(element, dict) else "not a JSON object"
            if problem:
                notes.refuse(f"{path.name}: {member}[{place}]", problem)
            for part in rows.full():
                parts.add(part)
    missing = " and no ".join(name for name in ("images", "annotations") if name not in there)
    if missing:
        raise SourceError(f"{shown(str(path))}: not a COCO file of instances: it has no {missing}")
    for part in rows.rest():
        parts.add(part)
    known = images.arrays()
    for part in parts:
        yield from _named(part, known, categories, path.name, notes)


def _add(rows: Rows, annotation: dict[str, Any]) -> str | None:
    """Take a box in, with the ids of its image and category in the place of their names; returns why not."""
    image, category = _id(annotation.get("image_id")), _id(annotation.get("category_id"))
    if image is None:
        return "no image_id"
    box = numbers(annotation.get("bbox"), (4, 5))
    if box is None:
        return "no bbox of four finite numbers"
    attributes = annotation.get("attributes")
    values = {**attributes, **annotation} if isinstance(attributes, dict) else dict(annotation)
    angle = number(values.pop("rotation", None)) or 0.0
    if len(box) == 5:
        x, y, width, height, counterclockwise = box
        box, angle = [x - width / 2, y - height / 2, width, height], -counterclockwise
    kept = {key: value for key, value in values.items() if key not in _NOT_VALUES and is_plain(value)}
    rows.add(image, (*box, angle), None, category, kept)
    return None


def _named(
    part: pa.RecordBatch, images: _Known, categories: _Categories, file: str, notes: Notes
) -> Iterator[pa.RecordBatch]:
    """The boxes with the names and sizes of their images and the names of their categories."""
    at = pc.index_in(part["image"], value_set=images.ids)
    for lost in pc.value_counts(part.filter(pc.is_null(at))["image"]).to_pylist():
        notes.skipped["refused"] += lost["counts"]
        notes.problem(file, f"{lost['counts']:,} boxes of image_id {shown(lost['values'])}: no such image")
    columns = dict(zip(BOXES.names, part.columns, strict=True))
    columns["label"] = categories.names_of(part["label"])
    columns |= {"image": images.names.take(at), "stated_width": images.widths.take(at)}
    columns["stated_height"] = images.heights.take(at)
    named = pa.table(list(columns.values()), names=list(columns)).filter(pc.is_valid(at))
    yield from named.cast(BOXES).combine_chunks().to_batches()


class _Known(NamedTuple):
    """Images, a row for each."""

    ids: pa.Array
    names: pa.Array
    widths: pa.Array
    heights: pa.Array


class _Images:
    """Names and sizes of the images by their ids."""

    def __init__(self) -> None:
        self._facts: dict[str, tuple[str, int | None, int | None]] = {}

    def add(self, image: dict[str, Any]) -> str | None:
        identity, name = _id(image.get("id")), image.get("file_name")
        if identity is None:
            return "no id"
        if not isinstance(name, str) or not name or not is_text(name):
            return "no file_name"
        if identity in self._facts:
            return f"a second image of the id {shown(identity)}"
        self._facts[identity] = (name, whole(image.get("width")), whole(image.get("height")))
        return None

    def arrays(self) -> _Known:
        names, widths, heights = zip(*self._facts.values(), strict=True) if self._facts else ((), (), ())
        ids = pa.array(self._facts.keys(), pa.string())
        return _Known(ids, pa.array(names, pa.string()), pa.array(widths, pa.int64()), pa.array(heights, pa.int64()))


class _Categories:
    """Names of the categories by their ids."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def add(self, category: dict[str, Any]) -> str | None:
        identity, name = _id(category.get("id")), category.get("name")
        if identity is None:
            return "no id"
        if not isinstance(name, str) or not is_text(name):
            return "no name"
        if identity in self._names:
            return f"a second category of the id {shown(identity)}"
        self._names[identity] = name
        return None

    def names_of(self, ids: pa.Array) -> pa.Array:
        """Their names; the id itself where it has none."""
        names = pa.array(self._names.values(), pa.string())
        at = pc.index_in(ids, value_set=pa.array(self._names.keys(), pa.string()))
        return pc.coalesce(names.take(at), ids)


def _id(value: Any) -> str | None:
    """An id as text: files that write 5 here and "5" there mean the same."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value) if isinstance(value, str) or abs(value) < 10**18 else ""
    return text if text and is_text(text) else None


COCO = BoxFormat("coco", _read)
