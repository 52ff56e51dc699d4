"""The ten nearest others of each of 100,000 and of 1,000,000 descriptors: time, memory, and recall.

The vectors are made by `benchmarks/descriptor_sets.py`: 100,000 of real pictures and pictures made of them, more
drawn from these. Each search has a process of its own. Recall is measured here, on a sample compared with all: a
neighbor counts where it is as near as the tenth of the true ones.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.descriptor_sets import descriptors
from benchmarks.descriptors import BUILT_IN
from benchmarks.figures import Figure
from benchmarks.measure import run
from benchmarks.options import Options, report

K = 10
BOUNDS = {100_000: (60, None), 1_000_000: (30 * 60, 6_000)}  # seconds, megabytes
RECALL_BOUND = 0.95
_SAMPLED = 500
_ROUNDING = 1e-5  # cosines of float16 vectors, in whichever order they are summed
_BLOCK = 50_000


def search(vectors: str, out: str) -> None:
    """What the child process does: find the neighbors, save them, print what it took."""
    from tintype.index.graph import nearest_others

    given = np.load(vectors)
    wall, cpu = time.perf_counter(), time.process_time()
    found = nearest_others(given, K)
    taken = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    np.save(out, found.rows)
    print(json.dumps(taken))


def measure(options: Options) -> list[Figure]:
    figures = []
    for count in (100_000,) if options.quick else (100_000, 1_000_000):
        figures += _figures(count, *BOUNDS[count])
    return figures


def _figures(count: int, most_s: float, most_mb: float | None) -> list[Figure]:
    vectors = descriptors(count, MODEL)
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "rows.npy")
        cost = run(
            [sys.executable, "-m", "benchmarks.neighbor_graph", "--search", str(vectors), out], watch_memory=True
        )
        taken, rows = json.loads(cost.stdout), np.load(out)
    given = np.load(vectors, mmap_mode="r")
    shape = f"{count:,} of {given.shape[1]} dimensions"
    peak_mb = (cost.peak_bytes or 0) / 1e6
    memory = f"sum of PSS, sampled; {given.nbytes / 1e6:.0f} MB of it are the vectors"
    return [
        Figure(f"wall time, {shape}", taken["wall_s"], "s", most_s, detail=f"{taken['cpu_s']:.0f} s of CPU"),
        Figure(f"peak memory, {shape}", peak_mb, "MB", most_mb, detail=memory),
        Figure(f"recall at {K}, {shape}", recall(given, rows), "", RECALL_BOUND, "at least", f"of {_SAMPLED} sampled"),
    ]


def recall(vectors: NDArray[np.float16], rows: NDArray[np.int32]) -> float:
    """Share of the neighbors found that are as near as the k-th of the true ones, on a sample compared with all."""
    sample = np.sort(np.random.default_rng(9).choice(len(vectors), _SAMPLED, replace=False))
    queries = np.asarray(vectors[sample], np.float32)
    nearest = np.full((_SAMPLED, K), -2, np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = queries @ np.asarray(vectors[start : start + _BLOCK], np.float32).T
        inside = np.flatnonzero((sample >= start) & (sample < start + _BLOCK))
        block[inside, sample[inside] - start] = -3
        both = np.concatenate([nearest, block], axis=1)
        nearest = -np.partition(-both, K - 1, axis=1)[:, :K]
    found = np.asarray(vectors[np.maximum(rows[sample], 0).ravel()], np.float32).reshape(_SAMPLED, K, -1)
    likeness = np.einsum("nd,nkd->nk", queries, found)
    likeness[(rows[sample] < 0) | (rows[sample] == sample[:, None])] = -3
    return float((likeness >= nearest.min(axis=1)[:, None] - _ROUNDING).mean())


MODEL = BUILT_IN

if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        search(*sys.argv[2:4])
    else:
        report(measure, __doc__)
