"""Copies: files with the same bytes, and pictures that were made of one another, each pair verified and explained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import ConfigError
from tintype.finders.base import Finder, Inputs, require_numbers
from tintype.finders.chance import Reach, reach
from tintype.finders.hamming import MAX_DISTANCE
from tintype.finders.places import COLUMNS, Places, read_places
from tintype.finders.sets import Rows
from tintype.finders.verify.candidates import Candidates
from tintype.finders.verify.comparing import Comparers
from tintype.finders.verify.hashes import look_alikes
from tintype.finders.verify.judging import Judge
from tintype.finders.verify.search import Search
from tintype.finders.verify.subjects import SamePixels, Thumbnails, described, same_pixels
from tintype.finders.verify.table import OWN_COLUMNS, Work, batches

_WIDE = ((20_000, 8), (100_000, 6))  # up to so many images, hashes so many bits apart are looked at
_SURE_PROMISE, _WIDE_PROMISE = 1.0, 0.2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Which pairs are looked at, and how far apart two perceptual hashes may be to count as the same picture."""

    distance: int | None = None  # bits of 64; by default as far as chance allows, at most 4
    chance_pairs: float = 1.0  # unrelated photos taken for copies that are put up with, per 10,000 images
    perceptual: bool = True  # false finds files with the same bytes only
    vectors: str = "descriptor"  # the column of vectors by which copies are looked for
    nearness: float = 0.04  # cosine above that of the images around, from which a pair is looked at
    scenes: bool = True  # also tell other photos of the same scene, which are no copies

    def __post_init__(self) -> None:
        require_numbers("duplicates", self)
        if self.distance is not None and not 0 <= self.distance <= MAX_DISTANCE:
            raise ConfigError(f"duplicates.distance must be 0 to {MAX_DISTANCE} bits, not {self.distance}")
        if not self.chance_pairs > 0:
            raise ConfigError(f"duplicates.chance_pairs must be more than 0, not {self.chance_pairs}")
        if not 0 <= self.nearness <= 2:
            raise ConfigError(f"duplicates.nearness must be 0 to 2, not {self.nearness}")
        if not self.vectors:
            raise ConfigError("duplicates.vectors must name a column")


@dataclass(frozen=True)
class Group:
    """Images that are copies of `keep`, the best of them; `members` has all their uris, `keep` first."""

    keep: str
    why: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Duplicates:
    """Pairs of copies, as a table of FINDINGS with the finder's own columns, sorted by the two uris.

    Every member of a group has its own pair with the group's best, which says `why`. Pairs of one scene are in no
    group. With a second collection `a` is the new image, `b` the remembered one, and the remembered one is the best.
    """

    pairs: pa.Table

    @property
    def work(self) -> Work | None:
        """What was done to find them; None where the table's metadata does not tell."""
        told = (self.pairs.schema.metadata or {}).get(WORK)
        return Work(**json.loads(told)) if told else None

    @property
    def groups(self) -> list[Group]:
        """The groups, sorted by the uri of their best."""
        kept = self.pairs.filter(pc.is_valid(self.pairs["why"])).select(["a_uri", "b_uri", "why", "keep"])
        members: dict[str, list[str]] = {}
        reasons: dict[str, str] = {}
        for batch in kept.to_batches():
            for a, b, why, keep in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                best, member = (b, a) if keep == "b" else (a, b)
                members.setdefault(best, [best]).append(member)
                reasons[best] = why
        return [Group(keep, reasons[keep], tuple(members[keep])) for keep in sorted(members)]

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `pairs`, `groups` and, where it is known, the `work` that was done, as JSON has it."""
        shown = self.pairs.select(["a_uri", "b_uri", "kind", "score", "reason"])
        shown = shown.rename_columns(["a", "b", "relation", "score", "reason"])
        shown = shown.set_column(3, "score", pc.round(shown["score"].cast(pa.float64()), 4))
        groups = [{"keep": group.keep, "why": group.why, "members": list(group.members)} for group in self.groups]
        work = {"work": asdict(self.work)} if self.work is not None else {}
        return {"schema": 1, "pairs": shown.to_pylist(), "groups": groups, **work}


WORK = b"work"
"""Under which key of the metadata of its batches the finder tells what it did (`Work` as JSON)."""


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read; those of stages that never ran may be all null."""
    if not settings.perceptual:
        return COLUMNS
    return tuple(dict.fromkeys((*COLUMNS, "thumbnail", settings.vectors, f"{settings.vectors}_regions")))


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """Pairs of copies, in batches, sorted by `a_uri`, then `b_uri`; `a` is the better one.

    `identical`, score 1: the same bytes; of many such files each is paired with the best. Names of one file (hard
    links, or the same file by another path) and empty files are no copies. `same pixels`: the same size and the same
    thumbnail to the last byte. Other relations (`relation.RELATIONS`, joined with " + ") were verified on the
    thumbnails: one picture lies on the other by an affine map, and blocks all over the overlap agree; score 0.5 to
    0.99 by the share that does. Where there are no thumbnails: `near`, the pHashes differ in few bits in the best of
    eight turns, and where the collection is so large that chance alone would find such pairs, light and contrast
    agree too; score 1 - (distance + 1) / 33, as unrelated images differ in 32 bits. `same scene`, below 0.5: local
    features agree, the pictures do not. Each digest stands for all its files there, by its best one; but a group's
    best has a pair with every file of the group.

    Candidates are pairs that are near by pHash, by their vectors, or by the vector of the one and of a region of the
    other. Verdicts are remembered by digest (`inputs.memory`), unless two collections are compared.
    """
    places = read_places(inputs.columns, inputs.against)
    thumbnails = Thumbnails(places, inputs)
    digest = places.digest.take(pa.array(places.best))
    remembered = places.remembered[places.best] if places.is_comparison else None
    pixels, candidates = SamePixels(np.arange(len(digest)), np.zeros(len(digest), np.bool_)), 0
    with Comparers() as compare:
        judge = Judge(digest, thumbnails, inputs.memory, compare)
        search = Search(len(digest), judge, _numbered(inputs.apart, digest), remembered)
        if settings.perceptual and len(digest):
            seen = thumbnails.exist()
            pixels = same_pixels(places, thumbnails, inputs.apart) if seen else pixels
            candidates = _look(places, inputs, settings, search, pixels, seen)
        found = search.found()
    if inputs.against is None:
        judge.save()
    work = Work(len(places), candidates, judge.compared, judge.remembered)
    for batch in batches(places, pixels, found, settings.scenes):
        yield batch.replace_schema_metadata({WORK: json.dumps(asdict(work))})


