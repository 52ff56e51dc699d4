"""From candidates to verified pairs and groups, each pair looked at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.finders.groups import components, stars
from tintype.finders.sets import Rows, Sets
from tintype.finders.verify.candidates import Candidates
from tintype.finders.verify.compare import COPY, UNLIKE, UNSEEN, VERDICT
from tintype.finders.verify.comparing import Verdicts
from tintype.finders.verify.judging import Judge, turned_around
from tintype.finders.verify.maps import Map, cells_shown, composed

IN_FULL = 32  # a family of so many has each of its pairs looked at

_LEAST_WAVE = 128
_WAVES = 96  # of a thirty-second of the images each
_MOST_OF_IT, _SHARED = 0.9, 0.125  # of what a picture shows
_WORTHWHILE = 0.015  # share of copies in a wave from which the next one is looked at


@dataclass(frozen=True)
class Found:
    """What is known of n subjects in the end: pairs `first` < `second`, each once, sorted, and their verdicts.

    `verdict["kind"]` is COPY, SCENE, or UNSEEN for pairs that hashes alone make copies.
    """

    first: Rows
    second: Rows
    verdict: Verdicts
    keeper: Rows  # (n,) of each subject's group; itself where it is alone

    def at(self, first: Rows, second: Rows) -> Rows:
        """Places of pairs that are among them."""
        count = max(1, len(self.keeper))
        return np.asarray(np.searchsorted(self.first * count + self.second, first * count + second), np.int64)


class Search:
    """Gathers verdicts on the pairs of `count` subjects."""

    def __init__(
        self, count: int, judge: Judge, apart: Collection[tuple[int, int]], remembered: NDArray[np.bool_] | None
    ) -> None:
        self._count = count
        self._judge = judge
        self._apart = np.unique(np.array([min(p) * count + max(p) for p in apart], np.int64))
        self._remembered = remembered
        self._pairs = [(min(p), max(p)) for p in apart]
        self._code = np.empty(0, np.int64)
        self._verdict = np.empty(0, VERDICT)
        self._refused = np.empty(0, np.int64)  # pairs that are no copies as seen over a third

    def across(self, first: Rows, second: Rows) -> NDArray[np.bool_]:
        """Which pairs are wanted: of two collections those across, of one all."""
        if self._remembered is None:
            return np.ones(len(first), np.bool_)
        return np.asarray(self._remembered[first] != self._remembered[second])

    def take(self, first: Rows, second: Rows) -> None:
        """Take pairs as copies without looking at them."""
        free = self.across(first, second) & ~np.isin(first * self._count + second, self._apart)
        verdict = np.zeros(int(free.sum()), VERDICT)
        verdict["kind"] = UNSEEN
        self._note(first[free], second[free], verdict)

    def verify(self, candidates: Candidates, sure_first: Rows, sure_second: Rows) -> None:
        """Look at candidates, the most promising first, until hardly any is a copy.

        The sure pairs count as copies where there is nothing to look at. In a large family of copies only so many
        pairs are looked at as hold it together. Of two collections only pairs across are looked at.
        """
        sure = sure_first * self._count + sure_second
        candidates = candidates[self.across(candidates.first, candidates.second)]
        size = max(_LEAST_WAVE, self._count // 32)
        for start in range(0, min(len(candidates), size * _WAVES), size):
            first, second = candidates.first[start : start + size], candidates.second[start : start + size]
            wanted = self._wanted(first, second)
            if not wanted.any():
                continue
            first, second = first[wanted], second[wanted]
            verdict = self._judge.judge(first, second)
            self._note(first, second, _without_pictures(verdict, np.isin(first * self._count + second, sure)))
            if np.isin(verdict["kind"], (COPY, UNSEEN)).mean() < _WORTHWHILE:
                break

    def found(self) -> Found:
        """Make groups, look at the pairs within small ones, and tell all."""
        copies = np.isin(self._verdict["kind"], (COPY, UNSEEN))
        first, second = np.divmod(self._code[copies], self._count)
        if self._remembered is not None:
            keeper = self._nearest_remembered(first, second, self._verdict[copies])
            strangers = self._strangers(keeper)
            keeper[strangers] = strangers
        else:
            keeper = self._stars(first, second)
            self._complete(keeper)
        told = self._verdict["kind"] != UNLIKE
        first, second = np.divmod(self._code[told], self._count)
        return Found(first, second, self._verdict[told], keeper)

    def _stars(self, first: Rows, second: Rows) -> Rows:
        """Groups without strangers: what cannot stay with a keeper finds another, or is alone."""
        apart = list(self._pairs)
        while True:
            keeper = stars(self._count, first, second, self._together, apart)
            strangers = self._strangers(keeper)
            if not len(strangers):
                return keeper
            apart += zip(keeper[strangers].tolist(), strangers.tolist(), strict=True)

    def _strangers(self, keeper: Rows) -> Rows:
        """Members of groups that show another part of their keeper than a better member: of a collage, one photo
        after the other is a copy, but they have nothing in common."""
        members = np.flatnonzero(keeper != np.arange(self._count))
        place = np.minimum(self._place(keeper[members], members), len(self._code) - 1)
        seen = self._verdict["kind"][place] == COPY
        members, place = members[seen], place[seen]
        shown = cells_shown(self._verdict["map"][place])
        partial = (shown > 0) & (np.bitwise_count(shown) < _MOST_OF_IT * 64)
        members, shown = members[partial], shown[partial]
        strange: list[int] = []
        welcome: dict[int, list[int]] = {}  # of each keeper, the different parts that it is shown by
        for member, kept, part in zip(members.tolist(), keeper[members].tolist(), shown.tolist(), strict=True):
            parts = welcome.setdefault(kept, [])
            if any((part & other).bit_count() < _SHARED * min(part.bit_count(), other.bit_count()) for other in parts):
                strange.append(member)
            elif part not in parts:
                parts.append(part)
        return np.array(strange, np.int64)

    def _wanted(self, first: Rows, second: Rows) -> NDArray[np.bool_]:
        """Pairs that are neither known, nor apart, nor of one large family."""
        code = first * self._count + second
        copies = np.isin(self._verdict["kind"], (COPY, UNSEEN))
        family = components(self._count, *np.divmod(self._code[copies], self._count))
        large = np.bincount(family, minlength=self._count) > IN_FULL
        together = (family[first] == family[second]) & large[family[first]]
        return np.asarray(~np.isin(code, self._code) & ~np.isin(code, self._apart) & ~together)

    def _together(self, keepers: Rows, others: Rows) -> NDArray[np.bool_]:
        """Whether pairs that no verdict makes copies are copies all the same, as seen over a third that is one of
        both."""
        ways = self._ways(keepers, others)
        good = np.zeros(len(keepers), np.bool_)
        at = np.array([place for place, way in enumerate(ways) if way is not None], np.int64)
        code = keepers * self._count + others
        at = at[~np.isin(code[at], self._apart) & ~np.isin(code[at], self._refused)]
        if len(at):
            chosen = [ways[place] for place in at.tolist()]
            guesses, via = [way[0] for way in chosen if way], np.array([way[1] for way in chosen if way], np.int64)
            verdict = self._judge.judge(keepers[at], others[at], guesses, via)
            good[at] = verdict["kind"] == COPY
            self._note(keepers[at][good[at]], others[at][good[at]], verdict[good[at]])
            self._refused = np.append(self._refused, code[at][~good[at]])
        return good

    def _ways(self, keepers: Rows, others: Rows) -> list[tuple[Map, int] | None]:
        """For each pair the map over the best third that is a verified copy of both, and that third."""
        partners = self._partners(np.unique(np.concatenate([keepers, others])))
        ways: list[tuple[Map, int] | None] = []
        for keeper, other in zip(keepers.tolist(), others.tolist(), strict=True):
            theirs, own = partners.get(keeper, {}), partners.get(other, {})
            shared = min(theirs.keys() & own.keys(), default=None)
            if shared is None:
                ways.append(None)
            else:
                onward, back = self._map(shared, other, own[shared]), self._map(keeper, shared, theirs[shared])
                ways.append((composed(onward, back), shared))
        return ways

    def _partners(self, nodes: Rows) -> dict[int, dict[int, int]]:
        """For each node the verified copies of it, with the place of the verdict."""
        first, second = np.divmod(self._code, self._count)
        copies = self._verdict["kind"] == COPY
        partners: dict[int, dict[int, int]] = {}
        for ends in ((first, second), (second, first)):
            at = np.flatnonzero(copies & np.isin(ends[0], nodes))
            for node, other, place in zip(ends[0][at].tolist(), ends[1][at].tolist(), at.tolist(), strict=True):
                partners.setdefault(node, {})[other] = place
        return partners

    def _map(self, start: int, end: int, place: int) -> Map:
        verdict = self._verdict[place : place + 1]
        if start > end:
            verdict = turned_around(verdict)
        return np.asarray(verdict["map"][0].reshape(2, 3), np.float64)

    def _nearest_remembered(self, first: Rows, second: Rows, verdict: Verdicts) -> Rows:
        """The remembered image that each new one agrees with most, one that is not mirrored before one that is; the
        best of them where several do."""
        keeper = np.arange(self._count)
        mirrored = np.linalg.det(verdict["map"].reshape(-1, 2, 3)[:, :, :2].astype(np.float64)) < 0
        order = np.lexsort((first, -verdict["agreement"], mirrored, second))
        new, once = np.unique(second[order], return_index=True)
        keeper[new] = first[order][once]
        return keeper

    def _complete(self, keeper: Rows) -> None:
        """Look at the pairs of members of small groups, over the one that is kept."""
        members = np.flatnonzero(keeper != np.arange(self._count))
        sets = Sets.of_equals(keeper[members])
        small = sets.size[sets.of] < IN_FULL
        one, two = sets.within(IN_FULL)
        chosen = small[one]
        ends = members[one[chosen]], members[two[chosen]]
        first, second = np.minimum(*ends), np.maximum(*ends)
        done = np.concatenate([self._code[self._verdict["kind"] == COPY], self._apart])
        left = ~np.isin(first * self._count + second, done)
        first, second = first[left], second[left]
        kept = keeper[first]
        places = [self._place(kept, end) for end in (first, second)]
        seen = (self._verdict["kind"][places[0]] == COPY) & (self._verdict["kind"][places[1]] == COPY)
        first, second, kept = first[seen], second[seen], kept[seen]
        if not len(first):
            return
        guesses = [
            composed(self._map(via, end, to), self._map(start, via, back))
            for via, start, end, back, to in zip(
                kept.tolist(), first.tolist(), second.tolist(), *(place[seen].tolist() for place in places), strict=True
            )
        ]
        verdict = self._judge.judge(first, second, guesses, kept)
        good = verdict["kind"] == COPY
        self._note(first[good], second[good], verdict[good])

    def _place(self, first: Rows, second: Rows) -> Rows:
        return np.searchsorted(self._code, first * self._count + second)

    def _note(self, first: Rows, second: Rows, verdict: Verdicts) -> None:
        """Add verdicts; a later one on the same pair takes the place of the earlier."""
        code = np.concatenate([first * self._count + second, self._code])
        verdicts = np.concatenate([verdict, self._verdict])
        self._code, once = np.unique(code, return_index=True)
        self._verdict = verdicts[once]


def _without_pictures(verdict: Verdicts, sure: NDArray[np.bool_]) -> Verdicts:
    """Where a picture could not be seen, what the hashes are sure of stays a copy; the rest is nothing."""
    verdict = verdict.copy()
    verdict["kind"][(verdict["kind"] == UNSEEN) & ~sure] = UNLIKE
    return verdict
