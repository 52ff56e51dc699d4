"""Indexes of stored vectors: built, searched, added to, and shortened."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.api.inputs import Telling
from tintype.api.places import Place, absolute, existing
from tintype.core.errors import CollectionNotFound, SourceError, TintypeError, UsageError
from tintype.core.names import shown
from tintype.core.progress import Progress
from tintype.index import building, changing
from tintype.index.opened import OpenIndex
from tintype.index.record import Record, Skipped, is_index, read_record
from tintype.store.collection import Collection
from tintype.store.layout import Layout
from tintype.store.layout import read_record as read_collection
from tintype.store.trust import require_trust
from tintype.store.vectors import CollectionVectors, VectorSource, open_vectors, stamp_of

SUFFIX = ".index"
_BUILT_IN = "descriptor"
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_MOST_IDS_BYTES = 1 << 30

Listener = Callable[[Progress], None]


@dataclass(frozen=True)
class Found:
    """What an index finds for one query, nearest first; equally near ones in the order of the index."""

    ids: tuple[str, ...]
    similarity: tuple[float, ...]  # cosine of each, -1 to 1

    def to_json(self) -> dict[str, Any]:
        """`schema` 1 and `hits`: id, and score, which is the cosine, or 0 where it is negative."""
        pairs = zip(self.ids, self.similarity, strict=True)
        return {"schema": 1, "hits": [{"id": id, "score": round(max(0.0, near), 4)} for id, near in pairs]}


@dataclass(frozen=True)
class IndexChange:
    """What an addition or a removal did."""

    changed: int  # vectors that were added or removed
    unchanged: int  # ids that were there already, or were not there
    skipped: dict[str, int]  # rows without a usable vector or id, by why
    index: SearchIndex

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `changed`, `unchanged`, `skipped` and `index`."""
        return {
            "schema": 1,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "skipped": self.skipped,
            "index": self.index.facts(),
        }


class SearchIndex:
    """An index that is open. It answers as it was when it was opened, whatever is changed in it meanwhile."""

    def __init__(self, opened: OpenIndex) -> None:
        self._opened = opened

    def __repr__(self) -> str:
        return f"<SearchIndex {self.place} of {len(self):,} vectors>"

    def __len__(self) -> int:
        return len(self._opened)

    @property
    def place(self) -> Path:
        """The folder that holds it."""
        return self._opened.place

    @property
    def record(self) -> Record:
        """All that is known of it."""
        return self._opened.record

    @property
    def is_outdated(self) -> bool | None:
        """Whether the vectors that it was built from have changed since; None where they are no longer there."""
        origin = self.record.origin
        try:
            return _stamp(origin.place, origin.column) != origin.stamp
        except (TintypeError, OSError):
            return None

    def search(self, vector: NDArray[Any], k: int = 10) -> Found:
        """The k nearest that are found of a vector (d,), of any length above 0. Fewer where there are fewer.

        Raises UsageError for a vector of another dimension, or one that is zero or not finite.
        """
        return self._found(np.asarray(vector)[None], k, None)

    def search_id(self, name: str, k: int = 10) -> Found:
        """The k nearest others of a vector of the index. Raises UsageError where the id is not there."""
        row = self._opened.row(name)
        return self._found(self._opened.vector(name)[None], k, row)

    def vector(self, name: str) -> NDArray[np.float32]:
        """The vector (d,) of an id, of unit length, as the index keeps it. Raises UsageError where it is not there."""
        return self._opened.vector(name)

    def facts(self) -> dict[str, Any]:
        """What is known of the index, for JSON."""
        record, measured = self.record, self.record.measured
        return {
            "place": str(self.place),
            "vectors": len(self),
            "removed": record.removed_rows,
            "dimensions": record.dimensions,
            "kind": record.design.kind,
            "coding": record.design.coding,
            "bytes_per_vector": record.design.code_bytes(record.dimensions),
            "memory_bytes": record.memory_bytes,
            "resident_bytes": record.design.resident_bytes(record.rows, record.dimensions),
            "disk_bytes": sum(file.bytes for file in record.files.values()),
            "segments": len(record.segments),
            "recall_asked": record.recall,
            "recall": measured.recall,
            "recall_k": measured.k,
            "recall_sample": measured.sample,
            "is_reached": record.is_reached,
            "median_ms": measured.median_ms if measured.sample else None,
            "slowest_ms": measured.slowest_ms if measured.sample else None,
            "probes": record.effort.probes,
            "candidates": record.effort.candidates,
            "skipped": _counts(record.skipped),
            "source": record.origin.place,
            "column": record.origin.column,
            "model": record.origin.model,
            "is_outdated": self.is_outdated,
            "build_seconds": record.build_seconds,
        }

    def to_json(self) -> dict[str, Any]:
        """`schema` 1 and `index`."""
        return {"schema": 1, "index": self.facts()}

    def _found(self, queries: NDArray[Any], k: int, without: int | None) -> Found:
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        hits = self._opened.search(queries, min(k, len(self)) + (without is not None))
        kept = (hits.rows[0] >= 0) & (hits.rows[0] != (-1 if without is None else without))
        rows, similarity = hits.rows[0][kept][:k], hits.similarity[0][kept][:k]
        return Found(tuple(self._opened.ids(rows)), tuple(similarity.tolist()))


