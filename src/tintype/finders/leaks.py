"""Leaks: pictures that stand in several splits of a data set, the same or copies of one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import ConfigError
from tintype.core.names import shown
from tintype.finders import duplicates
from tintype.finders.base import ColumnStreams, Finder, Inputs, findings
from tintype.finders.facts import telling, told
from tintype.finders.splits import count_splits, split_columns, splits

LEAK, SAME_SCENE = "leak", "same scene across splits"
COPIES_OF_ONE = "copies of one image"

_SCENE = "same scene"
_IDENTICAL = "identical"
_PLACES = 6  # decimals of the score that are kept
_COLUMNS = (
    pa.field("a_split", pa.string()),  # the smaller of the two splits
    pa.field("b_split", pa.string()),
    pa.field("relation", pa.string()),  # as the duplicates have it
)

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What tells the splits apart, and what is looked at. What counts as a copy, the settings of `duplicates` say."""

    by: str = "split"  # a label's own name, a column, or `folder`: the first part of the uri
    vectors: str = "descriptor"  # column of the vectors by which copies are looked for
    scenes: bool = True  # also list other photos of the same scene, which are no copies

    def __post_init__(self) -> None:
        if not self.by:
            raise ConfigError("leaks.by must name a column, or be `folder`")


@dataclass(frozen=True)
class Leaks:
    """Leaks: FINDINGS with `a_split`, `b_split` and `relation`; by the splits, copies first, then by uri.

    `a` is an image of the smaller split and `b` the nearest to it in the other.
    """

    table: pa.Table

    @property
    def splits(self) -> dict[str, int]:
        """How many images each split has; empty where the table's metadata does not tell."""
        counts: dict[str, int] = told(self.table).get("splits", {})
        return counts

    @property
    def images(self) -> dict[str, dict[str, int]]:
        """How many images of a split are also in another one, those of the same scene not among them."""
        counts: dict[str, dict[str, int]] = {}
        leaks = self.table.filter(pc.equal(self.table["kind"], LEAK))
        kinds = leaks.group_by(["a_split", "b_split"]).aggregate([([], "count_all")])
        for row in kinds.sort_by([("a_split", "ascending"), ("b_split", "ascending")]).to_pylist():
            counts.setdefault(row["a_split"], {})[row["b_split"]] = row["count_all"]
        return counts

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `leaks`, `splits` and `images`, as JSON has it."""
        rows = self.table.select(["a_uri", "b_uri", "a_split", "b_split", "kind", "relation", "score", "reason"])
        rows = rows.rename_columns(["a", "b", *rows.column_names[2:]])
        rows = rows.set_column(6, "score", pc.round(rows["score"].cast(pa.float64()), 4))
        images = {a: {f"in_{b}": count for b, count in others.items()} for a, others in self.images.items()}
        return {"schema": 1, "leaks": rows.to_pylist(), "splits": self.splits, "images": images}


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read; those of stages that never ran may be all null."""
    return tuple(dict.fromkeys((*duplicates.needs(_alike(settings, {})), *split_columns(settings.by))))


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """Each image that has a copy in a larger split, with the nearest such; of splits as large, the first by name.

    Copies are the pairs of the finder `duplicates` under its own settings, and what is a copy of the same third image:
    its score is then the product of the two. `leak` has the pair's score, `same scene across splits` that of a pair
    of one scene, below 0.5. An image without a split is in no leak, but may join two. Sorted by `a_split`, `b_split`,
    the kind, then `a_uri`.
    """
    sizes = count_splits(inputs.columns, settings.by)
    found = _leaks(inputs, settings, sizes) if len(sizes) > 1 else ()
    yield from telling(found, FINDER.schema, {"splits": sizes})


def leaks(inputs: Inputs, settings: Settings | None = None) -> Leaks:
    """All leaks between all splits."""
    return Leaks(pa.Table.from_batches(find(inputs, settings or Settings())))


def _leaks(inputs: Inputs, settings: Settings, sizes: dict[str, int]) -> Iterator[pa.RecordBatch]:
    pairs = (
        duplicates.duplicates(replace(inputs, columns=_EachName(inputs.columns)), _alike(settings, inputs.settings))
        .pairs.select(["a", "b", "a_uri", "b_uri", "kind", "score", "reason"])
        .combine_chunks()
    )
    images = _images(pairs, inputs.columns, settings.by, list(sizes))
    found = _nearest(_linked(pairs, images), images, np.array(list(sizes.values())), inputs.apart)
    for start in range(0, len(found), 65_536):
        yield _batch(found[start : start + 65_536], pairs, images)


