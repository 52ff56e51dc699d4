"""Wrong labels found in CIFAR-10: 20,000 pictures of which 5 % were given another class by chance.

Average precision of the order in which labels are doubted, against cleanlab with a logistic regression on the same
vectors in folds dealt out the same way, as it comes (C=1) and with the best of its settings.
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.copies_peers import asked
from benchmarks.copy_truth import DATA, read_photos
from benchmarks.descriptors import BUILT_IN, Descriptor
from benchmarks.edits import pixels_of
from benchmarks.figures import Figure, spread
from benchmarks.measure import WORK
from benchmarks.options import Options, report
from benchmarks.peers import CLEANLAB, install, version
from tintype.finders import folds, labels
from tintype.finders.base import Inputs
from tintype.testing.finders import TableColumns

PICTURES = DATA / "cifar10" / "train.parquet"
WRONG = 0.05
FOLDS = 5
MODELS = {"descriptor": BUILT_IN, "mobilenet_v1_050_160": DATA / "models" / "mobilenet_v1_050_160_imagenet.onnx"}
_AS_IT_COMES = "C=1"

Numbers = NDArray[np.int64]
Scores = NDArray[np.float64]


def measure(options: Options) -> list[Figure]:
    install(CLEANLAB)
    true = pq.read_table(PICTURES, columns=["label"])["label"].dictionary_encode().combine_chunks().indices.to_numpy()
    figures = []
    for name, model in MODELS.items():
        vectors = described(model)
        few = np.random.default_rng(0).permutation(len(true))[: 3_000 if options.quick else len(true)]
        figures += _figures(name, vectors[few], true[few].astype(np.int64), seeds=1 if options.quick else 2)
    return figures


def described(model: Path) -> NDArray[np.float16]:
    """The vectors of the pictures, kept for the next time."""
    place = WORK / f"cifar10-{hashlib.blake2b(model.read_bytes(), digest_size=6).hexdigest()}.npy"
    if not place.exists():
        WORK.mkdir(exist_ok=True)
        vectors, _ = Descriptor(model).vectors(pixels_of(photo.data) for photo in read_photos(PICTURES))
        np.save(place, vectors.astype(np.float16))
    return np.asarray(np.load(place))


def changed(true: Numbers, seed: int) -> Numbers:
    """The labels with 5 % of them changed to any of the other classes."""
    random = np.random.default_rng(seed)
    hit = random.choice(len(true), round(WRONG * len(true)), replace=False)
    classes = true.max() + 1
    given = true.copy()
    given[hit] = (true[hit] + random.integers(1, classes, len(hit))) % classes
    return given


def _figures(name: str, vectors: NDArray[np.float16], true: Numbers, seeds: int) -> list[Figure]:
    ours: list[float] = []
    theirs: dict[str, list[float]] = {}
    for seed in range(seeds):
        given = changed(true, seed)
        wrong = given != true
        ours.append(average_precision(doubts(vectors, given), wrong))
        for words, quality in cleanlab_quality(vectors, given).items():
            theirs.setdefault(words, []).append(average_precision(-quality, wrong))
    best = max(theirs, key=lambda words: statistics.mean(theirs[words]))
    peer, about = version(CLEANLAB), f"{name}, {len(true):,} pictures"
    best_mean, plain = statistics.mean(theirs[best]), theirs[_AS_IT_COMES]
    return [
        Figure(
            f"average precision of labels, {about}",
            statistics.mean(ours),
            "",
            best_mean,
            "at least",
            detail=f"{seeds} seed{'s' * (seeds > 1)}, {spread(ours)}",
        ),
        Figure(f"average precision of {peer}, {about}", statistics.mean(plain), "", detail=_AS_IT_COMES),
        Figure(f"average precision of {peer} at its best, {about}", best_mean, "", detail=best),
    ]


def doubts(vectors: NDArray[np.float16], given: Numbers) -> Scores:
    """How much Tintype doubts each label: the score of its finding."""
    digest = [row.to_bytes(16, "big") for row in range(len(given))]
    table = pa.table(
        {
            "digest": pa.array(digest, pa.binary(16)),
            "uri": [f"{row:05d}.png" for row in range(len(given))],
            "label_class": [f"class {label}" for label in given.tolist()],
            "descriptor": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
        }
    )
    settings = labels.Settings(label="class", least_score=0, folds=FOLDS)  # all are listed
    found = pa.Table.from_batches(labels.find(Inputs(TableColumns(table)), settings), labels.FINDER.schema)
    scores = np.zeros(len(given))
    for subject, score in zip(found["a"].to_pylist(), found["score"].to_pylist(), strict=True):
        if subject is not None:
            scores[int.from_bytes(subject, "big")] = score
    return scores


def cleanlab_quality(vectors: NDArray[np.float16], given: Numbers) -> dict[str, Scores]:
    """The quality of each label in cleanlab's opinion, by the words of its settings; lower is worse."""
    fold = folds.folds_of(given, np.arange(len(given)), FOLDS)
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "given.npz"
        np.savez(arrays, features=vectors.astype(np.float32), labels=given, fold=fold)
        answer = asked(CLEANLAB, arrays, CLEANLAB.job)
    return {words: np.array(scores) for words, scores in answer.items()}


def average_precision(scores: Scores, wrong: NDArray[np.bool_]) -> float:
    """Mean precision at each step of recall, from the highest score down; equal scores are taken together."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(wrong[order])[ends]
    return float((np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / wrong.sum())


if __name__ == "__main__":
    report(measure, __doc__)
