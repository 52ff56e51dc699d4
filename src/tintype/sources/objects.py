"""Objects: the boxes in the images of another source, each read as an image of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, BinaryIO

import pyarrow as pa

from tintype.codec.limits import Limits
from tintype.core.columns import DIGEST, Column
from tintype.core.errors import ImageError
from tintype.sources.annotations.base import LABEL
from tintype.sources.base import ENTRIES, Entry, Item, Notes, Shard, Source
from tintype.sources.beneath import too_large, unread
from tintype.sources.boxes import box_of, split_uri, subject_of
from tintype.sources.labels import Fitter
from tintype.sources.object_list import ObjectList

COLUMNS = (
    Column("object_of", pa.string(), None, "uri of the image that the object was cut from"),
    Column("image_digest", DIGEST, None, "digest of that image; null where its bytes could not be read"),
    Column("box_x", pa.float64(), "px", "left edge of the box in the upright image, before the box is turned"),
    Column("box_y", pa.float64(), "px", "upper edge of the box in the upright image, before the box is turned"),
    Column("box_width", pa.float64(), "px", "width of the box"),
    Column("box_height", pa.float64(), "px", "height of the box"),
    Column("box_angle", pa.float64(), "degrees", "how far the box is turned clockwise around its center, -180 to 180"),
)
"""Columns that the rows of objects have beside those of images. Where the size of the image is not known, the box is
null."""

_PLACES = ("x", "y", "width", "height", "angle")

_Row = dict[str, Any]


class ObjectsSource:
    """The objects of a list, in the order of their uris: `photos/a.jpg#xywh=10,20,30,40`.

    An object is read as the pixels of its box, upright; its digest is the BLAKE3-128 of its image's digest and its
    box. An image is decoded once for all objects of a shard. The stamp is the image's, with a number in the place of
    `offset` that changes with the box and its labels. An object has the status of an image that cannot be decoded,
    and is `rejected` where its box makes no sense in the image.
    """

    is_ordered = True

    def __init__(
        self,
        images: Source,
        objects: ObjectList,
        labels: tuple[Column, ...],
        notes: Notes | None = None,
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        """`labels` are the columns of the annotations; `notes` say what the list leaves out."""
        self._images, self._objects, self._limits = images, objects, limits
        self._labels = labels
        self._notes = notes or Notes()

    @property
    def place(self) -> str:
        return self._images.place

    @property
    def labels(self) -> tuple[Column, ...]:
        """What is known of an object beside its pixels: COLUMNS, and the labels of the annotations."""
        return (*COLUMNS, *self._labels)

    def with_labels(self, labels: tuple[Column, ...]) -> ObjectsSource:
        """The same objects with label columns that were fixed elsewhere; COLUMNS among them are passed over."""
        others = tuple(column for column in labels if column.name.startswith("label_"))
        return ObjectsSource(self._images, self._objects, others, self._notes, self._limits)

    @property
    def notes(self) -> Notes:
        return self._notes

    def shards(self) -> Iterator[Shard]:
        images = self._objects.images
        for batch in self._objects.batches():
            theirs = images.select(["mtime_ns", "inode", "device"]).take(batch["image"]).combine_chunks()
            columns = [batch["uri"], batch["size_bytes"], *(column.chunk(0) for column in theirs), batch["mark"]]
            yield Shard(pa.RecordBatch.from_arrays(columns, schema=ENTRIES))

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        reader = _Reader(self._objects.images, Fitter(self._labels), self._limits, max_bytes)
        rows = self._objects.rows_of(shard.entries["uri"])
        groups = [
            (image, list(group))
            for image, group in groupby(
                zip(shard, rows, strict=True), key=lambda pair: None if pair[1] is None else pair[1]["image"]
            )
        ]
        needed = [image for image, group in groups if image is not None and reader.needs(image, group)]
        # Read on only when the objects of the last image were taken: no more than one image is held.
        photos = iter(
            self._images.read(Shard.of([reader.entry(image) for image in needed]), max_bytes) if needed else ()
        )
        for image, group in groups:
            if image is None:
                for entry, _ in group:
                    yield unread(entry, ImageError("unreadable", "no such object; the annotations have changed"))
            elif reader.needs(image, group):
                yield from reader.cut(image, next(photos), group)
            else:
                yield from reader.uncut(image, group)

    def open(self, uri: str) -> BinaryIO:
        from tintype.sources.crops import Photo  # decoders are slow to load

        image, text = split_uri(uri)
        if box_of(text) is None:
            raise ImageError("unreadable", "not the uri of an object in an image whose size is known")
        with self._images.open(image) as file:
            data = file.read(self._limits.bytes + 1)
        if len(data) > self._limits.bytes:
            raise ImageError("rejected", too_large(len(data), self._limits.bytes))
        return io.BytesIO(Photo(data, self._limits).crop(text))


class _Reader:
    """Makes items of objects."""

    def __init__(self, images: pa.Table, fit: Fitter, limits: Limits, max_bytes: int) -> None:
        self._images, self._fit, self._limits, self._max_bytes = images, fit, limits, max_bytes

    def entry(self, image: int) -> Entry:
        """The image as its own source lists it."""
        return Entry(**self._images.slice(image, 1).select(ENTRIES.names).to_pylist()[0])

    def needs(self, image: int, group: list[tuple[Entry, _Row | None]]) -> bool:
        """Whether the image has to be decoded. One that could not be before is not tried again."""
        is_ok = self._images["status"][image].as_py() == "ok"
        return is_ok and any(row is not None and row["problem"] is None for _, row in group)

    def uncut(self, image: int, group: list[tuple[Entry, _Row | None]]) -> Iterator[Item]:
        """The objects of an image that is not ok, or whose boxes make no sense."""
        facts = self._images.slice(image, 1).to_pylist()[0]
        for entry, row in group:
            problem = self._problem(row)
            if facts["status"] != "ok":
                problem = ImageError(facts["status"], f"the image: {facts['reason']}")
            yield self._item(entry, row, facts["digest"], problem or ImageError("rejected", "no box"))

    def cut(self, image: int, item: Item, group: list[tuple[Entry, _Row | None]]) -> Iterator[Item]:
        """The objects of an image that was read."""
        photo, digest = self._photo(image, item, group)
        for entry, row in group:
            found: bytes | ImageError | None = self._problem(row)
            if found is None:
                found = photo if isinstance(photo, ImageError) else self._crop(photo, entry, row)
            yield self._item(entry, row, digest, found)

    def _photo(self, image: int, item: Item, group: list[tuple[Entry, _Row | None]]) -> tuple[Any, bytes | None]:
        """The decoded image, or why there is none, and its digest."""
        from blake3 import blake3

        from tintype.codec.verdicts import check_memory
        from tintype.sources.crops import Photo  # decoders are slow to load, and the parent of a scan needs none

        if item.data is None:
            return ImageError(item.status, f"the image: {item.reason}"), None
        listed = self.entry(image)
        if (item.size_bytes, item.mtime_ns, item.inode) != (listed.size_bytes, listed.mtime_ns, listed.inode):
            return ImageError("unreadable", "the image has changed since it was scanned; scan it again first"), None
        digest = blake3(item.data).digest(16)
        try:
            check_memory(self._needed_bytes(image, group), self._limits)
            return Photo(item.data, self._limits), digest
        except ImageError as error:
            return ImageError(error.status, f"the image: {error.reason}"), digest

    def _needed_bytes(self, image: int, group: list[tuple[Entry, _Row | None]]) -> int:
        """Memory for the whole image, and for a crop as it is cut, handed over and decoded."""
        width, height = (self._images[name][image].as_py() for name in ("width", "height"))
        return int(3 * width * height + 3 * max(entry.size_bytes for entry, _ in group))

    def _crop(self, photo: Any, entry: Entry, row: _Row | None) -> bytes | ImageError:
        if entry.size_bytes > self._max_bytes:
            return ImageError("rejected", too_large(entry.size_bytes, self._max_bytes))
        try:
            crop: bytes = photo.crop(row["box"] if row else "")
        except ImageError as error:
            return error
        return crop

    def _problem(self, row: _Row | None) -> ImageError | None:
        return None if row is None or row["problem"] is None else ImageError("rejected", row["problem"])

    def _item(self, entry: Entry, row: _Row | None, digest: bytes | None, found: bytes | ImageError) -> Item:
        row = row or {}
        subject = None if digest is None else subject_of(digest, row["box"])
        labels = {**self._own(row, digest), **self._fit(_values(row))}
        if isinstance(found, ImageError):
            return replace(unread(entry, found), labels=labels, digest=subject)
        return Item(entry.uri, found, *entry[1:], labels=labels, digest=subject)

    def _own(self, row: Mapping[str, Any], digest: bytes | None) -> dict[str, Any]:
        """Values of COLUMNS."""
        image = self._images["uri"][row["image"]].as_py()
        return {
            "object_of": image,
            "image_digest": digest,
            **{f"box_{name}": row[name] for name in _PLACES},
        }


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(row["values"]) if row["values"] else {}
    return values if row["label"] is None else {LABEL: row["label"], **values}
