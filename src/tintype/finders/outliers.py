"""Images least like the rest, each with the images that are nearest to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import ConfigError
from tintype.core.names import shown
from tintype.finders.base import Finder, Inputs, findings, require_numbers
from tintype.finders.communities import connected
from tintype.finders.exact_cosine import cosines, to_grid
from tintype.finders.subjects import Subjects, read_subjects
from tintype.index.base import Neighbors

OUTLIER = "outlier"

_BATCH_ROWS = 65_536
_BLOCK_ROWS = 4_096
_NEAREST_SHOWN = 5
_FEWEST = 20  # images that a usual distance can be told from
_ONE_LANDMARK_IN = 16  # images
_LANDMARKS = (64, 4_096)  # at least and at most
_RANKS = slice(2, 7)  # of the nearest landmarks, from 0, whose distances count: two strangers of a kind don't
_CORRECTION = 0.25  # power of the surroundings' distance that an image's own is divided by
_CLOSEST = 0.01  # distance that counts as none: 1 - cosine, of the order of the rounding of vectors and JPEG noise
_CUT = 3.0  # robust standard deviations from the median from which on an image is an outlier
_LEAST_SPREAD = 0.02  # of the corrected distances, so that among all but equal images nothing stands out
_COLUMNS = (
    pa.field("nearest", pa.list_(pa.string())),  # uris of the nearest that are no near-copies, nearest first
    pa.field("nearest_similarity", pa.list_(pa.float32())),  # their cosines, -1 to 1
    pa.field("distance", pa.float32()),  # 0 up: 1 - cosine to the landmarks, corrected for density; what is judged
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the images are compared by, and how odd one must be (decisions/0022-outliers-clusters-map.md)."""

    vectors: str = "descriptor"  # column of vectors; likeness is their cosine
    neighbors: int = 10  # nearest images that are looked at
    least_score: float = 0.5  # 0 gives all images
    copies_above: float = 0.97  # cosine from which on two images are taken for one; a few copies hide nothing so

    def __post_init__(self) -> None:
        require_numbers("outliers", self)
        if not 1 <= self.neighbors <= 1_000:
            raise ConfigError(f"outliers.neighbors must be 1 to 1000, not {self.neighbors}")
        if not 0 <= self.least_score <= 1:
            raise ConfigError(f"outliers.least_score must be 0 to 1, not {self.least_score}")
        if not 0 < self.copies_above <= 1:
            raise ConfigError(f"outliers.copies_above must be more than 0 and at most 1, not {self.copies_above}")


