"""The distinct images of a search, with what they are compared by: thumbnails, descriptors, regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.finders.base import Inputs
from tintype.finders.places import Places
from tintype.finders.sets import Rows, Sets
from tintype.finders.subjects import read_subjects
from tintype.finders.verify.candidates import NEIGHBORS, Candidates, by_neighbors, by_regions, nearest

_AT_ONCE = 4_096  # thumbnails that are read together
_MOST_TOLD_APART = 1_000  # of one picture; of more each has a pair with the best alone
_TRIED = 16  # images that are looked at to tell whether thumbnails were ever made


class Thumbnails:
    """Stored thumbnails of subjects, as `Places` numbers them."""

    def __init__(self, places: Places, inputs: Inputs) -> None:
        self.places, self.inputs = places, inputs
        self._read = 0

    def __call__(self, subjects: Rows) -> Sequence[bytes | None]:
        """One for each, None where there is none."""
        self.inputs.tell("looking at thumbnails", self._read)
        self._read += len(subjects)
        files = self.places.best[subjects]
        found: list[bytes | None] = [None] * len(files)
        for columns, theirs in ((self.inputs.columns, False), (self.inputs.against, True)):
            at = np.flatnonzero((self.places.remembered[files] == theirs) & self.places.ok[files])
            if columns is not None and len(at):
                taken = columns.take(self.places.row[files[at]], ["thumbnail"])["thumbnail"].to_pylist()
                for place, thumbnail in zip(at.tolist(), taken, strict=True):
                    found[place] = thumbnail
        return found

    def exist(self) -> bool:
        """Whether some were made: one of the best images has one."""
        seen = np.flatnonzero(self.places.ok[self.places.best])[:_TRIED]
        return any(self(seen))


@dataclass(frozen=True)
class SamePixels:
    """Which of n subjects have the same picture."""

    picture: Rows  # (n,) the best subject of the same pixels; itself where it is alone
    by_itself: NDArray[np.bool_]  # (n,) a person has told it apart from another, so its pairs are its own

    @property
    def representative(self) -> Rows:
        """(n,) the best subject of the same pixels that stands for it; itself for those by themselves."""
        own = np.arange(len(self.picture))
        sets = Sets.of_equals(self.picture, np.where(self.by_itself, own, -1))
        return np.asarray(sets.first[sets.of])

    def pairs_told_from(self) -> tuple[Rows, Rows]:
        """Pairs of representatives with the same picture, `first` < `second`."""
        own = np.flatnonzero(self.representative == np.arange(len(self.picture)))
        sets = Sets.of_equals(self.picture[own])
        first, second = sets.within(_MOST_TOLD_APART)
        return own[first], own[second]


def same_pixels(places: Places, thumbnails: Thumbnails, apart: frozenset[tuple[bytes, bytes]]) -> SamePixels:
    """The subjects of one size and thumbnail.

    Thumbnails are made of the same pixels in the same way, so equal pixels have equal thumbnails, byte for byte.
    Only those are read whose size, hash, tones, entropy and sharpness are equal to another's, to the last bit.
    """
    best = places.best
    same = np.arange(len(best))
    told_apart = pa.array(sorted({digest for pair in apart for digest in pair}), pa.binary(16))
    by_itself = pc.is_in(places.digest.take(pa.array(best)), value_set=told_apart).to_numpy(zero_copy_only=False)
    usable = places.ok[best] & (places.width[best] > 0) & (places.tones[best, 0] >= 0)
    some = np.flatnonzero(usable)
    if len(some) < 2:
        return SamePixels(same, by_itself)
    files = best[some]
    hashed = pc.fill_null(places.phash.take(pa.array(files)), 0).to_numpy(zero_copy_only=False)
    facts = [places.width[files], places.height[files], hashed, *places.tones[files].T, *places.measures[files].T]
    sets = Sets.of_equals(*facts)
    some = some[sets.size[sets.of] > 1]
    number, marks = sets.of[np.searchsorted(np.flatnonzero(usable), some)], np.empty(len(some), "S16")
    for start in range(0, len(some), _AT_ONCE):
        for at, thumbnail in enumerate(thumbnails(some[start : start + _AT_ONCE]), start):
            marks[at] = _mark(thumbnail, int(some[at]))
    if len(some):
        equal = Sets.of_equals(number, marks)
        same[some] = some[equal.first[equal.of]]
    return SamePixels(same, by_itself)


def _mark(thumbnail: bytes | None, subject: int) -> bytes:
    """16 bytes that are equal for equal thumbnails alone; those without one have marks of their own. Never ends in
    a zero byte, which fixed-width bytes of NumPy lose."""
    data = thumbnail if thumbnail else b"none" + subject.to_bytes(8, "big")
    return blake2b(data, digest_size=15).digest() + b"\x01"


def described(places: Places, inputs: Inputs, vectors: str, least: float) -> Candidates:
    """Candidates by descriptors and their regions, between the collections where there are two."""
    regions = f"{vectors}_regions"
    own = read_subjects(inputs.columns, vectors, [regions])
    if inputs.against is None:
        number = _numbers(own.digest, places)
        if len(own) < 2:
            return Candidates.none()
        everyone = np.arange(len(own))
        pairs = by_neighbors(inputs.neighbors(own.digest, own.vectors, NEIGHBORS), everyone, least)
        parts = _regions(own.others[regions])
        if parts is not None:
            pairs = Candidates.together(pairs, by_regions(own.vectors, parts, everyone, everyone, least))
        return _named(pairs, number)
    other = read_subjects(inputs.against, vectors, [regions])
    if not len(own) or not len(other) or own.vectors.shape[1] != other.vectors.shape[1]:
        return Candidates.none()
    whole = np.concatenate([own.vectors, other.vectors])
    mine, theirs = np.arange(len(own)), np.arange(len(own), len(whole))
    pairs = by_neighbors(nearest(whole, mine, theirs, NEIGHBORS), mine, least)
    halves = [_regions(part.others[regions]) for part in (own, other)]
    if halves[0] is not None and halves[1] is not None and halves[0].shape[1:] == halves[1].shape[1:]:
        parts = np.concatenate([halves[0], halves[1]])
        both = [by_regions(whole, parts, *ends, least) for ends in ((mine, theirs), (theirs, mine))]
        pairs = Candidates.together(pairs, *both)
    return _named(pairs, np.concatenate([_numbers(own.digest, places), _numbers(other.digest, places)]))


def _numbers(digest: pa.Array, places: Places) -> Rows:
    """The subjects of these digests; -1 for one that is none (an empty file)."""
    found = pc.index_in(digest, value_set=places.digest.take(pa.array(places.best)))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)


def _named(pairs: Candidates, subject: Rows) -> Candidates:
    first, second = subject[pairs.first], subject[pairs.second]
    known = (first >= 0) & (second >= 0) & (first != second)
    return Candidates.of(first[known], second[known], pairs.promise[known])


def _regions(column: pa.ChunkedArray) -> NDArray[np.float16] | None:
    """(n, R, d) float16 of unit length, zero where there is none; None where the column is missing or no such thing."""
    kind = column.type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_fixed_size_list(kind.value_type):
        return None
    part = kind.value_type
    if not pa.types.is_integer(part.value_type):
        return None
    regions = column.combine_chunks()
    whole = np.zeros((len(regions), kind.list_size, part.list_size), np.float32)
    valid = regions.is_valid().to_numpy(zero_copy_only=False)
    values = pc.fill_null(regions.drop_null().flatten().flatten(), 0).to_numpy(zero_copy_only=False)
    whole[valid] = values.reshape(-1, *whole.shape[1:])
    lengths = np.linalg.norm(whole, axis=2, keepdims=True)
    return (whole / np.where(lengths > 0, lengths, 1)).astype(np.float16)
