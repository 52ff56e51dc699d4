"""Pairs of files as rows of findings, each with its relation in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.hashes import TURNS, distances, phash_turns
from tintype.finders.base import findings
from tintype.finders.places import Places, why_best
from tintype.finders.sets import Rows, Sets
from tintype.finders.verify.compare import SCENE, UNSEEN, VERDICT
from tintype.finders.verify.comparing import Verdicts
from tintype.finders.verify.judging import turned_around
from tintype.finders.verify.maps import TURN_MAPS
from tintype.finders.verify.relation import Change, Related, related
from tintype.finders.verify.search import Found
from tintype.finders.verify.subjects import SamePixels

IDENTICAL, SAME_PIXELS, NEAR, SAME_SCENE = "identical", "same pixels", "near", "same scene"

OWN_COLUMNS = (
    pa.field("distance", pa.int8()),  # bits of 64 in which the pHashes differ; null where equal bytes or unknown
    pa.field("orientation", pa.string()),  # how `a` has to be turned to look like `b`, of TURNS; the nearest of them
    pa.field("why", pa.string()),  # why the one is the best of its group, where the other is another of it; else null
    pa.field("keep", pa.string()),  # "a" or "b": which of the two is the best of the group; null where `why` is
    pa.field("transform", pa.list_(pa.float32(), 6)),  # x' = t0 x + t1 y + t2, y' = t3 x + t4 y + t5: from places in
    # `a` to places in `b`, in shares of width and height from the upper left corner; null where not verified
    pa.field("agreement", pa.float32()),  # share of the blocks of the overlap that agree; null where not verified
    pa.field("overlap_a", pa.float32()),  # share of `a` that `b` shows; null where not verified
    pa.field("overlap_b", pa.float32()),
    pa.field("frame", pa.list_(pa.float32(), 4)),  # left, top, width, height of what both show, in shares of the one
    # that shows more; null where both show all, or not verified
    pa.field("frame_in", pa.string()),  # "a" or "b": which one shows more
    pa.field("scale", pa.float32()),  # px of `b` for one px of `a`
    pa.field("degrees", pa.float32()),  # by which `a` was turned clockwise, after it was mirrored where it was
    pa.field("mirrored", pa.bool_()),  # left to right
    pa.field("places", pa.int16()),  # at which local features agree; 0 where none were needed
)

_BATCH_ROWS = 65_536
_SIDES = ("b", "a")
_SAME_BYTES = "same bytes"
_SAME_THUMBNAIL = "same size and the same thumbnail to the last byte; other bytes in the file"
_REMEMBERED = "it is in the collection that was compared with"
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


@dataclass(frozen=True)
class Work:
    """What was done to find copies."""

    images: int  # files that were compared
    candidates: int  # pairs of pictures that looked alike
    verified: int  # comparisons of two thumbnails
    remembered: int  # verdicts that were known from an earlier run


@dataclass(frozen=True)
class _Pairs:
    """Rows of Places; a ranks before b. `at` is the place of the verdict; -1 for identical, -2 for the same pixels."""

    a: Rows
    b: Rows
    at: Rows
    why: pa.Array

    def __getitem__(self, rows: slice) -> _Pairs:
        return _Pairs(self.a[rows], self.b[rows], self.at[rows], self.why[rows.start : rows.stop])


def batches(places: Places, pixels: SamePixels, found: Found, scenes: bool) -> Iterator[pa.RecordBatch]:
    """All pairs of files, sorted by their uris; one empty batch where there are none."""
    pairs = _pairs(places, pixels, found, scenes)
    for start in range(0, max(1, len(pairs.a)), _BATCH_ROWS):
        yield _batch(places, pairs[start : start + _BATCH_ROWS], found)


def _pairs(places: Places, pixels: SamePixels, found: Found, scenes: bool) -> _Pairs:
    """Each file with the best of its group, with the best of the same bytes, of the same pixels, and other pairs."""
    rows = np.arange(len(places))
    picture = pixels.representative[places.subject]  # (n,) the best subject of the same pixels that stands for it
    kept = places.best[found.keeper[picture]]
    own, first_own = places.best[places.subject], places.best[picture]
    to_keeper = rows != kept
    to_own = (rows != own) & (own != kept)
    to_pixels = (rows == own) & (own != first_own) & (first_own != kept)
    files = Sets.of_equals(picture)
    scene = found.verdict["kind"] == SCENE
    first, second = files.between(*(files.of[places.best[ends[~scene]]] for ends in (found.first, found.second)))
    other = kept[second] != first  # else it is among those with the best of a group
    alone = [places.best[ends[scene & scenes]] for ends in (found.first, found.second)]
    a = np.concatenate([kept[to_keeper], own[to_own], first_own[to_pixels], first[other], alone[0]])
    b = np.concatenate([rows[to_keeper], rows[to_own], rows[to_pixels], second[other], alone[1]])
    why = _whys(places, kept[to_keeper], rows[to_keeper])
    why = pa.concat_arrays([why, pa.nulls(len(a) - len(why), pa.string())])
    across = np.ones(len(a), np.bool_)
    if places.is_comparison:
        across = places.remembered[a] != places.remembered[b]
    at = np.full(len(a), -2)
    at[places.subject[a] == places.subject[b]] = -1
    shown = pixels.picture[places.subject]
    unlike = shown[a] != shown[b]
    at[unlike] = found.at(picture[a[unlike]], picture[b[unlike]])
    ends = (b, a) if places.is_comparison else (a, b)
    order = np.lexsort((places.uri_rank[ends[1]], places.uri_rank[ends[0]]))
    order = order[across[order]]
    return _Pairs(a[order], b[order], at[order], why.take(pa.array(order)))


def _whys(places: Places, keep: Rows, member: Rows) -> pa.Array:
    """For each pair of a group's best and another of it: why that is the best."""
    if places.is_comparison:
        return pa.array([_REMEMBERED] * len(keep), pa.string())
    best, first, group = np.unique(keep, return_index=True, return_inverse=True)
    words = [
        why_best(places, row, [following]) for row, following in zip(best.tolist(), member[first].tolist(), strict=True)
    ]
    return pa.array(words, pa.string()).take(pa.array(group))


