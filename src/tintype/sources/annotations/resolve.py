"""From what a user names to annotations: files of COCO and CVAT, YOLO labels, files of Pascal VOC, a table of boxes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

from tintype.core.errors import SourceError, UsageError
from tintype.core.names import shown
from tintype.sources.annotations.base import Annotations, BoxFormat, Unit
from tintype.sources.annotations.coco import COCO
from tintype.sources.annotations.cvat import CVAT
from tintype.sources.annotations.label_files import label_files
from tintype.sources.annotations.table import TABLE
from tintype.sources.annotations.voc import VOC
from tintype.sources.annotations.xml_elements import BadXml, root_of
from tintype.sources.annotations.yolo import YOLO
from tintype.sources.base import Notes
from tintype.sources.beneath import reason_of
from tintype.sources.table import TABLE_EXTENSIONS

Format = Literal["coco", "yolo", "voc", "cvat", "table"]
FORMATS: tuple[Format, ...] = get_args(Format)
UNITS: tuple[Unit, ...] = get_args(Unit)

_BY_NAME: dict[Format, BoxFormat] = {"coco": COCO, "yolo": YOLO, "voc": VOC, "cvat": CVAT, "table": TABLE}
_BY_ROOT: dict[str, Format] = {"annotation": "voc", "annotations": "cvat"}
_IN_FOLDER = "annotations.xml"  # as CVAT's archives have it


def resolve_annotations(place: str, kind: Format | None = None, unit: Unit | None = None) -> Annotations:
    """The annotations at a place; what they are is told by it if `kind` does not say.

    `.json` is COCO; `.yaml` and `.yml` are YOLO; Parquet, CSV, TSV and JSONL are tables; `.xml` is CVAT or VOC, by its
    root. A folder is CVAT if it has `annotations.xml`, VOC if it has `.xml` and no more `.txt`, else YOLO.
    `unit` is for tables. Raises SourceError where nothing is there, UsageError for what does not go together.
    """
    if kind is not None and kind not in FORMATS:
        raise UsageError(f"no format {kind!r}. There are: {', '.join(FORMATS)}")
    if unit is not None and unit not in UNITS:
        raise UsageError(f"no unit {unit!r}. There are: {', '.join(UNITS)}")
    path = Path(os.path.expanduser(place))
    if not path.exists():
        raise SourceError(f"{shown(place)}: not there")
    kind = kind or _kind_of(path)
    if unit is not None and kind != "table":
        raise UsageError(f"the numbers of {kind} have a unit of their own; --unit is for tables")
    if kind == "cvat" and path.is_dir():
        path = path / _IN_FOLDER
    return Annotations(_BY_NAME[kind], path, unit)


def _kind_of(path: Path) -> Format:
    suffix = path.suffix.lower()
    if path.is_dir():
        return _kind_of_folder(path)
    if suffix in (".yaml", ".yml"):
        return "yolo"
    if suffix == ".json":
        return "coco"
    if suffix in TABLE_EXTENSIONS:
        return "table"
    if suffix == ".xml":
        return _kind_of_xml(path)
    raise SourceError(
        f"{shown(str(path))}: nothing that boxes can be read from: it has to be a .json of COCO, a folder or data.yaml "
        f"of YOLO, a folder or .xml of Pascal VOC, an .xml of CVAT, or a table ({', '.join(TABLE_EXTENSIONS)})"
    )


def _kind_of_folder(path: Path) -> Format:
    if (path / _IN_FOLDER).is_file():
        return "cvat"
    xml = len(label_files(path, ".xml", Notes()))
    return "voc" if xml and xml >= len(label_files(path, ".txt", Notes())) else "yolo"


def _kind_of_xml(path: Path) -> Format:
    try:
        with path.open("rb") as file:
            root = root_of(file)
    except OSError as error:
        raise SourceError(f"{shown(str(path))}: cannot be read: {reason_of(error)}") from error
    except BadXml as error:
        raise SourceError(f"{shown(str(path))}: {error}") from None
    if root not in _BY_ROOT:
        raise SourceError(f"{shown(str(path))}: neither Pascal VOC nor CVAT: its root is <{shown(root)}>")
    return _BY_ROOT[root]
