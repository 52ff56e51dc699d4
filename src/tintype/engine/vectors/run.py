"""Embeds into an output: leases its shards, has workers embed them, and puts together what they make."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tintype.codec.limits import Limits
from tintype.core.errors import WorkerFailed
from tintype.core.platform import available_cpus, child_cpu_seconds, full_disk_is_said
from tintype.core.progress import Progress
from tintype.engine.executors.processes import Finished, Patience, ProcessExecutor
from tintype.engine.ledger.base import Ledger
from tintype.engine.messages import Job
from tintype.engine.progress import Meter
from tintype.engine.vectors.ledgers import opened_ledger
from tintype.engine.vectors.progress import EmbedSummary
from tintype.engine.vectors.sealing import put_in_place, seal
from tintype.store.outputs.manifest import Manifest
from tintype.store.outputs.plan import Plan
from tintype.store.places.base import Place

ACTIVITIES = ("read", "decode", "compute", "write")
_DRAW_EVERY_S = 0.2
_COUNT_EVERY_S = 1.0
_WORTH_ADVICE = 500  # images; fewer are over before any setting matters

Listener = Callable[[Progress], None]


def embed_output(
    place: Place, plan: Plan, job: Job, limits: Limits, workers: int, listener: Listener | None = None
) -> EmbedSummary:
    """Work on an output until all of its shards are done, by whomever; then its manifest is there.

    Raises WorkerFailed where shards were given up, StorageFull or CollectionDamaged; what was finished stays.
    """
    with full_disk_is_said(place.url), opened_ledger(place, plan) as ledger:
        return _Run(place, plan, job, limits, workers, listener, ledger).run()


class _Run:
    def __init__(
        self,
        place: Place,
        plan: Plan,
        job: Job,
        limits: Limits,
        workers: int,
        listener: Listener | None,
        ledger: Ledger,
    ) -> None:
        self.place, self.plan, self.job, self.limits = place, plan, job, limits
        self.workers, self.listener, self.ledger = workers, listener, ledger
        self.begin, self.cpu_begin = time.monotonic(), child_cpu_seconds()
        self.meter = Meter(ACTIVITIES)
        self.embedded = 0
        self.drawn = self.counted = 0.0

    def run(self) -> EmbedSummary:
        self.meter.total = self.plan.images
        self.meter.done = self._images_done()
        self.draw(always=True)
        with tempfile.TemporaryDirectory(prefix="tintype-") as slots:
            patience = Patience(lease_s=self.plan.lease_s)
            executor = ProcessExecutor(
                self.job, self.workers, self.limits, self.ledger, self.ledger.run, Path(slots), patience
            )
            for finished in executor.run():
                if finished is not None:
                    self._take(finished)
                self.draw()
        self._complain()
        manifest = seal(self.place, self.plan, self.ledger)
        self.draw("done", always=True)
        return self._summary(manifest)

    def _take(self, finished: Finished) -> None:
        result = finished.result
        put_in_place(self.place, result)
        self.embedded += result["rows"]
        self.meter.add(result["rows"], result["status"], finished.seconds, time.monotonic() - self.begin)

    def _images_done(self) -> int:
        """Of all workers, as far as the ledger tells: the last shard may have fewer than this counts for it."""
        return min(self.plan.images, self.ledger.counts().get("done", 0) * self.plan.shard_images)

    def _complain(self) -> None:
        if abandoned := self.ledger.abandoned():
            raise WorkerFailed(
                f"{len(abandoned)} shards were given up after several tries (first: {abandoned[0][2]}). All others are "
                f"kept. Try these once more: tintype status {self.place.url} --retry, then the same command"
            )

    def draw(self, phase: str = "embedding", *, always: bool = False) -> None:
        now = time.monotonic() - self.begin
        if self.listener is None or not (always or now - self.drawn >= _DRAW_EVERY_S):
            return
        self.drawn = now
        if now - self.counted >= _COUNT_EVERY_S:
            self.counted = now
            if (others := self._images_done() - self.meter.done) > 0:
                self.meter.add(others, {}, {}, now)
        self.listener(self.meter.progress(phase, now))

    def _summary(self, manifest: Manifest) -> EmbedSummary:
        seconds = time.monotonic() - self.begin
        shares = self.meter.shares()
        bottleneck = max(shares, key=lambda name: shares[name]) if shares else None
        return EmbedSummary(
            output=self.place.url,
            is_complete=True,
            images=manifest.images,
            vectors=manifest.vectors,
            status=manifest.status,
            files=len(manifest.files),
            embedded=self.embedded,
            skipped=self.plan.skipped,
            problems=list(self.plan.problems),
            seconds=seconds,
            images_per_second=self.embedded / seconds if seconds else 0.0,
            cpu_seconds=child_cpu_seconds() - self.cpu_begin,
            time={name: round(self.meter.seconds[name], 3) for name in ACTIVITIES},
            bottleneck=bottleneck,
            advice=_advice(bottleneck, self.workers) if self.embedded >= _WORTH_ADVICE else None,
        )


def _advice(bottleneck: str | None, workers: int) -> str | None:
    """Which setting would make a run like this one faster."""
    if bottleneck in ("decode", "compute") and workers < available_cpus():
        return f"{bottleneck} takes longest: more workers use the processors that are idle (--workers)"
    if bottleneck == "decode":
        return "decoding takes longest: more machines (tintype work), or smaller images, would be faster"
    if bottleneck == "compute":
        return "the model takes longest: a GPU, a smaller model (--model), or more machines (tintype work)"
    if bottleneck == "read":
        return "reading takes longest: a disk that serves several readers gains from more workers (--workers)"
    if bottleneck == "write":
        return "writing takes longest: keep the output on a faster disk (--output)"
    return None
