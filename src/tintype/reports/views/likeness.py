"""Outliers beside what comes nearest to them, and clusters as sheets of what is typical of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tintype.reports import words
from tintype.reports.content import Bounds, Cluster, Clusters, Outlier
from tintype.reports.palette import colored
from tintype.reports.shots import Listed, Shot, near, shot, small


@dataclass(frozen=True)
class OutlierView:
    """A picture that is unlike all others, and its nearest neighbors."""

    number: int
    shot: Shot
    neighbors: tuple[Shot, ...]


@dataclass(frozen=True)
class ClusterView:
    """A cluster and its most typical pictures."""

    number: int
    title: str
    size: int
    share: float  # of the largest cluster, 0 to 1
    tightness: float | None
    distinctive: tuple[str, ...]
    color: str | None  # on the map, #rrggbb
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class ClustersView:
    """The clusters that are shown, and how many pictures are in all and in none."""

    clusters: Listed[ClusterView]
    images: int
    alone: int


def view_outliers(outliers: Iterable[Outlier], bounds: Bounds) -> Listed[OutlierView]:
    listed = Listed.of(outliers, bounds.outliers)
    views = [
        OutlierView(
            number, shot(one.picture, score=one.score, reason=one.reason), near(one.neighbors, bounds.neighbors)
        )
        for number, one in enumerate(listed.shown, 1)
    ]
    return Listed(views, listed.total)


def view_clusters(clusters: Clusters, bounds: Bounds) -> ClustersView:
    shown: list[Cluster] = []
    images = total = 0
    for one in clusters.clusters:
        total += 1
        images += one.size
        if len(shown) < bounds.clusters:
            shown.append(one)
    colors = colored(one.number for one in shown)
    largest = max((one.size for one in shown), default=0) or 1
    views = [
        ClusterView(
            number=one.number,
            title=one.name or f"Cluster {words.count(one.number)}",
            size=one.size,
            share=min(max(one.size / largest, 0), 1),
            tightness=one.tightness,
            distinctive=tuple(one.distinctive),
            color=colors.get(one.number),
            shots=tuple(small(picture) for picture in one.representatives[: bounds.representatives]),
        )
        for one in shown
    ]
    return ClustersView(Listed(views, total), images, clusters.alone)
