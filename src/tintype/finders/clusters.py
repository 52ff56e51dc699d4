"""Images that are like each other: clusters, their most typical images, and what sets each apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import ConfigError
from tintype.core.names import shown
from tintype.finders.base import Finder, Inputs, findings, require_numbers
from tintype.finders.communities import Nodes, communities, links
from tintype.finders.distinctive import distinctive, folders
from tintype.finders.exact_cosine import PER_UNIT, Grid, cosines, directions, paired, to_grid
from tintype.finders.kmeans import kmeans, part_sums
from tintype.finders.subjects import Subjects, read_subjects
from tintype.index.base import Neighbors

MEMBER = "member"

COLUMNS = (
    "camera_make", "camera_model", "software", "creator", "taken_at", "is_gray", "colorfulness", "brightness",
    "sharpness", "entropy",
)  # fmt: skip
"""Columns whose values may set a cluster apart, beside the folder."""

_REPRESENTATIVES = 5
_STRAY = 4.0  # robust standard deviations of likeness below its cluster's median at which an image is in none
_MAD_TO_SD = 1.4826  # of a normal distribution
_LEAST_SPREAD = 0.02  # of the cosines in a cluster
_BLOCK_ROWS = 65_536
_COLUMNS = (
    pa.field("cluster", pa.int32()),  # 1 is the largest
    pa.field("size", pa.int32()),  # images of the cluster
    pa.field("representative", pa.int8()),  # 1 to 5, 1 the most typical; null for other images
    pa.field("tightness", pa.float32()),  # mean cosine of two images of the cluster; null but at representative 1
    pa.field("distinctive", pa.list_(pa.string())),  # what sets the cluster apart; null but at representative 1
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How clusters are made and described (decisions/0022-outliers-clusters-map.md)."""

    vectors: str = "descriptor"  # column of vectors; likeness is their cosine
    count: int | None = None  # that many by k-means; by default as many as the neighbor graph has
    neighbors: int = 10  # of each image in the graph
    resolution: float = 1.0  # more gives smaller clusters, where `count` is not set
    fewest: int = 5  # images; smaller clusters are left out, where `count` is not set
    described_by: tuple[str, ...] = COLUMNS  # columns that may tell what sets a cluster apart
    seed: int = 0  # of k-means

    def __post_init__(self) -> None:
        require_numbers("clusters", self)
        if self.count is not None and not 1 <= self.count <= 100_000:
            raise ConfigError(f"clusters.count must be 1 to 100000, not {self.count}")
        if not 2 <= self.neighbors <= 100:
            raise ConfigError(f"clusters.neighbors must be 2 to 100, not {self.neighbors}")
        if not self.resolution > 0:
            raise ConfigError(f"clusters.resolution must be more than 0, not {self.resolution}")
        if self.fewest < 1:
            raise ConfigError(f"clusters.fewest must be 1 or more, not {self.fewest}")
        if self.seed < 0:
            raise ConfigError(f"clusters.seed must be 0 or more, not {self.seed}")


@dataclass(frozen=True)
class Cluster:
    """Images that are like each other. `number` 1 is the largest."""

    number: int
    size: int
    representatives: tuple[str, ...]  # uris, the most typical first
    tightness: float  # mean cosine of two of its images, -1 to 1
    distinctive: tuple[str, ...]  # what sets it apart, in words, the most telling first


