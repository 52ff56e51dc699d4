"""Any number of descriptors that lie as those of real pictures do.

The first 100,000 are of pictures: the 29,000 photos of the test data, then pictures made of them (cut, mirrored,
set beside another, in other light, edited as people edit). More are drawn from these by a smoothed bootstrap: a
descriptor plus a random mix of the differences to its nearest neighbors, so with the neighbors' covariance, scaled
to unit length. `python -m benchmarks.descriptor_sets` shows how alike the drawn ones and those of pictures lie.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.copy_truth import DATA, read_photos
from benchmarks.descriptors import BUILT_IN, Descriptor, Floats, unit
from benchmarks.edits import (
    Chance,
    Pixels,
    brightened,
    clipped,
    crop,
    degraded,
    filtered,
    framed,
    mirrored,
    pixels_of,
    stretched,
    tilted,
    turned_90,
)
from benchmarks.measure import WORK
from benchmarks.seen_edits import faded, fitted

OF_PICTURES = 100_000
NEIGHBORS = 16
SPREAD = 0.4  # of the neighbors' covariance that is added; set so that ten drawn of each lie as close as real ones
_CHUNK = 20_000
_CLOTHING = tuple(f"clothing-168/{part}.parquet" for part in ("train", "validation", "test"))
_PHOTOS = ("photos-imagenet", *_CLOTHING, "cifar10/train.parquet", "cifar10/test.parquet")
_EDITS = (crop(0.7, 0.7), turned_90, tilted, framed, filtered, degraded, stretched, faded)

Rows = NDArray[np.int64]


def descriptors(count: int, model: Path = BUILT_IN) -> Path:
    """A file of (count, d) float16 vectors of unit length, as numpy saves them; kept for the next time."""
    key = hashlib.blake2b(model.read_bytes(), digest_size=6).hexdigest()
    place = WORK / f"descriptors-{key}-{count}.npy"
    if not place.exists():
        WORK.mkdir(exist_ok=True)
        real = of_pictures(model, key)
        made = real[:count] if count <= len(real) else drawn(real, count, seed=3)
        np.save(place.with_suffix(".part.npy"), made.astype(np.float16))
        place.with_suffix(".part.npy").rename(place)
    return place


def of_pictures(model: Path, key: str) -> Floats:
    """The descriptors of the 100,000 pictures, in random order."""
    place = WORK / f"descriptors-{key}-pictures.npy"
    if not place.exists():
        print("describing pictures", flush=True)
        vectors, _ = Descriptor(model).vectors(photos_and_made(OF_PICTURES))
        np.save(place, vectors[np.random.default_rng(1).permutation(len(vectors))])
    return np.asarray(np.load(place), np.float32)


def photos_and_made(count: int) -> Iterator[Pixels]:
    """All photos of the test data, then pictures that are made of them until there are `count`."""
    photos = [pixels_of(photo.data) for place in _PHOTOS for photo in read_photos(DATA / place)]
    yield from photos[:count]
    for number in range(count - len(photos)):
        chance = np.random.default_rng([number, 17])
        rgb = photos[number % len(photos)]
        yield made_of(rgb, photos[int(chance.integers(0, len(photos)))], chance)


def made_of(rgb: Pixels, other: Pixels, chance: Chance) -> Pixels:
    """Another picture: a part of one photo in other light; half of them blended with or set beside another."""
    part = crop(0.45, 0.95)(rgb, chance)
    if chance.random() < 0.5:
        part = mirrored(part, chance)
    way = chance.integers(0, 4)
    beside = fitted(other, (part.shape[1], part.shape[0]))
    if way == 0:
        return np.concatenate([part, beside], axis=int(chance.integers(0, 2)))
    if way == 1:
        share = chance.uniform(0.5, 0.9)
        return clipped(part * share + beside * (1 - share))
    if way == 2:
        return _EDITS[int(chance.integers(len(_EDITS)))](part, chance)
    return brightened(part, chance)


def drawn(real: Floats, count: int, seed: int) -> NDArray[np.float16]:
    """(count, d) descriptors drawn from (n, d) real ones, as evenly from each as can be."""
    random = np.random.default_rng(seed)
    near = nearest(real, NEIGHBORS)
    out = np.empty((count, real.shape[1]), np.float16)
    for start in range(0, count, _CHUNK):
        base = np.arange(start, min(count, start + _CHUNK)) % len(real)
        around = real[near[base]] - real[base][:, None]  # (rows, neighbors, d)
        weights = random.normal(0, np.sqrt(SPREAD / NEIGHBORS), (len(base), 1, NEIGHBORS)).astype(np.float32)
        out[start : start + _CHUNK] = unit(real[base] + (weights @ around)[:, 0])
    return out[random.permutation(count)]


def nearest(vectors: Floats, count: int) -> Rows:
    """The nearest others of each, (n, count), nearly all of them right: through cells, 24 of them searched."""
    cells = max(1, min(1_024, len(vectors) // 40))
    centers = faiss.IndexFlatIP(vectors.shape[1])
    index = faiss.IndexIVFFlat(centers, vectors.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[: 40 * cells])
    index.add(vectors)
    index.nprobe = 24
    found = index.search(vectors, count + 1)[1]
    own = found == np.arange(len(vectors))[:, None]
    own[~own.any(axis=1), -1] = True  # among equals it may not have found itself
    return np.asarray(found[~own].reshape(len(vectors), count), np.int64)


def show_that_they_lie_alike(model: Path) -> None:
    """Likeness of the 1st, 10th and 100th nearest among as many real as drawn ones, and how many dimensions matter."""
    real = np.load(descriptors(OF_PICTURES, model)).astype(np.float32)
    half = len(real) // 2
    for words, vectors in (
        ("real ones", real[half:]),
        ("drawn from the others", drawn(real[:half], half, seed=5).astype(np.float32)),
        ("drawn, two of each", drawn(real[: half // 2], half, seed=5).astype(np.float32)),
        ("drawn, ten of each", drawn(real[: half // 10], half, seed=5).astype(np.float32)),
    ):
        sample = vectors[:1_000]
        likeness = np.sort(sample @ vectors.T, axis=1)[:, ::-1]
        ranks = " ".join(f"{rank}: {np.quantile(likeness[:, rank], [0.1, 0.5, 0.9]).round(3)}" for rank in (1, 10, 100))
        shares = np.linalg.svd(vectors[:20_000] - vectors[:20_000].mean(axis=0), compute_uv=False) ** 2
        print(f"{words}: likeness (10 %, median, 90 %) at rank {ranks};", end=" ")
        print(f"participation ratio {shares.sum() ** 2 / (shares**2).sum():.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUILT_IN)
    show_that_they_lie_alike(parser.parse_args().model)
