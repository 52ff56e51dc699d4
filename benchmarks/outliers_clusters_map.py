"""How well outliers, clusters and the map do on labeled photos, beside the plain way, with any descriptor.

`python -m benchmarks.outliers_clusters_map [MODEL.onnx]` prints what decisions/0022-outliers-clusters-map.md quotes.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image as PillowImage

from benchmarks.descriptors import BUILT_IN, Descriptor, Floats
from tintype.core.columns import DIGEST
from tintype.finders import clusters, outliers, projection
from tintype.finders.base import Inputs
from tintype.finders.embedding import principal_axes
from tintype.finders.exact_cosine import to_grid
from tintype.finders.kmeans import kmeans
from tintype.index.base import Neighbors
from tintype.index.graph import nearest_others
from tintype.testing.finders import TableColumns

DATA = Path(os.environ.get("TINTYPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SEEDS = 3
STRANGERS = 20
BIG = 100_000

Ints = NDArray[np.int64]
Names = NDArray[np.str_]


@dataclass(frozen=True)
class Photos:
    """Vectors (n, d) of unit length, and what each photo shows."""

    vectors: Floats
    labels: Names

    def of(self, *labels: str) -> Photos:
        kept = np.isin(self.labels, labels)
        return Photos(self.vectors[kept], self.labels[kept])

    def drawn(self, count: int, seed: int) -> Photos:
        rows = np.random.default_rng(seed).permutation(len(self.labels))[:count]
        return Photos(self.vectors[rows], self.labels[rows])


def photos(folder: str, model: Path) -> Photos:
    """All photos of a folder of the test data."""
    labels, pictures = [], []
    for label, data in _files(DATA / folder):
        labels.append(label)
        pictures.append(data)
    decoded = (np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB")) for data in pictures)
    return Photos(Descriptor(model, 160).vectors(decoded)[0], np.array(labels))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(file).to_pylist():
            yield row["label"], row["image"]["bytes"]
    for file in sorted(folder.glob("*.[jJ]*")):
        yield file.stem, file.read_bytes()


def mixed(clothes: Photos, cifar: Photos, imagenet: Photos, seed: int) -> Iterator[tuple[str, Floats, Floats]]:
    """A name, the vectors of a collection, and those of the 20 strangers in it."""
    shirts, planes, horses = clothes.of("t-shirt"), cifar.of("airplane"), cifar.of("horse")
    both = np.concatenate([shirts.vectors, planes.vectors])
    yield "clothes + CIFAR-10", clothes.vectors, cifar.drawn(STRANGERS, seed).vectors
    yield "clothes + ImageNet", clothes.vectors, imagenet.drawn(STRANGERS, seed).vectors
    yield "CIFAR-10 + clothes", cifar.vectors, clothes.drawn(STRANGERS, seed).vectors
    yield "CIFAR-10 + ImageNet", cifar.vectors, imagenet.drawn(STRANGERS, seed).vectors
    yield "horses + ships", horses.vectors, cifar.of("ship").drawn(STRANGERS, seed).vectors
    yield "T-shirts, planes + ImageNet", both, imagenet.drawn(STRANGERS, seed).vectors


def inputs_of(vectors: Floats) -> tuple[pa.Table, Inputs]:
    """A collection of these vectors, named by their row."""
    half = vectors.astype(np.float16)
    table = pa.table(
        {
            "uri": [f"{row:06d}" for row in range(len(half))],
            "digest": pa.array([blake3(row.to_bytes(8, "big")).digest(16) for row in range(len(half))], DIGEST),
            "descriptor": pa.FixedSizeListArray.from_arrays(half.ravel(), half.shape[1]),
        }
    )
    return table, Inputs(TableColumns(table, 50_000))


def average_precision(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Mean precision at the place of each positive, the highest score first."""
    hit = positive[np.argsort(-score, kind="stable")]
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())


def adjusted_rand(found: Ints, truth: Ints) -> float:
    """Adjusted Rand index of two partitions (Hubert and Arabie, 1985): 1 for equal ones, 0 by chance."""
    table = _contingency(found, truth).astype(np.float64)
    pairs, rows, columns = (
        float((counts * (counts - 1) / 2).sum()) for counts in (table, table.sum(axis=1), table.sum(axis=0))
    )
    expected = rows * columns / (len(found) * (len(found) - 1) / 2)
    most = (rows + columns) / 2
    return (pairs - expected) / (most - expected) if most != expected else 1.0


def purity(found: Ints, truth: Ints) -> float:
    """Share of the things whose part has most of their kind."""
    return float(_contingency(found, truth).max(axis=1).sum() / len(found))


def trustworthiness(vectors: Floats, places: Floats, k: int = 10, sample: int = 2_000) -> float:
    """Of the k nearest on the plane, how near they are in truth: 0 to 1 (Venna and Kaski, 2001), on a sample."""
    rows = np.sort(np.random.default_rng(0).permutation(len(vectors))[:sample])
    vectors, places, count = vectors[rows], places[rows], len(rows)
    far = -(vectors @ vectors.T)
    apart = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    far[np.arange(count), np.arange(count)] = apart[np.arange(count), np.arange(count)] = np.inf
    rank = np.argsort(np.argsort(far, axis=1, kind="stable"), axis=1) + 1
    near = np.argsort(apart, axis=1, kind="stable")[:, :k]
    beyond = np.maximum(np.take_along_axis(rank, near, axis=1) - k, 0).sum()
    return float(1 - 2 / (count * k * (2 * count - 3 * k - 1)) * beyond)


