"""Leaks as the page shows them: how many stand between any two splits, and each as a pair."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tintype.reports import words
from tintype.reports.content import Bounds, Leaks
from tintype.reports.shots import Listed
from tintype.reports.views.copies import PairView, view_pair


@dataclass(frozen=True)
class LeakView:
    """A pair and the splits that its pictures stand in."""

    pair: PairView
    splits: tuple[str, str]


@dataclass
class Crossing:
    """All leaks between two splits."""

    one: str
    other: str
    pairs: int = 0
    ones: set[str] = field(default_factory=set)  # uris in the one split
    others: set[str] = field(default_factory=set)
    relations: Counter[str] = field(default_factory=Counter)

    @property
    def relations_words(self) -> str:
        ordered = sorted(self.relations.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{words.count(number)} {relation}" for relation, number in ordered)


@dataclass(frozen=True)
class LeaksView:
    """The leaks between the splits of one column."""

    column: str
    crossings: list[Crossing]
    leaks: Listed[LeakView]
    sizes: dict[str, int]

    def images(self, split: str, uris: set[str]) -> str:
        """`12 of 5,000 images of test (< 1 %)`."""
        whole = self.sizes.get(split)
        if whole is None:
            return words.plural(len(uris), "image")
        return f"{words.count(len(uris))} of {words.plural(whole, 'image')} ({words.share(len(uris), whole)})"


def view_leaks(leaks: Leaks, bounds: Bounds) -> LeaksView:
    sizes = dict(leaks.sizes)
    ranks = {split: rank for rank, split in enumerate(sizes)}
    crossings: dict[tuple[str, str], Crossing] = {}
    listed: Listed[LeakView] = Listed()
    for leak in leaks.leaks:
        sides = [(leak.a_split, leak.pair.a.uri), (leak.b_split, leak.pair.b.uri)]
        sides.sort(key=lambda side: (ranks.get(side[0], len(ranks)), side[0]))
        (one, first), (other, second) = sides
        crossing = crossings.setdefault((one, other), Crossing(one, other))
        crossing.pairs += 1
        crossing.ones.add(first)
        crossing.others.add(second)
        crossing.relations.update(words.relations(leak.pair.relation))
        listed.total += 1
        if len(listed.shown) < bounds.pairs:
            listed.shown.append(LeakView(view_pair(listed.total, leak.pair), (leak.a_split, leak.b_split)))
    ordered = sorted(crossings.values(), key=lambda one: (-one.pairs, one.one, one.other))
    return LeaksView(leaks.column, ordered, listed, sizes)
