"""Labels that are probably wrong, images with several, and classes that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.errors import ConfigError
from tintype.core.names import shown
from tintype.finders.base import Finder, Inputs, findings, require_numbers
from tintype.finders.categories import columns_of, count_categories
from tintype.finders.confident_learning import Verdicts, judge
from tintype.finders.facts import telling, told
from tintype.finders.folds import folds_of, near_groups
from tintype.finders.given_labels import GivenLabels, read_given
from tintype.finders.label_evidence import gather
from tintype.finders.probe import Rows
from tintype.finders.subjects import Subjects, read_subjects
from tintype.index.base import Neighbors

SUSPECT, CONFLICTING = "suspect label", "conflicting labels"

FEWEST_IMAGES = 3
"""Classes with fewer images are not judged: nothing can be learned of them without the image in question."""

_PLACES = 6  # decimals of the score that are kept
_NEAREST_SHOWN = 5
_COLUMNS = (
    pa.field("given", pa.string()),  # the label that is doubted
    pa.field("suggested", pa.string()),  # the likeliest other one; null where nothing speaks for one
    pa.field("likelihood", pa.float32()),  # probability of the suggested one, 0 to 1
    pa.field("nearest", pa.list_(pa.string())),  # uris of the nearest that have votes, nearest first
    pa.field("nearest_similarity", pa.list_(pa.float32())),  # their cosines, -1 to 1
    pa.field("nearest_label", pa.list_(pa.string())),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Which labels are judged, by which vectors, and from where on they are listed."""

    label: str = "label"  # a label's own name, a column, or `folder`: the folder that a file lies in
    vectors: str = "descriptor"  # column of the vectors
    neighbors: int = 10  # so many have votes
    folds: int = 5  # parts of the cross-validation
    near_copies_at: float = 0.95  # cosine from which on two images do not vouch for each other
    least_score: float = 0.2  # labels that are wrong with a smaller probability are not listed

    def __post_init__(self) -> None:
        require_numbers("labels", self)
        if not 1 <= self.neighbors <= 1_000:
            raise ConfigError(f"labels.neighbors must be 1 to 1000, not {self.neighbors}")
        if not 2 <= self.folds <= 100:
            raise ConfigError(f"labels.folds must be 2 to 100, not {self.folds}")
        if not self.near_copies_at > 0:
            raise ConfigError(f"labels.near_copies_at must be more than 0, not {self.near_copies_at}")
        if not 0 <= self.least_score <= 1:
            raise ConfigError(f"labels.least_score must be 0 to 1, not {self.least_score}")


@dataclass(frozen=True)
class Overlap:
    """Images of the one class that look surely like the other, and their share of all images of the one."""

    one: str
    other: str
    images: int
    share: float  # 0 to 1


@dataclass(frozen=True)
class Labels:
    """Suspect labels: FINDINGS with `given`, `suggested`, `likelihood` and the nearest images; the surest first.

    `b` is the nearest image that has the suggested label; of conflicting labels, one of the same bytes with another.
    """

    table: pa.Table

    @property
    def classes(self) -> dict[str, int]:
        """How many files have each label; empty where the table's metadata does not tell."""
        counts: dict[str, int] = told(self.table).get("classes", {})
        return counts

    @property
    def unlabeled(self) -> int:
        """How many files have none."""
        return int(told(self.table).get("unlabeled", 0))

    @property
    def not_judged(self) -> list[str]:
        """Labels that could not be judged, sorted: those of too few images, or all of them near-copies."""
        names: list[str] = told(self.table).get("not_judged", [])
        return names

    def nearest(self) -> Iterator[list[tuple[str, str, float]]]:
        """For each row the nearest images that have votes: uri, label and cosine, nearest first."""
        columns = (self.table[name].to_pylist() for name in ("nearest", "nearest_label", "nearest_similarity"))
        return (list(zip(*one, strict=True)) for one in zip(*columns, strict=True))

    @property
    def overlaps(self) -> list[Overlap]:
        """Classes that overlap, the largest share first: what is off the diagonal of the confident joint.

        Where two classes stand here in one direction only, labels of the one may be wrong rather than both alike.
        """
        return [Overlap(**one) for one in told(self.table).get("overlaps", ())]

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `suspects`, `overlaps`, `classes`, `not_judged` and `unlabeled`, as JSON has it."""
        rows = self.table.select(["a_uri", "kind", "given", "suggested", "score", "b_uri", "reason"])
        rows = rows.rename_columns(["uri", "problem", "given", "suggested", "score", "like", "reason"])
        rows = rows.set_column(4, "score", pc.round(rows["score"].cast(pa.float64()), 4))
        suspects = zip(rows.to_pylist(), self.nearest(), strict=True)
        return {
            "schema": 1,
            "suspects": [
                one
                | {
                    "nearest": [
                        {"uri": uri, "label": label, "similarity": round(similarity, 4)}
                        for uri, label, similarity in near
                    ]
                }
                for one, near in suspects
            ],
            "overlaps": [asdict(one) | {"share": round(one.share, 4)} for one in self.overlaps],
            "classes": self.classes,
            "not_judged": self.not_judged,
            "unlabeled": self.unlabeled,
        }


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read."""
    return tuple(dict.fromkeys(("digest", "uri", settings.vectors, *columns_of(settings.label))))


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """Labels that are probably wrong, the surest first; equally sure ones by uri.

    `conflicting labels`, score 1: files of the same bytes with different labels; those that most of them have are
    not listed. They stand before all others. `suspect label`: the score is the probability that the label is
    wrong, judged by the image's neighbors and by probes that were fitted without it and its near-copies. Each
    image stands for all files of the same bytes, by the first of their uris. Raises UsageError for a column that
    holds no labels.
    """
    classes, unlabeled = count_categories(inputs.columns, settings.label)
    given = read_given(inputs.columns, settings.label)
    judged = _judged(inputs, settings, given)
    names = set(judged.names.to_pylist()) if judged else set()
    facts = {
        "classes": classes,
        "unlabeled": unlabeled,
        "not_judged": [name for name in classes if name not in names],
        "overlaps": [asdict(overlap) for overlap in _overlaps(judged)] if judged else [],
    }
    found = chain(_conflicting(given), _suspect(judged, settings) if judged else ())
    yield from telling(found, FINDER.schema, facts)


