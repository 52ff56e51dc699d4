"""What there is to do: the listing of the sources joined with what the collection knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.errors import SourceError
from tintype.core.expressions import And, Compare, Expression, IsNull, Or, Reference
from tintype.engine.work import DECODE_STATE, Work
from tintype.sources.base import ENTRIES, Source
from tintype.store.base import Store

KNOWN_COLUMNS = ("uri", "status", "size_bytes", "_mtime_ns", "_inode", "_offset", DECODE_STATE)
ROWS_PER_SHARD = 256
_SMALLEST_SHARD = 32
WORK_ENTRIES = ENTRIES.append(pa.field("replaces", pa.bool_(), nullable=False))


@dataclass
class Plan:
    """What the join found. Complete once the shards have been taken."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0  # rows below folders that could not be listed
    gone: list[pa.Array] = field(default_factory=list)  # uris
    replaced: list[pa.Array] = field(default_factory=list)  # uris


def plan_rows(source: Source, store: Store, decode_state: int, workers: int, plan: Plan) -> Iterator[bytes]:
    """Payloads of shards with the images that are new or changed; fills `plan` on the way.

    The store streams in the order of the uris, and a source whose listing has that order is joined batch by
    batch, in bounded memory. Raises SourceError where nothing is listed though images are known: a disk that is
    not mounted looks like that.
    """
    waiting: list[pa.Table] = []
    count = 0
    for part in _differences(source, store, decode_state, plan):
        waiting.append(part)
        count += part.num_rows
        if count >= 16 * ROWS_PER_SHARD:
            table = pa.concat_tables(waiting).combine_chunks()
            whole = count - count % ROWS_PER_SHARD
            yield from cut(table.slice(0, whole), ROWS_PER_SHARD)
            waiting, count = [table.slice(whole)], count - whole
    if count:
        # Small ones at the end, so that no worker waits long for the last of the others.
        yield from cut(pa.concat_tables(waiting).combine_chunks(), shard_rows(count, workers))


