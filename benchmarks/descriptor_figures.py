"""The figures of a descriptor's card: how many copies it brings up, and how many other pictures with them.

`python -m benchmarks.descriptor_figures [ONNX]` prints JSON. Of each photo of photos-imagenet a copy of every kind of
`benchmarks/edits.py` is made, and two deep crops (35 to 60 % of the sides, half of them mirrored). A copy counts as
brought up where it is among the 8 nearest of its original, or that among its own, with other copies of that photo left
out; the photos and 372 of clothes are there to be nearer. `gate`: pairs of different photos an image that lie above
the bound which 99 % of the named kinds' pairs pass, by cosine minus the mean of both pictures' 8th to 10th neighbors'.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.copy_truth import DATA, read_photos
from benchmarks.descriptors import BUILT_IN, Descriptor, Floats
from benchmarks.edits import NAMED, TUNED, Pixels, copy_of, crop, pixels_of
from benchmarks.measure import use_two_cores
from benchmarks.seen_edits import SEEN

NEIGHBORS = 8
SEED = 5
SETS = {"ten named kinds": NAMED, "ten tuned": TUNED, "ten more": SEEN}
HARD = "deep crops"
_AROUND = slice(7, 10)
_PASSING = 0.99


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", nargs="?", type=Path, default=BUILT_IN)
    given = arguments.parse_args()
    use_two_cores()
    print(json.dumps(figures(Descriptor(given.model)), indent=2))


def figures(descriptor: Descriptor) -> dict[str, object]:
    """Shares of copies that are brought up by the whole vectors and with regions, by set; and the gate."""
    chance = np.random.default_rng(SEED)
    photos = read_photos(DATA / "photos-imagenet")
    others = [*read_photos(DATA / "clothing-168" / "test.parquet"), *read_photos(DATA / "demo-photos")]
    kinds, copies = list[str](), list[Pixels]()
    for number, photo in enumerate(photos):
        partner = others[number % len(others)].data
        for edit in (*NAMED, *TUNED, *SEEN):
            kinds.append(edit.name)
            copies.append(pixels_of(copy_of(edit, photo.data, Path(photo.name).suffix, chance, partner).data))
        for mirrored in (False, True):
            part = crop(0.35, 0.6)(pixels_of(photo.data), chance)
            kinds.append(HARD)
            copies.append(np.ascontiguousarray(part[:, ::-1]) if mirrored else part)
    each = len(copies) // len(photos)
    whole, regions = descriptor.vectors([*(pixels_of(photo.data) for photo in (*photos, *others)), *copies])
    base = len(photos) + len(others)
    owner = np.repeat(np.arange(len(photos)), each)
    found: dict[str, object] = {}
    for words, likeness in _ways(whole, regions, base):
        own = likeness[np.arange(len(copies)), owner]
        rest = likeness.copy()
        rest[np.arange(len(copies)), owner] = -np.inf
        by_copy = (rest[:, :base] > own[:, None]).sum(axis=1) < NEIGHBORS
        found[words] = {
            name: round(float(by_copy[[kind in members for kind in kinds]].mean()), 4)
            for name, members in (
                {name: {e.name for e in edits} for name, edits in SETS.items()} | {HARD: {HARD}}
            ).items()
        }
    found["gate"] = _gate(whole, base, owner, np.array([kind in {edit.name for edit in NAMED} for kind in kinds]))
    return found


def _ways(whole: Floats, regions: Floats | None, base: int) -> list[tuple[str, Floats]]:
    likeness = whole[base:] @ whole[:base].T
    ways = [("whole", likeness)]
    if regions is not None:
        parts = np.moveaxis(regions, 1, 0)
        of_copies = np.max([part[base:] @ whole[:base].T for part in parts], axis=0)
        of_others = np.max([whole[base:] @ part[:base].T for part in parts], axis=0)
        ways.append(("with regions", np.max([likeness, of_copies, of_others], axis=0)))
    return ways


def _gate(whole: Floats, base: int, owner: np.ndarray, named: np.ndarray) -> float:
    among = whole[:base] @ whole[:base].T
    np.fill_diagonal(among, -np.inf)
    around = -np.sort(-among, axis=1)[:, _AROUND].mean(axis=1)
    copies = whole[base:][named] @ whole[:base].T
    theirs = -np.sort(-copies, axis=1)[:, _AROUND].mean(axis=1)
    own = copies[np.arange(len(copies)), owner[named]] - (theirs + around[owner[named]]) / 2
    bound = np.quantile(own, 1 - _PASSING)
    above = among - (around[:, None] + around[None]) / 2 >= bound
    return round(float(np.triu(above, 1).sum() / base), 4)


if __name__ == "__main__":
    main()