@dataclass(frozen=True)
class _EachName:
    """The columns without inodes: a file with a name in each of two splits leaks as much as two files do."""

    columns: ColumnStreams

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self.columns.batches(names):
            if "_inode" in names:
                batch = batch.set_column(names.index("_inode"), "_inode", pa.nulls(len(batch)))
            yield batch

    def take(self, rows: Rows, names: Sequence[str]) -> pa.Table:
        return self.columns.take(rows, names)


def _alike(settings: Settings, others: Mapping[str, Any]) -> duplicates.Settings:
    theirs: duplicates.Settings = others.get(duplicates.FINDER.name, duplicates.Settings())
    return replace(theirs, vectors=settings.vectors, scenes=settings.scenes)


@dataclass(frozen=True)
class _Images:
    """The images that have a pair, sorted by uri."""

    uri: pa.Array  # (n,)
    digest: pa.Array  # (n,)
    split: Rows  # (n,) place of its split in `names`; -1 for none
    names: list[str]


def _images(pairs: pa.Table, columns: ColumnStreams, by: str, names: list[str]) -> _Images:
    both = pa.table(
        {
            "uri": pa.concat_arrays([*pairs["a_uri"].chunks, *pairs["b_uri"].chunks, pa.array([], pa.string())]),
            "digest": pa.concat_arrays([*pairs["a"].chunks, *pairs["b"].chunks, pa.array([], pa.binary(16))]),
        }
    ).sort_by("uri")
    first = np.ones(len(both), np.bool_)
    uri = both["uri"].combine_chunks()
    first[1:] = pc.not_equal(uri[1:], uri[:-1]).to_numpy(zero_copy_only=False)
    both = both.filter(pa.array(first)).combine_chunks()
    uri = both["uri"].combine_chunks()
    split = np.full(len(both), -1)
    for batch, said in splits(columns.batches(split_columns(by)), by):
        place = pc.index_in(batch["uri"], uri)
        known = pc.and_(place.is_valid(), said.is_valid())
        at = place.filter(known).to_numpy(zero_copy_only=False)
        split[at] = pc.index_in(said.filter(known), pa.array(names)).to_numpy(zero_copy_only=False)
    return _Images(uri, both["digest"].combine_chunks(), split, names)


_LINK = np.dtype([("image", "i8"), ("other", "i8"), ("score", "f8"), ("scene", "?"), ("pair", "i8"), ("pair_of", "i8")])
"""An image and another that is like it: the pair that says so, and where they are alike through a third image the
pair of that with the other; else -1."""

Links = np.ndarray[Any, np.dtype[np.void]]


def _linked(pairs: pa.Table, images: _Images) -> Links:
    """Every pair, from both of its ends."""
    a, b = (pc.index_in(pairs[name], images.uri).to_numpy() for name in ("a_uri", "b_uri"))
    links = np.zeros(2 * len(pairs), _LINK)
    links["image"], links["other"] = np.concatenate([a, b]), np.concatenate([b, a])
    links["score"] = np.tile(pairs["score"].to_numpy().astype(np.float64), 2)
    links["scene"] = np.tile(pc.equal(pairs["kind"], _SCENE).to_numpy(), 2)
    links["pair"] = np.tile(np.arange(len(pairs)), 2)
    links["pair_of"] = -1
    return links


def _nearest(links: Links, images: _Images, sizes: Rows, apart: frozenset[tuple[bytes, bytes]]) -> Links:
    """For each image of a split and each larger one the nearest that is there, sorted as `find` yields them."""
    through = _through_a_third(links[~links["scene"]], images, apart)
    links = np.concatenate([links, through])
    own, theirs = images.split[links["image"]], images.split[links["other"]]
    smaller = (sizes[own] < sizes[theirs]) | ((sizes[own] == sizes[theirs]) & (own < theirs))
    links = links[(own >= 0) & (theirs >= 0) & (own != theirs) & smaller]
    links = _best(links, links["image"], images.split[links["other"]])
    theirs = images.split[links["other"]]
    return links[np.lexsort((links["image"], links["scene"], theirs, images.split[links["image"]]))]


