"""Duplicates among a million rows with planted groups, and hashes that collide as those of real photos do.

The hashes come from `benchmarks/photo_hashes.py`. A pair is false where its images were drawn from different photos.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.figures import Figure
from benchmarks.options import Options, report
from benchmarks.photo_hashes import Drawn, Photos, Rows, measured
from tintype.core.hashes import phash_turns
from tintype.finders.base import Inputs
from tintype.finders.duplicates import duplicates

SHARES = (0.56, 0.30, 0.08, 0.06)  # of copies at half the size that differ in 0, 1, 2, 3 bits; decisions/0012


def planted(photos: Photos, rows: int) -> tuple[pa.Table, Rows, Rows]:
    """The collection, the photo behind each row, and the row that each is a copy of (itself where it is none).

    A tenth of the rows are copies of random others: 3 in 10 of them by bytes, 6 in 10 turned and at half the size,
    the rest are two crowds: files with the same bytes, and unlike files with the same hash.
    """
    random = np.random.default_rng(11)
    copies = rows // 10
    draw = Drawn(photos, rows - copies, seed=5)
    exact, crowd = copies * 3 // 10, copies // 20
    of = random.integers(0, rows - copies, copies)
    of[exact : exact + crowd], of[exact + crowd : exact + 2 * crowd] = 17, 18
    same_bytes = np.arange(copies) < exact + crowd
    source = np.concatenate([np.arange(rows - copies), of])
    hashes, tones = draw.hashes[source], draw.tones[source]
    turned = np.flatnonzero(np.arange(copies) >= exact + 2 * crowd) + rows - copies
    hashes[turned] = phash_turns(hashes[turned])[np.arange(len(turned)), random.integers(0, 8, len(turned))]
    bits = random.choice(len(SHARES), len(turned), p=SHARES)
    for step in range(1, len(SHARES)):  # each from another quarter of the hash, so no bit is flipped back
        hit = turned[bits >= step]
        hashes[hit] ^= np.uint64(1) << (random.integers(0, 16, len(hit)) + 16 * step).astype(np.uint64)
    tones[turned] += random.integers(-2, 3, (len(turned), 4)).astype(np.int16)
    sides = random.choice([1_200, 3_000, 4_000], rows)
    sides[rows - copies :] = sides[of] // np.where(same_bytes, 1, 2)
    digest = np.where(np.concatenate([np.zeros(rows - copies, bool), same_bytes]), source, np.arange(rows))
    table = pa.table(
        {
            "uri": [f"{row // 1_000:04d}/photo-{row % 1_000:03d}.jpg" for row in range(rows)],
            "digest": pa.array([int(number).to_bytes(16, "big") for number in digest], pa.binary(16)),
            "status": pa.repeat("ok", rows),
            "size_bytes": pa.repeat(100_000, rows),
            "modified_at": pa.array(random.integers(10**15, 2 * 10**15, rows)).cast(pa.timestamp("us", "UTC")),
            "width": pa.array(sides, pa.int32()),
            "height": pa.array(sides * 3 // 4, pa.int32()),
            "_inode": pa.array(np.arange(rows) + 1, pa.uint64()),
            "_device": pa.repeat(pa.scalar(1, pa.uint64()), rows),
            "phash": hashes,
            "brightness": pa.array(tones[:, 0] / 255, pa.float32()),
            **{
                name: np.clip(tones[:, at], 0, 255).astype(np.uint8)
                for at, name in ((1, "luma_p05"), (2, "luma_p50"), (3, "luma_p95"))
            },
        }
    )
    order = random.permutation(rows)
    table = table.take(pa.array(order)).set_column(0, "uri", table["uri"])
    place = np.empty(rows, np.int64)
    place[order] = np.arange(rows)
    return table, draw.photo[source][order], place[source][order]


class ParquetColumns:
    """The columns of a Parquet file, streamed; those it lacks are null."""

    def __init__(self, file: str) -> None:
        self.file = pq.ParquetFile(file)

    def batches(self, names: Any) -> Iterator[pa.RecordBatch]:
        present = [name for name in names if name in self.file.schema_arrow.names]
        for batch in self.file.iter_batches(columns=present):
            missing = pa.nulls(batch.num_rows)
            columns = [batch[name] if name in present else missing for name in names]
            yield pa.RecordBatch.from_arrays(columns, names=list(names))

    def take(self, rows: NDArray[np.int64], names: Any) -> pa.Table:
        table = pa.Table.from_batches(self.batches(names))
        return table.take(pa.array(rows))


def search(file: str) -> None:
    """What the child process does: find the duplicates, write them beside the file, print what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = duplicates(Inputs(ParquetColumns(file)))
    groups = len(found.groups)
    taken = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "groups": groups}
    taken["peak_mb"] = peak_bytes() / 1e6
    pq.write_table(found.pairs.select(["a_uri", "b_uri", "kind", "distance", "why"]), file + ".pairs")
    print(json.dumps(taken))


def peak_bytes() -> int:
    """Peak memory of this process alone; ru_maxrss would count that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def measure(options: Options) -> list[Figure]:
    """Figures of one search; its process is started anew, so its peak memory is its own."""
    rows = 100_000 if options.quick else 1_000_000
    table, photo, source = planted(measured(), rows)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "rows.parquet")
        pq.write_table(table, file)
        command = [sys.executable, "-m", "benchmarks.duplicates_million", "--search", file]
        child = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        taken, pairs = json.loads(child.stdout), pq.read_table(file + ".pairs")
    a, b = (rows_of(pairs[name]) for name in ("a_uri", "b_uri"))
    false = int((photo[a] != photo[b]).sum())
    detail = f"{rows:,} rows, {len(a):,} pairs in {taken['groups']:,} groups"
    return [
        Figure("wall time", taken["wall_s"], "s", 60, detail=detail),
        Figure("CPU time", taken["cpu_s"], "s"),
        Figure("peak memory", taken["peak_mb"], "MB", 2_000),
        Figure("false pairs per 10,000 images", false / rows * 10_000, "", 1, detail=f"{false} pairs"),
        *recalled(table, source, a, b, np.array(pairs["why"].is_valid())),
    ]


def recalled(table: pa.Table, source: Rows, a: Rows, b: Rows, kept: NDArray[np.bool_]) -> list[Figure]:
    """Shares of the planted rows that are in the group of the row they were made of, or have a pair with it."""
    group = np.arange(len(source))
    group[b[kept]] = a[kept]
    told = np.concatenate([a * len(source) + b, b * len(source) + a])
    copies = np.flatnonzero(source != np.arange(len(source)))
    found = (group[copies] == group[source[copies]]) | np.isin(copies * len(source) + source[copies], told)
    digest = np.array(table["digest"].dictionary_encode().combine_chunks().indices)
    same = digest[copies] == digest[source[copies]]
    return [
        Figure(
            "planted with the same bytes, found", found[same].mean() * 100, "%", 100, "at least", f"of {same.sum():,}"
        ),
        Figure("planted look-alikes, found", found[~same].mean() * 100, "%", None, detail=f"of {(~same).sum():,}"),
    ]


def rows_of(uris: pa.ChunkedArray) -> Rows:
    return np.array([int(uri[:4]) * 1_000 + int(uri[-7:-4]) for uri in uris.to_pylist()], np.int64)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--search"]:
        search(sys.argv[2])
    else:
        report(measure, __doc__)
