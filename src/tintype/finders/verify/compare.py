"""The verdict on one pair of pictures: a copy, another photo of one scene, or neither."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.finders.verify.alignment import Fit, fitted, places_of_two_views, turned
from tintype.finders.verify.dense import Agreement, agreement, in_place
from tintype.finders.verify.maps import TURN_MAPS, Map, applied, composed, inverted, overlap, placed
from tintype.finders.verify.perspective import Straightened, straightened
from tintype.finders.verify.pictures import Picture
from tintype.finders.verify.relation import Change, changed

VERSION = 9
"""Of the verifier: verdicts of another one are not trusted."""

UNLIKE, COPY, SCENE, UNSEEN = 0, 1, 2, 3
"""Kinds of verdicts; UNSEEN where a picture could not be read."""

VERDICT = np.dtype(
    [
        ("kind", "<i1"),
        ("places", "<i2"),  # distinct places at which local features agree; 0 where none were needed
        ("map", "<f4", (6,)),  # in shares of width and height, from the first picture to the second
        ("agreement", "<f4"),  # share of the blocks of the overlap that agree
        ("overlaps", "<f4", (2,)),
        ("light", "<f4"),
        ("luma", "<f4"),
        ("tint", "<f4"),
        ("chroma", "<f4", (2,)),
        ("covered", "<f4"),
        ("even", "<f4", (2,)),
    ]
)

_LEAST_SHOWN = 0.4  # share of the one that the other shows
_CONTAINED = 0.8  # the same of what is not plain: two that share half are made of one and of other things
_SAME_WHOLE, _SAME_DETAIL = 0.97, 0.998  # likeness
_LEAST_BLOCKS = 12
_MANY_BLOCKS, _RICH = 20, 0.12  # number of textured blocks, and their share of all that are covered
_IN_PLACE, _EXACTLY = 0.04, 0.012  # of a side
_ENOUGH_PLACES = 12
_SURE = 0.8
_FEW_PLACES = 5  # that unrelated pictures seldom have
_SIDE_PLACES = 8
_SCENE_PLACES = 16  # on one plane, seen in two photos
_SCENE_MATCHES, _VIEW_PLACES = 60, 22  # where the scene has depth
_MOVED = 0.02  # of a side
_OTHER_LIGHT, _OTHER_TINT = 6.0, 4.0  # levels
_SAME_COARSE, _SAME_FINE = 0.88, 0.8  # shares of blocks that agree
_SAME_PLACE = np.eye(2, 3)
_SCENE_SPREAD = 0.06


def compare(a: Picture | None, b: Picture | None, guess: Map | None = None) -> NDArray[np.void]:
    """One VERDICT on two pictures. With a `guess`, how one lies on the other, only that is tried."""
    verdict = np.zeros((), VERDICT)
    if a is None or b is None:
        verdict["kind"] = UNSEEN
        return verdict
    first, second = a.without_bars, b.without_bars
    if first is a and second is b:
        return _compared(a, b, guess)
    in_a, in_b = placed(*a.inner), placed(*b.inner)
    inner = None if guess is None else composed(inverted(in_b), composed(guess, in_a))
    verdict = _compared(first, second, inner)
    if verdict["kind"] != UNLIKE:
        whole = composed(in_b, composed(verdict["map"].reshape(2, 3).astype(np.float64), inverted(in_a)))
        verdict["map"], verdict["overlaps"] = whole.ravel(), overlap(whole)
        if verdict["kind"] == COPY:
            _note(verdict, changed(a, b, whole))
    return verdict


def _compared(a: Picture, b: Picture, guess: Map | None) -> NDArray[np.void]:
    verdict = np.zeros((), VERDICT)
    best, fit = _aligned(a, b) if guess is None else (_accepted(agreement(a, b, guess), None), None)
    change = changed(a, b, best.map) if best is not None else None
    if best is not None and change is not None and _is_contained(best, change) and not _is_taken_again(best, change):
        _describe(verdict, best, change, fit)
    elif fit is not None and (seen := _from_the_side(a, b, fit)) is not None:
        flat, straight = seen
        _describe(verdict, straight, changed(flat.first, flat.second, straight.map), fit)
        verdict["map"], verdict["overlaps"] = flat.map.ravel(), overlap(flat.map)
    elif fit is not None and _is_of_one_scene(a, b, fit):
        verdict["kind"], verdict["places"] = SCENE, fit.places
        verdict["map"], verdict["overlaps"] = fit.map.ravel(), overlap(fit.map)
    return verdict


def _from_the_side(a: Picture, b: Picture, fit: Fit) -> tuple[Straightened, Agreement] | None:
    """The pictures as they lie flat, where one is a copy of the other seen from the side."""
    flat = straightened(a, b, fit.own, fit.other) if fit.places >= _SIDE_PLACES else None
    if flat is not None:
        found = agreement(flat.first, flat.second, _SAME_PLACE)
        if found is not None and found.coarse.count >= _MANY_BLOCKS and found.coarse.share >= _SURE:
            return flat, found
    return None


def _is_of_one_scene(a: Picture, b: Picture, fit: Fit) -> bool:
    if fit.places < _SIDE_PLACES or fit.spread < _SCENE_SPREAD:
        return False
    return fit.places >= _SCENE_PLACES or (
        len(fit.own) >= _SCENE_MATCHES and places_of_two_views(fit, a, b) >= _VIEW_PLACES
    )


def _aligned(a: Picture, b: Picture) -> tuple[Agreement | None, Fit | None]:
    """The agreement that makes them copies, if any, and the fit of local features with the most places."""
    tried = []
    for guess, likeness in turned(a, b):
        found = in_place(a, b, guess) if likeness >= _SAME_WHOLE else None
        if found is None:
            found = agreement(a, b, guess, is_fitted=False)
        if found is not None and likeness >= _SAME_DETAIL:
            return found, None  # blurred pictures have few blocks with texture, and these are noise
        if found is not None and found.coarse.share >= _SURE and (sure := _accepted(found, None)):
            return sure, None
        tried.append(found)
    best: Fit | None = None
    for mirrored in (False, True):
        fit = fitted(a, b, mirrored)
        if fit is None or fit.places < _FEW_PLACES:
            continue
        if accepted := _accepted(agreement(a, b, fit.map), fit):
            return accepted, fit
        if best is None or fit.places > best.places:
            best = fit
        if fit.places >= 2 * _SCENE_PLACES and fit.spread >= _SCENE_SPREAD:
            break  # this is the way they lie on each other
    for found in tried:
        if accepted := _accepted(found, None):
            return accepted, None
    return None, best


def _accepted(found: Agreement | None, fit: Fit | None) -> Agreement | None:
    """The agreement, where it is that of copies; the bounds were measured (decisions/0020-verified-duplicates.md)."""
    if found is None or max(found.overlaps) < _LEAST_SHOWN or found.coarse.count < _LEAST_BLOCKS:
        return None
    coarse, fine = found.coarse, found.fine
    places = fit.places if fit is not None else 0
    off = _off_whole(found.map)
    few = coarse.count < max(_MANY_BLOCKS, _RICH * int(coarse.covered.sum()))
    if few and off > _IN_PLACE and places < _ENOUGH_PLACES:
        return None  # outlines of small things in front of nothing agree easily, if they may be moved about
    good = (
        coarse.share >= 0.8
        or (coarse.share >= 0.7 and fine.share >= 0.5)
        or (coarse.share >= 0.55 and fine.share >= 0.6)
        or (fine.share >= 0.5 and fine.firmness >= 0.93)
        or (coarse.share >= 0.62 and coarse.contrary <= 0.2 and off <= _EXACTLY)
    )
    return found if good else None


def _off_whole(shares: Map) -> float:
    """How far the corners of the one lie from those of the other in the nearest flip or turn, in shares of a side."""
    corners = np.array([[0.0, 0], [1, 0], [0, 1]])
    off = applied(shares, corners) - np.stack([applied(turn, corners) for turn in TURN_MAPS])
    return float(np.abs(off).max(axis=(1, 2)).min())


def _is_contained(found: Agreement, change: Change) -> bool:
    """Whether one of the two shows most of what there is to see in the other; bars and borders are nothing to see."""
    seen = [share / (share + (1 - share) * (1 - even)) for share, even in zip(found.overlaps, change.even, strict=True)]
    return max(seen) >= _CONTAINED


def _is_taken_again(found: Agreement, change: Change) -> bool:
    """Whether this is a second photo from nearly the same place, or of another thing on the same ground.

    Copies that were cut, scaled or turned as well as recolored still agree nearly everywhere; of photos that were
    taken again, the light is another and folds and shadows lie elsewhere.
    """
    is_moved = _off_whole(found.map) > _MOVED
    is_recolored = change.light > _OTHER_LIGHT or change.tint > _OTHER_TINT
    return is_moved and is_recolored and (found.coarse.share < _SAME_COARSE or found.fine.share < _SAME_FINE)


def _describe(verdict: NDArray[np.void], found: Agreement, change: Change, fit: Fit | None) -> None:
    verdict["kind"] = COPY
    verdict["places"] = fit.places if fit is not None else 0
    verdict["map"], verdict["overlaps"] = found.map.ravel(), found.overlaps
    verdict["agreement"] = max(found.coarse.share, found.fine.share)
    _note(verdict, change)


def _note(verdict: NDArray[np.void], change: Change) -> None:
    verdict["light"], verdict["luma"], verdict["tint"] = change.light, change.luma, change.tint
    verdict["chroma"], verdict["covered"], verdict["even"] = change.chroma, change.covered, change.even
