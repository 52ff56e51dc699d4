"""Doubtful labels as the page shows them: each with its neighbors, what is taken for what, and classes that overlap."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tintype.reports import charts, words
from tintype.reports.content import Bounds, Labels, Overlap
from tintype.reports.shots import Listed, Shot, near, shot

_CHANGES_SHOWN = 12


@dataclass(frozen=True)
class SuspectView:
    """A picture, the label it was given, and what its neighbors say."""

    shot: Shot
    given: str
    suggested: str | None
    neighbors: tuple[Shot, ...]


@dataclass(frozen=True)
class LabelsView:
    """What was found wrong with one column of labels."""

    column: str
    suspects: Listed[SuspectView]
    changes: list[tuple[str, str | None, int]]  # given, suggested, suspects; the most frequent first
    changes_left_out: int
    overlaps: Listed[Overlap]

    @property
    def overlap_bars(self) -> str:
        """The overlaps as bars."""
        return charts.bars(
            [
                charts.Mark(
                    f"{one.one} → {one.other}",
                    one.share,
                    f"{words.part(one.share)} · {words.plural(one.images, 'image')}",
                )
                for one in self.overlaps.shown
            ]
        )


def view_labels(labels: Labels, bounds: Bounds) -> LabelsView:
    suspects: Listed[SuspectView] = Listed()
    changes: Counter[tuple[str, str | None]] = Counter()
    for one in labels.suspects:
        suspects.total += 1
        changes[one.given, one.suggested] += 1
        if len(suspects.shown) < bounds.suspects:
            own = shot(one.picture, score=one.score, reason=one.reason)
            others = near(one.neighbors, bounds.neighbors, one.suggested)
            suspects.shown.append(SuspectView(own, one.given, one.suggested, others))
    ordered = sorted(changes.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or ""))
    shown = [(given, suggested, number) for (given, suggested), number in ordered[:_CHANGES_SHOWN]]
    return LabelsView(
        column=labels.column,
        suspects=suspects,
        changes=shown,
        changes_left_out=len(ordered) - len(shown),
        overlaps=Listed.of(labels.overlaps, bounds.overlaps),
    )
