"""What images are sorted into: the values of a column, or the folders that they lie in."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.errors import UsageError
from tintype.core.names import label_column, shown
from tintype.finders.base import ColumnStreams

FOLDER = "folder"
"""Stands for the folder that a file lies in, in place of a column."""

_SIMPLE = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
_FOLDER = r"(?:^|[/#])([^/#]+)[/#][^/#]*$"


def columns_of(name: str) -> tuple[str, ...]:
    """The columns that may hold what a user calls `name`: `class` may mean `label_class`, which comes first."""
    if name == FOLDER:
        return ("uri",)
    own = label_column(name)
    return (name,) if name.startswith("label_") else (own, name)


def categories(batches: Iterator[pa.RecordBatch], name: str) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
    """Each batch with the category of its rows as text, (n,) string; null where nothing is said.

    The batches must have the columns `columns_of(name)`. A float that is not a number says nothing. Raises
    UsageError for a column that holds lists or other things that sort nothing.
    """
    for batch in batches:
        if name == FOLDER:
            yield batch, folders(batch["uri"])
            continue
        values = [_texts(batch[column], column) for column in columns_of(name)]
        yield batch, pc.coalesce(*values)


def folders(uri: pa.Array) -> pa.Array:
    """The name of the folder, or else of the container, that each image lies in: `a/cat/1.jpg` → `cat`."""
    return pc.struct_field(pc.extract_regex(uri, _FOLDER.replace("([", "(?P<name>[")), "name")


def count_categories(columns: ColumnStreams, name: str) -> tuple[dict[str, int], int]:
    """How many files of readable bytes are in each category, sorted by name; and how many are in none."""
    counts: dict[str, int] = {}
    without = 0
    read = dict.fromkeys(("digest", *columns_of(name)))
    for batch, category in categories(columns.batches(list(read)), name):
        known = category.filter(batch["digest"].is_valid())
        without += known.null_count
        for entry in pc.value_counts(known.drop_null()).to_pylist():
            counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
    return dict(sorted(counts.items())), without


def _texts(values: pa.Array, column: str) -> pa.Array:
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
        kind = values.type
    if pa.types.is_null(kind):
        return values.cast(pa.string())
    if not any(fits(kind) for fits in _SIMPLE):
        raise UsageError(f"column {shown(column)!r} holds {kind}, which sorts images into nothing")
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, kind), values)
    return values.cast(pa.string())
