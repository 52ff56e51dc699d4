"""Which split of a data set an image belongs to: by a column, or by where it lies."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tintype.finders.base import ColumnStreams
from tintype.finders.categories import FOLDER, categories, columns_of

SPLIT = "split"

_USUAL_NAMES = (
    r"(?i)(?:^|[/#])(?P<name>train(?:ing)?|val(?:id(?:ation)?)?|dev|test(?:ing)?|eval(?:uation)?|holdout)"
    r"(?:[-_.0-9][^/#]*)?[/#]"
)
_ONE_NAME = {
    "training": "train", "valid": "validation", "val": "validation", "testing": "test", "evaluation": "eval",
}  # fmt: skip
_FIRST_PART = r"^(?P<name>[^/#]+)[/#]"
_SHARD_OF = r"^(?P<name>[^/#]+?)(?:[-_.]?\d+)?(?:-of-\d+)?(?:\.[A-Za-z]+)+#"


def split_columns(by: str) -> tuple[str, ...]:
    """The columns that `splits` reads."""
    return ("uri",) if by == FOLDER else tuple(dict.fromkeys((*columns_of(by), "uri")))


def splits(batches: Iterator[pa.RecordBatch], by: str) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
    """Each batch with the split of its rows, (n,) string; null where none is known.

    `by` is a label or column. Where `split` says nothing of an image, its path may: the first folder, or container
    of many images, whose name begins with train, val, validation, dev, test, eval or holdout, as in `train2017/` or
    `test-00000-of-00002.parquet#`; `val` and `valid` count as `validation`. With `folder` it is the first part of
    the uri, of a container without number and extension. Raises UsageError for a column that sorts nothing.
    """
    if by == FOLDER:
        for batch in batches:
            shard, folder = (_matched(batch["uri"], pattern) for pattern in (_SHARD_OF, _FIRST_PART))
            yield batch, pc.coalesce(shard, folder)
        return
    for batch, said in categories(batches, by):
        yield batch, pc.coalesce(said, usual_splits(batch["uri"])) if by == SPLIT else said


def usual_splits(uri: pa.Array) -> pa.Array:
    """The split that each path names, (n,) string; null where it names none."""
    name = pc.utf8_lower(_matched(uri, _USUAL_NAMES))
    other = pc.index_in(name, pa.array(list(_ONE_NAME)))
    return pc.coalesce(pa.array(list(_ONE_NAME.values())).take(other), name)


def count_splits(columns: ColumnStreams, by: str) -> dict[str, int]:
    """How many images of readable bytes are in each split, sorted by name."""
    counts: dict[str, int] = {}
    read = list(dict.fromkeys(("digest", *split_columns(by))))
    for batch, split in splits(columns.batches(read), by):
        for entry in pc.value_counts(split.filter(batch["digest"].is_valid()).drop_null()).to_pylist():
            counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
    return dict(sorted(counts.items()))


def _matched(uri: pa.Array, pattern: str) -> pa.Array:
    return pc.struct_field(pc.extract_regex(uri, pattern), "name")
