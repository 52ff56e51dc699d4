"""Copies: files with the same bytes, and images that look the same in any flip or quarter turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import ConfigError
from tintype.core.hashes import TURNS, distances, phash_turns
from tintype.finders.base import Finder, Inputs, findings
from tintype.finders.chance import Reach, reach
from tintype.finders.groups import LookAlikes, look_alikes
from tintype.finders.hamming import MAX_DISTANCE
from tintype.finders.places import COLUMNS, Places, read_places, why_best
from tintype.finders.sets import Rows, Sets

IDENTICAL, NEAR = "identical", "near"

_BATCH_ROWS = 65_536
_TURNED = {
    "upright": "",
    "mirrored": " mirrored left to right",
    "turned_180": " turned by 180°",
    "flipped": " mirrored top to bottom",
    "transposed": " mirrored and turned 90° counterclockwise",
    "turned_90": " turned 90° clockwise",
    "transversed": " mirrored and turned 90° clockwise",
    "turned_270": " turned 90° counterclockwise",
}
_COLUMNS = (
    pa.field("distance", pa.int8()),  # bits of 64 in which the pHashes differ; null where the bytes are the same
    pa.field("orientation", pa.string()),  # how `a` has to be turned to look like `b`, of TURNS; null as before
    pa.field("why", pa.string()),  # why `a` is the best of its group, where `b` is another of it; else null
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How far apart two perceptual hashes may be to count as the same picture."""

    distance: int | None = None  # bits of 64; by default as far as chance allows, at most 4
    chance_pairs: float = 1.0  # unrelated photos taken for copies that are put up with, per 10,000 images
    perceptual: bool = True  # false finds files with the same bytes only

    def __post_init__(self) -> None:
        if self.distance is not None and not 0 <= self.distance <= MAX_DISTANCE:
            raise ConfigError(f"duplicates.distance must be 0 to {MAX_DISTANCE} bits, not {self.distance}")
        if not self.chance_pairs > 0:
            raise ConfigError(f"duplicates.chance_pairs must be more than 0, not {self.chance_pairs}")


@dataclass(frozen=True)
class Group:
    """Images that are copies of `keep`, the best of them; `members` has all their uris, `keep` first."""

    keep: str
    why: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Duplicates:
    """Pairs of copies, as a table of FINDINGS with `distance`, `orientation` and `why`, sorted by the two uris.

    Every member of a group has its own pair with the group's best, which is `a` and says `why`.
    """

    pairs: pa.Table

    @property
    def groups(self) -> list[Group]:
        """The groups, sorted by the uri of their best."""
        kept = self.pairs.filter(pc.is_valid(self.pairs["why"])).select(["a_uri", "b_uri", "why"])
        members: dict[str, list[str]] = {}
        reasons: dict[str, str] = {}
        for batch in kept.to_batches():
            for keep, member, why in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                members.setdefault(keep, [keep]).append(member)
                reasons[keep] = why
        return [Group(keep, reasons[keep], tuple(uris)) for keep, uris in members.items()]

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `pairs` and `groups`, as JSON has it."""
        shown = self.pairs.select(["a_uri", "b_uri", "kind", "score", "reason"])
        shown = shown.rename_columns(["a", "b", "relation", "score", "reason"])
        shown = shown.set_column(3, "score", pc.round(shown["score"].cast(pa.float64()), 4))
        groups = [{"keep": group.keep, "why": group.why, "members": list(group.members)} for group in self.groups]
        return {"schema": 1, "pairs": shown.to_pylist(), "groups": groups}


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read; those of stages that never ran may be all null."""
    return COLUMNS


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """Pairs of copies, in batches, sorted by `a_uri`, then `b_uri`; `a` is the better one.

    `identical`, score 1: the same bytes; of many such files each is paired with the best. Names of one file (hard
    links, or the same file by another path) and empty files are no copies. `near`: the pHashes differ in few bits
    in the best of eight turns, and where the collection is so large that chance alone would find such pairs, light
    and contrast agree too; score 1 - (distance + 1) / 33, as unrelated images differ in 32 bits. Each digest
    stands for all its files there, by its best one; but a group's best has a pair with every file of the group.
    """
    places = read_places(inputs.columns)
    pairs = _pairs(places, _groups(places, settings))
    for start in range(0, len(pairs.a), _BATCH_ROWS):
        yield _batch(places, pairs, slice(start, start + _BATCH_ROWS))


def duplicates(inputs: Inputs, settings: Settings | None = None) -> Duplicates:
    """All pairs of copies, and their groups."""
    return Duplicates(pa.Table.from_batches(find(inputs, settings or Settings()), FINDER.schema))


