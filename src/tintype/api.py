"""What a notebook and the command line both call."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tintype.core.errors import CollectionError, CollectionNotFound, UsageError
from tintype.core.settings import PROJECT_FILE, Config, resolve, user_file

if TYPE_CHECKING:
    from tintype.core.progress import Progress
    from tintype.sources.base import Source
    from tintype.store.collection import Collection

Place = str | os.PathLike[str]


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
    from tintype.core.platform import available_cpus
    from tintype.engine.prepare import work_of
    from tintype.engine.scan import locked
    from tintype.engine.scan import scan as run_scan
    from tintype.store.collection import Collection
    from tintype.store.layout import Layout

    places = [_absolute(source) for source in sources]
    if not places:
        raise UsageError("nothing to scan: name a folder, a tar shard or a table")
    layout = Layout(_collection_place(places, collection))
    settings = config if config is not None else _config_for(places, layout)
    source = _source(places, settings)
    work = work_of(source, stages if stages is not None else settings.scan.stages, settings.get, settings.limits)
    _make_folder(layout, places)
    with locked(layout):
        store = _store_for_writing(layout, places, work.schema)
        count = workers or settings.scan.workers or available_cpus()
        summary = run_scan(source, store, layout, work, count, progress)
    opened = Collection.open(layout.place)
    opened.last_scan = summary
    return opened


def open(place: Place, collection: Place | None = None) -> Collection:
    """The collection of a scanned folder or file, or one named by its own place. Raises CollectionNotFound."""
    from tintype.store.collection import Collection

    return Collection.open(_existing(place, collection))


def trust(place: Place) -> Path:
    """Say that a collection which came from elsewhere may be used like one's own; returns its folder."""
    from tintype.store import trust as trusted
    from tintype.store.layout import Layout, read_record

    layout = Layout(_existing(place))
    trusted.trust(layout, read_record(layout))
    return layout.place


def config(root: Place | None = None, flags: dict[str, object] | None = None) -> Config:
    """All settings with their origins: flags over environment over project file over user file over defaults.

    The project file is `tintype.yaml` in `root`; it is passed over where the collection there is not trusted.
    """
    project = None
    if root is not None:
        project = _project_file(Path(_absolute(root)))
    return resolve(sections(), flags=flags or {}, project=project, user=user_file())


def sections() -> dict[str, type]:
    """The sections of the configuration with the dataclasses that hold them."""
    from tintype.codec.limits import Limits
    from tintype.engine.settings import ScanSettings
    from tintype.finders import registry as finders
    from tintype.stages import registry as stages

    found: dict[str, type] = {"scan": ScanSettings, "limits": Limits}
    found |= {name: stages.stage(name).settings for name in stages.names()}
    found |= {name: finders.finder(name).settings for name in finders.names()}
    return found


def _absolute(place: Place) -> str:
    text = os.fspath(place)
    if not text:
        raise UsageError("an empty path names nothing")
    return os.path.abspath(os.path.expanduser(text))


def _config_for(places: Sequence[str], layout: Any) -> Config:
    project = _project_file(Path(places[0]), layout) if len(places) == 1 else None
    return resolve(sections(), project=project, user=user_file())


def _project_file(root: Path, layout: Any = None) -> Path | None:
    """The folder's settings, unless they came with a collection of somebody else's."""
    from tintype.store.layout import Layout, default_place, read_record
    from tintype.store.trust import is_trusted

    if not root.is_dir():
        return None
    layout = layout or Layout(default_place(root))
    try:
        trusted = is_trusted(layout, read_record(layout))
    except CollectionNotFound:
        trusted = True
    return root / PROJECT_FILE if trusted else None


def _source(places: Sequence[str], settings: Config) -> Source:
    from tintype.sources.resolve import resolve as resolve_source
    from tintype.sources.several import SeveralSources

    found: list[Source] = []
    for place in places:
        found += resolve_source(place, ignore=settings.scan.ignore, hidden=settings.scan.hidden)
    return found[0] if len(found) == 1 else SeveralSources(tuple(found))


def _collection_place(places: Sequence[str], collection: Place | None) -> Path:
    from tintype.store.layout import default_place

    if collection is not None:
        return Path(_absolute(collection))
    first = Path(places[0])
    if len(places) > 1:
        raise UsageError("several sources need a place for their collection: --collection DIR")
    if first.exists():
        return default_place(first)
    from tintype.sources.resolve import files_of

    return default_place(files_of(places[0])[0])


def _existing(place: Place, collection: Place | None = None) -> Path:
    from tintype.store.layout import RECORD, default_place

    if collection is not None:
        return Path(_absolute(collection))
    path = Path(_absolute(place))
    for candidate in (path, default_place(path), path.with_name(path.name + ".tintype")):
        if (candidate / RECORD).is_file():
            return candidate
    raise CollectionNotFound(str(path))


def _make_folder(layout: Any, places: Sequence[str]) -> None:
    from tintype.core.platform import full_disk_is_said, network_file_system

    try:
        with full_disk_is_said(str(layout.place)):
            layout.place.mkdir(exist_ok=True, parents=layout.place.parent.name != "")
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


def _store_for_writing(layout: Any, places: Sequence[str], schema: Any) -> Any:
    """The store, made or opened. Only the record makes a collection of it, so a half-made one is made again."""
    from tintype.store.lance import LanceStore
    from tintype.store.layout import new_record, read_record, sources_of, write_record
    from tintype.store.trust import require_trust, trust

    try:
        record = read_record(layout)
    except CollectionNotFound:
        record = new_record(layout, places)
        try:
            store = LanceStore.open(layout.images)
        except CollectionError:
            store = LanceStore.create(layout.images, schema)
        trust(layout, record)
        write_record(layout, record)
        return store
    require_trust(layout, record, "be scanned")
    if sources_of(layout, record) != tuple(os.path.normpath(place) for place in places):
        was = ", ".join(sources_of(layout, record))
        raise CollectionError(
            f"{layout.place} is the collection of {was}. Nothing was changed. Name another place: --collection DIR"
        )
    return LanceStore.open(layout.images)
