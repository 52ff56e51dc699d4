"""One more process that works on the shards of a scan, which another process commits."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tintype.core.errors import CollectionError, TintypeError
from tintype.core.platform import FileLock, child_cpu_seconds, full_disk_is_said
from tintype.core.progress import Progress
from tintype.engine.collection_status import scanned_by
from tintype.engine.executors.base import Patience
from tintype.engine.executors.processes import ProcessExecutor
from tintype.engine.ledger.joined import JoinedLedger
from tintype.engine.progress import Meter, StageFailures
from tintype.engine.scan import KEEP_VERSIONS_S
from tintype.engine.scan_job import ScanJob
from tintype.engine.work import Work
from tintype.sources.base import Source
from tintype.store.lance import LanceStore, LanceWriter
from tintype.store.layout import Layout
from tintype.store.scan_run import ScanRun, read_run
from tintype.store.versions import held

_ASK_EVERY_S = 0.5
_COUNT_EVERY_S = 1.0
_DRAW_EVERY_S = 0.2
_LOCK_TRIES = 25  # every fifth of a second: a scan that ends just now has let go of its lock by then

Listener = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Helped:
    """What a process did that helped with a scan; `images` and all that is said of them are its own."""

    collection: str
    images: int
    updated: int  # those of them whose rows were there, and got new columns
    status: Mapping[str, int]  # of the others
    shards: int
    waiting: int  # shards, by whomever, that are done and not in the table yet
    given_up: int  # shards
    scanned_by: str | None  # whoever takes in what was done
    is_superseded: bool  # whether another scan has begun since
    problems: list[tuple[str, str]]
    seconds: float
    images_per_second: float
    cpu_seconds: float
    time: Mapping[str, Any]
    bottleneck: str | None

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype work --json`."""
        return {
            "schema": 1,
            "collection": self.collection,
            "images": self.images,
            "updated": self.updated,
            "status": dict(sorted(self.status.items())),
            "shards": self.shards,
            "waiting": self.waiting,
            "given_up": self.given_up,
            "scanned_by": self.scanned_by,
            "superseded": self.is_superseded,
            "problems": [{"uri": uri, "reason": reason} for uri, reason in self.problems],
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "time": dict(self.time),
            "bottleneck": self.bottleneck,
        }


def awaited_run(layout: Layout, listener: Listener | None = None) -> ScanRun:
    """What the scan at hand tells its helpers; waited for while somebody, say a scan that lists, holds the collection.

    Raises CollectionError where none is under way, and what `read_run` raises.
    """
    begin = time.monotonic()
    while True:
        holder = scanned_by(layout)  # asked first: a plan may come between the two questions, but none goes unseen
        if (run := read_run(layout)) is not None and layout.ledger.is_file():
            return run
        if holder is None:
            raise CollectionError(f"{layout.place}: no scan is under way that could be helped. Begin one: tintype scan")
        if listener is not None:
            seconds = time.monotonic() - begin
            listener(Progress("listing", 0, 0, {}, seconds, 0.0, None, {}, None))
        time.sleep(_ASK_EVERY_S)


def help_scan(
    layout: Layout, run: ScanRun, source: Source, work: Work, workers: int, listener: Listener | None = None
) -> Helped:
    """Work on the shards of a run until none is left, by whomever; nothing is committed.

    Raises StorageFull, CollectionDamaged, and WorkerFailed where no worker can work; what was finished stays.
    """
    return _Helper(layout, run, listener).run(source, work, workers)


