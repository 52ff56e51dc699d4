"""The list of all objects, as files that the workers share: made once a scan, looked up by uri."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3
from numpy.typing import NDArray

from tintype.core.columns import DIGEST, Column
from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.core.platform import full_disk_is_said
from tintype.sources.annotations.base import Annotations, Unit
from tintype.sources.annotations.names import AMBIGUOUS, MISSING, ImageNames
from tintype.sources.annotations.packed import Packed
from tintype.sources.base import Notes
from tintype.sources.box_places import Orientation, largest_number, places_of, unit_of
from tintype.sources.boxes import MARK, MAX_PX, frames, hundredths, percents, texts
from tintype.sources.labels import union
from tintype.sources.object_parts import Parts

IMAGES = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("digest", DIGEST),
        pa.field("status", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("orientation", pa.uint8()),  # as EXIF has it; null where not known
        pa.field("size_bytes", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("inode", pa.uint64()),
        pa.field("device", pa.uint64()),
        pa.field("offset", pa.int64()),
    ]
)
"""What has to be known of images before objects can be cut from them."""

OBJECTS = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("image", pa.int64()),  # row of the image
        pa.field("box", pa.string()),  # as `boxes.texts` writes it
        pa.field("x", pa.float64()),  # in px of the upright image; null where its size is not known
        pa.field("y", pa.float64()),
        pa.field("width", pa.float64()),
        pa.field("height", pa.float64()),
        pa.field("angle", pa.float64()),
        pa.field("problem", pa.string()),  # why nothing can be cut
        pa.field("label", pa.string()),
        pa.field("values", pa.string()),
        pa.field("size_bytes", pa.int64()),  # of the crop as `crops.portable_pixmap` makes it
        pa.field("mark", pa.int64()),  # changes with whatever is said of the object
    ]
)

_ROWS = 8_192


class ObjectList:
    """The files of a list, memory-mapped; picklable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getstate__(self) -> dict[str, Any]:
        return {"_folder": self._folder}

    def __len__(self) -> int:
        return int(sum(batch.num_rows for batch in self.batches()))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All objects in the order of their uris, with the columns of OBJECTS."""
        return (self._objects.get_batch(number) for number in range(self._objects.num_record_batches))

    @cached_property
    def images(self) -> pa.Table:
        """The images that have objects, with the columns of IMAGES."""
        return _opened(self._folder / "images.arrow").read_all()

    def rows_of(self, uris: pa.Array) -> list[dict[str, Any] | None]:
        """The rows of some objects; None for those that there are not."""
        rows: list[dict[str, Any] | None] = [None] * len(uris)
        batches = np.array([bisect.bisect_right(self._first_uris, uri) - 1 for uri in uris.to_pylist()])
        for number in np.unique(batches[batches >= 0]).tolist():
            here = np.flatnonzero(batches == number)
            batch = self._objects.get_batch(number)
            at = pc.index_in(uris.take(pa.array(here)), value_set=batch["uri"])
            there = at.is_valid().to_numpy(zero_copy_only=False)
            for place, row in zip(here[there].tolist(), batch.take(at.drop_null()).to_pylist(), strict=True):
                rows[place] = row
        return rows

    @cached_property
    def _objects(self) -> pa.RecordBatchFileReader:
        return _opened(self._folder / "objects.arrow")

    @cached_property
    def _first_uris(self) -> list[str]:
        return [batch["uri"][0].as_py() for batch in self.batches()]


def write_list(
    folder: Path,
    annotations: Sequence[Annotations],
    images: pa.Table,
    notes: Notes,
    *,
    beneath: str = "",
    orientation: Orientation = "auto",
) -> tuple[Column, ...]:
    """Read annotations and write the list of their objects into a folder that is there; returns the label columns.

    `images` are all that the collection knows, with the columns of IMAGES. What belongs to none of them is counted in
    `notes`. Raises SourceError where annotations cannot be read, or where not one box belongs to an image.
    """
    uris = images["uri"].combine_chunks()
    names = ImageNames(uris)
    with full_disk_is_said(str(folder)), Parts(folder, uris, OBJECTS) as parts:
        for one in annotations:
            unit, batches = _with_unit(one, notes)
            reported: set[str] = set()
            is_empty = True
            for boxes in batches:
                is_empty = False
                rows = _rows_of(boxes, names, beneath, one, reported, notes)
                has_image = pa.array(rows >= 0)
                found = pa.Table.from_batches([boxes.filter(has_image)])
                parts.add(_objects(found, rows[rows >= 0], images, unit, orientation, notes))
            if is_empty:
                notes.problem(Path(one.place).name, "holds no boxes that can be read")
        if not len(parts.used_images()):
            raise _nothing(annotations, notes)
        _write(folder / "images.arrow", [images.take(parts.used_images()).cast(IMAGES)], IMAGES)
        _write(folder / "objects.arrow", parts.sorted(), OBJECTS)
    return union(one.labels for one in annotations)


def _with_unit(annotations: Annotations, notes: Notes) -> tuple[Unit, Iterable[pa.RecordBatch]]:
    """What the numbers are, and the boxes; where only all of them together tell the unit, they wait for the last."""
    batches = annotations.batches(notes)
    if annotations.unit is not None:
        return annotations.unit, batches
    waiting, largest = Packed(), 0.0
    for batch in batches:
        largest = max(largest, largest_number(batch))
        waiting.add(batch)
    return unit_of(largest), waiting


def _rows_of(
    boxes: pa.RecordBatch,
    names: ImageNames,
    beneath: str,
    annotations: Annotations,
    reported: set[str],
    notes: Notes,
) -> NDArray[np.int64]:
    """The row of each box's image; what has none is noted, by each name once."""
    encoded = boxes["image"].dictionary_encode()
    found = names.rows(encoded.dictionary, naming=annotations.naming, beneath=beneath)
    rows: NDArray[np.int64] = found[encoded.indices.to_numpy()]
    lost = np.flatnonzero((rows == MISSING) & boxes["other_name"].is_valid().to_numpy(zero_copy_only=False))
    if len(lost):
        others = boxes["other_name"].take(pa.array(lost)).dictionary_encode()
        rows[lost] = names.rows(others.dictionary, beneath=beneath)[others.indices.to_numpy()]
    for verdict, kind, reason in (
        (MISSING, "boxes of images that are not here", "no image of this name is in the collection"),
        (AMBIGUOUS, "boxes of images that several could be", "several images could be meant; name their folder"),
    ):
        without = boxes["image"].filter(pa.array(rows == verdict))
        if len(without):
            notes.skipped[kind] += len(without)
            for name in sorted(set(without.unique().to_pylist()) - reported):
                reported.add(name)
                notes.problem(name, f"{reason} ({Path(annotations.place).name})")
    return rows


