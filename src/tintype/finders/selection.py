"""Selecting a diverse subset: no copies, what stands for many first, then what is unlike all before it."""

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
from tintype.finders.categories import columns_of
from tintype.finders.coverage import choose, nearest_before, nearest_chosen
from tintype.finders.facts import telling, told
from tintype.finders.given_labels import read_given
from tintype.finders.near_copies import stand_ins
from tintype.finders.subjects import Subjects, read_subjects
from tintype.index.vectors import distinct

SELECTED = "selected"

_NEIGHBORS = 10
_COLUMNS = (
    pa.field("rank", pa.int32()),  # place in the order, from 1; those up to any place are a selection by themselves
    pa.field("stands_for", pa.int32()),  # distinct images that no other selected one is nearer to; itself too
    pa.field("copies", pa.int32()),  # images left out as copies of it or of those that it stands for
)

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How many images are selected, and how."""

    count: int | None = None  # how many; by default `share` of all distinct images
    share: float = 0.1  # 0 to 1, at least one image
    balance: str | None = None  # a label or column of which each value gets the same number, as far as there are
    vectors: str = "descriptor"  # column of the vectors
    near_copies_at: float = 0.95  # cosine from which on two images are copies, of which one is enough
    seed: int = 0  # of the clusters that more than 2,048 images are cut into

    def __post_init__(self) -> None:
        require_numbers("select", self)
        if self.count is not None and self.count < 1:
            raise ConfigError(f"select.count must be at least 1, not {self.count}")
        if not 0 < self.share <= 1:
            raise ConfigError(f"select.share must be above 0 and at most 1, not {self.share}")
        if not self.near_copies_at > 0:
            raise ConfigError(f"select.near_copies_at must be more than 0, not {self.near_copies_at}")
        if self.seed < 0:
            raise ConfigError(f"select.seed must be 0 or more, not {self.seed}")


@dataclass(frozen=True)
class Selection:
    """The selected images in order: FINDINGS with `rank`, `stands_for` and `copies`."""

    table: pa.Table

    @property
    def left_out(self) -> dict[str, int]:
        """Images by why they are not selected; empty where the table's metadata does not tell.

        `copies` of others, the same bytes or nearly equal; `represented` by the selected ones; `without_vector`,
        since they were not decoded or described; and, where labels are balanced, `unlabeled`.
        """
        counts: dict[str, int] = told(self.table).get("left_out", {})
        return counts

    @property
    def remark(self) -> str | None:
        """What should be known beside: that fewer were found than asked for."""
        asked = told(self.table).get("asked") or 0
        if len(self.table) >= asked:
            return None
        return (
            f"{asked:,} images were asked for; only {len(self.table):,} distinct ones are there, and all are selected"
        )

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `selected` in order, `left_out` and `remark`, as JSON has it."""
        rows = self.table.select(["a_uri", "score", "stands_for", "copies", "reason"])
        rows = rows.rename_columns(["uri", "score", "stands_for", "copies", "reason"])
        rows = rows.set_column(1, "score", pc.round(rows["score"].cast(pa.float64()), 4))
        return {"schema": 1, "selected": rows.to_pylist(), "left_out": self.left_out, "remark": self.remark}


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read; those of stages that never ran may be all null."""
    label = columns_of(settings.balance) if settings.balance else ()
    return tuple(dict.fromkeys(("digest", "uri", settings.vectors, "width", "height", *label)))


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """The selected images, first to last; the score falls with the rank, from 1 to nearly 0.

    Of images whose vectors are nearly equal the one of most pixels stays (as in SemDeDup: Abbas et al., 2023, but
    without chains). Of the others those are chosen that stand best for all (`coverage.choose`). With `balance` that
    is done for each value by itself, and each beginning of the order is balanced too; images without one are left
    out.
    """
    subjects = read_subjects(inputs.columns, settings.vectors, ("width", "height"))
    pool = _pool(inputs, settings, subjects)
    asked = settings.count or max(1, round(settings.share * len(pool.rows)))
    inputs.tell("selecting", total=len(pool.rows))
    chosen = _chosen(subjects.vectors, pool, asked, settings.seed)
    facts = {"asked": asked, "left_out": _left_out(subjects, pool, len(chosen.rows))}
    yield from telling(_batches(subjects, chosen), FINDER.schema, facts)


def select(inputs: Inputs, settings: Settings | None = None) -> Selection:
    """A diverse subset of the images."""
    return Selection(pa.Table.from_batches(find(inputs, settings or Settings())))


@dataclass(frozen=True)
class _Pool:
    """The distinct images that may be chosen, by row of the subjects."""

    rows: Rows  # (p,)
    copies: Rows  # (p,) images left out as copies of each
    group: Rows  # (p,) that are balanced, 0 to g - 1
    unlabeled: int  # images


def _pool(inputs: Inputs, settings: Settings, subjects: Subjects) -> _Pool:
    files = _files(inputs, subjects)
    everyone = np.arange(len(subjects))
    group = np.zeros(len(subjects), np.int64)
    if settings.balance:
        labels = read_given(inputs.columns, settings.balance).of(subjects.digest)
        names = labels.drop_null().unique().sort()
        group = pc.fill_null(pc.index_in(labels, names), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    if len(subjects) < 2:
        stands = everyone
    else:
        neighbors = inputs.neighbors(subjects.digest, subjects.vectors, _NEIGHBORS)
        _, equal = distinct(subjects.vectors)
        stands = stand_ins(neighbors, settings.near_copies_at, _rank(subjects, group < 0), equal)
    kept = np.flatnonzero((stands == everyone) & (group >= 0))
    labeled = group[stands] >= 0
    images = np.bincount(stands[labeled], files[labeled], minlength=len(subjects)).astype(np.int64)
    return _Pool(kept, images[kept] - 1, group[kept], int(files[~labeled].sum()))


def _rank(subjects: Subjects, last: NDArray[np.bool_]) -> Rows:
    """Place of each image by pixels, most first, then by digest; those of `last` after all others."""
    sides = [pc.fill_null(subjects.others[name].cast(pa.int64()), 0).to_numpy() for name in ("width", "height")]
    order = np.lexsort((-sides[0] * sides[1], last))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _files(inputs: Inputs, subjects: Subjects) -> Rows:
    """How many files have the bytes of each subject, (n,)."""
    counts = np.zeros(len(subjects), np.int64)
    for batch in inputs.columns.batches(["digest"]):
        place = pc.index_in(batch["digest"].cast(pa.binary(16)), subjects.digest).drop_null()
        np.add.at(counts, place.to_numpy(), 1)
    return counts


@dataclass(frozen=True)
class _Chosen:
    """c images in order; rows and `before` are of the subjects."""

    rows: Rows
    stands_for: Rows
    copies: Rows
    before: Rows  # the nearest of those before it; -1 for the first
    cosine: NDArray[np.float32]  # with that


def _chosen(vectors: NDArray[np.float16], pool: _Pool, count: int, seed: int) -> _Chosen:
    groups = int(pool.group.max()) + 1 if len(pool.rows) else 0
    quotas = _quotas(np.bincount(pool.group, minlength=groups), count)
    rows, stands_for, copies, turn = [], [], [], []
    for group, quota in enumerate(quotas.tolist()):
        members = np.flatnonzero(pool.group == group)
        if not quota:
            continue
        own = vectors[pool.rows[members]]
        first = choose(own, quota, seed)
        place, _ = nearest_chosen(own, first)
        rows.append(pool.rows[members[first]])
        stands_for.append(np.bincount(place, minlength=len(first)))
        copies.append(np.bincount(place, pool.copies[members], minlength=len(first)).astype(np.int64))
        turn.append(np.arange(len(first)))
    if not rows:
        nothing = np.empty(0, np.int64)
        return _Chosen(nothing, nothing, nothing, nothing, np.empty(0, np.float32))
    order = np.argsort(np.concatenate(turn), kind="stable")  # each value's first, then each one's second, …
    ordered = np.concatenate(rows)[order]
    before, cosine = nearest_before(vectors[ordered])
    before = np.where(before < 0, -1, ordered[before])
    return _Chosen(ordered, np.concatenate(stands_for)[order], np.concatenate(copies)[order], before, cosine)


def _quotas(sizes: Rows, count: int) -> Rows:
    """How many of each of g groups: as equal as their sizes allow, `count` together; what is over goes to the first."""
    quotas = np.zeros(len(sizes), np.int64)
    left = min(count, int(sizes.sum()))
    while left:
        open_groups = np.flatnonzero(quotas < sizes)
        each = max(1, left // len(open_groups))
        given = np.minimum(sizes[open_groups] - quotas[open_groups], each)
        if each * len(open_groups) > left:  # one each, for some
            given[left:] = 0
        quotas[open_groups] += given
        left -= int(given.sum())
    return quotas


def _left_out(subjects: Subjects, pool: _Pool, selected: int) -> dict[str, int]:
    copies, distinct = int(pool.copies.sum()), len(pool.rows)
    return {
        "copies": copies,
        "represented": distinct - selected,
        "without_vector": subjects.images - copies - distinct - pool.unlabeled,
        "unlabeled": pool.unlabeled,
    }


def _batches(subjects: Subjects, chosen: _Chosen) -> Iterator[pa.RecordBatch]:
    count = len(chosen.rows)
    for start in range(0, count, 65_536):
        part = slice(start, start + 65_536)
        rows, rank = chosen.rows[part], np.arange(count)[part]
        like = pa.array(chosen.before[part], mask=chosen.before[part] < 0)
        uris = subjects.uri.take(like)
        yield findings(
            a=subjects.digest.take(pa.array(rows)),
            b=subjects.digest.take(like),
            a_uri=subjects.uri.take(pa.array(rows)),
            b_uri=uris,
            kind=SELECTED,
            score=pa.array(1 - rank / count, pa.float32()),
            reason=_reasons(chosen, part, uris),
            rank=pa.array(rank + 1, pa.int32()),
            stands_for=pa.array(chosen.stands_for[part], pa.int32()),
            copies=pa.array(chosen.copies[part], pa.int32()),
        )


def _reasons(chosen: _Chosen, part: slice, before: pa.Array) -> pa.Array:
    """What each stands for, and the nearest of those before it."""
    facts = zip(
        chosen.stands_for[part].tolist(),
        chosen.copies[part].tolist(),
        chosen.cosine[part].tolist(),
        before.to_pylist(),
        strict=True,
    )
    words = []
    for stands_for, copies, cosine, uri in facts:
        reason = f"stands for {stands_for - 1:,} like it" if stands_for > 1 else "stands for itself"
        if copies:
            reason += f" and {copies:,} {'copies' if copies > 1 else 'copy'}"
        if uri is not None:
            reason += f"; nearest of those before: {shown(uri)} at {cosine:.2f}"
        words.append(reason)
    return pa.array(words, pa.string())


FINDER = Finder("select", needs=needs, settings=Settings, find=find, columns=_COLUMNS)
