"""Stored vectors as one stream of ids and blocks: a collection's column, or files that hold vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from blake3 import blake3

from tintype.core.errors import SourceError, UsageError
from tintype.core.names import shown
from tintype.store.collection import Collection
from tintype.store.outputs.manifest import MANIFEST_FILE
from tintype.store.outputs.plan import PLAN_FILE
from tintype.store.vector_files import (
    MOST_DIMENSIONS,
    VectorBlock,
    block_of,
    block_rows,
    is_vectors,
    opened,
    unreadable_is_said,
)

_BUILT_IN = "descriptor"
_OF_CARD = "embed_"
_MOST_MANIFEST_BYTES = 1 << 28


class VectorSource(Protocol):
    """Vectors that can be read from any row on, in bounded memory, any number of times."""

    @property
    def place(self) -> str:
        """What a user would call it: an absolute path."""
        ...

    @property
    def column(self) -> str | None:
        """The column that was asked for, if any."""
        ...

    @property
    def model(self) -> str | None:
        """The card that made them, by its name or its file, where that is known."""
        ...

    @property
    def dimensions(self) -> int: ...

    def __len__(self) -> int:
        """All rows, those without a vector included."""
        ...

    @property
    def stamp(self) -> str:
        """Hexadecimal digits that change when the vectors do."""
        ...

    def blocks(self, start: int, stop: int) -> Iterator[VectorBlock]:
        """The rows from `start` to `stop`, `block_rows` at most at once. Raises SourceError where they cannot be."""
        ...


class CollectionVectors:
    """A column of a collection, as it is at one version of its table; ids are uris."""

    def __init__(self, collection: Collection, column: str) -> None:
        """Raises UsageError where that is no column of vectors."""
        schema = collection.schema
        if column not in schema.names or not pa.types.is_fixed_size_list(schema.field(column).type):
            there = [field.name for field in schema if is_vectors(field.type)]
            raise UsageError(
                f"{shown(str(collection.place))} has no vectors {shown(column)!r}. "
                + (f"There are: {', '.join(there)}" if there else "Make some: tintype embed PLACE --model CARD")
            )
        self._collection = collection
        self.place, self.column = str(collection.place), column
        of_card = column.removeprefix(_OF_CARD) if column.startswith(_OF_CARD) else None
        self.model = _BUILT_IN if column == _BUILT_IN else of_card
        self.dimensions = int(schema.field(column).type.list_size)
        self.stamp = blake3(f"{collection.record.id} {column} {collection.data_version}".encode()).hexdigest(16)

    def __len__(self) -> int:
        return len(self._collection)

    def blocks(self, start: int, stop: int) -> Iterator[VectorBlock]:
        step = block_rows(self.dimensions)
        for first in range(start, min(stop, len(self)), step):
            rows = np.arange(first, min(stop, len(self), first + step))
            yield block_of(self._collection.store.take(rows, ["uri", str(self.column)]), self.dimensions)


class FileVectors:
    """Files that hold vectors, one after the other in the order of their names."""

    def __init__(self, place: Path, column: str | None = None) -> None:
        """Raises SourceError where there are no files of a known kind, and for one that is not what it should be."""
        self.place, self.column = str(place), column
        found = _files(place)
        self.model = found.model
        self._parts = [opened(path, beside, column) for path, beside in found.files]
        self.dimensions = self._common_dimensions()
        ends = np.cumsum([len(part) for part in self._parts])
        self._starts = np.concatenate([[0], ends])
        self.stamp = _stamp(found, column)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def blocks(self, start: int, stop: int) -> Iterator[VectorBlock]:
        for part, first in zip(self._parts, self._starts[:-1].tolist(), strict=True):
            begin, end = max(start - first, 0), min(stop - first, len(part))
            if begin < end:
                with unreadable_is_said(part.path):
                    yield from part.blocks(begin, end, self.dimensions)

    def _common_dimensions(self) -> int:
        found = 0
        for part in self._parts:
            with unreadable_is_said(part.path):
                own = part.dimensions()
            if found and own and own != found:
                raise SourceError(
                    f"{shown(str(part.path))}: vectors of {own} numbers, where those before it have {found}: "
                    "of another model"
                )
            found = found or own
        if not 1 <= found <= MOST_DIMENSIONS:
            raise SourceError(f"{shown(self.place)}: no vectors of 1 to {MOST_DIMENSIONS} numbers in it")
        return found


@dataclass(frozen=True)
class _Found:
    """The files with vectors, each with the one that has its ids where that is another; and the card that made them."""

    files: Sequence[tuple[Path, Path | None]]
    model: str | None = None


def open_vectors(place: Path, column: str | None = None) -> FileVectors:
    """The vectors in a file, or in the files of a folder.

    A folder that `tintype embed` filled is read by its manifest. Parquet files and Lance tables have a column `id` and
    one `embedding` (or `column`); npz archives the arrays `ids` and `embeddings`; npy files are matrices, in
    clip-retrieval's layout (`img_emb/*.npy` and `metadata/*.parquet` with `image_path`) or alone, when ids are
    FILE#ROW. Raises SourceError.
    """
    return FileVectors(place, column)


def stamp_of(place: Path, column: str | None = None) -> str:
    """The stamp of the vectors in a file or folder, without opening them. Raises SourceError or OSError."""
    return _stamp(_files(place), column)


def _files(place: Path) -> _Found:
    if place.is_file() or place.suffix == ".lance":
        return _Found([(place, None)])
    if not place.is_dir():
        raise SourceError(f"{shown(str(place))}: no such file or folder")
    if (place / MANIFEST_FILE).is_file():
        return _of_manifest(place)
    if (place / PLAN_FILE).is_file():
        raise SourceError(f"{shown(str(place))}: its vectors are not finished. See: tintype status {shown(str(place))}")
    if matrices := _ending(place / "img_emb", ".npy"):
        return _Found(_paired(place, matrices, _ending(place / "metadata", ".parquet")))
    for ending in (".parquet", ".lance", ".npz", ".npy"):
        if found := _ending(place, ending):
            return _Found([(path, None) for path in found])
    raise SourceError(f"{shown(str(place))}: no Parquet, Lance, npz or npy files with vectors in it")


def _of_manifest(place: Path) -> _Found:
    """The files that a manifest names, in its order."""
    try:
        with (place / MANIFEST_FILE).open("rb") as file:
            told: Any = json.loads(file.read(_MOST_MANIFEST_BYTES))
        names = [PurePosixPath(one["name"]) for one in told["files"]]
        model, kind = str(told["model"]), told["format"]
        if any(name.is_absolute() or ".." in name.parts for name in names):
            raise ValueError("a file outside of the folder")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"{shown(str(place / MANIFEST_FILE))}: cannot be read as a manifest") from error
    if kind == "lance":
        return _Found([(path, None) for path in sorted(place.glob("*.lance"))], model)
    if kind == "clip-retrieval":
        matrices = [place / name for name in names if name.suffix == ".npy"]
        return _Found(_paired(place, matrices, [place / name for name in names if name.parts[0] == "metadata"]), model)
    return _Found([(place / name, None) for name in names if name.suffix in (".parquet", ".npz")], model)


def _paired(place: Path, matrices: list[Path], tables: list[Path]) -> list[tuple[Path, Path | None]]:
    if len(tables) != len(matrices):
        raise SourceError(f"{shown(str(place))}: {len(matrices)} files in img_emb, but {len(tables)} in metadata")
    return list(zip(matrices, tables, strict=True))


def _ending(folder: Path, ending: str) -> list[Path]:
    found = (path for path in folder.rglob(f"*{ending}") if path.name[0] not in "._")
    return sorted(found, key=lambda path: [(len(part), part) for part in path.relative_to(folder).parts])


def _stamp(found: _Found, column: str | None) -> str:
    told = blake3(f"{column} {found.model}".encode())
    for path, _ in found.files:
        facts = (path / "_versions" if path.suffix == ".lance" else path).stat()
        told.update(f"{path.name} {facts.st_size} {facts.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return told.hexdigest(16)
