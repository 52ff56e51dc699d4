"""Findings as a report shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tintype.core.columns import STATUSES
from tintype.finders.clusters import Clusters
from tintype.finders.duplicates import Duplicates
from tintype.finders.issues import Issues
from tintype.finders.labels import Labels
from tintype.finders.leaks import Leaks
from tintype.finders.outliers import Outliers
from tintype.finders.projection import Map
from tintype.reports import content

SAME_SCENE = "same scene"

Pictures = Mapping[str, content.Picture]

_PAIR = (
    "a_uri", "b_uri", "kind", "score", "reason", "orientation", "transform", "overlap_a", "overlap_b",
)  # fmt: skip


def groups(found: Duplicates, pictures: Pictures) -> Iterator[content.Group]:
    """Groups of copies, each member with its own pair with the one to keep."""
    by_uris = {(row["a_uri"], row["b_uri"]): row for row in found.pairs.select(_PAIR).to_pylist()}
    for group in found.groups:
        rows = (by_uris.get((group.keep, uri)) for uri in group.members)
        others = [
            content.Member(
                picture=pictures[row["b_uri"]],
                relation=row["kind"],
                score=row["score"],
                reason=row["reason"],
                alignment=_alignment(row),
            )
            for row in rows
            if row is not None
        ]
        yield content.Group(keep=pictures[group.keep], why=group.why, others=others)


def pairs(found: Duplicates, pictures: Pictures) -> Iterator[content.Pair]:
    """Copies that are in no group together."""
    group_of = {uri: number for number, group in enumerate(found.groups) for uri in group.members}
    for row in found.pairs.select(_PAIR).to_pylist():
        a, b = row["a_uri"], row["b_uri"]
        is_in_one = a in group_of and group_of[a] == group_of.get(b)
        if row["kind"] != SAME_SCENE and not is_in_one:
            yield _pair(row, pictures)


def series(found: Duplicates, pictures: Pictures) -> Iterator[content.Series]:
    """Photos of one scene that hang together, in the order of their uris."""
    rows = [row for row in found.pairs.select(["a_uri", "b_uri", "kind"]).to_pylist() if row["kind"] == SAME_SCENE]
    root: dict[str, str] = {}

    def find(uri: str) -> str:
        while root.setdefault(uri, uri) != uri:
            root[uri] = root[root[uri]]
            uri = root[uri]
        return uri

    for row in rows:
        one, other = sorted((find(row["a_uri"]), find(row["b_uri"])))
        root[other] = one
    members: dict[str, list[str]] = {}
    for uri in sorted(root):
        members.setdefault(find(uri), []).append(uri)
    for uris in members.values():
        yield content.Series(
            pictures=[pictures[uri] for uri in uris],
            reason=f"{len(uris)} photos of one scene: parts of them lie on each other, but they are no copies",
        )


def verification(found: Duplicates) -> content.Verification | None:
    """How the copies were made sure of; None where nothing tells."""
    work = found.work
    if work is None:
        return None
    return content.Verification(candidates=work.candidates, verified=work.verified, remembered=work.remembered)


def issues(found: Issues, pictures: Pictures) -> Iterator[content.Issue]:
    """Issues but the failures, which have a list of their own."""
    for row in found.table.select(["a_uri", "kind", "score", "reason"]).to_pylist():
        if row["kind"] not in STATUSES:
            yield content.Issue(
                picture=pictures[row["a_uri"]], kind=row["kind"], score=row["score"], reason=row["reason"]
            )


def outliers(found: Outliers, pictures: Pictures) -> Iterator[content.Outlier]:
    """Outliers with the nearest that there are."""
    for row in found.table.select(["a_uri", "score", "reason", "nearest", "nearest_similarity"]).to_pylist():
        yield content.Outlier(
            picture=pictures[row["a_uri"]],
            score=row["score"],
            reason=row["reason"],
            neighbors=[
                content.Neighbor(picture=pictures[uri], likeness=likeness)
                for uri, likeness in zip(row["nearest"], row["nearest_similarity"], strict=True)
            ],
        )


def clusters(found: Clusters, pictures: Pictures) -> content.Clusters:
    """Clusters, largest first, and how many images are in none."""
    shown = [
        content.Cluster(
            number=cluster.number,
            size=cluster.size,
            representatives=[pictures[uri] for uri in cluster.representatives],
            tightness=max(0.0, cluster.tightness),
            distinctive=cluster.distinctive,
        )
        for cluster in found.clusters
    ]
    readable = sum(picture.width is not None for picture in pictures.values())
    return content.Clusters(clusters=shown, alone=max(0, readable - found.table.num_rows))


def laid_out(found: Map, sorted_in: Clusters, pictures: Pictures) -> content.Map:
    """The map, with the cluster of each image."""
    numbers = dict(zip(*(sorted_in.table[name].to_pylist() for name in ("a_uri", "cluster")), strict=True))
    uris = found.table["a_uri"].to_pylist()
    return content.Map(
        pictures=[pictures[uri] for uri in uris],
        x=found.table["map_x"].to_pylist(),
        y=found.table["map_y"].to_pylist(),
        clusters=[numbers.get(uri) for uri in uris],
    )


def leaks(found: Leaks, column: str, pictures: Pictures) -> content.Leaks:
    """Pictures on both sides of a split."""
    rows = found.table.select(["a_uri", "b_uri", "a_split", "b_split", "relation", "score", "reason"]).to_pylist()
    shown = (
        content.Leak(
            pair=content.Pair(
                a=pictures[row["a_uri"]],
                b=pictures[row["b_uri"]],
                relation=row["relation"],
                score=row["score"],
                reason=row["reason"],
            ),
            a_split=row["a_split"],
            b_split=row["b_split"],
        )
        for row in rows
    )
    return content.Leaks(column=column, leaks=shown, sizes=found.splits)


def labels(found: Labels, column: str, pictures: Pictures) -> content.Labels:
    """Suspect labels, each with the nearest images and their labels, and classes that overlap."""
    rows = found.table.select(["a_uri", "given", "suggested", "score", "reason"]).to_pylist()
    suspects = (
        content.Suspect(
            picture=pictures[row["a_uri"]],
            given=row["given"],
            suggested=row["suggested"],
            score=row["score"],
            reason=row["reason"],
            neighbors=[
                content.Neighbor(picture=pictures[uri], likeness=like, label=label) for uri, label, like in near
            ],
        )
        for row, near in zip(rows, found.nearest(), strict=True)
    )
    overlaps = [
        content.Overlap(one=overlap.one, other=overlap.other, images=overlap.images, share=overlap.share)
        for overlap in found.overlaps
    ]
    return content.Labels(column=column, suspects=suspects, overlaps=overlaps)


def _pair(row: Mapping[str, Any], pictures: Pictures) -> content.Pair:
    return content.Pair(
        a=pictures[row["a_uri"]],
        b=pictures[row["b_uri"]],
        relation=row["kind"],
        score=row["score"],
        reason=row["reason"],
        alignment=_alignment(row),
    )


def _alignment(row: Mapping[str, Any]) -> content.Alignment:
    return content.Alignment(
        transform=tuple(row["transform"]) if row.get("transform") else None,
        orientation=row.get("orientation"),
        overlap_a=row.get("overlap_a"),
        overlap_b=row.get("overlap_b"),
    )
