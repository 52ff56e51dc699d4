"""Copies as the page shows them: groups, pairs outside of groups, and series of one scene beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tintype.reports import words
from tintype.reports.content import Alignment, Bounds, Group, Member, Pair, Picture, Series
from tintype.reports.drawing import Marks, lies, marks_of_kept, marks_of_pair
from tintype.reports.shots import Badge, Fact, Listed, Shot, shot, small


@dataclass(frozen=True)
class GroupView:
    """A duplicate group as the page shows it: the kept picture first."""

    number: int
    files: int
    others_size: str | None  # None where no size is known
    why: str
    shots: tuple[Shot, ...]
    left_out: int


@dataclass
class GroupsView:
    """The groups that are shown, and the totals of all."""

    shown: list[GroupView] = field(default_factory=list)
    groups: int = 0
    others: int = 0  # members besides the kept ones
    others_bytes: int = 0
    relations: Counter[str] = field(default_factory=Counter)  # members by each word of their relation

    @property
    def left_out(self) -> int:
        return self.groups - len(self.shown)

    @property
    def chips(self) -> list[tuple[str, int]]:
        """Relations and how many copies have them, the most frequent first."""
        return sorted(self.relations.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True)
class PairView:
    """Two pictures side by side."""

    number: int
    badges: tuple[Badge, ...]
    score: float
    reason: str
    shots: tuple[Shot, Shot]


@dataclass(frozen=True)
class SeriesView:
    """Photos of one scene."""

    number: int
    photos: int
    reason: str
    shots: tuple[Shot, ...]

    @property
    def left_out(self) -> int:
        return self.photos - len(self.shots)


def view_groups(groups: Iterable[Group], bounds: Bounds) -> GroupsView:
    view = GroupsView()
    for group in groups:
        others = [member for member in group.others if member.picture.uri != group.keep.uri]
        view.groups += 1
        view.others += len(others)
        view.others_bytes += sum(member.picture.size_bytes or 0 for member in others)
        view.relations.update(word for member in others for word in words.relations(member.relation))
        if len(view.shown) < bounds.groups:
            view.shown.append(_view_group(view.groups, group, others, bounds.members))
    return view


def view_pair(number: int, pair: Pair) -> PairView:
    on_a, on_b = marks_of_pair(pair.a, pair.b, pair.alignment)
    first = shot(pair.a, marks=on_a.drawn(pair.a))
    second = shot(
        pair.b,
        beside=pair.a,
        more=_overlap(pair.alignment, "the other"),
        marks=on_b.drawn(pair.b),
        lies=lies(pair.alignment),
    )
    return PairView(number, _badges(pair.relation), pair.score, pair.reason, (first, second))


def view_pairs(pairs: Iterable[Pair], bounds: Bounds) -> Listed[PairView]:
    listed = Listed.of(pairs, bounds.pairs)
    return Listed([view_pair(number, pair) for number, pair in enumerate(listed.shown, 1)], listed.total)


def view_series(series: Iterable[Series], bounds: Bounds) -> Listed[SeriesView]:
    listed = Listed.of(series, bounds.series)
    views = [
        SeriesView(number, len(one.pictures), one.reason, tuple(small(each) for each in one.pictures[: bounds.members]))
        for number, one in enumerate(listed.shown, 1)
    ]
    return Listed(views, listed.total)


def _view_group(number: int, group: Group, others: list[Member], most: int) -> GroupView:
    sizes = [member.picture.size_bytes for member in others if member.picture.size_bytes is not None]
    shown = others[: most - 1]
    marks = [marks_of_pair(group.keep, member.picture, member.alignment) for member in shown]
    on_kept = marks_of_kept([on_kept for on_kept, _ in marks]).drawn(group.keep)
    copies = (_copy(member, group.keep, own) for member, (_, own) in zip(shown, marks, strict=True))
    shots = (shot(group.keep, kept=True, marks=on_kept), *copies)
    return GroupView(
        number=number,
        files=len(others) + 1,
        others_size=words.size(sum(sizes)) if sizes else None,
        why=group.why,
        shots=shots,
        left_out=len(others) + 1 - len(shots),
    )


def _copy(member: Member, kept: Picture, marks: Marks) -> Shot:
    return shot(
        member.picture,
        beside=kept,
        badges=_badges(member.relation),
        score=member.score,
        reason=member.reason,
        more=_overlap(member.alignment, "the kept one"),
        marks=marks.drawn(member.picture),
        lies=lies(member.alignment),
    )


def _badges(relation: str) -> tuple[Badge, ...]:
    return tuple(Badge(word) for word in words.relations(relation))


def _overlap(alignment: Alignment | None, a: str) -> tuple[Fact, ...]:
    """How much of both pictures is the same place, where it is not all."""
    if alignment is None:
        return ()
    shares = [(alignment.overlap_a, a), (alignment.overlap_b, "this one")]
    parts = [f"{words.part(share)} of {which}" for share, which in shares if share is not None]
    whole = all(share is None or share >= words.ALL for share, _ in shares)
    return () if whole else (Fact("Shared", ", ".join(parts)),)