@dataclass(frozen=True)
class Clusters:
    """Members of clusters as a table of FINDINGS with `cluster`, sorted by it, then from the most typical outwards.

    An image that is in no cluster has no row.
    """

    table: pa.Table

    @property
    def clusters(self) -> list[Cluster]:
        """The clusters, largest first."""
        names = ["cluster", "size", "representative", "a_uri", "tightness", "distinctive"]
        rows = self.table.filter(pc.is_valid(self.table["representative"])).select(names)
        rows = rows.sort_by([("cluster", "ascending"), ("representative", "ascending")])
        uris: dict[int, list[str]] = {}
        for number, uri in zip(rows["cluster"].to_pylist(), rows["a_uri"].to_pylist(), strict=True):
            uris.setdefault(number, []).append(uri)
        return [
            Cluster(
                row["cluster"], row["size"], tuple(uris[row["cluster"]]), row["tightness"], tuple(row["distinctive"])
            )
            for row in rows.filter(pc.equal(rows["representative"], 1)).to_pylist()
        ]

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `clusters`, and `members` with the number of each uri's cluster, as JSON has it."""
        clusters = [
            {
                "id": cluster.number,
                "size": cluster.size,
                "representatives": list(cluster.representatives),
                "tightness": round(cluster.tightness, 4),
                "distinctive": list(cluster.distinctive),
            }
            for cluster in self.clusters
        ]
        members = zip(self.table["a_uri"].to_pylist(), self.table["cluster"].to_pylist(), strict=True)
        return {"schema": 1, "clusters": clusters, "members": dict(sorted(members))}


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read; but for the vectors they may be all null."""
    return tuple(dict.fromkeys(("digest", "uri", settings.vectors, *settings.described_by)))


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """One row for each distinct image in a cluster, sorted by cluster, then from the most typical outwards.

    Clusters are numbered from 1, the largest first, equally large ones by their lowest digest. By default they are
    communities of the neighbor graph, whose links weigh the square of how many neighbors their ends share (Jarvis
    and Patrick, "Clustering using a similarity measure based on shared near neighbors", 1973; of the weights that
    were tried this one keeps small clusters best). Links without a shared one are left out, and so are images far
    less like the mean of their cluster than its others are. With `count` the clusters come from k-means, and every
    image is in one. The score is the cosine with the mean direction of the cluster, 0 where it is negative.
    """
    described = [name for name in settings.described_by if name not in ("digest", "uri", settings.vectors)]
    subjects = read_subjects(inputs.columns, settings.vectors, tuple(dict.fromkeys(described)))
    if not len(subjects):
        return
    grid = to_grid(subjects.vectors)
    if settings.count is None:
        neighbors = inputs.neighbors(subjects.digest, subjects.vectors, settings.neighbors)
        inputs.tell("sorting into clusters", total=len(subjects))
        label = _ordered(_by_graph(neighbors, settings.resolution), settings.fewest)
        label = _ordered(_without_strays(grid, label), settings.fewest)
    else:
        inputs.tell("sorting into clusters", total=len(subjects))
        label = _ordered(kmeans(grid, min(settings.count, len(grid)), settings.seed), 1)
    yield from _batches(subjects, grid, label)


def clusters(inputs: Inputs, settings: Settings | None = None) -> Clusters:
    """All clusters and their members."""
    return Clusters(pa.Table.from_batches(find(inputs, settings or Settings()), FINDER.schema))


def shared_neighbors(rows: NDArray[np.int32]) -> tuple[Nodes, Nodes, Nodes]:
    """Links of a neighbor graph (n, k) as first, second, and how many neighbors the two ends have in common."""
    count, k = rows.shape
    first, second = np.repeat(np.arange(count), k), rows.ravel().astype(np.int64)
    there = second >= 0
    first, second = first[there], second[there]
    shared = np.zeros(len(first), np.int64)
    for start in range(0, len(first), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        left, right = rows[first[block]], rows[second[block]]  # (b, k) each
        for place in range(k):
            mine = left[:, place : place + 1]
            shared[block] += ((right == mine) & (mine >= 0)).any(axis=1)
    return first, second, shared


def _by_graph(neighbors: Neighbors, resolution: float) -> Nodes:
    first, second, shared = shared_neighbors(neighbors.rows)
    some = shared > 0
    graph = links(len(neighbors.rows), first[some], second[some], shared[some] ** 2)
    return communities(graph, resolution)


def _without_strays(grid: Grid, label: Nodes) -> Nodes:
    """The labels, -1 for those that are far less like the mean of their cluster than its others are.

    Every image has neighbors, even one that is like none: it would be in its nearest cluster.
    """
    typical = _typical(grid, label)
    stray = np.zeros(len(label), np.bool_)
    order = np.lexsort((typical, label))
    order = order[label[order] >= 0]
    for members in np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if len(order) else []:
        likeness = typical[members]
        spread = max(_MAD_TO_SD * float(np.median(np.abs(likeness - np.median(likeness)))), _LEAST_SPREAD)
        stray[members] = likeness < np.median(likeness) - _STRAY * spread
    return np.where(stray, -1, label)


def _typical(grid: Grid, label: Nodes) -> NDArray[np.float32]:
    """(n,) cosine of each image with the mean direction of its cluster; 0 where it is in none."""
    inside = np.flatnonzero(label >= 0)
    centers = directions(part_sums(grid[inside], label[inside]))
    typical = np.zeros(len(label), np.float32)
    for start in range(0, len(inside), _BLOCK_ROWS):
        rows = inside[start : start + _BLOCK_ROWS]
        typical[rows] = paired(grid[rows], centers[label[rows]])
    return typical


def _ordered(label: Nodes, fewest: int) -> Nodes:
    """(n,) numbers from 0, the largest first, equally large ones by their first member.

    -1 in parts of fewer than `fewest`, and where `label` is -1.
    """
    numbers, first, inverse, size = np.unique(label, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -size, (size < fewest) | (numbers < 0)))
    rank = np.empty(len(numbers), np.int64)
    rank[order] = np.arange(len(numbers))
    rank[(size < fewest) | (numbers < 0)] = -1
    return np.asarray(rank[inverse])


@dataclass(frozen=True)
class _Described:
    """What is known of n images' clusters, of which there are c."""

    label: Nodes  # (n,) -1 for none
    size: Nodes  # (c,)
    typical: NDArray[np.float32]  # (n,) cosine with the mean direction of the cluster
    representative: NDArray[np.int8]  # (n,) from 1; 0 for others
    tightness: NDArray[np.float64]  # (c,)
    facts: pa.Array  # (c,) lists of words