def _through_a_third(copies: Links, images: _Images, apart: frozenset[tuple[bytes, bytes]]) -> Links:
    """Images that are copies of the same third one, and were not declared apart: from each to the nearest in each
    other split.

    Of the copies that the third one has in a split only its nearest counts, and those of which something was
    declared, so that a crowd of copies of one image makes no more links than it has images, for each split.
    """
    split = images.split
    offers = copies[split[copies["other"]] >= 0]
    declared = {digest for pair in apart for digest in pair}
    loose = np.array([digest in declared for digest in images.digest.to_pylist()], np.bool_)[offers["other"]]
    firm = offers[~loose]
    offers = np.concatenate([_best(firm, firm["image"], split[firm["other"]]), offers[loose]])
    offers = offers[np.argsort(offers["image"], kind="stable")]
    asks = copies[split[copies["image"]] >= 0]
    begin = np.searchsorted(offers["image"], asks["other"], "left")
    count = np.searchsorted(offers["image"], asks["other"], "right") - begin
    ask = np.repeat(np.arange(len(asks)), count)
    offer = np.repeat(begin - (np.cumsum(count) - count), count) + np.arange(len(ask))
    found = asks[ask]
    found["other"] = offers["other"][offer]
    found["score"] *= offers["score"][offer]
    found["pair_of"] = offers["pair"][offer]
    links: Links = found[split[found["image"]] != split[found["other"]]]
    if not apart:
        return links
    ends = (images.digest.take(pa.array(links[name])).to_pylist() for name in ("image", "other"))
    return links[[tuple(sorted(pair)) not in apart for pair in zip(*ends, strict=True)]]


def _best(links: Links, image: Rows, split: Rows) -> Links:
    """The nearest of each image and split, sorted by these: copies first, then the surer, the direct, the uri."""
    keys = (links["other"], links["pair_of"] >= 0, -links["score"], links["scene"], split, image)
    order = np.lexsort(keys)
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(image[order]) != 0) | (np.diff(split[order]) != 0)
    best: Links = links[order[new]]
    return best


def _batch(links: Links, pairs: pa.Table, images: _Images) -> pa.RecordBatch:
    a, b = pa.array(links["image"]), pa.array(links["other"])
    a_split, b_split = (pa.array(images.names).take(pa.array(images.split[links[end]])) for end in ("image", "other"))
    relations, reasons = _words(links, pairs, images, b_split.to_pylist())
    return findings(
        a=images.digest.take(a),
        b=images.digest.take(b),
        a_uri=images.uri.take(a),
        b_uri=images.uri.take(b),
        kind=pa.array([LEAK, SAME_SCENE]).take(pa.array(links["scene"].astype(np.int8))),
        score=pa.array(np.round(links["score"], _PLACES), pa.float32()),
        reason=reasons,
        a_split=a_split,
        b_split=b_split,
        relation=relations,
    )


def _words(links: Links, pairs: pa.Table, images: _Images, b_split: list[str]) -> tuple[pa.Array, pa.Array]:
    """Relation and reason of each link."""
    first = pairs.select(["a_uri", "b_uri", "kind", "reason"]).take(pa.array(links["pair"])).to_pylist()
    second = pairs["kind"].take(pa.array(links["pair_of"], mask=links["pair_of"] < 0)).to_pylist()
    a, b = (images.uri.take(pa.array(links[end])).to_pylist() for end in ("image", "other"))
    relations, reasons = [], []
    for pair, kind, own, other, split in zip(first, second, a, b, b_split, strict=True):
        relation = _relation(pair["kind"], kind)
        relations.append(relation)
        there = f"in {shown(split)} as {shown(other)}"
        if kind is not None:
            third = pair["b_uri"] if pair["a_uri"] == own else pair["a_uri"]
            reasons.append(f"also {there}: both are copies of {shown(third)} ({pair['kind']}; {kind})")
        elif relation == _SCENE:
            reasons.append(f"same scene {there}: {pair['reason']}")
        else:
            reasons.append(f"also {there}: {pair['reason']}")
    return pa.array(relations, pa.string()), pa.array(reasons, pa.string())


def _relation(first: str, second: str | None) -> str:
    """What two images are to each other, of which one is `first` to a third and that is `second` to the other."""
    if second is None or second == _IDENTICAL:
        return first
    return second if first == _IDENTICAL else COPIES_OF_ONE


FINDER = Finder("leaks", needs, Settings, find, columns=_COLUMNS, builds_on=(duplicates.FINDER.name,))
