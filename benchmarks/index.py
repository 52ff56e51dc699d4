"""Indexes of 1,000,000 and 10,000,000 descriptors: building, memory, recall, and the time of a query on one core.

The vectors are drawn from those of real pictures (`benchmarks/descriptor_sets.py`), and so are 500 queries that are in
none of the sets. Builds and queries have processes of their own, with one thread. Recall at 10 is measured here, by
comparing with all: what is as near as the tenth of the true ones counts. autofaiss builds beside it, from the same
files, with the same memory and one core, as it comes: it tunes for 10 ms a query.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.descriptor_sets import drawn, of_pictures
from benchmarks.descriptors import BUILT_IN, Floats
from benchmarks.figures import Figure
from benchmarks.measure import WORK, Cost, run
from benchmarks.options import Options, report
from benchmarks.peers import Peer, install, version

K = 10
RECALL_BOUND = 0.90
QUERY_MS_BOUND = 10.0
MEMORY_BOUND = 4 << 30
_PART_ROWS = 1_000_000
_QUERIES = 500
_BLOCK = 50_000
_ROUNDING = 1e-5  # cosines of float16 vectors, in whichever order they are summed
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

# sys.argv: the folder of .npy files, the queries, the place for the answer, the memory in MB, a folder to work in. The
# index may take as large a share of the memory as autofaiss agrees to build in it; where it does not agree to any, it
# gets 4 GB to build in.
AUTOFAISS_JOB = """
import json, sys, time
import faiss, numpy as np
from autofaiss import build_index
faiss.omp_set_num_threads(1)
folder, queries, answer, memory, work = sys.argv[1:6]
tried = [(share, memory) for share in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)]
for share, available in [*tried, (0.8, "4096")]:
    began = time.perf_counter()
    index, infos = build_index(
        folder, index_path=work + "/knn.index", index_infos_path=work + "/infos.json", metric_type="ip", nb_cores=1,
        max_index_memory_usage=f"{int(share * int(memory))}MB", current_memory_available=available + "MB",
        max_index_query_time_ms=10, temporary_indices_folder=work + "/parts", verbose=50)
    built = time.perf_counter() - began
    if index is not None:
        break
wanted = np.load(queries)
rows, taken = [], []
for query in wanted:
    began = time.perf_counter()
    rows.append(index.search(query[None].astype(np.float32), 10)[1][0])
    taken.append(1000 * (time.perf_counter() - began))
np.save(answer, np.array(rows))
what = ", ".join([infos["index_key"], infos["index_param"], f"built in {available}MB"])
print("ANSWER", json.dumps({"build_s": built, "median_ms": float(np.median(taken)),
    "slowest_ms": float(np.quantile(taken, 0.95)), "what": what}))
"""
AUTOFAISS = Peer(
    "autofaiss", "autofaiss", ("autofaiss==2.18.0", "numpy<2", "pyarrow<19", "faiss-cpu<1.12"), AUTOFAISS_JOB
)


@dataclass(frozen=True)
class Vectors:
    """A folder of .npy files, queries, and how near the tenth of each query's true nearest is."""

    folder: Path
    queries: Path
    tenth: NDArray[np.float32]

    @property
    def count(self) -> int:
        return sum(len(part) for part in parts(self.folder))


def measure(options: Options) -> list[Figure]:
    if options.quick:
        return _ours(vectors(100_000), 1 << 30)
    million = vectors(1_000_000)
    figures = []
    for memory in (MEMORY_BOUND, 512 << 20):
        figures += _ours(million, memory)
        figures += _autofaiss(million, memory)
    return figures + _ours(vectors(10_000_000), MEMORY_BOUND, is_judged=True)


def vectors(count: int) -> Vectors:
    """So many vectors of 256 numbers as float16, a million a file, kept for the next time."""
    key = hashlib.blake2b(BUILT_IN.read_bytes(), digest_size=6).hexdigest()
    folder = WORK / f"vectors-{key}-{count}"
    real = of_pictures(BUILT_IN, key)
    queries = WORK / f"vectors-{key}-queries.npy"
    if not queries.exists():
        np.save(queries, drawn(real, _QUERIES, seed=99))
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, count, _PART_ROWS)):
        place = folder / f"{number:04}.npy"
        if not place.exists():
            half = folder / f".{number:04}.half.npy"
            np.save(half, drawn(real, min(_PART_ROWS, count - start), seed=100 + number))
            half.rename(place)
    told = WORK / f"vectors-{key}-{count}-tenth.npy"
    if not told.exists():
        np.save(told, _tenth(folder, np.load(queries).astype(np.float32)))
    return Vectors(folder, queries, np.load(told))


def parts(folder: Path) -> Iterator[NDArray[np.float16]]:
    for path in sorted(folder.glob("[0-9]*.npy")):
        yield np.load(path, mmap_mode="r")


def recall(given: Vectors, rows: NDArray[np.int64]) -> float:
    """The share of what was found that is as near as the tenth of the true ones; `rows` (q, K), -1 for nothing."""
    queries = np.load(given.queries).astype(np.float32)
    likeness = np.full(rows.shape, -3, np.float32)
    first = 0
    for part in parts(given.folder):
        query, column = np.nonzero((rows >= first) & (rows < first + len(part)))
        found = np.asarray(part[rows[query, column] - first], np.float32)
        likeness[query, column] = np.einsum("nd,nd->n", queries[query], found)
        first += len(part)
    return float((likeness >= given.tenth[:, None] - _ROUNDING).mean())


