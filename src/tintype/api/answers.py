"""What a collection answers: figures, duplicates, issues."""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from pathlib import Path

import numpy as np

from tintype.api.inputs import Listener, found
from tintype.api.settings import config as read_config
from tintype.api.told import values_of_models
from tintype.core.settings import Config
from tintype.engine.checks import unfinished
from tintype.finders import registry
from tintype.finders.duplicates import Duplicates
from tintype.finders.issues import Issues
from tintype.reports.labels import label_columns
from tintype.reports.summary import COLUMNS, Summary, summary
from tintype.stages import registry as stages
from tintype.store.collection import Collection
from tintype.store.layout import Layout, default_place


def info(collection: Collection, where: str | None = None) -> Summary:
    """Figures of the images, or of those that pass the filter. Raises FilterError."""
    columns = [*(name for name in COLUMNS if name in collection.schema.names), *label_columns(collection.schema)]
    figures = summary(collection.batches(columns, where), collection.skipped)
    return dataclasses.replace(figures, models=values_of_models(collection, where))


def duplicates(
    collection: Collection,
    max_distance: int | None = None,
    config: Config | None = None,
    *,
    against: Collection | None = None,
    progress: Listener | None = None,
) -> Duplicates:
    """Pairs and groups of copies: the same bytes, or the same picture after any of the edits that people make.

    `max_distance` is how many of the 64 bits of two perceptual hashes may differ (default: the setting
    `duplicates.distance`). With `against`, only pairs of an image and one of that other collection, which is not
    changed. The findings are kept in the collection, and found there again while they hold.
    """
    settings = with_said(settings_of(collection, config), "duplicates.distance", max_distance)
    return Duplicates(found(collection, registry.finder("duplicates"), settings, against, progress))


def issues(collection: Collection, config: Config | None = None) -> Issues:
    """Images with something amiss, each with a score and a reason; the thresholds are settings."""
    return Issues(found(collection, registry.finder("issues"), settings_of(collection, config)))


def remarks(collection: Collection, *finders: str) -> list[str]:
    """What should be known beside an answer: stages that were never computed, and work that still waits."""
    said = []
    needed = {name for one in finders for name in registry.finder(one).needs(registry.finder(one).settings())}
    needed -= set(collection.schema.names)
    missing = [name for name in stages.names() if needed and _gives(name, needed)]
    if missing:
        said.append(
            f"never computed here: {', '.join(missing)}; what that would tell is missing. Try: {_again(collection)}"
        )
    if waiting := unfinished(collection.layout):
        said.append(f"a scan was interrupted and {waiting} shards wait. Go on: {_again(collection)}")
    return said


def _again(collection: Collection) -> str:
    """The command that scans once more what the collection is of."""
    source = collection.sources[0] if len(collection.sources) == 1 else None
    outer = Layout(collection.place.parent)
    if collection.layout.place == outer.objects and outer.record.is_file():
        return f"tintype objects {outer.place} --boxes {source or 'ANNOTATIONS'}"
    usual = source is not None and default_place(Path(source)) == collection.place
    return f"tintype scan {source or 'SOURCES'}" + ("" if usual else f" --collection {collection.place}")


def _gives(stage: str, columns: Set[str]) -> bool:
    """Whether a stage makes one of these columns."""
    return not columns.isdisjoint(column.name for column in stages.stage(stage).columns)


def settings_of(collection: Collection, config: Config | None) -> Config:
    """The settings that were given, or those that a single source's folder has."""
    if config is not None:
        return config
    sources = collection.sources
    return read_config(sources[0] if len(sources) == 1 else None)


def with_said(config: Config, key: str, value: object) -> Config:
    """The settings with what a call says over them. Raises ConfigError for a value that does not fit."""
    if value is None:
        return config
    return config.replace({key: value.item() if isinstance(value, np.generic) else value})
