"""What people and models call images: columns whose values are names that come again, and how often each does."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.names import shown
from tintype.reports.tally import Names

_OF_ONE = ("label_", "classify_", "scenes_", "ask_", "predict_")  # a name for each image
_OF_SEVERAL = ("tags_", "objects_", "find_")  # a list of things that have names
_LENGTH = 80  # characters of a name that are kept


def label_columns(schema: pa.Schema) -> list[str]:
    """The columns of such names in a table, in its order: labels of its source, and those that stages of models give,
    texts or lists of structs with a field `label`."""
    return [field.name for field in schema if _is_of_one(field) or _is_of_several(field)]


def add_labels(names: Names, column: pa.Array) -> None:
    """Count the images that have each label; one that an image has several times counts once."""
    if pa.types.is_string(column.type):
        for pair in pc.value_counts(column).to_pylist():
            names.add(_kept(pair["values"]), pair["counts"])
        return
    pairs = pa.table(
        {"image": pc.list_parent_indices(column), "label": pc.struct_field(pc.list_flatten(column), "label")}
    )
    once = pairs.group_by(["image", "label"], use_threads=False).aggregate([])
    for pair in pc.value_counts(once["label"].combine_chunks()).to_pylist():
        names.add(_kept(pair["values"]), pair["counts"])
    names.add(None, len(column) - pc.count_distinct(pairs["image"]).as_py())


def _is_of_one(field: pa.Field) -> bool:
    return bool(field.name.startswith(_OF_ONE) and pa.types.is_string(field.type))


def _is_of_several(field: pa.Field) -> bool:
    kind = field.type
    if not field.name.startswith(_OF_SEVERAL) or not pa.types.is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    place = kind.value_type.get_field_index("label")
    return place >= 0 and bool(pa.types.is_string(kind.value_type.field(place).type))


def _kept(name: str | None) -> str | None:
    """Safe to show, and not longer than is of use."""
    name = shown((name or "").strip())
    return (name if len(name) <= _LENGTH else f"{name[: _LENGTH - 1]}…") or None
