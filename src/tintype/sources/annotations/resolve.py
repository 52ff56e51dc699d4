"""From what a user names to annotations: a COCO file, YOLO labels, a table of boxes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

from tintype.core.errors import SourceError, UsageError
from tintype.core.names import shown
from tintype.sources.annotations.base import Annotations, Unit
from tintype.sources.annotations.coco import CocoAnnotations
from tintype.sources.annotations.table import TableAnnotations
from tintype.sources.annotations.yolo import YoloAnnotations
from tintype.sources.table import TABLE_EXTENSIONS

Format = Literal["coco", "yolo", "table"]
FORMATS: tuple[Format, ...] = get_args(Format)
UNITS: tuple[Unit, ...] = get_args(Unit)


def resolve_annotations(place: str, kind: Format | None = None, unit: Unit | None = None) -> Annotations:
    """The annotations at a place; what they are is told by the name if `kind` does not say.

    `.json` is COCO; a folder, `.yaml` and `.yml` are YOLO; Parquet, CSV, TSV and JSONL are tables. `unit` is for
    tables. Raises SourceError where nothing is there, UsageError for what does not go together.
    """
    if kind is not None and kind not in FORMATS:
        raise UsageError(f"no format {kind!r}. There are: {', '.join(FORMATS)}")
    if unit is not None and unit not in UNITS:
        raise UsageError(f"no unit {unit!r}. There are: {', '.join(UNITS)}")
    path = Path(os.path.expanduser(place))
    if not path.exists():
        raise SourceError(f"{shown(place)}: not there")
    kind = kind or _kind_of(path)
    if kind == "table":
        return TableAnnotations(path, unit)
    if unit is not None:
        raise UsageError(f"the numbers of {kind} have a unit of their own; --unit is for tables")
    return CocoAnnotations(path) if kind == "coco" else YoloAnnotations(path)


def _kind_of(path: Path) -> Format:
    suffix = path.suffix.lower()
    if path.is_dir() or suffix in (".yaml", ".yml"):
        return "yolo"
    if suffix == ".json":
        return "coco"
    if suffix in TABLE_EXTENSIONS:
        return "table"
    raise SourceError(
        f"{shown(str(path))}: nothing that boxes can be read from: it has to be a .json of COCO, a folder or data.yaml "
        f"of YOLO, or a table ({', '.join(TABLE_EXTENSIONS)})"
    )