def _contingency(found: Ints, truth: Ints) -> Ints:
    a, b = (np.unique(parts, return_inverse=True)[1] for parts in (found, truth))
    width = int(b.max()) + 1
    return np.bincount(a * width + b, minlength=(int(a.max()) + 1) * width).reshape(-1, width)


def show_outliers(sets: dict[str, Photos]) -> None:
    cifar = sets["cifar10"].drawn(5_000, 0)
    rows: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(SEEDS):
        for name, usual, strange in mixed(sets["clothing-168"], cifar, sets["photos-imagenet"], seed):
            vectors = np.concatenate([usual, strange])
            strangers = np.arange(len(vectors)) >= len(usual)
            _, inputs = inputs_of(vectors)
            found = outliers.outliers(inputs, outliers.Settings(least_score=0)).table
            at = found["a_uri"].to_numpy(zero_copy_only=False).astype(np.int64)
            ours, score = np.zeros(len(vectors)), np.zeros(len(vectors))
            ours[at], score[at] = found["distance"].to_numpy(), found["score"].to_numpy()
            near = nearest_others(vectors.astype(np.float16), 10)
            cut = score >= 0.5
            rows.setdefault(name, []).append(
                (
                    average_precision(ours, strangers),
                    average_precision(1 - near.similarity.mean(axis=1).astype(np.float64), strangers),
                    average_precision(1 - near.similarity[:, 0].astype(np.float64), strangers),
                    average_precision(local_outlier_factor(near), strangers),
                    float(cut[strangers].sum()),
                    float(cut[~strangers].sum()),
                )
            )
    print("| collection + 20 strangers | ours | mean of 10 | nearest | LOF | past the cut: strangers | others |")
    for name, figures in rows.items():
        mean = np.mean(figures, axis=0)
        print(f"| {name} | {' | '.join(f'{x:.2f}' for x in mean[:4])} | {mean[4]:.1f} | {mean[5]:.1f} |")


def local_outlier_factor(near: Neighbors) -> NDArray[np.float64]:
    """(n,) as Breunig et al. (2000) define it, over the distances of unit vectors."""
    apart = np.sqrt(np.maximum(2 - 2 * near.similarity.astype(np.float64), 1e-9))
    reach = np.maximum(apart[near.rows, -1], apart).mean(axis=1)
    return np.asarray(reach * (1 / reach[near.rows]).mean(axis=1))


def show_clusters(sets: dict[str, Photos]) -> None:
    print("| photos | way | clusters | images in one | ARI | purity |")
    for name in ("clothing-168", "cifar10"):
        vectors, labels = sets[name].vectors, np.unique(sets[name].labels, return_inverse=True)[1]
        _, inputs = inputs_of(vectors)
        own = np.full(len(labels), -1)
        table = clusters.clusters(inputs).table
        own[table["a_uri"].to_numpy(zero_copy_only=False).astype(np.int64)] = table["cluster"].to_numpy()
        inside = own >= 0
        alone = np.where(inside, own, len(own) + np.arange(len(own)))  # each one that is in none by itself
        count = int(own.max())
        print(
            f"| {name} | graph | {count} | {inside.mean():.3f} | {adjusted_rand(alone, labels):.3f} "
            f"| {purity(own[inside], labels[inside]):.3f} |"
        )
        for wanted in (10, count):
            by_means = kmeans(to_grid(vectors), wanted, 0)
            figures = f"{adjusted_rand(by_means, labels):.3f} | {purity(by_means, labels):.3f}"
            print(f"| {name} | k-means | {wanted} | 1.000 | {figures} |")


def show_maps(sets: dict[str, Photos]) -> None:
    print("| photos | two principal axes | map |")
    for name in ("clothing-168", "cifar10"):
        vectors = sets[name].vectors
        _, inputs = inputs_of(vectors)
        placed = projection.project(inputs).table
        places = np.stack([placed["map_x"].to_numpy(), placed["map_y"].to_numpy()], axis=1)  # by uri, hence by row
        axes = principal_axes(to_grid(vectors)).T.astype(np.float32)
        print(f"| {name} | {trustworthiness(vectors, axes):.3f} | {trustworthiness(vectors, places):.3f} |")


def show_times(sets: dict[str, Photos]) -> None:
    """CPU of the finders at 100,000 images, the graph apart: CIFAR-10 four times with noise between neighbors."""
    real = sets["cifar10"].vectors
    random = np.random.default_rng(0)
    many = np.tile(real, (BIG // len(real) + 1, 1))[:BIG]
    many = many + random.standard_normal(many.shape).astype(np.float32) * np.float32(0.4 / np.sqrt(many.shape[1]))
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    table, _ = inputs_of(many)
    order = np.argsort(np.array(table["digest"].to_pylist(), "S16"), kind="stable")
    graph = nearest_others(many[order].astype(np.float16), 10)
    inputs = Inputs(TableColumns(table, 50_000), neighbors=lambda digest, vectors, k: graph)
    for finder in (outliers.FINDER, clusters.FINDER, projection.FINDER):
        start, clock = time.process_time(), time.perf_counter()
        rows = sum(batch.num_rows for batch in finder.find(inputs, finder.settings()))
        cpu, wall = time.process_time() - start, time.perf_counter() - clock
        print(f"{finder.name}: {rows} rows, {cpu:.1f} s of CPU, {wall:.1f} s by the clock")


def main() -> None:
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILT_IN
    sets = {name: photos(name, model) for name in ("clothing-168", "cifar10", "photos-imagenet")}
    for show in (show_outliers, show_clusters, show_maps, show_times):
        show(sets)
        print()


if __name__ == "__main__":
    main()
