"""A model's columns computed from the stored thumbnails: no image is listed, read or decoded, nor need it be there."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from tintype.codec.limits import Limits
from tintype.core.columns import Column
from tintype.core.errors import ImageError, UsageError
from tintype.core.expressions import And, Compare, Expression, IsNull, Or, Reference
from tintype.core.progress import ScanSummary
from tintype.engine.committer import Committer
from tintype.engine.ledger.sqlite import SqliteLedger
from tintype.engine.messages import Job
from tintype.engine.origins import note_origins, origin_of, run_on, settled_run
from tintype.engine.planner import cut, shard_rows, stale_rows
from tintype.engine.scan import Listener, Scan
from tintype.engine.thumbnail_job import ThumbnailJob, work_of_one
from tintype.engine.work import StageRun
from tintype.models.card import Card
from tintype.models.preparing import enlarged
from tintype.sources.base import Item, Notes, Shard
from tintype.stages.base import SHARED_SIDE_PX
from tintype.store.base import Store
from tintype.store.layout import Layout
from tintype.store.listing import read_listing

_NUMBER = Reference("_stage_thumbnail", pa.int32())  # below 0 where none could be made
_IS_OK = Compare(Reference("status", pa.string()), "=", "ok")
_READ = ("uri", "width", "height")


def scan_thumbnails(
    stage: StageRun,
    store: Store,
    layout: Layout,
    backend: str,
    limits: Limits,
    workers: int,
    listener: Listener | None = None,
) -> ScanSummary:
    """Compute a card's stage for all good images whose values are not of their present thumbnails; the caller holds the
    lock.

    `backend` is a word as `models.settling.settled` takes it. What was finished stays wherever this stops, and the next
    call goes on. Images without a thumbnail keep the values that they have, and are told of; which models thumbnails
    are large enough for is `refuse_small`'s to say. Raises UsageError where there are none, ModelError, MissingExtra,
    and what `engine.scan.scan` raises.
    """
    numbers = _numbers(store)
    if not numbers:
        raise UsageError(
            f"{layout.place} has no thumbnails. Nothing was changed. Make them: tintype scan --stages thumbnail"
        )
    settled = settled_run(stage, store.schema, backend)
    runs = {number: run_on(settled, origin_of(settled).engine, number) for number in numbers}
    note_origins(layout, store, tuple(runs.values()))
    summary = _ThumbnailScan(runs, store, layout, limits, workers, listener).run()
    without = store.count(And((_IS_OK, Or((IsNull(_NUMBER), Compare(_NUMBER, "<", 1))))))
    if not without:
        return summary
    told = f"{without:,} images have no thumbnail, so nothing was computed for them: tintype scan --stages thumbnail"
    return dataclasses.replace(summary, problems=[*summary.problems, (str(layout.place), told)])


def refuse_small(card: Card, place: str) -> None:
    """Raise UsageError where even the largest thumbnail would have to be enlarged for a model."""
    times = enlarged((SHARED_SIDE_PX, SHARED_SIDE_PX), card.pixels)
    if times > 1:
        raise UsageError(
            f"{card.name} takes images of {ceil(times * SHARED_SIDE_PX)} px, and thumbnails have {SHARED_SIDE_PX} px. "
            f"Nothing was changed. Embed the images themselves: tintype embed {place} --model {card.name}"
        )


def _numbers(store: Store) -> list[int]:
    """Of the settings and versions that thumbnails were made with: one, as a rule."""
    if _NUMBER.name not in store.schema.names:
        return []
    found: set[int] = set()
    for batch in store.batches([_NUMBER.name], where=_IS_OK):
        found.update(number for number in pc.unique(batch[_NUMBER.name]).to_pylist() if number is not None)
    return sorted(number for number in found if number > 0)


class _ThumbnailScan(Scan):
    """A scan that finds its work in the table."""

    def __init__(
        self,
        runs: Mapping[int, StageRun],
        store: Store,
        layout: Layout,
        limits: Limits,
        workers: int,
        listener: Listener | None,
    ) -> None:
        self.runs = runs
        one = work_of_one(next(iter(runs.values())), limits)  # the columns of all of them are the same
        super().__init__(_Table(layout), store, layout, one, workers, listener)

    def plan_shards(self, ledger: SqliteLedger, committer: Committer) -> None:
        self.plan.unchanged = self.store.count()
        for number, run in self.runs.items():
            stale = stale_rows(work_of_one(run, self.work.limits))
            if stale is not None:
                self._plan_number(number, And((Compare(_NUMBER, "=", number), stale)), ledger, committer)

    def _plan_number(self, number: int, stale: Expression, ledger: SqliteLedger, committer: Committer) -> None:
        positions = self.store.rows(stale)
        start = 0
        for part in self.store.stale(stale, _READ) if len(positions) else ():
            of_part = pa.array(positions[start : start + part.rows.num_rows], pa.uint64())
            start += part.rows.num_rows
            metadata = {"fragment": str(part.fragment), "thumbnails": str(number)}
            rows = part.rows.append_column("position", of_part).replace_schema_metadata(metadata)
            for payload in cut(rows.combine_chunks(), shard_rows(len(positions), self.workers)):
                committer.expect_update(part.fragment)
                ledger.add("update", [payload])
        self.meter.total += start

    def job(self, known: Path | None) -> Job:
        return ThumbnailJob(self.store.writer(), self.runs, self.work.limits, self.layout.updates)


class _Table:
    """The source of a scan that lists nothing: what the last listing left out still holds."""

    labels: tuple[Column, ...] = ()
    is_ordered = True

    def __init__(self, layout: Layout) -> None:
        listing = read_listing(layout)
        self.place = str(layout.place)
        problems = [(uri, why) for uri, why in listing.get("problems", [])]
        self.notes = Notes(Counter(listing.get("skipped", {})), problems)

    def shards(self) -> Iterator[Shard]:
        return iter(())

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        return iter(())

    def open(self, uri: str) -> BinaryIO:
        raise ImageError("unreadable", "only its thumbnail is at hand")
