"""Making the boxes in scanned images into a collection of their own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from tintype.api.opening import open as open_collection
from tintype.api.places import Place, absolute
from tintype.api.settings import config_for
from tintype.core.columns import Column
from tintype.core.errors import CollectionError, CollectionNotFound, UsageError
from tintype.core.names import shown
from tintype.core.platform import available_cpus, full_disk_is_said
from tintype.core.progress import Progress
from tintype.core.settings import Config
from tintype.engine.origins import note_origins, schema_at, settled_work
from tintype.engine.prepare import work_of
from tintype.engine.scan import locked
from tintype.engine.scan import scan as run_scan
from tintype.sources.annotations.base import Unit
from tintype.sources.annotations.resolve import Format, resolve_annotations
from tintype.sources.annotations.stored import StoredBoxes, is_boxes
from tintype.sources.base import Notes, Source
from tintype.sources.box_places import ORIENTATIONS, Orientation
from tintype.sources.object_list import IMAGES, ObjectList, write_list
from tintype.sources.objects import ObjectsSource
from tintype.sources.resolve import resolve
from tintype.sources.several import SeveralSources
from tintype.store import trust as trusted
from tintype.store.collection import Collection
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout, Record, new_record, read_record, write_record

_STORED_AS = {"mtime_ns": "_mtime_ns", "inode": "_inode", "device": "_device", "offset": "_offset"}


def scan_objects(
    place: Place,
    *boxes: Place,
    kind: Format | None = None,
    images: str = "",
    unit: Unit | None = None,
    orientation: Orientation = "auto",
    column: str | None = None,
    collection: Place | None = None,
    stages: Sequence[str] | None = None,
    workers: int | None = None,
    config: Config | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Collection:
    """Cut the boxes of annotations out of the images of a collection, and remember them as images of their own.

    `place` was scanned before. `boxes` are files of COCO or CVAT, folders of Pascal VOC or YOLO, or tables; `kind` says
    which ("coco", "yolo", "voc", "cvat", "table") where the place does not. `images` is the folder, below the source,
    that the names in them are relative to; without it a name may be any end of a uri that only one image has. `unit` is
    what a table's numbers are: "px", or "share" of the image; where it is not given, the numbers tell. `orientation` is
    what the numbers speak of where EXIF turns an image: the "upright" image, the pixels as "stored", or "auto", which
    is the upright image unless the annotations state a size that only the stored pixels have. `column` is one of the
    collection's own columns of boxes, as `objects_CARD`: what a detector found, besides the annotations or instead.

    The result lies inside the collection and holds the objects of these annotations alone; `Collection.objects()`
    opens it again. A second call cuts only what is new or changed in images or annotations. Boxes of images that the
    collection does not have are counted in `skipped`, and the images named in `problems`. `stages`, `workers` and
    `progress` are as in `scan`.

    Raises CollectionNotFound where nothing was scanned, SourceError where annotations cannot be read or no box belongs
    to an image, UsageError, and what `scan` raises.
    """
    if not boxes and column is None:
        raise UsageError(
            "no annotations: name a file of COCO or CVAT, a folder of Pascal VOC or YOLO, a table, or a column of boxes"
        )
    if orientation not in ORIENTATIONS:
        raise UsageError(f"no orientation {orientation!r}. There are: {', '.join(ORIENTATIONS)}")
    annotations = [resolve_annotations(absolute(one), kind, unit) for one in boxes]
    opened = open_collection(place, collection)
    trusted.require_trust(opened.layout, opened.record, "added to")
    if column is not None:
        annotations.append(_stored(opened, column))
    settings = config if config is not None else config_for(opened.sources, opened.layout)
    known = _images(opened, orientation)
    layout = Layout(opened.layout.objects)
    _make_folder(layout)
    with locked(layout), _list_folder(layout) as folder:
        notes = Notes()
        labels = write_list(folder, annotations, known, notes, beneath=images, orientation=orientation)
        del known  # the list has what is needed of it
        source = ObjectsSource(_source(opened, settings), ObjectList(folder), labels, notes, settings.limits)
        chosen = stages if stages is not None else settings.scan.stages
        work = work_of(source, chosen, settings.get, settings.limits)
        settled_work(work, schema_at(layout), settings.models.backend)  # refuses before anything is made
        store = _store(layout, opened.record, [one.place for one in annotations], work.schema)
        source = source.with_labels(_with_known(labels, store.schema))
        work = work_of(source, chosen, settings.get, settings.limits)
        work = settled_work(work, store.schema, settings.models.backend)
        note_origins(layout, store, work.stages)
        count = workers or settings.scan.workers or available_cpus()
        summary = run_scan(source, store, layout, work, count, progress)
    objects = Collection.open(layout.place)
    objects.last_scan = summary
    return objects


def _stored(opened: Collection, name: str) -> StoredBoxes:
    """The boxes in a column of the collection."""
    there = [field.name for field in opened.schema if is_boxes(field.type)]
    if name not in there:
        raise UsageError(
            f"{opened.place} has no column of boxes {shown(name)!r}. "
            + (f"There are: {', '.join(there)}" if there else "Find some first: tintype scan --stages objects:CARD")
        )
    return StoredBoxes(opened.place, name, opened.store.batches(["uri", name]))


def _images(opened: Collection, orientation: Orientation) -> pa.Table:
    """What the collection knows of its images, with the columns of IMAGES."""
    names = [_STORED_AS.get(name, name) for name in IMAGES.names]
    if "orientation" not in opened.schema.names:
        if orientation == "stored":
            raise UsageError(
                f"which images EXIF turns was never computed for {opened.place}. Scan it with the stage exif first"
            )
        names.remove("orientation")
    batches = [
        pa.RecordBatch.from_arrays(batch.columns, names=[name.removeprefix("_") for name in names])
        for batch in opened.store.batches(names)
    ]
    table = pa.Table.from_batches(batches) if batches else IMAGES.empty_table()
    if "orientation" not in table.column_names:
        table = table.append_column(IMAGES.field("orientation"), pa.nulls(len(table), pa.uint8()))
    return table.select(IMAGES.names).cast(IMAGES)


def _source(opened: Collection, settings: Config) -> Source:
    found: list[Source] = []
    for place in opened.sources:
        found += resolve(place, ignore=settings.scan.ignore, hidden=settings.scan.hidden)
    return found[0] if len(found) == 1 else SeveralSources(tuple(found))


def _make_folder(layout: Layout) -> None:
    for part in (layout.place, *layout.parts):
        if part.is_symlink():
            raise CollectionError(
                f"{part} is a link, which no scan makes: writing to it would change other files. Nothing was changed. "
                "Remove it if you do not know it"
            )
    try:
        with full_disk_is_said(str(layout.place)):
            layout.place.mkdir(exist_ok=True)
    except OSError as error:
        raise CollectionError(f"{layout.place} cannot be made ({error.strerror}). Nothing was changed") from error


@contextlib.contextmanager
def _list_folder(layout: Layout) -> Iterator[Path]:
    """A folder for the list, gone when the scan is over."""
    folder = layout.cache / "list"
    if not layout.record.is_file():
        layout.empty()  # what a first call that was interrupted left
    shutil.rmtree(folder, ignore_errors=True)
    with full_disk_is_said(str(layout.place)):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _store(layout: Layout, images: Record, annotations: Sequence[str], schema: pa.Schema) -> LanceStore:
    """The table of objects, made or opened. Its record has the id of the images': who trusts these trusts both."""
    record = Record(images.id, new_record(layout, annotations).sources)
    try:
        known = read_record(layout)
    except CollectionNotFound:
        store = LanceStore.create(layout.images, schema)
        write_record(layout, record)
        return store
    store = LanceStore.open(layout.images)
    if known != record:
        write_record(layout, record)
    return store


def _with_known(labels: Sequence[Column], known: pa.Schema) -> tuple[Column, ...]:
    """Label columns with the types that the table has: they were fixed when it was made."""
    fixed = {
        field.name: Column(field.name, field.type, None, (field.metadata or {}).get(b"label", b"").decode())
        for field in known
        if field.name.startswith("label_")
    }
    return (*fixed.values(), *(column for column in labels if column.name not in fixed))