def _batch(places: Places, pairs: _Pairs, found: Found) -> pa.RecordBatch:
    swapped = places.is_comparison
    a, b = (pairs.b, pairs.a) if swapped else (pairs.a, pairs.b)
    distance, turn, hashed = _compared(places, a, b)
    verdict = np.zeros(len(a), VERDICT)
    verdict[pairs.at >= 0] = found.verdict[pairs.at[pairs.at >= 0]]
    verdict = turned_around(verdict) if swapped else verdict
    seen = (pairs.at >= 0) & (verdict["kind"] != UNSEEN)
    rows = zip(a.tolist(), b.tolist(), seen.tolist(), range(len(a)), strict=True)
    facts = [_related(places, one, other, verdict[at]) if known else None for one, other, known, at in rows]
    turn[seen] = [_nearest_turn(row) for row in verdict[seen]]
    orientation = seen & (verdict["kind"] != SCENE) | (pairs.at >= 0) & ~seen
    kind, score, reason = _told(pairs.at, verdict, facts, distance, turn)
    keep = pa.array(["b" if swapped else "a"] * len(a), pa.string(), mask=pairs.why.is_null().to_numpy(False))
    return findings(
        a=places.digest.take(pa.array(a)),
        b=places.digest.take(pa.array(b)),
        a_uri=places.uri.take(pa.array(a)),
        b_uri=places.uri.take(pa.array(b)),
        kind=pa.array(kind, pa.string()),
        score=pa.array(score, pa.float32()),
        reason=pa.array(reason, pa.string()),
        distance=pa.array(distance, pa.int8(), mask=(pairs.at == -1) | ~hashed),
        orientation=pa.array(TURNS).take(pa.array(turn, mask=~orientation)),
        why=pairs.why,
        keep=keep,
        transform=_lists(verdict["map"], seen),
        agreement=pa.array(verdict["agreement"], pa.float32(), mask=~seen),
        overlap_a=pa.array(verdict["overlaps"][:, 0], pa.float32(), mask=~seen),
        overlap_b=pa.array(verdict["overlaps"][:, 1], pa.float32(), mask=~seen),
        frame=pa.array([fact.frame if fact else None for fact in facts], pa.list_(pa.float32(), 4)),
        frame_in=pa.array([_SIDES[fact.frame_in_a] if fact and fact.frame else None for fact in facts], pa.string()),
        scale=pa.array([fact.scale if fact else None for fact in facts], pa.float32()),
        degrees=pa.array([fact.degrees if fact else None for fact in facts], pa.float32()),
        mirrored=pa.array([fact.mirrored if fact else None for fact in facts], pa.bool_()),
        places=pa.array(verdict["places"], pa.int16(), mask=~seen),
    )


