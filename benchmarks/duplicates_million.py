"""Duplicates among a million rows whose hashes collide as those of real photos do: time, memory, false and missed pairs.

    python benchmarks/duplicates_million.py [--rows 1000000] [--rates]

There are no million photos at hand, so their hashes are drawn from some 28,500 real ones by a smoothed bootstrap:
the cosine coefficients of a photo plus a random mix of those of its ten nearest neighbors, which has the neighbors'
covariance; so bits are biased and tied to each other as in photos of that kind. The tones (brightness and percentiles)
stay those of the photo. That this collides as the photos themselves do is shown first. `--rates` prints the table
that `finders/chance.py` rests on. The search runs in a process of its own, whose memory is the figure.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image as PillowImage

from tintype.core.hashes import packed, phash_turns
from tintype.finders.base import Inputs
from tintype.finders.duplicates import duplicates
from tintype.finders.groups import tones_agree
from tintype.finders.hamming import NearPairs, near_pairs
from tintype.stages import phash, quality
from tintype.stages.base import Batch
from tintype.testing.stages import image_of

DATA = Path(os.environ.get("TINTYPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
NEIGHBORS = 10
SPREAD = 0.99  # of the neighbors' covariance that is added; set so that collisions equal those of the photos
SHARES = (0.56, 0.30, 0.08, 0.06)  # of copies at half the size that differ in 0, 1, 2, 3 bits; decisions/0012
_CIFAR_COPY, _OTHER_COPY = 0.80, 0.98  # correlation of pixels from which on photos are one; CIFAR-10 has near-copies

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Photos:
    """Real photos: their cosine coefficients (n, 64), and tones (n, 4) in levels."""

    coefficients: Floats
    tones: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.tones)


def pictures() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Source and pixels of every real photo of the test data but those that come in series and copies."""
    for file in sorted((DATA / "photos-imagenet").glob("*.[jJ]*")):
        yield "photos-imagenet", np.asarray(PillowImage.open(file).convert("RGB"))
    for folder in ("clothing-168", "cifar10"):
        for file in sorted((DATA / folder).glob("*.parquet")):
            for row in pq.read_table(file, columns=["image"])["image"].to_pylist():
                yield folder, np.asarray(PillowImage.open(io.BytesIO(row["bytes"])).convert("RGB"))


def measured() -> Photos:
    """The photos at hand, each once; hashes and tones by the stages that a scan runs."""
    sources, small, coefficients, tones, hashes = [], [], [], [], []
    for source, rgb in pictures():
        batch = Batch([b""], [image_of(rgb)])
        luma = batch.luma(64)[0].astype(np.float64)
        sources.append(source)
        small.append(cv2.resize(rgb, (32, 32), interpolation=cv2.INTER_AREA))
        coefficients.append(cv2.dct(luma)[1:9, 1:9].ravel())
        hashes.append(phash.compute(batch, phash.Settings(min_sure_bits=0))["phash"][0].as_py())
        facts = quality.compute(batch, quality.Settings())
        levels = (facts[name][0].as_py() for name in ("luma_p05", "luma_p50", "luma_p95"))
        tones.append([round(facts["brightness"][0].as_py() * 255), *levels])
    known = np.array(hashes, np.uint64)
    signs = np.array(coefficients, np.float32)
    differ = np.bitwise_count(packed(signs > 0) ^ known)
    assert np.quantile(differ, 0.99) <= 1, "the coefficients do not give the hashes of the stage"
    one = once(known, np.array(small), np.array(sources) == "cifar10")
    return Photos(signs[one], np.array(tones, np.int16)[one])


def once(hashes: NDArray[np.uint64], small: NDArray[np.uint8], cifar: NDArray[np.bool_]) -> Rows:
    """The photos without those that are copies of an earlier one, by their pixels."""
    pairs = near_pairs(hashes, 10, phash_turns, pairs_each=1_000)
    root = np.arange(len(hashes))
    for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
        enough = _CIFAR_COPY if cifar[a] and cifar[b] else _OTHER_COPY
        if correlation(small[a], small[b]) >= enough:
            low, high = sorted((root[a], root[b]))
            root[root == high] = low
    return np.unique(root)


def correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """The best over all turns and shifts by up to 3 of 32 pixels."""
    best = -1.0
    for turn in range(8):
        turned = np.rot90(a if turn < 4 else a.transpose(1, 0, 2), turn % 4)[3:-3, 3:-3]
        found = cv2.matchTemplate(b, np.ascontiguousarray(turned), cv2.TM_CCOEFF_NORMED)
        best = max(best, float(found.max()))
    return best