def _objects(
    boxes: pa.Table,
    rows: NDArray[np.int64],
    images: pa.Table,
    unit: Unit,
    orientation: Orientation,
    notes: Notes,
) -> pa.Table:
    """Rows of OBJECTS without numbers for repeated boxes, in the order of the annotations."""
    theirs = images.take(pa.array(rows)).combine_chunks()
    places = places_of(boxes, unit, theirs, orientation)
    near = ~places.is_lost
    for name in boxes["image"].filter(pa.array(places.is_lost)).to_pylist():
        notes.refuse(name, f"a box with a number beyond {MAX_PX:,} px")
    boxes, theirs = boxes.filter(pa.array(near)).combine_chunks(), theirs.filter(pa.array(near)).combine_chunks()
    exact = places.boxes[near]
    is_known = np.logical_not(np.isnan(exact).any(axis=1))
    whole = hundredths(np.where(is_known[:, None], exact, 0.0))
    written = pc.if_else(pa.array(is_known), texts(whole), percents(np.nan_to_num(places.shares[near])))
    sizes = np.stack([theirs[name].fill_null(0).to_numpy() for name in ("width", "height")], axis=1).astype(np.int64)
    edges = frames(whole / 100, sizes)
    crops = edges[:, 2:] - edges[:, :2]
    problems = pa.array(places.problems[near], pa.string())
    has_place = is_known & (sizes > 0).all(axis=1)
    columns = {
        "uri": pc.binary_join_element_wise(theirs["uri"], written, MARK),
        "image": pa.array(rows[near]),
        "box": written,
        **{
            name: pa.array(whole[:, place] / 100, mask=~is_known)
            for place, name in enumerate(("x", "y", "width", "height", "angle"))
        },
        "problem": _problems(problems, whole, crops, sizes, has_place),
        "label": boxes["label"],
        "values": boxes["values"],
        "size_bytes": pa.array(_crop_bytes(crops)),
    }
    columns["mark"] = pa.array(_marks(columns, theirs), pa.int64())
    return pa.table([columns[name] for name in OBJECTS.names], schema=OBJECTS)


def _problems(
    known: pa.Array,
    whole: NDArray[np.int64],
    crops: NDArray[np.int64],
    sizes: NDArray[np.int64],
    has_place: NDArray[np.bool_],
) -> pa.Array:
    """Why nothing can be cut: what is known already, or that the box is empty or outside of its image."""
    reasons: list[str | None] = known.to_pylist()
    fails = known.is_null().to_numpy(zero_copy_only=False) & has_place & (crops == 0).any(axis=1)
    is_empty = (whole[:, 2:4] == 0).any(axis=1)
    for row in np.flatnonzero(fails).tolist():
        width, height = sizes[row].tolist()
        outside = f"the box lies outside of the image ({width} × {height} px)"
        reasons[row] = "an empty box" if is_empty[row] else outside
    return pa.array(reasons, pa.string())


def _crop_bytes(crops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sizes of the portable pixmaps: a header with width and height in digits, and three bytes a pixel."""
    digits = np.char.str_len(crops.astype(str)).sum(axis=1)
    return np.where((crops > 0).all(axis=1), len(b"P6\n \n255\n") + digits + 3 * crops.prod(axis=1), 0)


def _marks(objects: dict[str, Any], images: pa.Table) -> Iterator[int]:
    """63 bits for each object that change with its box, its labels and the place and size of its image."""
    said = pa.table({name: objects[name] for name in ("box", "problem", "label", "values")})
    said = said.append_column("size", images["size_bytes"]).append_column("offset", images["offset"])
    for batch in said.to_batches(max_chunksize=_ROWS):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield int.from_bytes(blake3(repr(row).encode()).digest(8), "big") >> 1


def _nothing(annotations: Sequence[Annotations], notes: Notes) -> SourceError:
    places = ", ".join(shown(one.place) for one in annotations)
    first = f" (first: {shown(notes.problems[0][0])}: {shown(notes.problems[0][1])})" if notes.problems else ""
    return SourceError(
        f"{places}: no box in it belongs to an image of the collection{first}. Nothing was changed. Where the names "
        "are relative to a folder of the images, say which: --images FOLDER"
    )


def _write(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Rows in batches of equal length, however the tables are cut."""
    waiting = schema.empty_table()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as file:
        for table in tables:
            waiting = pa.concat_tables([waiting, table]).combine_chunks()
            whole = len(waiting) // _ROWS * _ROWS
            file.write_table(waiting.slice(0, whole), max_chunksize=_ROWS)
            waiting = waiting.slice(whole)
        file.write_table(waiting)


def _opened(path: Path) -> pa.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(str(path)))
