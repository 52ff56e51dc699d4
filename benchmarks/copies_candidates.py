"""How many true pairs are among the nearest neighbors by an ONNX descriptor, before anything is verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.copy_truth import Pair, Tally, Truth, pair_of
from benchmarks.descriptors import Descriptor, Floats
from benchmarks.edits import pixels_of

NEIGHBORS = 8


def brought_up(descriptor: Descriptor, folder: Path, truth: Truth) -> dict[str, Tally]:
    """Recall of pairs of which one is among the 8 nearest of the other, by each way of comparing.

    `global` compares the descriptors. Where there are regions, `region to global` takes the best of all pairs with
    a descriptor in it, and `regions` the best of all pairs of vectors.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [str(path.relative_to(folder)) for path in files]
    whole, regions = descriptor.vectors(pixels_of(path.read_bytes()) for path in files)
    likeness = {"global": whole @ whole.T}
    if regions is not None:
        parts = np.moveaxis(regions, 1, 0)  # (r, n, d)
        across = np.max([whole @ part.T for part in parts], axis=0)
        between = np.max([first @ second.T for first in parts for second in parts], axis=0)
        likeness["region to global"] = np.max([likeness["global"], across, across.T], axis=0)
        likeness["regions"] = np.maximum(likeness["region to global"], between)
    return {words: _tally(names, values, truth) for words, values in likeness.items()}


def _tally(names: list[str], likeness: Floats, truth: Truth) -> Tally:
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argpartition(-likeness, NEIGHBORS, axis=1)[:, :NEIGHBORS]
    answer: dict[Pair, str] = {
        pair_of(names[row], names[other]): "" for row, near in enumerate(nearest) for other in near
    }
    tally = Tally()
    tally.add(truth, answer)
    return tally
