"""Any number of perceptual hashes that collide as those of real photos do.

There are no million photos at hand, so hashes are drawn from some 28,600 real ones by a smoothed bootstrap: the
cosine coefficients of a photo plus a random mix of those of its nearest neighbors, which has the neighbors'
covariance. So bits are biased and tied to each other as in photos of that kind. The tones (brightness and
percentiles) stay those of the photo. `python -m benchmarks.photo_hashes` shows that the drawn ones collide as the
photos themselves do, and prints the rates that `finders/chance.py` rests on.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image as PillowImage

from tintype.core.hashes import packed, phash_turns
from tintype.finders.hamming import NearPairs, near_pairs
from tintype.finders.verify.hashes import tones_agree
from tintype.stages import phash, quality
from tintype.stages.base import Batch
from tintype.testing.stages import image_of

DATA = Path(os.environ.get("TINTYPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
NEIGHBORS = 6
SPREAD = 0.99  # of the neighbors' covariance that is added; set so that collisions equal those of the photos
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


def show_rates(photos: Photos, rows: int = 1_000_000) -> None:
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


def main() -> None:
    photos = measured()
    show_that_it_collides_alike(photos)
    show_rates(photos)


if __name__ == "__main__":
    main()
