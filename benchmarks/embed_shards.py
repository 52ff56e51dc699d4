"""What a shard costs beside its images: planned, leased, put in place and named in the manifest, by a null engine."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure
from benchmarks.measure import ROOT
from benchmarks.options import Options, report
from tintype.codec.limits import Limits
from tintype.core.platform import child_cpu_seconds
from tintype.engine.messages import Handler, Task
from tintype.engine.vectors.job import result_of
from tintype.engine.vectors.ledgers import fill, opened_ledger, shard_of
from tintype.engine.vectors.planning import plan_output
from tintype.engine.vectors.run import embed_output, on_this_machine
from tintype.engine.work import Clock, Watch
from tintype.sources.base import Entry, Shard
from tintype.sources.folder import FolderSource
from tintype.store.outputs.base import Part, format_of, rows_schema
from tintype.store.outputs.plan import PARTS, Plan
from tintype.store.places.local import LocalPlace

BOUND_MS = 5.0
IMAGES_A_SHARD = 4
DIMENSION = 8


class ListedSource(FolderSource):
    """Images that are only listed."""

    def __init__(self, root: Path, images: int) -> None:
        super().__init__(root)
        self._images = images

    def shards(self) -> Any:
        for start in range(0, self._images, 8_192):
            stop = min(self._images, start + 8_192)
            yield Shard.of([Entry(f"{number:012}.jpg", 1, 1, 1, 1, None) for number in range(start, stop)])


@dataclass(frozen=True)
class NullJob:
    """Has the same vector for each image, at once."""

    output: LocalPlace
    plan: Plan

    @property
    def place(self) -> str:
        return self.output.url

    def begin(self) -> Handler:
        schema = rows_schema(DIMENSION)
        unit = pa.array(np.full(IMAGES_A_SHARD * DIMENSION, DIMENSION**-0.5, np.float16))
        form = format_of(self.plan.format)

        def work(task: Task, watch: Watch, clock: Clock) -> dict[str, Any]:
            shard = shard_of(self.plan, task.payload)
            ids = [f"{shard * IMAGES_A_SHARD + row:012}.jpg" for row in range(IMAGES_A_SHARD)]
            ok = pa.array(["ok"] * IMAGES_A_SHARD)
            nulls = pa.nulls(IMAGES_A_SHARD)
            vectors = pa.FixedSizeListArray.from_arrays(unit, DIMENSION)
            columns = [pa.array(ids), vectors, ok, nulls.cast(pa.string()), nulls.cast(pa.binary(16))]
            rows = pa.table(columns, schema=schema)
            part = Part(shard, self.plan.shards, IMAGES_A_SHARD)
            contents = form.encode(rows, part)
            aside = [f"{PARTS}{task.name.replace(':', '-')}-0"]
            self.output.write(aside[0], contents[0])
            return result_of(rows, part, aside, form.names(part), contents)

        return work


def measure(options: Options) -> list[Figure]:
    shards = 1_000 if options.quick else 10_000
    folder = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    os.environ["PYTHONPATH"] = str(ROOT)  # workers find the job
    try:
        return _measured(folder, shards)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(folder: Path, shards: int) -> list[Figure]:
    place = LocalPlace(folder / "out")
    (folder / "root").mkdir()
    begin, cpu_begin = time.perf_counter(), child_cpu_seconds()
    plan = plan_output(place, ListedSource(folder / "root", shards * IMAGES_A_SHARD), _wanted())
    with opened_ledger(place, plan) as ledger:
        fill(ledger, plan)
    planned, cpu_planned = time.perf_counter(), child_cpu_seconds()
    done = embed_output(place, plan, on_this_machine(plan, NullJob(place, plan), Limits(), 2), 2)
    ended, cpu_ended = time.perf_counter(), child_cpu_seconds()
    if done.vectors != shards * IMAGES_A_SHARD:
        raise RuntimeError(f"{done.vectors} vectors of {shards} shards")
    ms = 1_000 / shards
    said = f"{shards:,} shards of {IMAGES_A_SHARD} images, two workers that write a file each"
    return [
        Figure("planning", ms * (cpu_planned - cpu_begin), "ms CPU/shard", detail=f"{ms * (planned - begin):.2f} ms"),
        Figure("all else, workers included", ms * (cpu_ended - cpu_planned), "ms CPU/shard", detail=said),
        Figure("all of it", ms * (cpu_ended - cpu_begin), "ms CPU/shard", BOUND_MS),
        Figure("all of it, by the clock", ms * (ended - begin), "ms/shard", BOUND_MS),
    ]


def _wanted() -> Plan:
    return Plan(
        sources=(),
        ignore=(),
        hidden=False,
        fingerprint="",
        backend="null",
        format="parquet",
        shard_images=IMAGES_A_SHARD,
        limits={},
        decoding=0,
        id="",
        model="null",
        card="null",
        dimension=DIMENSION,
        labels=(),
        shards=0,
        images=0,
    )


if __name__ == "__main__":
    from benchmarks import embed_shards  # workers find the job under its own name

    report(embed_shards.measure, __doc__)
