"""Making collections, and bringing them up to date."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from tintype.api.named import resolved, together
from tintype.api.places import Place, absolute, collection_place
from tintype.api.settings import config_for
from tintype.core.columns import Column
from tintype.core.errors import CollectionError, CollectionNotFound, UsageError
from tintype.core.names import shown
from tintype.core.platform import available_cpus, full_disk_is_said, network_file_system
from tintype.core.progress import Progress
from tintype.core.settings import Config
from tintype.engine.origins import note_origins, schema_at, settled_work
from tintype.engine.prepare import work_of
from tintype.engine.scan import locked
from tintype.engine.scan import scan as run_scan
from tintype.engine.telling import Asked
from tintype.sources.base import HasLabels, Source
from tintype.store import trust as trusted
from tintype.store.collection import Collection
from tintype.store.lance import LanceStore
from tintype.store.layout import RECORD, SUFFIX, Layout, new_record, normal_place, read_record, sources_of, write_record


def scan(
    *sources: Place,
    collection: Place | None = None,
    stages: Sequence[str] | None = None,
    workers: int | None = None,
    config: Config | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Collection:
    """Read what is new or changed in folders, tar shards or tables, and remember it.

    `sources` are paths, or globs and brace ranges of shards. The collection lies in the folder or beside the
    file unless `collection` names another place; several sources need one. `stages` says what is computed
    (default: `scan.stages`), `workers` how many processes do it (default: one for each processor). `progress`
    is called several times a second. What the scan did stands in the result's `last_scan`.

    Raises SourceError, CollectionError and its kinds, StorageFull, PluginError, ConfigError, WorkerFailed.
    """
    places = [absolute(source) for source in sources]
    if not places:
        raise UsageError("nothing to scan: name a folder, a tar shard or a table")
    layout = Layout(collection_place(places, collection))
    settings = config if config is not None else config_for(places, layout)
    found = [source for place in places for source in resolved(place, settings)]
    source = together(found)
    chosen = stages if stages is not None else settings.scan.stages
    work = work_of(source, chosen, settings.get, settings.limits)
    _refuse_unfit(layout, places)
    settled_work(work, schema_at(layout), settings.models.backend)  # refuses before anything is made
    _make_folder(layout)
    with locked(layout):
        store = _store_for_writing(layout, places, work.schema)
        source = _with_known_labels(source, store.schema)
        work = work_of(source, chosen, settings.get, settings.limits)
        work = settled_work(work, store.schema, settings.models.backend)
        note_origins(layout, store, work.stages)
        count = workers or settings.scan.workers or available_cpus()
        summary = run_scan(source, store, layout, work, count, progress, _asked(found, chosen, settings))
    opened = Collection.open(layout.place)
    opened.last_scan = summary
    return opened


def known_labels(known: pa.Schema) -> tuple[Column, ...]:
    """The label columns that the collection has: their types were fixed when it was first scanned."""
    return tuple(
        Column(field.name, field.type, None, (field.metadata or {}).get(b"label", b"").decode())
        for field in known
        if field.name.startswith("label_")
    )


def _with_known_labels(source: Source, known: pa.Schema) -> Source:
    """The source with the label types that the collection has."""
    if not isinstance(source, HasLabels):
        return source
    fixed = known_labels(known)
    names = {column.name for column in fixed}
    return source.with_labels((*fixed, *(column for column in source.labels if column.name not in names)))


def _asked(found: Sequence[Source], stages: Sequence[str], settings: Config) -> Asked:
    return Asked(
        sources=tuple(source.place for source in found),
        ignore=tuple(settings.scan.ignore),
        hidden=settings.scan.hidden,
        stages=tuple(_from_anywhere(stage) for stage in dict.fromkeys(stages)),
    )


def _from_anywhere(stage: str) -> str:
    """The name of a stage, its card's path from the root of the file system if it has one."""
    kind, colon, card = stage.partition(":")
    is_path = os.path.basename(card) != card or card.endswith(".json")
    return f"{kind}:{absolute(card)}" if colon and is_path else stage


def _make_folder(layout: Layout) -> None:
    try:
        with full_disk_is_said(str(layout.place)):
            layout.place.mkdir(exist_ok=True, parents=True)
    except OSError as error:
        raise CollectionError(
            f"{layout.place} cannot be made ({error.strerror}). Nothing was scanned. "
            "Keep the collection elsewhere: --collection DIR"
        ) from error
    if not os.access(layout.place, os.W_OK):
        raise CollectionError(
            f"{layout.place} cannot be written to. Nothing was scanned. Keep the collection elsewhere: --collection DIR"
        )
    if kind := network_file_system(layout.place):
        raise CollectionError(
            f"{layout.place} lies on a network file system ({kind}), where locks cannot be relied on. "
            "Nothing was scanned. Keep the collection on a local disk: --collection DIR"
        )


def _refuse_unfit(layout: Layout, places: Sequence[str]) -> None:
    """Refuse, before anything is written, a place that is somebody else's or that holds other things."""
    for part in (*layout.parts, layout.decisions):
        if part.is_symlink():
            raise CollectionError(
                f"{part} is a link, which no scan makes: writing to it would change other files. Nothing was changed. "
                "Remove it if you do not know it"
            )
    try:
        record = read_record(layout)
    except CollectionNotFound:
        _refuse_other_files(layout)
    else:
        trusted.require_trust(layout, record, "be scanned")
    for place in map(Path, places):
        is_inside = place in layout.place.parents and place.is_dir()
        if is_inside and not any(part.endswith(SUFFIX) for part in layout.place.relative_to(place).parts):
            raise CollectionError(
                f"{layout.place} lies inside of {place} and would be scanned itself. Nothing was changed. "
                f"Let its name end with {SUFFIX}, or keep it elsewhere"
            )


def _refuse_other_files(layout: Layout) -> None:
    """Without its record a folder is a collection's only as far as a first scan that was interrupted made it."""
    if not layout.place.exists():
        return
    if not layout.place.is_dir():
        raise CollectionError(f"{layout.place} is a file. Nothing was changed. Name another place: --collection DIR")
    own = (layout.decisions,)  # may have outlived everything that a scan can make again
    others = sorted(entry.name for entry in layout.place.iterdir() if not layout.is_part(entry) and entry not in own)
    if others or _has_rows(layout):
        what = f"other files ({shown(others[0])})" if others else f"a table but no {RECORD}"
        raise CollectionError(
            f"{layout.place} holds {what}, so it is no place for a new collection. Nothing was changed. "
            "Name another: --collection DIR"
        )


def _has_rows(layout: Layout) -> bool:
    try:
        return LanceStore.open(layout.images).count() > 0
    except CollectionError:
        return layout.images.exists() and any(path.is_file() for path in (layout.images / "data").glob("*"))


def _store_for_writing(layout: Layout, places: Sequence[str], schema: pa.Schema) -> LanceStore:
    """The store, made or opened. Only the record makes a collection of a folder: a half-made one is made again."""
    try:
        record = read_record(layout)
    except CollectionNotFound:
        record = new_record(layout, places)
        layout.empty()
        store = LanceStore.create(layout.images, schema)
        trusted.trust(layout, record)
        write_record(layout, record)
        return store
    if sources_of(layout, record) != tuple(normal_place(place) for place in places):
        was = ", ".join(sources_of(layout, record))
        raise CollectionError(
            f"{layout.place} is the collection of {was}. Nothing was changed. Name another place: --collection DIR"
        )
    return LanceStore.open(layout.images)
