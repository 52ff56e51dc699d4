"""The files of a collection, best first: which are one file under several names, and which have the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.finders.base import ColumnStreams

COLUMNS = (
    "uri", "digest", "status", "size_bytes", "modified_at", "width", "height", "_inode", "_offset",
    "quality", "taken_at", "camera_make", "camera_model", "gps_latitude", "phash", "brightness", "luma_p05",
    "luma_p50", "luma_p95", "entropy", "sharpness",
)  # fmt: skip

METADATA = ("time taken", "camera", "place")
"""What counts as metadata, as bits 0, 1 and 2 of `Places.metadata`."""

_ROW, _REMEMBERED = "_row", "_remembered"
_NO_TIME = np.iinfo(np.int64).max
_YEARS_1_TO_9999 = (-62_135_596_800, 253_402_300_799)  # in seconds since 1970; what can be written as a date


_QUALITY_STEPS = 20  # a finer difference says nothing about which copy is the better one


@dataclass(frozen=True)
class Places:
    """Files that hold bytes, each once however many names it has, best first.

    Those of a remembered collection come before all others: what is remembered is kept.

    Best is: most pixels, then quality (in steps of 0.05), then most kinds of metadata, then age (the second it was
    taken in, else modified), then uri. `subject[i]` numbers the digests by their best file: subject 0 has the best.
    """

    uri: pa.Array  # (n,) string
    uri_rank: NDArray[np.int64]  # (n,) place of the uri in the order of all uris
    digest: pa.Array  # (n,) binary16
    subject: NDArray[np.int64]  # (n,)
    best: NDArray[np.int64]  # (subjects,) row of the best file
    width: NDArray[np.int64]  # (n,) px; 0 where not known
    height: NDArray[np.int64]
    quality: NDArray[np.float64]  # (n,) 0 to 1 in steps of 0.05; -1 where not known
    metadata: NDArray[np.int64]  # (n,) bits of METADATA
    taken: NDArray[np.int64]  # (n,) seconds since 1970, local time; the largest number where not known
    modified: NDArray[np.int64]  # (n,) seconds since 1970, UTC
    phash: pa.Array  # (n,) uint64; null where there is none, or the image is not ok
    tones: NDArray[np.int16]  # (n, 4) brightness and luma_p05, p50, p95 in levels 0 to 255; -1 where not known
    measures: NDArray[np.float64]  # (n, 2) entropy and sharpness; -1 where not known
    ok: NDArray[np.bool_]  # (n,) the image was decoded
    row: NDArray[np.int64]  # (n,) number in the stream of its collection
    remembered: NDArray[np.bool_]  # (n,) of the second collection
    is_comparison: bool  # there is a second collection, and only pairs across are wanted

    def __len__(self) -> int:
        return len(self.subject)


def read_places(columns: ColumnStreams, against: ColumnStreams | None = None) -> Places:
    """All files whose bytes were read and are not empty. An empty file holds no picture, so it is no copy either."""
    table = _table(columns, False)
    if against is not None:
        table = pa.concat_tables([table, _table(against, True)], promote_options="permissive")
    order, uri_rank = _best_first(table)
    table = table.take(pa.array(order))
    digests = table["digest"].combine_chunks().dictionary_encode()  # numbers by first occurrence, which is the best
    subject = digests.indices.to_numpy().astype(np.int64)
    once = _each_file_once(table, subject)
    table, subject, uri_rank = table.filter(pa.array(once)), subject[once], uri_rank[order][once]
    ok = pc.fill_null(pc.equal(table["status"], "ok"), False)
    return Places(
        uri=table["uri"].combine_chunks(),
        uri_rank=uri_rank,
        digest=table["digest"].combine_chunks(),
        subject=subject,
        best=np.unique(subject, return_index=True)[1],
        width=_integers(table["width"], 0),
        height=_integers(table["height"], 0),
        quality=_quality(table),
        metadata=_metadata(table),
        taken=_seconds(table["taken_at"]),
        modified=_seconds(table["modified_at"]),
        phash=pc.if_else(ok, table["phash"], pa.scalar(None, pa.uint64())).combine_chunks(),
        tones=_tones(table),
        measures=np.stack([_floats(table["entropy"]), _floats(table["sharpness"])], axis=1),
        ok=np.asarray(ok.combine_chunks().to_numpy(zero_copy_only=False), np.bool_),
        row=table[_ROW].to_numpy(),
        remembered=np.asarray(table[_REMEMBERED].to_numpy(), np.bool_),
        is_comparison=against is not None,
    )


def why_best(places: Places, best: int, others: Sequence[int]) -> str:
    """One sentence on what sets a file apart from the next best of the others, which are all ranked behind it."""
    following = min(others)
    if _pixels(places, best) != _pixels(places, following):
        return f"largest, {_size(places, best)}; next {_size(places, following)}"
    if places.quality[best] != places.quality[following]:
        return f"best quality, {_score(places, best)}; next {_score(places, following)}"
    if places.metadata[best].bit_count() != places.metadata[following].bit_count():
        return f"most metadata, {_known(places, best)}; next {_known(places, following)}"
    if _age(places, best) != _age(places, following):
        return f"oldest, {_moment(places, best)}; next {_moment(places, following)}"
    if places.modified[best] != places.modified[following]:
        return "the file that was changed first; equal in size, quality, metadata and age"
    return "equal in size, quality, metadata and age; first by name"


def _table(columns: ColumnStreams, remembered: bool) -> pa.Table:
    types = {"uri": pa.string(), "taken_at": pa.timestamp("us"), "phash": pa.uint64()}
    parts, passed = [], 0
    for batch in columns.batches(COLUMNS):
        usable = pc.and_(pc.is_valid(batch["digest"]), pc.fill_null(pc.not_equal(batch["size_bytes"], 0), True))
        rows = pa.array(np.arange(passed, passed + batch.num_rows))
        passed += batch.num_rows
        kept = batch.append_column(_ROW, rows).filter(usable)
        parts.append(pa.table({name: kept[name].cast(types.get(name, kept[name].type)) for name in (*COLUMNS, _ROW)}))
    if not parts:
        nothing = {name: pa.nulls(0, types.get(name, pa.null())) for name in COLUMNS}
        parts = [pa.table({**nothing, _ROW: pa.nulls(0, pa.int64())})]
    table = pa.concat_tables(parts, promote_options="default")
    return table.append_column(_REMEMBERED, pa.array(np.full(table.num_rows, remembered)))


def _best_first(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of the rows from best to worst, and the place of each row's uri among all."""
    by_uri = pc.sort_indices(table["uri"]).to_numpy().astype(np.int64)
    uri_rank = np.empty(len(by_uri), np.int64)
    uri_rank[by_uri] = np.arange(len(by_uri))
    pixels = _integers(table["width"], 0) * _integers(table["height"], 0)
    taken, modified = _seconds(table["taken_at"]), _seconds(table["modified_at"])
    age = np.where(taken == _NO_TIME, modified, taken)
    kinds = np.bitwise_count(_metadata(table)).astype(np.int64)
    new = ~np.asarray(table[_REMEMBERED].to_numpy(), np.bool_)
    return np.lexsort((uri_rank, modified, age, -kinds, -_quality(table), -pixels, new)), uri_rank