@dataclass(frozen=True)
class Outliers:
    """Outliers as a table of FINDINGS with `nearest`, `nearest_similarity` and `distance`, the surest first."""

    table: pa.Table

    def to_json(self) -> dict[str, Any]:
        """`schema` 1 and `outliers`, as JSON has it."""
        rows = self.table.select(["a_uri", "score", "reason", "nearest", "nearest_similarity"]).to_pylist()
        return {
            "schema": 1,
            "outliers": [
                {
                    "uri": row["a_uri"],
                    "score": round(row["score"], 4),
                    "reason": row["reason"],
                    "nearest": [
                        {"uri": uri, "similarity": round(similarity, 4)}
                        for uri, similarity in zip(row["nearest"], row["nearest_similarity"], strict=True)
                    ],
                }
                for row in rows
            ],
        }


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read."""
    return ("digest", "uri", settings.vectors)


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """One row for each distinct image that lies by itself, the surest first, equal ones by uri.

    An image's distance is that to the third to seventh nearest of a sample of the collection (one image in 16, chosen
    by digest), after Sugiyama and Borgwardt, "Rapid distance-based outlier detection via sampling" (NIPS 2013): in a
    sample, a handful of like strangers no longer keep each other company, as they do among nearest neighbors. It is
    corrected for local density by the same of its nearest neighbors, as a local outlier factor is (Breunig et al.,
    "LOF: identifying density-based local outliers", 2000), but by its fourth root. Few near-copies count as one image.

    The score is z / (z + 3), where z is how many robust standard deviations (Iglewicz and Hoaglin, 1993) the corrected
    distance is above the median: 0.5 at three. Fewer than 20 images have no outliers.
    """
    subjects = read_subjects(inputs.columns, settings.vectors)
    if len(subjects) < _FEWEST:
        return
    neighbors = inputs.neighbors(subjects.digest, subjects.vectors, settings.neighbors)
    inputs.tell("measuring how far each image lies from others", total=len(subjects))
    copies = _near_copies(neighbors, settings.copies_above)
    distance = _distances(subjects, neighbors, copies)
    score = _scores(distance)
    found = np.flatnonzero(score >= settings.least_score)
    uri_rank = pc.rank(subjects.uri, tiebreaker="first").to_numpy()
    found = found[np.lexsort((uri_rank[found], -distance[found], -score[found]))]
    usual = float(np.median(neighbors.similarity[:, 0]))
    for start in range(0, len(found), _BATCH_ROWS):
        yield _batch(subjects, neighbors, copies.of, distance, score, usual, found[start : start + _BATCH_ROWS])


def outliers(inputs: Inputs, settings: Settings | None = None) -> Outliers:
    """All outliers."""
    return Outliers(pa.Table.from_batches(find(inputs, settings or Settings()), FINDER.schema))


@dataclass(frozen=True)
class _Copies:
    """Which of n images are near-copies. A picture that is there more than k times is no stranger: a crowd."""

    of: NDArray[np.int64]  # (n,) the first near-copy of each image; in a crowd, each image by itself
    crowd: NDArray[np.bool_]  # (n,)


def _near_copies(neighbors: Neighbors, above: float) -> _Copies:
    count, k = neighbors.rows.shape
    row, place = np.nonzero((neighbors.rows >= 0) & (neighbors.similarity >= above))
    label = connected(count, row, neighbors.rows[row, place].astype(np.int64))
    crowd = np.bincount(label, minlength=count)[label] > k
    return _Copies(np.where(crowd, np.arange(count), label), crowd)


def _distances(subjects: Subjects, neighbors: Neighbors, copies: _Copies) -> NDArray[np.float64]:
    """(n,) distance of each image to the landmarks near it, corrected for the density around it.

    A crowd of copies has a density without bounds, which says nothing of the images beside it: it does not count.
    """
    own = _to_landmarks(subjects, copies.of)
    other = _are_others(neighbors, copies.of) & ~copies.crowd[neighbors.rows]
    around = np.where(other, own[neighbors.rows], 0).sum(axis=1) / np.maximum(other.sum(axis=1), 1)
    around = np.where(other.any(axis=1), around, own)
    corrected = own / np.maximum(around, _CLOSEST) ** _CORRECTION
    nearest = np.full(len(own), np.inf)  # copies stand and fall together
    np.minimum.at(nearest, copies.of, corrected)
    return np.asarray(nearest[copies.of])


def _to_landmarks(subjects: Subjects, copies: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) mean of 1 - cosine to the third to seventh nearest of a sample without the image and its near-copies."""
    landmarks = _landmarks(subjects.digest, copies)
    column = np.full(len(copies), -1)
    column[copies[landmarks]] = np.arange(len(landmarks))
    grid = to_grid(subjects.vectors)
    ranks = min(_RANKS.stop, len(landmarks) - 1)
    mean = np.empty(len(grid))
    for start in range(0, len(grid), _BLOCK_ROWS):
        similarity = cosines(grid[start : start + _BLOCK_ROWS], grid[landmarks])
        own = column[copies[start : start + _BLOCK_ROWS]]
        similarity[np.flatnonzero(own >= 0), own[own >= 0]] = -1
        nearest = np.sort(np.partition(similarity, -ranks, axis=1)[:, -ranks:], axis=1)[:, ::-1]
        mean[start : start + _BLOCK_ROWS] = 1 - nearest[:, _RANKS].mean(axis=1, dtype=np.float64)
    return np.maximum(mean, 0)


