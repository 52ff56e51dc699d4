"""The labels that were given to images: one for each distinct image, and files of the same bytes that differ."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tintype.finders.base import ColumnStreams
from tintype.finders.categories import categories, columns_of


@dataclass(frozen=True)
class GivenLabels:
    """The label of each digest, where all its files that have one agree.

    `conflicts` has a row for each file with a label that others of the same bytes do not share, sorted by uri:
    digest, uri, label, and `other` and `other_uri` of the first file with another one. Where one label is the
    commonest, it stands in `usual`, and the files that have it are left out.
    """

    labels: pa.Table  # digest, label; each digest once
    conflicts: pa.Table

    def of(self, digest: pa.Array) -> pa.Array:
        """The label of each digest, (n,) string; null where none was given, or several."""
        return self.labels["label"].combine_chunks().take(pc.index_in(digest, self.labels["digest"].combine_chunks()))


def read_given(columns: ColumnStreams, name: str) -> GivenLabels:
    """Read the labels in the column or folders that `name` stands for. Raises UsageError where it holds no labels."""
    read = list(dict.fromkeys(("digest", "uri", *columns_of(name))))
    parts = []
    for batch, label in categories(columns.batches(read), name):
        rows = pa.table({"digest": batch["digest"].cast(pa.binary(16)), "uri": batch["uri"], "label": label})
        parts.append(rows.filter(pc.and_(rows["digest"].is_valid(), rows["label"].is_valid())))
    if not parts:
        parts = [pa.table({"digest": pa.array([], pa.binary(16)), "uri": _NOTHING, "label": _NOTHING})]
    files = pa.concat_tables(parts).sort_by("uri")
    # One row for each digest and label, with the first of their files.
    kinds = files.group_by(["digest", "label"], use_threads=False).aggregate([("uri", "first"), ("uri", "count")])
    labels = kinds.group_by("digest", use_threads=False).aggregate([("label", "first"), ("label", "count")])
    agreed = labels.filter(pc.equal(labels["label_count"], 1)).select(["digest", "label_first"])
    split = labels.filter(pc.greater(labels["label_count"], 1))["digest"].combine_chunks()
    return GivenLabels(agreed.rename_columns(["digest", "label"]), _conflicts(files, kinds, split))


_NOTHING = pa.array([], pa.string())


def _conflicts(files: pa.Table, kinds: pa.Table, split: pa.Array) -> pa.Table:
    """The files of `split` digests whose label is not the commonest, each with another of the same bytes."""
    files = files.filter(pc.is_in(files["digest"], split))
    kinds = kinds.filter(pc.is_in(kinds["digest"], split))
    order = [("digest", "ascending"), ("uri_count", "descending"), ("uri_first", "ascending")]
    usual: dict[bytes, list[tuple[str, str, int]]] = {}
    for row in kinds.sort_by(order).to_pylist():
        usual.setdefault(row["digest"], []).append((row["label"], row["uri_first"], row["uri_count"]))
    rows = []
    for digest, uri, label in zip(*(files[name].to_pylist() for name in ("digest", "uri", "label")), strict=True):
        first, second = usual[digest][:2]
        commonest = first[0] if first[2] > second[2] else None
        if label == commonest:
            continue
        other = second if label == first[0] else first
        rows.append((digest, uri, label, other[0], other[1], commonest))
    names = ["digest", "uri", "label", "other", "other_uri", "usual"]
    types = [pa.binary(16), *[pa.string()] * 5]
    lists = zip(*rows, strict=True) if rows else [[]] * len(names)
    return pa.table([pa.array(values, kind) for values, kind in zip(lists, types, strict=True)], names=names)