def shard_rows(count: int, workers: int) -> int:
    """How many of the last `count` rows a shard has, so that each worker gets several."""
    return max(_SMALLEST_SHARD, min(ROWS_PER_SHARD, -(-count // (8 * workers))))


def stale_rows(work: Work) -> Expression | None:
    """The rows of good images for which a stage of this run is to be computed again; None where it has no stages."""
    stale: list[Expression] = []
    for run in work.stages:
        state = Reference(run.state_column, pa.int32())
        # The negative number says that this very computation failed on the image: once is enough.
        is_other = And((Compare(state, "!=", run.state), Compare(state, "!=", -run.state)))
        stale += [IsNull(state), is_other]
    return And((Compare(Reference("status", pa.string()), "=", "ok"), Or(tuple(stale)))) if stale else None


def plan_updates(store: Store, work: Work, plan: Plan, unseen: Sequence[str] = ()) -> Iterator[bytes]:
    """Payloads of shards with rows whose stages are stale, each within one fragment (in the schema's metadata).

    Rows whose uri begins with one of `unseen` are left out: their images could not even be listed.
    """
    stale = stale_rows(work)
    if stale is None or not store.count(stale):
        return
    columns = ["uri", "digest", "size_bytes", "_mtime_ns", "_inode", "_device", "_offset"]
    leaving = [*plan.gone, *plan.replaced]
    for part in store.stale(stale, columns):
        rows = part.rows.rename_columns(
            ["_rowid", "uri", "digest", "size_bytes", "mtime_ns", "inode", "device", "offset"]
        )
        for uris in leaving:
            rows = rows.filter(pc.invert(pc.is_in(rows["uri"], value_set=uris)))
        for prefix in unseen:
            rows = rows.filter(pc.invert(pc.starts_with(rows["uri"], prefix)))
        metadata = {"fragment": str(part.fragment)}
        yield from cut(rows.combine_chunks().replace_schema_metadata(metadata), ROWS_PER_SHARD)


def fragment_of(payload: bytes) -> int:
    """Which fragment an update's payload is about."""
    metadata = pa.ipc.open_stream(payload).schema.metadata or {}
    return int(metadata[b"fragment"])


def _differences(source: Source, store: Store, decode_state: int, plan: Plan) -> Iterator[pa.Table]:
    known = _Known(store)
    listed = 0
    batches = (shard.entries for shard in source.shards())
    for entries in batches if source.is_ordered else _all_at_once(batches):
        listed += entries.num_rows
        uris = entries["uri"]
        there = known.up_to(pc.max(uris).as_py() if source.is_ordered else None)
        yield _compare(entries, there, decode_state, plan)
    rest = known.up_to(None)
    if not listed and rest.num_rows:
        raise SourceError(
            f"{source.place}: no images there now, though the collection knows {known.count}. Nothing was changed. "
            "Is the disk mounted? To forget them, delete the collection"
        )
    _note_gone(rest, pa.array([], pa.string()), plan)
    _keep_unseen(source, plan)


def _all_at_once(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    parts = list(batches)
    if parts:
        yield pa.Table.from_batches(parts).combine_chunks().to_batches()[0]


class _Known:
    """The collection's rows in the order of their uris, taken piece by piece."""

    def __init__(self, store: Store) -> None:
        self._stream = store.batches(KNOWN_COLUMNS, order_by="uri")
        self._ahead = pa.schema([store.schema.field(name) for name in KNOWN_COLUMNS]).empty_table()
        self.count = 0

    def up_to(self, uri: str | None) -> pa.Table:
        """The next rows whose uri is not greater than this one; all that are left for None."""
        while uri is None or not self._ahead.num_rows or self._ahead["uri"][-1].as_py() <= uri:
            batch = next(self._stream, None)
            if batch is None:
                taken, self._ahead = self._ahead, self._ahead.slice(0, 0)
                if uri is not None and taken.num_rows:
                    return self._split(taken, uri)
                return taken
            self.count += batch.num_rows
            self._ahead = pa.concat_tables([self._ahead, pa.Table.from_batches([batch])])
        return self._split(self._ahead, uri)

    def _split(self, table: pa.Table, uri: str) -> pa.Table:
        size = pc.sum(pc.less_equal(table["uri"], uri)).as_py() or 0
        self._ahead = table.slice(size)
        return table.slice(0, size)


def _compare(entries: pa.RecordBatch, known: pa.Table, decode_state: int, plan: Plan) -> pa.Table:
    """The entries that are new or changed, with `replaces`."""
    known = known.combine_chunks()
    place = pc.index_in(entries["uri"], value_set=known["uri"].combine_chunks())
    same = pc.is_valid(place)
    for mine, theirs in (
        ("size_bytes", "size_bytes"),
        ("mtime_ns", "_mtime_ns"),
        ("inode", "_inode"),
        ("offset", "_offset"),
    ):
        ours, stored = entries[mine], pc.take(known[theirs].combine_chunks(), place)
        equal = pc.or_(pc.fill_null(pc.equal(ours, stored), False), pc.and_(pc.is_null(ours), pc.is_null(stored)))
        same = pc.and_(same, equal)
    status, state = (pc.take(known[name].combine_chunks(), place) for name in ("status", DECODE_STATE))
    again = pc.or_(
        pc.equal(status, "unreadable"), pc.and_(pc.not_equal(status, "ok"), pc.not_equal(state, decode_state))
    )
    same = pc.and_(same, pc.invert(pc.fill_null(again, False)))
    replaces = pc.and_(pc.is_valid(place), pc.invert(same))
    work = pa.Table.from_batches([entries]).append_column(WORK_ENTRIES.field("replaces"), replaces)
    work = work.filter(pc.invert(same)).cast(WORK_ENTRIES)
    changed = work.filter(work["replaces"])["uri"].combine_chunks()
    plan.changed += len(changed)
    plan.new += work.num_rows - len(changed)
    plan.unchanged += entries.num_rows - work.num_rows
    if len(changed):
        plan.replaced.append(changed)
    _note_gone(known, entries["uri"], plan)
    return work


def _note_gone(known: pa.Table, listed: pa.Array, plan: Plan) -> None:
    gone = known["uri"].combine_chunks() if known.num_rows else pa.array([], pa.string())
    gone = gone.filter(pc.invert(pc.is_in(gone, value_set=listed)))
    if len(gone):
        plan.gone.append(gone)


def _keep_unseen(source: Source, plan: Plan) -> None:
    """What could not be looked at is not gone. Only at its end does a listing know all that it did not see."""
    gone, plan.gone = plan.gone, []
    for uris in gone:
        for prefix in source.notes.incomplete:
            unseen = pc.starts_with(uris, prefix)
            plan.kept += pc.sum(unseen).as_py() or 0
            uris = uris.filter(pc.invert(unseen))
        if len(uris):
            plan.gone.append(uris)


def cut(table: pa.Table, size: int) -> Iterator[bytes]:
    """The rows as payloads of shards of `size`, Arrow streams."""
    for start in range(0, table.num_rows, size):
        part = table.slice(start, size).combine_chunks()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
            stream.write_table(part)
        yield sink.getvalue().to_pybytes()


def uris_replaced(payload: bytes) -> Sequence[str]:
    """The uris of a shard whose earlier rows leave when its rows come."""
    rows = pa.ipc.open_stream(payload).read_all()
    uris: list[str] = rows.filter(rows["replaces"])["uri"].to_pylist()
    return uris
