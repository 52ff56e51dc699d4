"""A scan from beginning to end: lock, listing, plan, work, commits, compaction, clean-up."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.columns import DIGEST
from tintype.core.errors import CollectionLocked, WorkerFailed
from tintype.core.expressions import In, IsNull, Not, Reference
from tintype.core.platform import FileLock, available_cpus, child_cpu_seconds, full_disk_is_said
from tintype.core.progress import Progress, ScanSummary
from tintype.engine.committer import Committer
from tintype.engine.executors.base import Patience
from tintype.engine.executors.processes import ProcessExecutor
from tintype.engine.known import write_known
from tintype.engine.ledger.sqlite import SqliteLedger
from tintype.engine.messages import Job
from tintype.engine.planner import Plan, fragment_of, plan_rows, plan_updates
from tintype.engine.progress import Meter, StageFailures
from tintype.engine.scan_job import ScanJob
from tintype.engine.telling import Asked, told
from tintype.engine.work import DECODE_STATE, Work
from tintype.sources.base import Source
from tintype.sources.labels import REST
from tintype.store.base import SHARD, Store
from tintype.store.layout import Layout
from tintype.store.listing import write_listing
from tintype.store.scan_run import remove_run, write_run
from tintype.store.versions import held

KEEP_VERSIONS_S = 3_600.0
LEASE_S = 60.0
_DRAW_EVERY_S = 0.2
_ASKED_AT_ONCE = 10_000
_WORTH_ADVICE = 500  # images; fewer are over before any setting matters
_COPIED_STATUSES = ("ok", "damaged", "rejected", "unsupported")

Listener = Callable[[Progress], None]


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the collection's lock. Raises CollectionLocked where another process has it."""
    lock = FileLock(layout.lock)
    with full_disk_is_said(str(layout.place)):
        taken = lock.acquire()
    if not taken:
        raise CollectionLocked(str(layout.place), lock.holder())
    try:
        yield
    finally:
        lock.release()


def scan(
    source: Source,
    store: Store,
    layout: Layout,
    work: Work,
    workers: int,
    listener: Listener | None = None,
    asked: Asked | None = None,
) -> ScanSummary:
    """Bring the collection up to date with its source; the caller holds the lock.

    What an interrupted scan and its helpers had finished is committed first, so that a scan goes on where the last one
    stopped. With `asked` other processes may help (`helping.help_scan`). Raises StorageFull, SourceError,
    CollectionDamaged or WorkerFailed; what was committed stays.
    """
    return Scan(source, store, layout, work, workers, listener, asked).run()