def _batches(subjects: Subjects, grid: Grid, label: Nodes) -> Iterator[pa.RecordBatch]:
    inside = np.flatnonzero(label >= 0)
    if not len(inside):
        return
    sums = part_sums(grid[inside], label[inside])
    typical = _typical(grid, label)
    uri_rank = pc.rank(subjects.uri, tiebreaker="first").to_numpy()
    order = inside[np.lexsort((uri_rank[inside], -typical[inside], label[inside]))]
    size = np.bincount(label[inside])
    representative = np.zeros(len(label), np.int8)
    for members in np.split(order, np.cumsum(size)[:-1]):
        chosen = _representatives(grid, members)
        representative[chosen] = np.arange(1, len(chosen) + 1)
    columns = subjects.others.append_column("folder", folders(subjects.uri))
    facts = pa.array(distinctive(columns, label, len(size)), pa.list_(pa.string()))
    described = _Described(label, size, typical, representative, _tightness(sums, size), facts)
    for start in range(0, len(order), _BLOCK_ROWS):
        yield _batch(subjects, described, order[start : start + _BLOCK_ROWS], order)


def _tightness(sums: NDArray[np.float64], size: Nodes) -> NDArray[np.float64]:
    """(c,) mean cosine of two different images of each cluster; 1 for a single one."""
    pairs = ((sums / PER_UNIT) ** 2).sum(axis=1) - size
    return np.where(size > 1, np.clip(pairs / np.maximum(size * (size - 1), 1), -1, 1), 1.0)


def _representatives(grid: Grid, members: Nodes) -> Nodes:
    """The most typical member, then of the more typical half those that are least like the ones before them.

    `members` are in order from the most typical outwards.
    """
    half = members[: max(_REPRESENTATIVES, (len(members) + 1) // 2)]
    chosen = [0]
    likest = np.full(len(half), -1, np.float32)
    while len(chosen) < min(_REPRESENTATIVES, len(half)):
        likest = np.maximum(likest, cosines(grid[half], grid[half[chosen[-1:]]])[:, 0])
        likest[chosen] = 2
        chosen.append(int(likest.argmin()))
    return half[chosen]


def _batch(subjects: Subjects, described: _Described, rows: Nodes, order: Nodes) -> pa.RecordBatch:
    own = described.label[rows]
    representative = described.representative[rows]
    heads = order[described.representative[order] == 1]
    head_uris = [shown(uri) for uri in subjects.uri.take(pa.array(heads)).to_pylist()]
    around = [f"of {size} images around {uri}" for size, uri in zip(described.size.tolist(), head_uris, strict=True)]
    typical = described.typical[rows]
    reasons = [
        f"in cluster {number + 1} {around[number]}, {cosine:.2f} like their mean"
        for number, cosine in zip(own.tolist(), typical.tolist(), strict=True)
    ]
    head = pa.array(representative != 1)
    return findings(
        a=subjects.digest.take(pa.array(rows)),
        a_uri=subjects.uri.take(pa.array(rows)),
        kind=MEMBER,
        score=pa.array(np.clip(typical, 0, 1), pa.float32()),
        reason=pa.array(reasons, pa.string()),
        cluster=pa.array(own + 1, pa.int32()),
        size=pa.array(described.size[own], pa.int32()),
        representative=pa.array(representative, mask=representative == 0),
        tightness=pc.if_else(head, None, pa.array(described.tightness[own], pa.float32())),
        distinctive=described.facts.take(pa.array(own, mask=representative != 1)),
    )


FINDER = Finder("clusters", needs=needs, settings=Settings, find=find, columns=_COLUMNS)