def _tenth(folder: Path, queries: Floats) -> NDArray[np.float32]:
    nearest = np.full((len(queries), K), -2, np.float32)
    for part in parts(folder):
        for start in range(0, len(part), _BLOCK):
            likeness = queries @ np.asarray(part[start : start + _BLOCK], np.float32).T
            both = np.concatenate([nearest, np.partition(likeness, -K, axis=1)[:, -K:]], axis=1)
            nearest = np.partition(both, -K, axis=1)[:, -K:]
    return np.asarray(nearest.min(axis=1))


def _ours(given: Vectors, memory: int, *, is_judged: bool = False) -> list[Figure]:
    with tempfile.TemporaryDirectory(dir=WORK) as work:
        place, answer = Path(work) / "index", Path(work) / "rows.npy"
        program = [sys.executable, "-m", "benchmarks.index"]
        built = run(
            [*program, "--build", str(given.folder), str(place), str(memory)], env=_ONE_THREAD, watch_memory=True
        )
        facts = json.loads(built.stdout)
        asked = run(
            [*program, "--ask", str(place), str(given.queries), str(answer)], env=_ONE_THREAD, watch_memory=True
        )
        times, rows = json.loads(asked.stdout), np.load(answer)
    what = f"{facts['kind']}, {facts['coding']}, {facts['bytes_per_vector']} bytes, {facts['probes']} probes"
    what += f"; it says {facts['recall']:.3f}"
    figures = _figures("tintype", given, memory, built, facts["build_seconds"], times, rows, what, is_judged)
    name = f"tintype, {given.count:,}, {_size(memory)}: peak memory of queries"
    bound = MEMORY_BOUND / 1e6 if is_judged else None
    return [*figures, Figure(name, (asked.peak_bytes or 0) / 1e6, "MB", bound)]


def _autofaiss(given: Vectors, memory: int) -> list[Figure]:
    install(AUTOFAISS)
    with tempfile.TemporaryDirectory(dir=WORK) as work:
        answer = Path(work) / "rows.npy"
        words = [str(given.folder), str(given.queries), str(answer), str(memory >> 20), work]
        cost = run([str(AUTOFAISS.python), "-c", AUTOFAISS.job, *words], env=_ONE_THREAD, watch_memory=True)
        told = json.loads(cost.stdout.rpartition("ANSWER ")[2])
        rows = np.load(answer)
    return _figures(version(AUTOFAISS), given, memory, cost, told["build_s"], told, rows, told["what"], False)


def _figures(
    who: str,
    given: Vectors,
    memory: int,
    cost: Cost,
    build_s: float,
    times: dict[str, Any],
    rows: NDArray[np.int64],
    what: str,
    is_judged: bool,
) -> list[Figure]:
    name = f"{who}, {given.count:,}, {_size(memory)}"
    bounds = (MEMORY_BOUND / 1e6, RECALL_BOUND, QUERY_MS_BOUND) if is_judged else (None, None, None)
    slowest = f"95 of 100 below {times['slowest_ms']:.2f} ms"
    peak = (cost.peak_bytes or 0) / 1e6
    return [
        Figure(f"{name}: build", build_s, "s", detail=f"{cost.cpu_s:.0f} s of CPU in all; {what}"),
        Figure(f"{name}: peak memory of the build", peak, "MB", bounds[0], detail="sum of PSS, sampled"),
        Figure(f"{name}: recall at {K}", recall(given, rows), "", bounds[1], "at least", f"of {_QUERIES} queries"),
        Figure(f"{name}: a query", times["median_ms"], "ms", bounds[2], detail=slowest),
    ]


def _size(memory: int) -> str:
    return f"{memory >> 20}MB" if memory % (1 << 30) else f"{memory >> 30}GB"


def _build(source: str, place: str, memory: str) -> None:
    """What the child process of a build does."""
    from tintype.api.indexes import build_index

    print(json.dumps(build_index(source, output=place, memory=int(memory)).facts()))


def _ask(place: str, queries: str, answer: str) -> None:
    """What the child process of the queries does: each alone, ids included, which say the row of each file."""
    from tintype.api.indexes import open_index

    index = open_index(place)
    wanted = np.load(queries).astype(np.float32)
    rows, taken = np.full((len(wanted), K), -1, np.int64), []
    for number, query in enumerate(wanted):
        began = time.perf_counter()
        ids = index.search(query, K).ids
        taken.append(1_000 * (time.perf_counter() - began))
        for column, name in enumerate(ids):
            part, _, row = name.partition(".npy#")
            rows[number, column] = int(part) * _PART_ROWS + int(row)
    np.save(answer, rows)
    print(json.dumps({"median_ms": float(np.median(taken)), "slowest_ms": float(np.quantile(taken, 0.95))}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        _build(*sys.argv[2:5])
    elif sys.argv[1:2] == ["--ask"]:
        _ask(*sys.argv[2:5])
    else:
        report(measure, __doc__)