def build_index(
    vectors: Place,
    *,
    memory: str | int = "4GB",
    recall: float = 0.95,
    output: Place | None = None,
    column: str | None = None,
    progress: Listener | None = None,
) -> SearchIndex:
    """Build an index of stored vectors, so that the nearest of any are found quickly.

    `vectors` is a collection or what it was made from, with `column` such as `descriptor` or `embed_CARD`; or a file
    or folder of vectors (`store.vectors.open_vectors`). Which kind of index is made follows from their number, from
    `memory`, which neither the build nor what a search looks through exceeds, and from the `recall` asked for: the
    share of the ten true nearest that is found. That share and the time of a search are measured on a sample.
    `output` is a folder; without it that is VECTORS.index, or a folder within the collection.

    A build that was killed goes on where it stopped. Raises UsageError, SourceError for vectors that cannot be read,
    CollectionNotTrusted, CollectionLocked where another process changes the index, and StorageFull.
    """
    source, default = _source(vectors, column)
    if output is None:
        _require_own(source)
    place = default if output is None else Path(absolute(output))
    building.build(source, place, size_in_bytes(memory), recall, Telling(progress))
    return SearchIndex(OpenIndex.open(place))


def open_index(place: Place, *, column: str | None = None, check: bool = False) -> SearchIndex:
    """Open an index: its folder, or the vectors that it was built from. Its files are mapped, not read.

    With `check` every byte is read and compared with its hash. Raises CollectionError where there is none, and
    CollectionDamaged for files that are not as they were written.
    """
    return SearchIndex(OpenIndex.open(_index_place(place, column), check_all=check))


def search_index(
    index: Place | SearchIndex,
    *,
    image: Place | None = None,
    model: str | None = None,
    vector: NDArray[Any] | None = None,
    id: str | None = None,  # noqa: A002  # the word of the command line
    k: int = 10,
    column: str | None = None,
) -> Found:
    """The k nearest of an image file, of a vector (d,), or of an id of the index (itself left out).

    An image is embedded by the card `model`; without it by the one that made the vectors, where the index knows it.
    Raises UsageError, ModelError, and SourceError for a file that is no image.
    """
    if sum(given is not None for given in (image, vector, id)) != 1:
        raise UsageError("one of --image, --vector and --id says what to look for")
    opened = index if isinstance(index, SearchIndex) else open_index(index, column=column)
    if id is not None:
        return opened.search_id(id, k)
    if image is not None:
        vector = described(Path(absolute(image)), model or _model_of(opened.record))
    return opened.search(np.asarray(vector), k)


def add_to_index(
    index: Place, vectors: Place, *, column: str | None = None, progress: Listener | None = None
) -> IndexChange:
    """Add the vectors whose ids are not in the index yet; those that are stay as they are.

    Nothing is built anew; recall and time are measured again. Raises what `build_index` raises.
    """
    source, _ = _source(vectors, column)
    place = _index_place(index, column)
    done = changing.add(place, source, Telling(progress))
    return _change(place, done)


def remove_from_index(index: Place, ids: Sequence[str], *, column: str | None = None) -> IndexChange:
    """Remove vectors by their ids; ids that are not there are counted. Raises CollectionError, CollectionLocked."""
    place = _index_place(index, column)
    return _change(place, changing.remove(place, ids))


def index_info(index: Place, *, column: str | None = None, check: bool = False) -> SearchIndex:
    """What an index is and what was measured: `open_index`, whose answer says it by `to_json`."""
    return open_index(index, column=column, check=check)


def ids_in(file: Place) -> list[str]:
    """The ids in a text file, one a line, in UTF-8; empty lines are passed over. Raises SourceError."""
    path = Path(absolute(file))
    try:
        with path.open("rb") as text:
            data = text.read(_MOST_IDS_BYTES + 1)
        if len(data) > _MOST_IDS_BYTES:
            raise ValueError(f"larger than {_MOST_IDS_BYTES:,} bytes")
        lines = [line.removesuffix("\r") for line in data.decode("utf-8-sig").split("\n")]
        return [line for line in lines if line]
    except (OSError, ValueError) as error:
        raise SourceError(f"{shown(str(path))}: cannot be read as ids, one a line ({error})") from error