def labels(inputs: Inputs, settings: Settings | None = None) -> Labels:
    """All suspect labels, and which classes overlap."""
    return Labels(pa.Table.from_batches(find(inputs, settings or Settings())))


@dataclass(frozen=True)
class _Judged:
    """n images and what is thought of their labels, by place in `names`."""

    subjects: Subjects
    names: pa.Array
    labels: Rows  # (n,) -1 where there is none that can be judged
    votes: Rows  # (n, k) as in Evidence
    neighbors: Neighbors
    verdicts: Verdicts


def _judged(inputs: Inputs, settings: Settings, given: GivenLabels) -> _Judged | None:
    """None where there are no two classes to choose from."""
    subjects = read_subjects(inputs.columns, settings.vectors)
    labels = given.of(subjects.digest)
    if len(labels) - labels.null_count < 2 * FEWEST_IMAGES:
        return None
    neighbors = inputs.neighbors(subjects.digest, subjects.vectors, settings.neighbors)
    names, numbers, groups, fold = _parts(labels, neighbors, settings)
    if len(names) < 2:
        return None
    evidence = gather(subjects.vectors, numbers, len(names), groups, fold, neighbors)
    return _Judged(subjects, names, numbers, evidence.votes, neighbors, judge(evidence, numbers))


def _parts(labels: pa.Array, neighbors: Neighbors, settings: Settings) -> tuple[pa.Array, Rows, Rows, Rows]:
    """Names of the classes that can be judged, sorted; each image's class (-1 for none), near-copies and fold."""
    names = labels.drop_null().unique().sort()
    numbers = pc.fill_null(pc.index_in(labels, names), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    groups = near_groups(neighbors, settings.near_copies_at, max(2, len(labels) // (2 * settings.folds)))
    fold = folds_of(numbers, groups, settings.folds)
    sizes = np.bincount(numbers[numbers >= 0], minlength=len(names))
    spread = np.unique(np.stack([numbers, fold]), axis=1)[0]  # each class once for each fold that it is in
    in_folds = np.bincount(spread[spread >= 0], minlength=len(names))
    kept = np.flatnonzero((sizes >= FEWEST_IMAGES) & (in_folds > 1))
    renumbered = np.full(len(names) + 1, -1)
    renumbered[kept] = np.arange(len(kept))
    return names.take(pa.array(kept)), renumbered[numbers], groups, fold


def _overlaps(judged: _Judged) -> list[Overlap]:
    """The classes whose images count as another one in the confident joint, by share, then by name."""
    names = judged.names.to_pylist()
    sizes = np.bincount(judged.labels[judged.labels >= 0], minlength=len(names))
    sure = judged.verdicts.confident
    pair, count = np.unique(judged.labels[sure] * len(names) + judged.verdicts.suggested[sure], return_counts=True)
    one, other = np.divmod(pair, len(names))
    order = np.lexsort((other, one, -count / sizes[one]))
    facts = zip(one[order].tolist(), other[order].tolist(), count[order].tolist(), strict=True)
    return [Overlap(names[a], names[b], images, images / int(sizes[a])) for a, b, images in facts]


def _suspect(judged: _Judged, settings: Settings) -> Iterator[pa.RecordBatch]:
    verdicts = judged.verdicts
    score = np.round(verdicts.suspicion.astype(np.float64), _PLACES)
    listed = np.flatnonzero((judged.labels >= 0) & (score >= settings.least_score))
    uri = judged.subjects.uri.take(pa.array(listed))
    order = pc.sort_indices(
        pa.table({"score": score[listed], "uri": uri}), sort_keys=[("score", "descending"), ("uri", "ascending")]
    ).to_numpy()
    rows = listed[order]
    for start in range(0, len(rows), 65_536):
        part = rows[start : start + 65_536]
        example = _examples(judged, part)
        like = pa.array(example, mask=example < 0)
        uris = judged.subjects.uri.take(like)
        yield findings(
            a=judged.subjects.digest.take(pa.array(part)),
            b=judged.subjects.digest.take(like),
            a_uri=judged.subjects.uri.take(pa.array(part)),
            b_uri=uris,
            kind=SUSPECT,
            score=pa.array(score[part], pa.float32()),
            reason=_reasons(judged, part, uris),
            given=judged.names.take(pa.array(judged.labels[part])),
            suggested=judged.names.take(pa.array(verdicts.suggested[part])),
            likelihood=pa.array(np.round(verdicts.likelihood[part], _PLACES), pa.float32()),
            **_nearest(judged, part),
        )


def _nearest(judged: _Judged, rows: Rows) -> dict[str, pa.Array]:
    """The first of the neighbors that have votes on each of m images, as lists (m,)."""
    heard = judged.votes[rows] >= 0
    first = heard & (np.cumsum(heard, axis=1) <= _NEAREST_SHOWN)
    ends = pa.array(np.concatenate([[0], np.cumsum(first.sum(axis=1))]).astype(np.int32))
    values = {
        "nearest": judged.subjects.uri.take(pa.array(judged.neighbors.rows[rows][first])),
        "nearest_similarity": pa.array(judged.neighbors.similarity[rows][first], pa.float32()),
        "nearest_label": judged.names.take(pa.array(judged.votes[rows][first])),
    }
    return {name: pa.ListArray.from_arrays(ends, value) for name, value in values.items()}


def _examples(judged: _Judged, rows: Rows) -> Rows:
    """The nearest image that has the suggested label, (m,); -1 where none of the neighbors has."""
    fits = judged.votes[rows] == judged.verdicts.suggested[rows, None]
    return np.where(fits.any(axis=1), judged.neighbors.rows[rows, fits.argmax(axis=1)], -1).astype(np.int64)


def _reasons(judged: _Judged, rows: Rows, examples: pa.Array) -> pa.Array:
    """One line for each: the given and the likelier label, and what the images that are like it are labeled."""
    votes, suggested, given = judged.votes[rows], judged.verdicts.suggested[rows], judged.labels[rows]
    names = [shown(name) for name in judged.names.to_pylist()]
    facts = zip(
        given.tolist(),
        suggested.tolist(),
        judged.verdicts.likelihood[rows].tolist(),
        (votes >= 0).sum(axis=1).tolist(),
        (votes == suggested[:, None]).sum(axis=1).tolist(),
        (votes == given[:, None]).sum(axis=1).tolist(),
        examples.to_pylist(),
        strict=True,
    )
    words = []
    for label, likelier, likelihood, heard, others, own, example in facts:
        reason = f"labeled {names[label]}, looks like {names[likelier]} ({100 * likelihood:.0f} %)"
        if heard:
            reason += f"; of its {heard} nearest {others} are labeled {names[likelier]}, {own} {names[label]}"
        if example is not None:
            reason += f"; the nearest of them is {shown(example)}"
        words.append(reason)
    return pa.array(words, pa.string())


def _conflicting(given: GivenLabels) -> Iterator[pa.RecordBatch]:
    table = given.conflicts
    if not len(table):
        return
    reasons = [
        f"labeled {shown(label)}, but the same bytes are labeled {shown(other)} in {shown(uri)}"
        for label, other, uri in zip(
            *(table[name].to_pylist() for name in ("label", "other", "other_uri")), strict=True
        )
    ]
    yield findings(
        a=table["digest"],
        b=table["digest"],
        a_uri=table["uri"],
        b_uri=table["other_uri"],
        kind=CONFLICTING,
        score=1.0,
        reason=pa.array(reasons, pa.string()),
        given=table["label"],
        suggested=table["usual"],
        likelihood=pa.nulls(len(table), pa.float32()),
        nearest=pa.array([[uri] for uri in table["other_uri"].to_pylist()]),
        nearest_similarity=pa.array([[1.0]] * len(table), pa.list_(pa.float32())),
        nearest_label=pa.array([[label] for label in table["other"].to_pylist()]),
    )


FINDER = Finder("labels", needs=needs, settings=Settings, find=find, columns=_COLUMNS)
