"""What a collection answers by what its images look like: outliers, clusters, leaks, labels, a selection, a map."""

from __future__ import annotations

import contextlib
import dataclasses

import pyarrow as pa

from tintype.api.answers import settings_of
from tintype.api.inputs import found
from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.core.settings import Config
from tintype.engine.derived import write_derived
from tintype.finders import registry
from tintype.finders.categories import columns_of
from tintype.finders.clusters import Clusters
from tintype.finders.labels import Labels
from tintype.finders.leaks import Leaks
from tintype.finders.outliers import Outliers
from tintype.finders.projection import MAP_COLUMNS, Map
from tintype.finders.selection import Selection
from tintype.finders.splits import SPLIT
from tintype.sources.labels import REST
from tintype.store.collection import Collection


def outliers(collection: Collection, config: Config | None = None) -> Outliers:
    """Images that are unlike all others, each with the nearest that there are."""
    return Outliers(_found(collection, "outliers", config))


def clusters(collection: Collection, config: Config | None = None) -> Clusters:
    """Clusters of images that look alike, with what stands for each and what is distinctive of it.

    Labels may be distinctive too, beside the columns that the setting `clusters.described_by` names.
    """
    known = settings_of(collection, config).get("clusters.described_by")
    labels = (name for name in collection.schema.names if name.startswith("label_"))
    brought = [name for name in labels if name not in (REST.name, *known)]
    return Clusters(_found(collection, "clusters", config, described_by=(*known, *brought)))


def leaks(collection: Collection, by: str | None = None, config: Config | None = None) -> Leaks:
    """Pictures that stand on both sides of a split, exact copies and near ones.

    `by` names the label that holds the split, or is `folder` (default: the setting `leaks.by`). Raises UsageError
    where there is no such label.
    """
    asked = by if by is not None else settings_of(collection, config).get("leaks.by")
    if asked != SPLIT:  # of which paths may tell too
        _require_label(collection, asked)
    return Leaks(_found(collection, "leaks", config, by=by))


def labels(collection: Collection, label: str | None = None, config: Config | None = None) -> Labels:
    """Images whose label is likely wrong, and classes that overlap.

    `label` names the label that is judged (default: the setting `labels.label`). Raises UsageError where there is
    no such label.
    """
    asked = label if label is not None else settings_of(collection, config).get("labels.label")
    _require_label(collection, asked)
    return Labels(_found(collection, "labels", config, label=label))


def select(collection: Collection, count: int | None = None, config: Config | None = None) -> Selection:
    """A diverse subset of so many images (default: the setting `select.count`), without copies, the best first."""
    return Selection(_found(collection, "select", config, count=count))


def map(collection: Collection, config: Config | None = None) -> Map:
    """Lay the images out on a plane, like near like, and keep their places as the columns `map_x` and `map_y`.

    Where the collection cannot be written to, the places are only returned. Raises CollectionLocked.
    """
    made = Map(_found(collection, "map", config))
    if collection.is_trusted and len(made.table) and not _is_written(collection, made):
        by_digest = made.table.group_by("a", use_threads=False).aggregate([(name, "first") for name in MAP_COLUMNS])
        with contextlib.suppress(OSError):  # a read-only disk keeps nobody from looking
            write_derived(collection.layout, by_digest.rename_columns(["digest", *MAP_COLUMNS]))
    return made


def has_label(collection: Collection, name: str) -> bool:
    """Whether the collection has what a user calls by that name: a label, a column, or the folders of files."""
    return bool(set(columns_of(name)) & set(collection.schema.names))


def _require_label(collection: Collection, name: str) -> None:
    if not has_label(collection, name):
        there = [one for one in collection.columns if one.startswith("label_") and one != REST.name]
        known = f"there are {', '.join(there)}, and `folder`" if there else "its images brought none; `folder` is one"
        raise UsageError(f"no label {shown(name)!r} here: {known}")


def _found(collection: Collection, name: str, config: Config | None, **changes: object) -> pa.Table:
    finder = registry.finder(name)
    given = {key: value for key, value in changes.items() if value is not None}
    settings = dataclasses.replace(settings_of(collection, config).get(name), **given)
    return found(collection, finder, settings)


def _is_written(collection: Collection, made: Map) -> bool:
    """Whether the newest version of the collection has these places."""
    newest = Collection.open(collection.place)
    if not set(MAP_COLUMNS) <= set(newest.schema.names):
        return False
    there = newest.table(["uri", *MAP_COLUMNS], "map_x is not null")
    return bool(there.rename_columns(["a_uri", *MAP_COLUMNS]).equals(made.table.select(["a_uri", *MAP_COLUMNS])))