@dataclass(frozen=True)
class _Pairs:
    """Rows of Places; a ranks before b."""

    a: Rows
    b: Rows
    why: pa.Array


def _groups(places: Places, settings: Settings) -> LookAlikes:
    """Look-alikes among the subjects; those without a hash are alone."""
    alone = np.arange(len(places.best))
    hashes = places.phash.take(pa.array(places.best))
    hashed = np.flatnonzero(hashes.is_valid().to_numpy(zero_copy_only=False))
    if not settings.perceptual or not len(hashed):
        return LookAlikes(alone, alone[:0], alone[:0])
    values = hashes.drop_null().to_numpy()
    found = look_alikes(values, places.tones[places.best[hashed]], _reach(len(hashed), settings))
    alone[hashed] = hashed[found.keeper]
    return LookAlikes(alone, hashed[found.first], hashed[found.second])


def _reach(images: int, settings: Settings) -> Reach:
    if settings.distance is not None:
        return Reach(settings.distance, settings.distance)
    return reach(images, settings.chance_pairs)


def _pairs(places: Places, found: LookAlikes) -> _Pairs:
    """Each file with the best of its group, each with the best of the same bytes, and the other look-alikes."""
    files = Sets.of_equals(places.subject)
    rows = np.arange(len(places))
    own, kept = places.best[places.subject], places.best[found.keeper[places.subject]]
    to_keeper, to_own = rows != kept, (rows != own) & (own != kept)
    first, second = files.between(found.first, found.second)
    other = kept[second] != first  # else it is among those with the best of a group
    a = np.concatenate([kept[to_keeper], own[to_own], first[other]])
    b = np.concatenate([rows[to_keeper], rows[to_own], second[other]])
    why = _whys(places, kept[to_keeper], rows[to_keeper])
    why = pa.concat_arrays([why, pa.nulls(len(a) - len(why), pa.string())])
    order = np.lexsort((places.uri_rank[b], places.uri_rank[a]))
    return _Pairs(a[order], b[order], why.take(pa.array(order)))


def _whys(places: Places, keep: Rows, member: Rows) -> pa.Array:
    """For each pair of a group's best and another of it: why that is the best."""
    best, first, group = np.unique(keep, return_index=True, return_inverse=True)
    words = [
        why_best(places, row, [following]) for row, following in zip(best.tolist(), member[first].tolist(), strict=True)
    ]
    return pa.array(words, pa.string()).take(pa.array(group))


def _batch(places: Places, pairs: _Pairs, rows: slice) -> pa.RecordBatch:
    a, b = pairs.a[rows], pairs.b[rows]
    same = places.subject[a] == places.subject[b]
    distance, turn = _compared(places.phash.take(pa.array(a)), places.phash.take(pa.array(b)))
    at = np.where(same, 0, 1 + turn * 65 + distance)  # place in the words and scores of all cases
    return findings(
        a=places.digest.take(pa.array(a)),
        b=places.digest.take(pa.array(b)),
        a_uri=places.uri.take(pa.array(a)),
        b_uri=places.uri.take(pa.array(b)),
        kind=pa.array([IDENTICAL, NEAR]).take(pa.array(~same, pa.int8())),
        score=pa.array(np.where(same, 1, 1 - (distance + 1) / 33), pa.float32()),
        reason=_REASONS.take(pa.array(at)),
        distance=pa.array(distance, pa.int8(), mask=same),
        orientation=pa.array(TURNS).take(pa.array(turn, mask=same)),
        why=pairs.why[rows.start : rows.stop],
    )


def _compared(a: pa.Array, b: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest distance over all turns of `a`, and the first turn that has it; 0 where a hash is missing."""
    turns = phash_turns(pc.fill_null(a, 0).to_numpy(zero_copy_only=False))
    differ = distances(turns, pc.fill_null(b, 0).to_numpy(zero_copy_only=False)[:, None])  # (n, 8)
    return differ.min(axis=1).astype(np.int64), differ.argmin(axis=1)


def _reasons() -> pa.Array:
    words = ["same bytes"]
    for turn in TURNS:
        for bits in range(65):
            hashes = f"pHash differs in {bits} of 64 bits" if bits else "pHash is equal"
            words.append(f"looks the same{_TURNED[turn]}; {hashes}")
    return pa.array(words)


_REASONS = _reasons()

FINDER = Finder("duplicates", needs=needs, settings=Settings, find=find, columns=_COLUMNS)