def duplicates(inputs: Inputs, settings: Settings | None = None) -> Duplicates:
    """All pairs of copies, and their groups."""
    return Duplicates(pa.Table.from_batches(find(inputs, settings or Settings())))


def _look(places: Places, inputs: Inputs, settings: Settings, search: Search, pixels: SamePixels, seen: bool) -> int:
    """Verify what looks alike, or take it as it is where nothing can be seen; returns the number of candidates."""
    same = pixels.representative
    search.take(*pixels.pairs_told_from())
    first, second, sure = _by_hash(places, settings, same, seen)
    across = search.across(first, second)
    first, second, sure = first[across], second[across], sure[across]
    if not seen:
        search.take(first, second)
        return len(first)
    promise = np.where(sure, _SURE_PROMISE, _WIDE_PROMISE).astype(np.float32)
    near = described(places, inputs, settings.vectors, settings.nearness)
    one, two = same[near.first], same[near.second]
    other = one != two
    by_vector = Candidates.of(one[other], two[other], near.promise[other])
    candidates = Candidates.together(Candidates.of(first, second, promise), by_vector)
    search.verify(candidates, first[sure], second[sure])
    return len(candidates)


def _by_hash(places: Places, settings: Settings, same: Rows, seen: bool) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """Pairs of subjects that look alike by their hashes, and whether that is enough to call them copies."""
    own = np.flatnonzero(same == np.arange(len(same)))
    hashes = places.phash.take(pa.array(places.best[own]))
    valid = hashes.is_valid().to_numpy(zero_copy_only=False)
    hashed = own[valid]
    values = hashes.drop_null().to_numpy()
    found = look_alikes(values, places.tones[places.best[hashed]], *_reach(len(hashed), settings, seen))
    return hashed[found.first], hashed[found.second], found.sure


def _reach(images: int, settings: Settings, seen: bool) -> tuple[Reach, int]:
    """How far apart hashes may be to be taken for copies, and to be looked at."""
    if settings.distance is not None:
        return Reach(settings.distance, settings.distance), 0
    wide = max((bits for most, bits in _WIDE if seen and images <= most), default=0)
    return reach(images, settings.chance_pairs), wide


def _numbered(apart: Iterable[tuple[bytes, bytes]], digest: pa.Array) -> list[tuple[int, int]]:
    """Pairs of digests as pairs of subjects, those left out that are not here."""
    pairs = sorted(apart)
    if not pairs:
        return []
    ends = [pc.index_in(pa.array(side, digest.type), value_set=digest).to_pylist() for side in zip(*pairs, strict=True)]
    return [(a, b) for a, b in zip(*ends, strict=True) if a is not None and b is not None]


FINDER = Finder("duplicates", needs=needs, settings=Settings, find=find, columns=OWN_COLUMNS)
