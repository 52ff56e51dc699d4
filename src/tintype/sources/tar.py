"""Images in a tar archive, with the labels that WebDataset keeps beside them."""

from __future__ import annotations

import copy
import io
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from tintype.codec.limits import Limits
from tintype.core.columns import Column
from tintype.core.errors import ImageError, SourceError
from tintype.core.names import shown
from tintype.sources.base import ENTRIES, Entry, Item, Notes, Shard
from tintype.sources.beneath import too_large, unread
from tintype.sources.labels import Fitter, Seen, read_object
from tintype.sources.tar_bytes import GzipBytes, PlainBytes, open_archive
from tintype.sources.tar_index import Index, Sidecar, index_of, stamp_now

ENTRIES_PER_SHARD = 8_192
LABEL_SAMPLES = 1_000
"""Images, evenly spread over the archive, whose labels decide the types of the columns."""
MAX_SIDECAR = 1 << 20


class TarSource:
    """The images among a tar's members; a uri is `NAME.tar#member`. Nothing is extracted and nothing unpickled.

    Members are grouped as WebDataset does: an image takes the labels of its sample's `.json` (each key of the
    object is a label), `.txt` (the label `caption`) and `.cls` (the label `cls`, a whole number). A plain tar is
    listed in the order of the uris; a gzipped one, which cannot be read at any place, in its own order.

    Reading raises SourceError where the file is written to meanwhile; read anew, it gives what it holds by then.
    """

    def __init__(self, path: Path, labels: tuple[Column, ...] | None = None) -> None:
        self.path = Path(os.path.abspath(path))
        self._labels = labels
        self._notes = Notes()

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def labels(self) -> tuple[Column, ...]:
        if self._labels is None:
            self._labels = self._seen_labels()
        return self._labels

    def with_labels(self, labels: tuple[Column, ...]) -> TarSource:
        """The same source with columns that were fixed elsewhere."""
        return TarSource(self.path, labels)

    @property
    def notes(self) -> Notes:
        return self._notes

    @property
    def is_ordered(self) -> bool:
        return not open_archive(self.path).is_packed

    def shards(self) -> Iterator[Shard]:
        self._notes = Notes()
        index = index_of(self.path)
        self._notes = copy.deepcopy(index.notes)
        for start in range(0, len(index.uris), ENTRIES_PER_SHARD):
            yield Shard(_entries(index, slice(start, start + ENTRIES_PER_SHARD)))

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        index = index_of(self.path)
        reader = _Reader(_reused(self.path, index.stamp), index, Fitter(self.labels), max_bytes)
        for entry, row in zip(shard, index.rows_of(shard.entries["uri"]), strict=True):
            item = reader.item(entry, row)
            if reader.has_changed():  # written over in place: what was read may be another image's bytes
                raise SourceError(f"{shown(self.place)}: changed while it was read")
            yield item

    def open(self, uri: str) -> BinaryIO:
        index, archive = index_of(self.path), open_archive(self.path)
        (row,) = index.rows_of(pa.array([uri], pa.string()))
        if row is None:
            raise ImageError("unreadable", "not in the archive")
        size_bytes = int(index.sizes[row])
        if size_bytes > Limits().bytes:
            raise ImageError("rejected", too_large(size_bytes, Limits().bytes))
        return io.BytesIO(archive.read(int(index.offsets[row]), size_bytes))

    def _seen_labels(self) -> tuple[Column, ...]:
        index = index_of(self.path)
        seen = Seen()
        if len(index.sidecars):
            archive = open_archive(self.path)
            count = len(index.uris)
            for row in np.unique(np.linspace(0, count - 1, min(count, LABEL_SAMPLES)).astype(int)).tolist():
                texts = {sidecar.kind: _text(archive, sidecar) for sidecar in index.sidecars_of(row)}
                seen.add(_values(texts)[0])
        return seen.columns(shown(self.place))


class _Reader:
    """Reads images and their labels from an archive that is open."""

    def __init__(self, archive: PlainBytes | GzipBytes, index: Index, fit: Fitter, max_bytes: int) -> None:
        self._archive, self._index, self._fit, self._max_bytes = archive, index, fit, max_bytes

    def item(self, entry: Entry, row: int | None) -> Item:
        if row is None:
            return unread(entry, ImageError("unreadable", "gone from the archive since it was listed"))
        index = self._index
        offset, size_bytes = int(index.offsets[row]), int(index.sizes[row])
        sidecars = index.sidecars_of(row)
        texts = {s.kind: _text(self._archive, s) for s in sidecars if s.offset < offset}
        data, status, reason = self._data(offset, size_bytes)  # in between: a packed archive is read forwards
        texts |= {s.kind: _text(self._archive, s) for s in sidecars if s.offset > offset}
        labels = self._fit(*_values(texts))
        mtime_ns, inode, device = index.stamp[1:]
        return Item(entry.uri, data, size_bytes, mtime_ns, inode, device, offset, status, reason, labels)

    def has_changed(self) -> bool:
        return stamp_now(self._archive) != self._index.stamp

    def _data(self, offset: int, size_bytes: int) -> tuple[bytes | None, str, str | None]:
        if size_bytes > self._max_bytes:
            return None, "rejected", too_large(size_bytes, self._max_bytes)
        if offset == self._index.cut_offset:
            return None, "damaged", f"the archive is cut off after {size_bytes:,} bytes of it"
        data = self._archive.read(offset, size_bytes)
        if len(data) < size_bytes:
            return None, "unreadable", "the archive became shorter while it was read"
        return data, "ok", None


def _text(archive: PlainBytes | GzipBytes, sidecar: Sidecar) -> bytes | None:
    """What stands in a label file; None where that is too long."""
    return archive.read(sidecar.offset, sidecar.size_bytes) if sidecar.size_bytes <= MAX_SIDECAR else None


def _values(texts: Mapping[str, bytes | None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Labels by name, and what cannot be one, by the kind of its file. The object of `.json` goes before the others."""
    values: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for kind, text in texts.items():
        if text is None:
            rest[kind] = f"not read: more than {MAX_SIDECAR:,} bytes"
        elif kind == ".txt":
            values["caption"] = _decoded(text)
        elif kind == ".cls":
            _read_class(text, values, rest)
    if stated := texts.get(".json"):
        try:
            found = read_object(stated)
        except ValueError as error:
            rest[".json"] = f"not read: {error}"
        else:
            for name, kind in (("caption", ".txt"), ("cls", ".cls")):
                if name in found and name in values and found[name] != values[name]:
                    rest[kind] = values[name]
            values.update(found)
    return values, rest


def _read_class(text: bytes, values: dict[str, Any], rest: dict[str, Any]) -> None:
    try:
        values["cls"] = int(text)
    except ValueError:
        rest[".cls"] = _decoded(text)


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace").strip()


def _entries(index: Index, part: slice) -> pa.RecordBatch:
    uris = index.uris[part]
    container = [
        pa.repeat(pa.scalar(value, ENTRIES.field(name).type), len(uris))
        for name, value in zip(("mtime_ns", "inode", "device"), index.stamp[1:], strict=True)
    ]
    columns = [uris, pa.array(index.sizes[part]), *container, pa.array(index.offsets[part])]
    return pa.RecordBatch.from_arrays(columns, schema=ENTRIES)


@lru_cache(maxsize=2)
def _reused(path: Path, stamp: tuple[int, ...]) -> PlainBytes | GzipBytes:
    """The open archive; the next shard of a gzipped one goes on where the last one stopped."""
    return open_archive(path)
