"""Issues, failed files and problems of the listing as the page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tintype.reports import words
from tintype.reports.content import Bounds, Issue
from tintype.reports.shots import Listed, Shot, shot


@dataclass
class KindView:
    """The pictures of one kind of issue."""

    name: str
    shots: Listed[Shot] = field(default_factory=Listed)

    @property
    def kind(self) -> words.Kind:
        return words.kind(self.name)


def view_issues(issues: Iterable[Issue], bounds: Bounds) -> list[KindView]:
    """Kinds in the order in which they first occur."""
    kinds: dict[str, KindView] = {}
    for issue in issues:
        shots = kinds.setdefault(issue.kind, KindView(issue.kind)).shots
        shots.total += 1
        if len(shots.shown) < bounds.issues:
            shots.shown.append(shot(issue.picture, score=issue.score, reason=issue.reason))
    return list(kinds.values())


def status_totals(status: Mapping[str, int]) -> list[tuple[str, int]]:
    """Statuses but ok that occur, in the order of the data dictionary."""
    return [(name, number) for name, number in status.items() if name != "ok" and number]
