"""CPU of finding duplicates where there are few: photos of clothes, scanned before, pairs verified for the first time.

`tintype duplicates` is timed as a whole, and again with all pairs remembered: the difference is what finding costs, and
the rest is starting, reading and writing.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from pathlib import Path

from benchmarks.copy_truth import DATA
from benchmarks.figures import Figure, spread
from benchmarks.measure import run
from benchmarks.options import Options, report
from benchmarks.scan import own_state

BOUND_MS = 1.0


def measure(options: Options) -> list[Figure]:
    table = DATA / "clothing-168" / ("validation.parquet" if options.quick else "train.parquet")
    state = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    try:
        scanned, collection = state / "scanned", state / "collection"
        env, asked = own_state(state), [*options.tintype, "duplicates", str(table), "--collection", str(collection)]
        run([*options.tintype, "scan", str(table), "--collection", str(scanned), "--json"], env=env)
        first, again = [], []
        for _ in range(options.runs):
            shutil.rmtree(collection, ignore_errors=True)
            shutil.copytree(scanned, collection)
            first.append(run([*asked, "--json"], env=env))
            again.append(run([*asked, "--json"], env=env).cpu_s)
        work = json.loads(first[-1].stdout)["work"]
    finally:
        shutil.rmtree(state, ignore_errors=True)
    images, whole = work["images"], [cost.cpu_s for cost in first]
    finding = 1000 * (statistics.median(whole) - statistics.median(again)) / images
    words = f"{work['candidates']:,} candidates, {work['verified']:,} pairs verified, {images:,} images"
    return [
        Figure("`tintype duplicates`", statistics.median(whole), "s of CPU", detail=f"{spread(whole)} s; {words}"),
        Figure("the same, pairs remembered", statistics.median(again), "s of CPU", detail=f"{spread(again)} s"),
        Figure("finding, of few copies", finding, "ms CPU/image", BOUND_MS, detail="the difference of both"),
    ]


if __name__ == "__main__":
    report(measure, __doc__)