def _landmarks(digest: pa.Array, copies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the sample. It is chosen by digest, so a few more images hardly change it."""
    distinct = np.unique(copies)
    least, most = _LANDMARKS
    wanted = max(len(distinct) // _ONE_LANDMARK_IN, min(least, (len(distinct) + 1) // 2))
    order = np.argsort(_mixed(digest)[distinct], kind="stable")
    return np.sort(distinct[order[: min(max(wanted, 2), most)]])


def _mixed(digest: pa.Array) -> NDArray[np.uint64]:
    """(n,) numbers without order from digests (the finalizer of SplitMix64; Steele, Lea and Flood, 2014)."""
    halves = np.frombuffer(digest.buffers()[1], np.uint64)[2 * digest.offset : 2 * (digest.offset + len(digest))]
    mixed = halves[0::2] ^ (halves[1::2] * np.uint64(0x9E3779B97F4A7C15))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _are_others(neighbors: Neighbors, copies: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n, k) which neighbors are there and are no near-copies of the image."""
    return np.asarray((neighbors.rows >= 0) & (copies[neighbors.rows] != copies[:, None]))


def _scores(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = np.median(distance)
    spread = max(1.4826 * float(np.median(np.abs(distance - middle))), _LEAST_SPREAD)
    above = np.maximum((distance - middle) / spread, 0)
    return np.asarray(above / (above + _CUT))


def _batch(
    subjects: Subjects,
    neighbors: Neighbors,
    copies: NDArray[np.int64],
    distance: NDArray[np.float64],
    score: NDArray[np.float64],
    usual: float,
    rows: NDArray[np.int64],
) -> pa.RecordBatch:
    near = Neighbors(neighbors.rows[rows], neighbors.similarity[rows])
    other = (near.rows >= 0) & (copies[near.rows] != copies[rows][:, None])
    first = other & (np.cumsum(other, axis=1) <= _NEAREST_SHOWN)
    ends = pa.array(np.concatenate([[0], np.cumsum(first.sum(axis=1))]).astype(np.int32))
    nearest = subjects.uri.take(pa.array(near.rows[first]))
    twins = np.bincount(copies, minlength=len(copies))[copies[rows]] - 1
    return findings(
        a=subjects.digest.take(pa.array(rows)),
        a_uri=subjects.uri.take(pa.array(rows)),
        kind=OUTLIER,
        score=pa.array(score[rows], pa.float32()),
        reason=pa.array(_reasons(subjects, near, other, twins.tolist(), usual), pa.string()),
        nearest=pa.ListArray.from_arrays(ends, nearest),
        nearest_similarity=pa.ListArray.from_arrays(ends, pa.array(near.similarity[first], pa.float32())),
        distance=pa.array(distance[rows], pa.float32()),
    )


def _reasons(
    subjects: Subjects, near: Neighbors, other: NDArray[np.bool_], twins: list[int], usual: float
) -> list[str]:
    has = np.asarray(other.any(axis=1))
    first = other.argmax(axis=1)
    at = np.arange(len(first))
    uris = subjects.uri.take(pa.array(np.where(has, near.rows[at, first], 0))).to_pylist()
    similar = near.similarity[at, first].tolist()
    reasons = []
    for some, uri, similarity, copies in zip(has.tolist(), uris, similar, twins, strict=True):
        besides = f" besides {copies} near-cop{'y' if copies == 1 else 'ies'}" if copies else ""
        nearest = f"nearest{besides} is {shown(uri)} at {similarity:.2f}" if some else "nothing is near it but copies"
        reasons.append(f"{nearest}; half of the images here have one at {usual:.2f} or more")
    return reasons


FINDER = Finder("outliers", needs=needs, settings=Settings, find=find, columns=_COLUMNS)