def vector_in(file: Place) -> NDArray[Any]:
    """The vector (d,) in a file of numpy's, alone or as the only row. Raises SourceError."""
    path = Path(absolute(file))
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{shown(str(path))}: not an array of numpy's ({type(error).__name__})") from error
    if not isinstance(array, np.ndarray) or array.ndim not in (1, 2) or (array.ndim == 2 and len(array) != 1):
        raise UsageError(f"{shown(str(path))}: one vector is needed")
    return np.array(array).reshape(-1)


def size_in_bytes(size: str | int) -> int:
    """Bytes of a size such as "4GB", "512MiB" or 4096; K, M, G and T are powers of 1,024. Raises UsageError."""
    found = _SIZE.fullmatch(str(size))
    if found is None:
        raise UsageError(f"a size such as 4GB or 512MB is needed, not {shown(str(size))!r}")
    return int(float(found[1]) * 1024 ** _POWERS[found[2].upper()])


def described(path: Path, model: str) -> NDArray[np.float32]:
    """The vector (d,) of an image file by a card that embeds images, as `embed` would compute it."""
    from tintype.codec.limits import Limits  # who searches by vectors and ids needs none of these
    from tintype.engine.rows import analyze
    from tintype.engine.work import StageRun, Work
    from tintype.sources.base import Item
    from tintype.stages import registry

    limits = Limits()
    data = _bytes_of(path, limits.bytes)
    stage = registry.stage(model if model == _BUILT_IN else f"embed:{model}")
    settings = stage.settings()
    work = Work((StageRun(stage, settings, registry.fingerprint(stage, settings)),), limits, decode_state=1)
    rows, _ = analyze([Item(path.name, data, len(data), mtime_ns=0, inode=0, device=0)], 1, work)
    if rows["status"][0].as_py() != "ok":
        raise SourceError(f"{shown(str(path))}: {rows['status'][0]}: {rows['reason'][0]}")
    vector = rows[stage.name][0].as_py()  # the column is named as its stage
    if vector is None:
        raise SourceError(f"{shown(str(path))}: the model {model} makes no usable vector of it")
    return np.array(vector, np.float32)


def _bytes_of(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise SourceError(f"{shown(str(path))}: cannot be read ({error.strerror})") from error
    if len(data) > most:
        raise SourceError(f"{shown(str(path))}: larger than {most:,} bytes")
    return data


def _model_of(record: Record) -> str:
    if record.origin.model is None:
        raise UsageError("the index does not say by which model its vectors were made: --model CARD")
    return record.origin.model


def _source(vectors: Place, column: str | None) -> tuple[VectorSource, Path]:
    """The vectors, and where their index lies if nobody says otherwise."""
    collection = _collection(vectors)
    if collection is None:
        path = Path(absolute(vectors))
        return open_vectors(path, column), path.with_name(path.name + SUFFIX)
    source = CollectionVectors(Collection.open(collection), column or "")
    return source, Layout(collection).index(source.column) / "search"


def _stamp(place: str, column: str | None) -> str:
    collection = _collection(place)
    if collection is None:
        return stamp_of(Path(place), column)
    return CollectionVectors(Collection.open(collection), column or "").stamp


def _collection(vectors: Place) -> Path | None:
    try:
        return existing(vectors)
    except CollectionNotFound:
        return None


def _index_place(place: Place, column: str | None) -> Path:
    """The folder of an index, from itself or from its vectors."""
    path = Path(absolute(place))
    if is_index(path):
        return path
    beside = path.with_name(path.name + SUFFIX)
    if is_index(beside):
        return beside
    collection = _collection(place)
    if collection is None:
        read_record(path)  # says that there is none
        return path
    layout = Layout(collection)
    require_trust(layout, read_collection(layout), "searched by its index")
    there = sorted(found.parent.parent.name for found in (collection / "index").glob("*/search/index.json"))
    if column is None and len(there) != 1:
        what = f"indexes of {', '.join(there)}: say which by --column" if there else "no index"
        raise UsageError(f"{shown(str(path))} has {what}" + ("" if there else ". Make one: tintype index build"))
    return layout.index(column or there[0]) / "search"


def _require_own(source: VectorSource) -> None:
    with contextlib.suppress(CollectionNotFound):
        layout = Layout(Path(source.place))
        require_trust(layout, read_collection(layout), "given an index; --output DIR puts it elsewhere")


def _counts(skipped: Skipped) -> dict[str, int]:
    return {name: count for name, count in dataclasses.asdict(skipped).items() if count}


def _change(place: Path, done: changing.Changed) -> IndexChange:
    return IndexChange(done.rows, done.known, _counts(done.skipped), SearchIndex(OpenIndex.open(place)))