class _Helper:
    def __init__(self, layout: Layout, run: ScanRun, listener: Listener | None) -> None:
        self.layout, self.told, self.listener = layout, run, listener
        self.begin, self.cpu_begin = time.monotonic(), child_cpu_seconds()
        self.meter = Meter()
        self.meter.total = run.images
        self.images = self.updated = self.shards = 0
        self.failures = StageFailures()
        self.count_at = self.draw_at = 0.0

    def run(self, source: Source, work: Work, workers: int) -> Helped:
        layout, told = self.layout, self.told
        store = LanceStore.open(layout.images)
        writer = LanceWriter(layout.images, told.version, store.schema)
        job = ScanJob(source, writer, work, layout.known if told.has_known else None, layout.updates)
        with full_disk_is_said(str(layout.place)), contextlib.closing(JoinedLedger(layout.ledger, told.run)) as ledger:
            try:
                self._help(job, ledger, workers)
            finally:
                if ledger.has_lost:
                    with contextlib.suppress(TintypeError, OSError):  # then the next scan does it
                        _sweep(layout, told.run, ledger)
            return self._helped(ledger)

    def _help(self, job: ScanJob, ledger: JoinedLedger, workers: int) -> None:
        patience = Patience(lease_s=self.told.lease_s)
        with tempfile.TemporaryDirectory(prefix="tintype-") as slots:
            executor = ProcessExecutor(job, workers, job.work.limits, ledger, self.told.run, Path(slots), patience)
            for finished in executor.run():
                if finished is not None:
                    self._count(finished.lease.kind, finished.result)
                self._draw(ledger)
        self._draw(ledger, "done")

    def _count(self, kind: str, result: Mapping[str, Any]) -> None:
        self.shards += 1
        self.images += result["rows"]
        self.updated += result["rows"] if kind == "update" else 0
        self.failures.add(result["failures"])
        self.meter.add(result["rows"], result["status"], result["seconds"], time.monotonic() - self.begin)

    def _draw(self, ledger: JoinedLedger, phase: str = "scanning") -> None:
        """How the whole run comes along."""
        now = time.monotonic() - self.begin
        is_over = phase == "done"
        if self.listener is None or (now < self.draw_at and not is_over):
            return
        self.draw_at = now + _DRAW_EVERY_S
        if now >= self.count_at or is_over:
            self.count_at = now + _COUNT_EVERY_S
            counts = ledger.counts()
            over = sum(count for state, count in counts.items() if state not in ("pending", "leased"))
            done = round(self.told.images * over / (sum(counts.values()) or 1))
            self.meter.add(max(0, done - self.meter.done), {}, {}, now)
        self.listener(self.meter.progress(phase, now))

    def _helped(self, ledger: JoinedLedger) -> Helped:
        is_superseded = ledger.is_superseded
        counts: Mapping[str, int] = {} if is_superseded else ledger.counts()
        seconds = time.monotonic() - self.begin
        shares = self.meter.shares()
        return Helped(
            collection=str(self.layout.place),
            images=self.images,
            updated=self.updated,
            status=dict(self.meter.status),
            shards=self.shards,
            waiting=counts.get("done", 0),
            given_up=counts.get("abandoned", 0),
            scanned_by=scanned_by(self.layout),
            is_superseded=is_superseded,
            problems=self.failures.told(),
            seconds=seconds,
            images_per_second=self.images / seconds if seconds else 0.0,
            cpu_seconds=child_cpu_seconds() - self.cpu_begin,
            time=self.meter.time(),
            bottleneck=max(shares, key=lambda name: shares[name]) if shares else None,
        )


def _sweep(layout: Layout, run: str, ledger: JoinedLedger) -> None:
    """Remove what workers of this process wrote of shards that are somebody else's by now.

    While a scan goes on it does that at its end; and before a scan has taken in what is done, nobody can tell.
    """
    with _locked_soon(layout.lock) as is_locked:
        if is_locked and not set(ledger.counts()) & {"pending", "leased", "done"}:
            LanceStore.open(layout.images).clean_up(KEEP_VERSIONS_S, held(layout.readers))
            for file in layout.updates.glob(f"{run}-*"):
                file.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked_soon(place: Path) -> Iterator[bool]:
    lock = FileLock(place)
    is_locked = lock.acquire()
    for _ in range(_LOCK_TRIES):
        if is_locked:
            break
        time.sleep(_DRAW_EVERY_S)
        is_locked = lock.acquire()
    try:
        yield is_locked
    finally:
        lock.release()