class Drawn:
    """Hashes drawn from the photos. `photo[i]` is the photo that row i was drawn from."""

    def __init__(self, photos: Photos, rows: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        scaled = photos.coefficients / np.median(np.abs(photos.coefficients), axis=0)
        scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
        near = neighbors(scaled)
        self.photo = np.arange(rows) % len(photos)
        self.hashes = np.empty(rows, np.uint64)
        for start in range(0, rows, 20_000):
            part = self.photo[start : start + 20_000]
            around = scaled[near[part]]  # (rows, neighbors, 64)
            around -= around.mean(axis=1, keepdims=True)
            weights = random.normal(0, np.sqrt(SPREAD / NEIGHBORS), (len(part), 1, NEIGHBORS)).astype(np.float32)
            drawn = scaled[part] + (weights @ around)[:, 0]
            self.hashes[start : start + 20_000] = packed(drawn > 0)
        self.tones = np.clip(photos.tones[self.photo] + random.integers(-2, 3, (rows, 4)), 0, 255).astype(np.int16)


def neighbors(scaled: Floats) -> Rows:
    """The nearest neighbors of each photo by the angle between their coefficients: (n, NEIGHBORS)."""
    near = []
    for start in range(0, len(scaled), 1_000):
        likeness = scaled[start : start + 1_000] @ scaled.T
        likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -2
        near.append(np.argpartition(-likeness, NEIGHBORS, axis=1)[:, :NEIGHBORS])
    return np.concatenate(near)


def collisions(hashes: NDArray[np.uint64], photo: Rows, distance: int) -> NearPairs:
    """Pairs of hashes of different photos."""
    return near_pairs(hashes, distance, phash_turns, lambda a, b, _: photo[a] != photo[b], pairs_each=2_000)


def show_that_it_collides_alike(photos: Photos) -> None:
    count = len(photos)
    rows = np.arange(count)
    real = np.bincount(collisions(packed(photos.coefficients > 0), rows, 10).distance, minlength=11)
    draws = [Drawn(photos, count, seed) for seed in range(4)]
    drawn = [np.bincount(collisions(draw.hashes, rows, 10).distance, minlength=11) for draw in draws]
    print(f"pairs of {count:,} photos within 0 to 10 bits, and of as many drawn hashes (mean of 4 draws):")
    print("  real  ", *np.cumsum(real))
    print("  drawn ", *np.cumsum(np.mean(drawn, axis=0)).round(1))


def show_rates(photos: Photos, rows: int) -> None:
    """False pairs per 10,000 images at 1,000,000: to 5 bits as drawn, beyond that scaled up from a tenth."""
    for count, distance in ((rows, 5), (rows // 10, 10)):
        draw = Drawn(photos, count, seed=7)
        pairs = collisions(draw.hashes, draw.photo, distance)
        agree = tones_agree(draw.tones[pairs.first], draw.tones[pairs.second])
        share = 2 / (count - 1) / count
        for words, chosen in (("hash alone", pairs.distance), ("tones agree", pairs.distance[agree])):
            found = np.cumsum(np.bincount(chosen, minlength=distance + 1))
            print(f"{count:,} rows, {words}: pairs of all within 0, 1, … bits:", *(f"{n * share:.1e}" for n in found))
            print("  per 10,000 images at 1,000,000:", *(f"{n * share * 5e9:.2f}" for n in found))


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
    for step in range(1, len(SHARES)):  # step by step another eighth of the hash, so no bit is flipped back
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


def search(file: str) -> None:
    """What the child process does: find the duplicates, write them beside the file, print what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = duplicates(Inputs(ParquetColumns(file)))
    groups = len(found.groups)
    taken = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "groups": groups}
    taken["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    pq.write_table(found.pairs.select(["a_uri", "b_uri", "kind", "distance", "why"]), file + ".pairs")
    print(json.dumps(taken))


def show_search(photos: Photos, rows: int) -> None:
    table, photo, source = planted(photos, rows)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "rows.parquet")
        pq.write_table(table, file)
        child = subprocess.run([sys.executable, __file__, "--search", file], check=True, capture_output=True, text=True)
        pairs = pq.read_table(file + ".pairs")
    taken = json.loads(child.stdout)
    a, b = (rows_of(pairs[name]) for name in ("a_uri", "b_uri"))
    near = np.array(pairs["kind"]) == "near"
    false = near & (photo[a] != photo[b])
    print(f"{rows:,} rows: {taken['wall_s']:.1f} s, {taken['cpu_s']:.1f} s of CPU, peak {taken['peak_mb']:.0f} MB")
    print(
        f"{len(a):,} pairs in {taken['groups']:,} groups; false: {false.sum()}, or {false.sum() / rows * 1e4:.2f} per 10,000 images"
    )
    group = np.arange(rows)
    kept = np.array(pairs["why"].is_valid())
    group[b[kept]] = a[kept]
    told = set(zip(a.tolist(), b.tolist(), strict=True))
    digests = table["digest"].to_pylist()
    hits = {"same bytes": [0, 0], "copies": [0, 0]}
    for row in np.flatnonzero(source != np.arange(rows)).tolist():
        origin = int(source[row])
        count = hits["same bytes" if digests[row] == digests[origin] else "copies"]
        count[0] += group[row] == group[origin] or (row, origin) in told or (origin, row) in told
        count[1] += 1
    for kind, (hit, all_of) in hits.items():
        print(f"planted {kind}: {hit:,} of {all_of:,} found ({hit / all_of:.2%})")


def rows_of(uris: pa.ChunkedArray) -> Rows:
    return np.array([int(uri[:4]) * 1_000 + int(uri[-7:-4]) for uri in uris.to_pylist()], np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rates", action="store_true", help="measure how often unrelated photos collide, and stop")
    parser.add_argument("--search", metavar="FILE", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.search:
        search(chosen.search)
        return
    photos = measured()
    show_that_it_collides_alike(photos)
    if chosen.rates:
        show_rates(photos, chosen.rows)
    else:
        show_search(photos, chosen.rows)


if __name__ == "__main__":
    main()