def _each_file_once(table: pa.Table, subject: NDArray[np.int64]) -> NDArray[np.bool_]:
    """False for further names of a file: hard links, and the same file reached by several paths.

    A file is known by its inode and its time of modification, an image in a container also by where it begins. Not
    by its device: that number changes when a disk is mounted again, and rows keep the one of their first scan. An
    inode of 0 or null says nothing (object stores have none).
    """
    offset = _integers(table["_offset"], -1)
    side = np.asarray(table[_REMEMBERED].to_numpy(), np.int64)
    inode, modified = _integers(table["_inode"], 0), _integers(table["modified_at"], 0)
    order = np.lexsort((np.arange(len(subject)), side, offset, inode, modified, subject))
    keys = np.stack([subject, modified, inode, offset, side])[:, order]
    again = np.zeros(len(subject), np.bool_)
    again[1:] = (keys[:, 1:] == keys[:, :-1]).all(axis=0) & (keys[2, 1:] != 0)
    once = np.ones(len(subject), np.bool_)
    once[order[again]] = False
    return once


def _integers(column: pa.ChunkedArray, missing: int) -> NDArray[np.int64]:
    """Values as int64; unsigned ones keep their bits, timestamps their count of units."""
    array = column.combine_chunks()
    if pa.types.is_null(array.type):
        return np.full(len(array), missing, np.int64)
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz)).view(pa.int64())
    elif array.type == pa.uint64():
        array = array.view(pa.int64())
    return np.asarray(pc.fill_null(array.cast(pa.int64()), missing).to_numpy(zero_copy_only=False))


def _seconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Whole seconds since 1970: copies that were made in one go are of one age."""
    times = _integers(column, _NO_TIME)
    return np.where(times == _NO_TIME, times, np.clip(times // 1_000_000, *_YEARS_1_TO_9999))


def _quality(table: pa.Table) -> NDArray[np.float64]:
    return np.round(_floats(table["quality"]) * _QUALITY_STEPS) / _QUALITY_STEPS


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Values as float64; -1 where null or no number."""
    filled = pc.fill_null(column.combine_chunks().cast(pa.float64()), -1.0).to_numpy(zero_copy_only=False)
    return np.where(np.isnan(filled), -1.0, filled)


def _metadata(table: pa.Table) -> NDArray[np.int64]:
    camera = pc.or_(pc.is_valid(table["camera_make"]), pc.is_valid(table["camera_model"]))
    kinds = (pc.is_valid(table["taken_at"]), camera, pc.is_valid(table["gps_latitude"]))
    bits = [kind.to_numpy().astype(np.int64) << bit for bit, kind in enumerate(kinds)]
    return np.asarray(np.bitwise_or.reduce(bits))


def _tones(table: pa.Table) -> NDArray[np.int16]:
    brightness = _floats(table["brightness"])
    levels = np.where(brightness < 0, -1, np.round(brightness * 255))
    others = [_integers(table[name], -1) for name in ("luma_p05", "luma_p50", "luma_p95")]
    return np.stack([levels, *others], axis=1).astype(np.int16)


def _pixels(places: Places, row: int) -> int:
    return int(places.width[row] * places.height[row])


def _age(places: Places, row: int) -> int:
    return int(places.modified[row] if places.taken[row] == _NO_TIME else places.taken[row])


def _size(places: Places, row: int) -> str:
    if not _pixels(places, row):
        return "size not known"
    return f"{places.width[row]} × {places.height[row]} px"


def _score(places: Places, row: int) -> str:
    return f"{places.quality[row]:.2f}" if places.quality[row] >= 0 else "not known"


def _known(places: Places, row: int) -> str:
    names = [name for bit, name in enumerate(METADATA) if places.metadata[row] >> bit & 1]
    return ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1] if names else "none"


def _moment(places: Places, row: int) -> str:
    if _age(places, row) == _NO_TIME:
        return "age not known"
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=_age(places, row))
    what = "modified" if places.taken[row] == _NO_TIME else "taken"
    return f"{what} {at:%Y-%m-%d %H:%M:%S}{' UTC' if what == 'modified' else ''}"