def _compared(places: Places, a: Rows, b: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Smallest distance over all turns of `a`, the first turn that has it, and where both have a hash."""
    ends = [places.phash.take(pa.array(side)) for side in (a, b)]
    hashed = np.logical_and(*(end.is_valid().to_numpy(zero_copy_only=False) for end in ends))
    values = [pc.fill_null(end, 0).to_numpy(zero_copy_only=False) for end in ends]
    differ = distances(phash_turns(values[0]), values[1][:, None])  # (n, 8)
    return differ.min(axis=1).astype(np.int64), differ.argmin(axis=1).astype(np.int64), hashed


def _nearest_turn(verdict: NDArray[np.void]) -> int:
    linear = verdict["map"].reshape(2, 3)[:, :2].astype(np.float64)
    turns = TURN_MAPS[:, :, :2]
    fits = (turns * linear).sum(axis=(1, 2))
    return int(np.argmax(np.where(np.linalg.det(turns) * np.linalg.det(linear) > 0, fits, -np.inf)))


def _related(places: Places, a: int, b: int, verdict: NDArray[np.void]) -> Related:
    change = Change(
        light=float(verdict["light"]),
        luma=float(verdict["luma"]),
        tint=float(verdict["tint"]),
        chroma=(float(verdict["chroma"][0]), float(verdict["chroma"][1])),
        covered=float(verdict["covered"]),
        even=(float(verdict["even"][0]), float(verdict["even"][1])),
    )
    sizes = [(max(1, int(places.width[row])), max(1, int(places.height[row]))) for row in (a, b)]
    overlaps = float(verdict["overlaps"][0]), float(verdict["overlaps"][1])
    return related(verdict["map"].reshape(2, 3).astype(np.float64), overlaps, change, sizes[0], sizes[1])


def _told(
    at: Rows, verdict: Verdicts, facts: list[Related | None], distance: Rows, turn: Rows
) -> tuple[list[str], list[float], list[str]]:
    """Relation, score and reason of each pair."""
    kinds, scores, reasons = [], [], []
    rows = zip(at.tolist(), verdict, facts, distance.tolist(), turn.tolist(), strict=True)
    for place, one, fact, bits, turned in rows:
        if place == -1:
            kind, score, reason = IDENTICAL, 1.0, _SAME_BYTES
        elif place == -2:
            kind, score, reason = SAME_PIXELS, 0.999, _SAME_THUMBNAIL
        elif fact is None:
            hashes = f"pHash differs in {bits} of 64 bits" if bits else "pHash is equal"
            kind, score, reason = NEAR, 1 - (bits + 1) / 33, f"looks the same{_TURNED[TURNS[turned]]}; {hashes}"
        elif one["kind"] == SCENE:
            places = int(one["places"])
            kind, score = SAME_SCENE, 0.5 * places / (places + 15)
            reason = f"another photo of the same scene: {places} places in it agree, the pictures do not"
        else:
            agreement = float(one["agreement"])
            kind, score = fact.kind, 0.5 + 0.49 * agreement
            reason = f"{fact.words}; {agreement:.0%} of what both show agrees"
        kinds.append(kind)
        scores.append(score)
        reasons.append(reason)
    return kinds, scores, reasons


def _lists(values: NDArray[np.float32], seen: NDArray[np.bool_]) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    lists = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pc.if_else(pa.array(seen), lists, pa.scalar(None, lists.type))
