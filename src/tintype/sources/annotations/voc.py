"""Boxes of Pascal VOC: an XML file for each image, as the challenge, labelImg, CVAT and Roboflow write it."""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pyarrow as pa

from tintype.core.errors import SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.annotations.base import LABEL, BoxFormat, Rows, number, numbers, whole
from tintype.sources.annotations.label_files import contents, label_files
from tintype.sources.annotations.xml_elements import BadXml, elements, plain
from tintype.sources.base import Notes

_EDGES = ("xmin", "ymin", "xmax", "ymax")
_NOT_VALUES = frozenset((LABEL, "name", "rotation"))
_OF_THE_CHALLENGE = re.compile(r"The VOC20[0-9]{2} Database")


def _read(path: Path, rows: Rows, notes: Notes) -> Iterator[pa.RecordBatch]:
    """An `object` is a box between the edges of its `bndbox`, turned by the attribute `rotation`, as CVAT writes it,
    degrees clockwise. Its other texts and its `attributes` become labels; `part`s and outlines are left out.

    The files of the challenge itself count pixels from 1 (Everingham et al., "The PASCAL Visual Object Classes
    Challenge 2012 Development Kit", 2012), so their boxes begin a pixel before `xmin` and `ymin`; those of other tools
    are taken as they are.
    """
    root, paths = (path, label_files(path, ".xml", notes)) if path.is_dir() else (path.parent, [path.name])
    if not paths:
        raise SourceError(f"{shown(str(path))}: no annotations (.xml) are in this folder or below it")
    for uri, data in contents(root, paths, notes):
        try:
            _add_file(uri, data, rows, notes)
        except BadXml as error:
            notes.refuse(uri, f"no annotation of Pascal VOC: {error}")
        yield from rows.full()


def _add_file(uri: str, data: bytes, rows: Rows, notes: Notes) -> None:
    """Take in all boxes of a file, or none. Raises BadXml where it is none of VOC."""
    found: dict[str, Element] = {}  # first of each name
    objects: list[tuple[Element, int]] = []
    for _, element, line in elements(io.BytesIO(data), "annotation"):
        if element.tag == "object":
            objects.append((element, line))
        else:
            found.setdefault(element.tag, element)
    name = (found["filename"].text or "").strip() if "filename" in found else ""
    extension = posixpath.splitext(name.replace("\\", "/"))[1]
    image = uri[: -len(".xml")] + uri_from_path(extension)
    size = found.get("size", Element("size"))
    stated = (whole(plain(size.findtext("width"))), whole(plain(size.findtext("height"))))
    database = found["source"].findtext("database") if "source" in found else None
    first = 1 if _OF_THE_CHALLENGE.fullmatch((database or "").strip()) else 0
    for element, line in objects:
        box = numbers([element.findtext(f"bndbox/{edge}") for edge in _EDGES], (4,))
        if box is None:
            notes.refuse(f"{uri}, line {line}", "no bndbox of four finite numbers")
            continue
        left, top, right, bottom = box[0] - first, box[1] - first, *box[2:]
        values, angle = _values_of(element)
        label = (element.findtext("name") or "").strip() or None
        rows.add(image, (left, top, right - left, bottom - top, angle), None, label, values, stated, name or None)


def _values_of(element: Element) -> tuple[dict[str, Any], float]:
    """Other labels of an object, and how far it is turned."""
    texts = {child.tag: child.text for child in element if not len(child)}
    for attribute in element.iterfind("attributes/attribute"):
        texts[(attribute.findtext("name") or "").strip()] = attribute.findtext("value")
    values = {name: plain(text) for name, text in texts.items() if name and name not in _NOT_VALUES}
    return {name: value for name, value in values.items() if value is not None}, number(texts.get("rotation")) or 0.0


VOC = BoxFormat("voc", _read, naming="annotation files")
