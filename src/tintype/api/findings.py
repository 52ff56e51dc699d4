"""What a collection answers by what its images look like: outliers, clusters, leaks, labels, a selection, a map."""

from __future__ import annotations

import contextlib

import pyarrow as pa

from tintype.api.answers import settings_of, with_said
from tintype.api.inputs import Listener, found
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


def outliers(collection: Collection, config: Config | None = None, progress: Listener | None = None) -> Outliers:
    """Images that are unlike all others, each with the nearest that there are."""
    return Outliers(_found(collection, "outliers", settings_of(collection, config), progress))


def clusters(collection: Collection, config: Config | None = None, progress: Listener | None = None) -> Clusters:
    """Clusters of images that look alike, with what stands for each and what is distinctive of it.

    Labels may be distinctive too, beside the columns that the setting `clusters.described_by` names.
    """
    settings = settings_of(collection, config)
    known = settings.get("clusters.described_by")
    labels = (name for name in collection.schema.names if name.startswith("label_"))
    brought = [name for name in labels if name not in (REST.name, *known)]
    settings = settings.replace({"clusters.described_by": (*known, *brought)})
    return Clusters(_found(collection, "clusters", settings, progress))


def leaks(
    collection: Collection, by: str | None = None, config: Config | None = None, progress: Listener | None = None
) -> Leaks:
    """Pictures that stand on both sides of a split, exact copies and near ones.

    `by` names the label that holds the split, or is `folder` (default: the setting `leaks.by`). Raises UsageError
    where there is no such label.
    """
    settings = with_said(settings_of(collection, config), "leaks.by", by)
    if settings.leaks.by != SPLIT:  # of which paths may tell too
        _require_label(collection, settings.leaks.by)
    return Leaks(_found(collection, "leaks", settings, progress))


def labels(
    collection: Collection, label: str | None = None, config: Config | None = None, progress: Listener | None = None
) -> Labels:
    """Images whose label is likely wrong, and classes that overlap.

    `label` names the label that is judged (default: the setting `labels.label`). Raises UsageError where there is
    no such label.
    """
    settings = with_said(settings_of(collection, config), "labels.label", label)
    _require_label(collection, settings.labels.label)
    return Labels(_found(collection, "labels", settings, progress))


def select(
    collection: Collection, count: int | None = None, config: Config | None = None, progress: Listener | None = None
) -> Selection:
    """A diverse subset of so many images (default: the setting `select.count`), without copies, the best first."""
    settings = with_said(settings_of(collection, config), "select.count", count)
    return Selection(_found(collection, "select", settings, progress))


def map(collection: Collection, config: Config | None = None, progress: Listener | None = None) -> Map:
    """Lay the images out on a plane, like near like, and keep their places as the columns `map_x` and `map_y`.

    Where the collection cannot be written to, the places are only returned. Raises CollectionLocked.
    """
    made = Map(_found(collection, "map", settings_of(collection, config), progress))
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


def _found(collection: Collection, name: str, config: Config, progress: Listener | None) -> pa.Table:
    return found(collection, registry.finder(name), config, progress=progress)


def _is_written(collection: Collection, made: Map) -> bool:
    """Whether the newest version of the collection has these places."""
    newest = Collection.open(collection.place)
    if not set(MAP_COLUMNS) <= set(newest.schema.names):
        return False
    there = newest.table(["uri", *MAP_COLUMNS], "map_x is not null")
    return bool(there.rename_columns(["a_uri", *MAP_COLUMNS]).equals(made.table.select(["a_uri", *MAP_COLUMNS])))
