"""All sections of a report: what each shows, what was not looked for, and whose thumbnails are embedded first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tintype.reports.content import Bounds, Failure, Picture, ReportContent, Told, Verification
from tintype.reports.drawing import Marks
from tintype.reports.shots import Fact, Listed, Shot, shot
from tintype.reports.thumbnails import spread, woven
from tintype.reports.views.copies import GroupsView, PairView, SeriesView, view_groups, view_pairs, view_series
from tintype.reports.views.labels import LabelsView, view_labels
from tintype.reports.views.leaks import LeaksView, view_leaks
from tintype.reports.views.likeness import ClustersView, OutlierView, view_clusters, view_outliers
from tintype.reports.views.map import MapView, view_map
from tintype.reports.views.troubles import KindView, view_issues

_STRIP = 14  # pictures of the strip at the top
_MOST_BOXES = 20  # drawn over one picture


@dataclass(frozen=True)
class Missing:
    """Something that nobody has looked for, and the command that looks for it."""

    what: str
    command: str


_COMMANDS = {
    "groups": Missing("Copies of the same picture", "tintype duplicates"),
    "leaks": Missing("Pictures on both sides of a split", "tintype leaks --by COLUMN"),
    "labels": Missing("Labels that may be wrong", "tintype labels --label COLUMN"),
    "outliers": Missing("Pictures unlike all others", "tintype outliers"),
    "clusters": Missing("Groups of like pictures", "tintype clusters"),
    "map": Missing("A map of all pictures", "tintype map"),
    "issues": Missing("Dark, blurred and other faulty pictures", "tintype issues"),
}


@dataclass(frozen=True, kw_only=True)
class Sections:
    """Each section as the page shows it; None where nobody has looked for it."""

    groups: GroupsView | None
    pairs: Listed[PairView]
    verification: Verification | None
    series: Listed[SeriesView] | None
    leaks: LeaksView | None
    labels: LabelsView | None
    outliers: Listed[OutlierView] | None
    clusters: ClustersView | None
    map: MapView | None
    kinds: list[KindView] | None
    failures: Listed[Failure]
    problems: Listed[tuple[str, str]]
    sheet: list[Shot]
    missing: list[Missing]

    def wanted(self) -> Iterator[Shot]:
        """All pictures of the page, some more than once. Every beginning holds something of every section.

        Of the items, not pictures: a pair or a picture with its neighbors is of no use by halves.
        """
        groups = [group.shots for group in (self.groups.shown if self.groups else ())]
        pairs = [pair.shots for pair in self.pairs.shown]
        leaks = [leak.pair.shots for leak in (self.leaks.leaks.shown if self.leaks else ())]
        series = [one.shots for one in (self.series.shown if self.series else ())]
        suspects = [(one.shot, *one.neighbors) for one in (self.labels.suspects.shown if self.labels else ())]
        outliers = [(one.shot, *one.neighbors) for one in (self.outliers.shown if self.outliers else ())]
        clusters = [one.shots for one in (self.clusters.clusters.shown if self.clusters else ())]
        pins = [(pin.shot,) for pin in spread(self.map.pins if self.map else ())]
        faulted = [(one,) for one in woven(*((kind.shots.shown, 1) for kind in self.kinds or ()))]
        sheet = [(one,) for one in spread(self.sheet)]
        items = woven(
            (groups, 3), (pairs, 2), (leaks, 2), (suspects, 1), (outliers, 1), (clusters, 1), (pins, 4), (series, 1),
            (faulted, 4), (sheet, 2),
        )  # fmt: skip
        return (one for item in items for one in item)

    def strip(self) -> list[Shot]:
        """Pictures to greet with: without fault or copy where there are such, else the kept ones."""
        grouped = [one for group in (self.groups.shown if self.groups else ()) for one in group.shots]
        faulted = [one for kind in self.kinds or () for one in kind.shots.shown]
        others = {one.uri for one in (*grouped, *faulted)}
        fine = [one for one in spread(self.sheet) if one.uri not in others]
        return (fine or [one for one in grouped if one.kept])[:_STRIP]


def view(content: ReportContent, bounds: Bounds) -> Sections:
    """Read all that the content holds, streams included, in bounds."""
    clusters = None if content.clusters is None else view_clusters(content.clusters, bounds)
    return Sections(
        groups=None if content.groups is None else view_groups(content.groups, bounds),
        pairs=view_pairs(content.pairs, bounds),
        verification=content.verification,
        series=None if content.series is None else view_series(content.series, bounds),
        leaks=None if content.leaks is None else view_leaks(content.leaks, bounds),
        labels=None if content.labels is None else view_labels(content.labels, bounds),
        outliers=None if content.outliers is None else view_outliers(content.outliers, bounds),
        clusters=clusters,
        map=None if content.map is None else view_map(content.map, clusters, bounds),
        kinds=None if content.issues is None else view_issues(content.issues, bounds),
        failures=Listed.of(content.failures, bounds.failures),
        problems=Listed.of(content.problems, bounds.problems),
        sheet=_sheet(content, bounds),
        missing=[missing for name, missing in _COMMANDS.items() if getattr(content, name) is None],
    )


def _sheet(content: ReportContent, bounds: Bounds) -> list[Shot]:
    """Each picture, or each second, third, … where there are too many."""
    every = -(-len(content.pictures) // bounds.pictures)
    shown = content.pictures[:: every or 1]
    told = content.told([picture.uri for picture in shown])
    return [_with_told(picture, told.get(picture.uri, Told())) for picture in shown]


def _with_told(picture: Picture, told: Told) -> Shot:
    """A picture with what models say of it, and frames around what they found."""
    more = [Fact(who, words) for who, words in told.facts]
    return shot(picture, more=more, marks=Marks(boxes=tuple(told.boxes[:_MOST_BOXES])).drawn(picture))