class Scan:
    """One scan; `from_thumbnails` has one that plans and computes otherwise."""

    def __init__(
        self,
        source: Source,
        store: Store,
        layout: Layout,
        work: Work,
        workers: int,
        listener: Listener | None,
        asked: Asked | None = None,
    ) -> None:
        self.source, self.store, self.layout, self.work = source, store, layout, work
        self.workers, self.listener, self.asked = workers, listener, asked
        self.begin = time.monotonic()
        self.cpu_begin = child_cpu_seconds()
        self.meter = Meter()
        self.plan = Plan()
        self.updated = 0
        self.stage_failures = StageFailures()
        self.drawn = 0.0

    def run(self) -> ScanSummary:
        with full_disk_is_said(str(self.layout.place)):
            self.layout.updates.mkdir(parents=True, exist_ok=True)
        with full_disk_is_said(str(self.layout.place)), contextlib.closing(SqliteLedger(self.layout.ledger)) as ledger:
            return self._run(ledger)

    def _run(self, ledger: SqliteLedger) -> ScanSummary:
        self.draw("listing", always=True)
        remove_run(self.layout)
        earlier = Committer(self.store, ledger, self.layout.updates)
        earlier.commit_all()
        self._empty_cache()
        run = ledger.begin()  # whoever still works on the earlier one does so for nothing
        committer = Committer(self.store, ledger, self.layout.updates, self._count)
        self.store.add_columns(self.work.schema)
        self.plan_shards(ledger, committer)
        gone = self._gone()
        digests = self._digests(gone)
        if ledger.counts():
            self._work(ledger, committer, run)
            committer.commit_all()
        moved = self._count_moved(digests, run)
        self.store.delete(gone)
        if earlier.changed or committer.changed or gone:
            self.draw("compacting", always=True)
            self.store.compact()
        self.store.clean_up(KEEP_VERSIONS_S, held(self.layout.readers))
        self._empty_cache()
        self._remember_listing()
        self._complain(ledger)
        summary = self._summary(moved)
        self.draw("done", always=True)
        return summary

    def plan_shards(self, ledger: SqliteLedger, committer: Committer) -> None:
        ledger.add("rows", plan_rows(self.source, self.store, self.work.decode_state, self.workers, self.plan))
        planned = 0
        for payload in plan_updates(self.store, self.work, self.plan, self.source.notes.incomplete):
            committer.expect_update(fragment_of(payload))
            planned += pa.ipc.open_stream(payload).read_all().num_rows
            ledger.add("update", [payload])
        self.meter.total = self.plan.new + self.plan.changed + planned

    def _work(self, ledger: SqliteLedger, committer: Committer, run: str) -> None:
        known = self.layout.known
        has_known = bool(self.plan.new + self.plan.changed) and write_known(
            self.store, known, self._is_fresh, ["status", DECODE_STATE, *self._state_columns()]
        )
        job = self.job(known if has_known else None)
        patience = Patience(lease_s=LEASE_S)
        executor = ProcessExecutor(job, self.workers, self.work.limits, ledger, run, self.layout.updates, patience)
        self._tell(run, has_known)
        for finished in executor.run():
            if finished is not None:
                committer.add(finished.lease, finished.result)
            committer.look()
            self.draw("scanning")
        remove_run(self.layout)

    def job(self, known: Path | None) -> Job:
        """What workers do; `known` is the place of a KnownBytes."""
        return ScanJob(self.source, self.store.writer(), self.work, known, self.layout.updates)

    def _tell(self, run: str, has_known: bool) -> None:
        """Let others help from now on."""
        if self.asked is None:
            return
        facts = told(
            self.asked,
            self.work,
            run=run,
            version=self.store.version,
            has_known=has_known,
            images=self.meter.total,
            lease_s=LEASE_S,
        )
        write_run(self.layout, facts)

    def _is_fresh(self, batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which rows may be copied for equal bytes: computed as this run would, and not by a mishap."""
        fresh = pc.is_in(batch["status"], value_set=pa.array(_COPIED_STATUSES))
        fresh = pc.and_(fresh, pc.fill_null(pc.equal(batch[DECODE_STATE], self.work.decode_state), False))
        for run in self.work.stages:
            fresh = pc.and_(fresh, pc.fill_null(pc.equal(batch[run.state_column], run.state), False))
        return np.asarray(fresh)

    def _state_columns(self) -> list[str]:
        return [run.state_column for run in self.work.stages]

    def _count(self, kind: str, result: Mapping[str, Any]) -> None:
        self.stage_failures.add(result["failures"])
        if kind == "update":
            self.updated += result["rows"]
        self.meter.add(result["rows"], result["status"], result["seconds"], time.monotonic() - self.begin)

    def _gone(self) -> list[str]:
        return [uri for uris in self.plan.gone for uri in uris.to_pylist()]

    def _digests(self, uris: Sequence[str]) -> Counter[bytes]:
        """How often each digest stands in the rows of these uris."""
        digests: Counter[bytes] = Counter()
        for start in range(0, len(uris), _ASKED_AT_ONCE):
            where = In(Reference("uri", pa.string()), tuple(uris[start : start + _ASKED_AT_ONCE]))
            for batch in self.store.batches(["digest"], where=where):
                digests.update(digest for digest in batch["digest"].to_pylist() if digest is not None)
        return digests

    def _count_moved(self, gone: Counter[bytes], run: str) -> int:
        """How many of the rows that leave came again under another uri in this run."""
        come: Counter[bytes] = Counter()
        wanted = sorted(gone)
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            where = In(Reference("digest", DIGEST), tuple(wanted[start : start + _ASKED_AT_ONCE]))
            for batch in self.store.batches(["digest", SHARD], where=where):
                rows = batch.filter(pc.starts_with(batch[SHARD], f"{run}:"))
                come.update(rows["digest"].to_pylist())
        return (gone & come).total()

    def _empty_cache(self) -> None:
        self.layout.known.unlink(missing_ok=True)
        shutil.rmtree(self.layout.updates, ignore_errors=True)
        with full_disk_is_said(str(self.layout.place)):
            self.layout.updates.mkdir(parents=True, exist_ok=True)

    def _remember_listing(self) -> None:
        notes = self.source.notes
        write_listing(self.layout, dict(sorted(notes.skipped.items())), notes.problems)

    def _complain(self, ledger: SqliteLedger) -> None:
        abandoned = ledger.abandoned()
        if abandoned:
            raise WorkerFailed(
                f"{len(abandoned)} shards were given up after several tries (first: {abandoned[0][2]}). "
                "All others are in the collection; scan again to try these once more"
            )

    def draw(self, phase: str, *, always: bool = False) -> None:
        now = time.monotonic() - self.begin
        if self.listener is not None and (always or now - self.drawn >= _DRAW_EVERY_S):
            self.drawn = now
            self.listener(self.meter.progress(phase, now))

    def _summary(self, moved: int) -> ScanSummary:
        status: Counter[str] = Counter()
        for batch in self.store.batches(["status"]):
            for entry in batch["status"].value_counts().to_pylist():
                status[entry["values"]] += entry["counts"]
        seconds = time.monotonic() - self.begin
        notes = self.source.notes
        gone = sum(len(uris) for uris in self.plan.gone)
        shares = self.meter.shares()
        bottleneck = max(shares, key=lambda name: shares[name]) if shares else None
        return ScanSummary(
            images=status.total(),
            status=dict(sorted(status.items())),
            new=self.plan.new - moved,
            changed=self.plan.changed,
            moved=moved,
            gone=gone - moved,
            unchanged=self.plan.unchanged + self.plan.kept,
            updated=self.updated,
            skipped=dict(notes.skipped),
            problems=[*notes.problems, *self.stage_failures.told()],
            label_rest=self._count_label_rest(),
            seconds=seconds,
            images_per_second=self.meter.done / seconds if seconds else 0.0,
            cpu_seconds=child_cpu_seconds() - self.cpu_begin,
            time=self.meter.time(),
            bottleneck=bottleneck,
            advice=_advice(bottleneck, self.workers) if self.meter.done >= _WORTH_ADVICE else None,
        )

    def _count_label_rest(self) -> int:
        if REST.name not in self.store.schema.names:
            return 0
        return self.store.count(Not(IsNull(Reference(REST.name, pa.string()))))


def _advice(bottleneck: str | None, workers: int) -> str | None:
    """Which setting would make a scan like this one faster."""
    if bottleneck in ("decode", "stages") and workers < available_cpus():
        return f"{bottleneck} takes longest: more workers use the processors that are idle (--workers)"
    if bottleneck == "stages":
        return "stages take longest: leave out those that you do not need (--stages)"
    if bottleneck == "read":
        return "reading takes longest: a disk that serves several readers gains from more workers (--workers)"
    if bottleneck == "write":
        return "writing takes longest: keep the collection on a faster disk (--collection)"
    return None
