"""Embeds into an output: has its shards leased and embedded by workers, and puts together what they make."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tintype.codec.limits import Limits
from tintype.core.errors import WorkerFailed
from tintype.core.platform import available_cpus, child_cpu_seconds, full_disk_is_said
from tintype.core.progress import EmbedSummary, Progress
from tintype.engine.executors.base import Executor, Finished, Patience
from tintype.engine.executors.processes import ProcessExecutor
from tintype.engine.executors.ray import Cluster, Member, RayExecutor
from tintype.engine.ledger.base import Ledger
from tintype.engine.messages import Job
from tintype.engine.progress import Meter
from tintype.engine.vectors.leavings import sweep
from tintype.engine.vectors.ledgers import opened_ledger
from tintype.engine.vectors.sealing import put_in_place, sealed
from tintype.models.engines import Engine
from tintype.store.outputs.manifest import Manifest, read_manifest
from tintype.store.outputs.plan import Plan
from tintype.store.places.base import Place

ACTIVITIES = ("read", "decode", "copy", "compute", "write")
_COPY = "copy"  # to a GPU and back; 0 where the engine is on none
_DRAW_EVERY_S = 0.2
_COUNT_EVERY_S = 1.0
_COUNT_SHARE = 0.01  # of the time; of a large ledger in DynamoDB a count is many reads
_ON_GPU = {
    "decode": "the GPU waits for decoding: {more}, smaller images, or --from thumbnails where a collection has them, "
    "would be faster",
    "copy": "copying to the GPU takes longest: a model with smaller images (--model), or more machines (tintype work)",
    "compute": "the GPU is the limit: a faster engine (--backend auto), a smaller model (--model), more GPUs, or more "
    "machines (tintype work)",
}
_WORTH_ADVICE = 500  # images; fewer are over before any setting matters

Listener = Callable[[Progress], None]

Start = Callable[[Ledger], AbstractContextManager[Executor]]
"""What makes the executor of a run, with all that it needs until the end of the block."""


def embed_output(
    place: Place, plan: Plan, start: Start, workers: int, listener: Listener | None = None
) -> EmbedSummary:
    """Work on an output until all of its shards are done, by whomever; then its manifest is there.

    `workers` are those of this machine, 0 where they are elsewhere; by them it is told what would be faster.
    One that is complete is left as it is, and its ledger is not asked. Raises WorkerFailed where shards were given up,
    StorageFull or CollectionDamaged; what was finished stays.
    """
    with full_disk_is_said(place.url):
        run = _Run(place, plan, workers, listener)
        if (manifest := read_manifest(place)) is not None:
            sweep(place, plan)
            return run.summary(manifest)
        with opened_ledger(place, plan) as ledger:
            return run.run(start, ledger)


def on_this_machine(plan: Plan, job: Job, limits: Limits, workers: int) -> Start:
    """Processes of this machine, as many as `workers`."""

    @contextlib.contextmanager
    def start(ledger: Ledger) -> Iterator[Executor]:
        with tempfile.TemporaryDirectory(prefix="tintype-") as slots:
            yield ProcessExecutor(job, workers, limits, ledger, ledger.run, Path(slots), Patience(lease_s=plan.lease_s))

    return start


def on_cluster(cluster: Cluster, plan: Plan, member: Member, workers: int) -> Start:
    """As many members as `workers` on a Ray cluster; 0 is one a processor or, where the engine needs a GPU, one a GPU,
    which as many workers feed as it has processors beside it."""
    needs_gpu = Engine.of(plan.backend).device == "cuda"
    count = workers or int(cluster.gpus if needs_gpu else cluster.cpus) or 1  # a cluster may grow on demand

    @contextlib.contextmanager
    def start(ledger: Ledger) -> Iterator[Executor]:
        yield RayExecutor(member, count, cpus=cluster.cpus_per_gpu if needs_gpu else 1, needs_gpu=needs_gpu)

    return start


class _Run:
    def __init__(self, place: Place, plan: Plan, workers: int, listener: Listener | None) -> None:
        self.place, self.plan, self.workers, self.listener = place, plan, workers, listener
        self.begin, self.cpu_begin = time.monotonic(), child_cpu_seconds()
        self.on_gpu = Engine.of(plan.backend).device == "cuda"
        self.meter = Meter(tuple(name for name in ACTIVITIES if name != _COPY or self.on_gpu))
        self.embedded = 0
        self.drawn = self.count_at = 0.0

    def run(self, start: Start, ledger: Ledger) -> EmbedSummary:
        self.meter.total = self.plan.images
        self.meter.done = self._images_done(ledger)
        self._draw(ledger, always=True)
        with start(ledger) as executor:
            for finished in executor.run():
                if finished is not None:
                    self._take(finished)
                self._draw(ledger)
        self._complain(ledger)
        manifest = sealed(self.place, self.plan, ledger)
        self._draw(ledger, "done", always=True)
        return self.summary(manifest)

    def _take(self, finished: Finished) -> None:
        result = finished.result
        put_in_place(self.place, result)
        self.embedded += result["rows"]
        self.meter.add(result["rows"], result["status"], finished.seconds, time.monotonic() - self.begin)

    def _images_done(self, ledger: Ledger) -> int:
        """Of all workers, as far as the ledger tells: the last shard may have fewer than this counts for it."""
        return min(self.plan.images, ledger.counts().get("done", 0) * self.plan.shard_images)

    def _complain(self, ledger: Ledger) -> None:
        if abandoned := ledger.abandoned():
            raise WorkerFailed(
                f"{len(abandoned)} shards were given up after several tries (first: {abandoned[0][2]}). All others are "
                f"kept. Try these once more: tintype status {self.place.url} --retry, then the same command"
            )

    def _draw(self, ledger: Ledger, phase: str = "embedding", *, always: bool = False) -> None:
        now = time.monotonic() - self.begin
        if self.listener is None or not (always or now - self.drawn >= _DRAW_EVERY_S):
            return
        self.drawn = now
        if now >= self.count_at:
            if (others := self._images_done(ledger) - self.meter.done) > 0:
                self.meter.add(others, {}, {}, now)
            counted = time.monotonic() - self.begin
            self.count_at = counted + max(_COUNT_EVERY_S, (counted - now) / _COUNT_SHARE)
        self.listener(self.meter.progress(phase, now))

    def summary(self, manifest: Manifest) -> EmbedSummary:
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
            advice=self._advice(bottleneck),
        )

    def _advice(self, bottleneck: str | None) -> str | None:
        if self.embedded < _WORTH_ADVICE:
            return None
        return _advice(bottleneck, self.workers, on_gpu=self.on_gpu)


def _advice(bottleneck: str | None, workers: int, *, on_gpu: bool) -> str | None:
    """Which setting would make a run like this one faster."""
    if on_gpu and bottleneck in _ON_GPU:
        has_idle = 0 < workers < available_cpus()
        more = "more workers (--workers), as processors are idle" if has_idle else "more machines (tintype work)"
        return _ON_GPU[bottleneck].format(more=more)
    if bottleneck in ("decode", "compute") and 0 < workers < available_cpus():
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
