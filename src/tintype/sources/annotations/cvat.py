"""Boxes of CVAT, in its own format for images (version 1.1): one XML file for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pyarrow as pa

from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.sources.annotations.base import LABEL, BoxFormat, Rows, around, number, numbers, whole
from tintype.sources.annotations.xml_elements import BadXml, elements, plain
from tintype.sources.base import Notes
from tintype.sources.beneath import reason_of

WITHOUT_BOX = "shapes that are no boxes"
"""How points, lines, cuboids, skeletons and tags are counted."""

_PLACES = {
    "box": ("xtl", "ytl", "xbr", "ybr"),
    "ellipse": ("cx", "cy", "rx", "ry"),
    "mask": ("left", "top", "width", "height"),
    "polygon": ("points",),
}
_NOT_VALUES = frozenset((LABEL, "rotation", "rle", *(name for names in _PLACES.values() for name in names)))


def _read(path: Path, rows: Rows, notes: Notes) -> Iterator[pa.RecordBatch]:
    """A `box` or `ellipse` is turned by `rotation`, degrees clockwise; of a `polygon` or `mask` the upright box around
    it is taken. The other attributes of a shape, and the `attribute`s in it, become labels; the `subset` of an image is
    its split.
    """
    try:
        with path.open("rb") as file:
            for image, shape, line in elements(file, "annotations", ("image", "track")):
                if image.tag == "track":
                    raise BadXml("has boxes of the frames of a video. Export it as CVAT for images")
                if shape.tag not in _PLACES:
                    notes.skipped[WITHOUT_BOX] += 1
                    continue
                problem = _add(image, shape, rows)
                if problem:
                    notes.refuse(f"{path.name}, line {line}", problem)
                yield from rows.full()
    except BadXml as error:
        raise SourceError(f"{shown(str(path))}: no annotations of CVAT: {error}") from None
    except OSError as error:
        raise SourceError(f"{shown(str(path))}: cannot be read: {reason_of(error)}") from error


def _add(image: Element, shape: Element, rows: Rows) -> str | None:
    """Take a box in; returns why not."""
    name = image.get("name")
    if not name:
        return "no name of an image"
    box = _box(shape)
    if box is None:
        return f"no finite numbers in this {shape.tag}"
    texts = {key: text for key, text in shape.items() if key not in _NOT_VALUES}
    for attribute in shape.iterfind("attribute"):
        texts[attribute.get("name", "")] = attribute.text or ""
    texts["split"] = image.get("subset") or texts.get("split", "")
    values = {key: value for key, text in texts.items() if key and key != LABEL and (value := plain(text)) is not None}
    stated = (whole(plain(image.get("width"))), whole(plain(image.get("height"))))
    rows.add(name, (*box, number(shape.get("rotation")) or 0.0), None, shape.get(LABEL) or None, values, stated)
    return None


def _box(shape: Element) -> tuple[float, float, float, float] | None:
    """x, y, width, height."""
    if shape.tag == "polygon":
        points = numbers(shape.get("points", "").replace(";", ",").split(","), range(6, 1_000_001, 2))
        return None if points is None else around(points)
    found = numbers([shape.get(name) for name in _PLACES[shape.tag]], (4,))
    if found is None:
        return None
    a, b, c, d = found
    if shape.tag == "box":
        return a, b, c - a, d - b
    return (a - c, b - d, 2 * c, 2 * d) if shape.tag == "ellipse" else (a, b, c, d)


CVAT = BoxFormat("cvat", _read)
