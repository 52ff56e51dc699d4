"""What there is to embed: the listing of the sources, cut into shards and written down before anything is done."""

from __future__ import annotations

import dataclasses
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from tintype.core.errors import SourceError, UsageError
from tintype.core.names import shown
from tintype.engine.vectors.leavings import is_ours
from tintype.sources.base import ENTRIES, Source
from tintype.store.outputs.plan import LISTINGS, Plan, read_plan, refuse_other, write_plan
from tintype.store.places.base import Place

_WRITTEN_AT_ONCE = 8  # a store answers late, and a disk that is waited for takes several at the same time


def plan_output(place: Place, source: Source, wanted: Plan) -> Plan:
    """The plan of an output, made unless there is one; `wanted` lacks what only a listing can tell.

    Raises UsageError where the place holds another run, SourceError where there are no images.
    """
    plan = dataclasses.replace(wanted, id=uuid.uuid4().hex[:12])
    shards, images = _list(place, plan, source)
    notes = source.notes
    if not images:
        raise SourceError(f"{shown(source.place)}: no images there")
    plan = dataclasses.replace(
        plan,
        shards=shards,
        images=images,
        skipped=dict(sorted(notes.skipped.items())),
        problems=tuple(notes.problems),
    )
    if write_plan(place, plan):
        return plan
    for name in list(place.names(f"{LISTINGS}{plan.id}/")):
        place.delete(name)
    there = read_plan(place)  # somebody else was first
    refuse_other(place, there, wanted)
    return there


def _list(place: Place, plan: Plan, source: Source) -> tuple[int, int]:
    """Write down what each shard holds; returns the number of shards and of images."""
    shards = images = 0
    with ThreadPoolExecutor(_WRITTEN_AT_ONCE) as pool:
        on_their_way: deque[Future[None]] = deque()
        for entries in _cut(source, plan.shard_images):
            on_their_way.append(pool.submit(_write, place, plan.listing(shards), entries))
            shards += 1
            images += entries.num_rows
            if len(on_their_way) > 2 * _WRITTEN_AT_ONCE:
                on_their_way.popleft().result()
        for written in on_their_way:
            written.result()
    return shards, images


def _write(place: Place, name: str, entries: pa.RecordBatch) -> None:
    place.write(name, _stream(entries))


def read_listing(place: Place, plan: Plan, shard: int) -> pa.RecordBatch:
    """The columns of ENTRIES for each image of a shard. Raises OSError or ValueError."""
    return pa.ipc.open_stream(place.read(plan.listing(shard))).read_next_batch()


def refuse_other_files(place: Place) -> None:
    """Raises UsageError where a place that is to become an output holds anything else."""
    for name in place.names():
        if not is_ours(name):
            raise UsageError(
                f"{place.url} holds other files ({shown(name)}). Nothing was changed. Name a new folder: --output DIR"
            )


def _cut(source: Source, size: int) -> Iterator[pa.RecordBatch]:
    """The listing in shards of `size` images; the last has what is left."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for shard in source.shards():
        waiting.append(shard.entries.select(ENTRIES.names))
        count += shard.entries.num_rows
        if count >= size:
            table = pa.Table.from_batches(waiting, ENTRIES).combine_chunks()
            for start in range(0, count - size + 1, size):
                yield table.slice(start, size).to_batches()[0]
            table = table.slice(count - count % size)
            waiting, count = table.to_batches(), table.num_rows
    if count:
        yield pa.Table.from_batches(waiting, ENTRIES).combine_chunks().to_batches()[0]


def _stream(entries: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ENTRIES, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_batch(entries)
    return bytes(sink.getvalue())
