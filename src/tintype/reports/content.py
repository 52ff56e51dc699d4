"""What a report is made of: everything it shows is handed to it in these records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tintype.reports.summary import Summary

Thumbnails = Callable[[Sequence[str]], Mapping[str, bytes]]
"""JPEG bytes by uri, for those of the uris that have a thumbnail."""

Transform = tuple[float, float, float, float, float, float]
"""(p, q, r, s, t, u) takes the point (x, y) of one picture to (p·x + q·y + r, s·x + t·y + u) of another. Both are
shares of width and height from the upper left corner, as the pictures are seen upright."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of a picture's width and height."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What models said of an image."""

    facts: Sequence[tuple[str, str]] = ()  # who says it, and what
    boxes: Sequence[Box] = ()  # around what they found


Tellings = Callable[[Sequence[str]], Mapping[str, Told]]
"""What models said by uri, for those of the uris that any model has seen."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image and the facts that are shown beside it; null is left out."""

    uri: str
    format: str | None = None
    size_bytes: int | None = None
    width: int | None = None  # px, upright
    height: int | None = None
    taken_at: datetime | None = None  # local time without a zone
    camera: str | None = None
    mean_rgb: tuple[int, int, int] | None = None  # sRGB; stands in until the thumbnail shows, or where it is missing


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How picture b lies on picture a; what is not known is null and not drawn."""

    transform: Transform | None = None  # from a to b
    orientation: str | None = None  # of TURNS: how a is turned to look like b; read where there is no transform
    overlap_a: float | None = None  # share of a's area that b shows too, 0 to 1
    overlap_b: float | None = None
    overlaid: Sequence[Box] = ()  # parts of b that hide what a has there: a caption, a logo


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two pictures that belong together, side by side."""

    a: Picture
    b: Picture
    relation: str  # the finding's kind, as "cropped + mirrored"
    score: float  # 0 to 1, 1 is surest
    reason: str
    alignment: Alignment | None = None


@dataclass(frozen=True, kw_only=True)
class Member:
    """A picture of a duplicate group, and how it is related to the kept one, which is a of the alignment."""

    picture: Picture
    relation: str  # the finding's kind
    score: float  # 0 to 1, 1 is surest
    reason: str
    alignment: Alignment | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Pictures that are copies of each other: the one to keep, why, and the others."""

    keep: Picture
    why: str
    others: Sequence[Member]


@dataclass(frozen=True, kw_only=True)
class Series:
    """Different photos of one scene, which are no copies: a burst, or one place seen twice."""

    pictures: Sequence[Picture]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """How the copies were made sure of, in pairs of images."""

    candidates: int  # pairs that looked alike at first sight
    verified: int  # of these: laid over each other in this run
    remembered: int  # of these: known from an earlier run


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Two pictures that belong together and stand in different splits of a data set."""

    pair: Pair
    a_split: str
    b_split: str


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """All leaks between the splits that a column names."""

    column: str
    leaks: Iterable[Leak]
    sizes: Mapping[str, int] = field(default_factory=dict)  # images of each split, where known


@dataclass(frozen=True, kw_only=True)
class Neighbor:
    """One of the pictures nearest to another."""

    picture: Picture
    likeness: float  # cosine of the two vectors, at most 1
    label: str | None = None  # that it was given, where the finding is about labels


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """A picture that is unlike all others, and those that come nearest, nearest first."""

    picture: Picture
    score: float  # 0 to 1, 1 is surest
    reason: str
    neighbors: Sequence[Neighbor] = ()


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A picture whose label may be wrong, and the neighbors that say so, nearest first."""

    picture: Picture
    given: str
    suggested: str | None  # null where the label is doubted and no other one is sure
    score: float  # 0 to 1, 1 is surest
    reason: str
    neighbors: Sequence[Neighbor] = ()


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two classes that are hard to tell apart."""

    one: str
    other: str
    images: int  # of the one class that look like the other
    share: float  # of the images of the one class, 0 to 1


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What was found wrong with the labels that a column holds."""

    column: str
    suspects: Iterable[Suspect]  # worst first
    overlaps: Iterable[Overlap] = ()  # worst first


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Pictures that are like each other."""

    number: int  # 1 or more; what `Map.clusters` calls it
    size: int  # images
    representatives: Sequence[Picture]  # the most typical first
    tightness: float | None = None  # 0 to 1: how like each other they are; 1 is equal
    distinctive: Sequence[str] = ()  # what sets it apart, a few words each
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """All clusters, the largest first."""

    clusters: Iterable[Cluster]
    alone: int = 0  # images that are in none


@dataclass(frozen=True, kw_only=True)
class Map:
    """Pictures laid out on a plane so that like ones lie close together. All sequences have one item a picture."""

    pictures: Sequence[Picture]
    x: Sequence[float]  # any unit, the same for both; to the right
    y: Sequence[float]  # downwards; a place that is not finite is none, and counted
    clusters: Sequence[int | None] | None = None  # numbers of clusters; null for pictures that are in none


@dataclass(frozen=True, kw_only=True)
class Issue:
    """Something that a picture may be faulted for."""

    picture: Picture
    kind: str
    score: float  # 0 to 1, 1 is surest
    reason: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A file that is called an image but could not be used."""

    uri: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much a report may hold. Whatever is beyond is counted and said, never dropped in silence."""

    max_megabytes: float = 40.0  # of all thumbnails as they stand in the file; 10^6 bytes
    groups: int = 2_000
    members: int = 100  # of one group or series
    pairs: int = 1_000  # of pairs outside of groups, and of leaks
    series: int = 500
    outliers: int = 500
    suspects: int = 1_000
    overlaps: int = 100
    neighbors: int = 6  # of one picture
    clusters: int = 200
    representatives: int = 12  # of one cluster
    pins: int = 240  # pictures on the map
    issues: int = 1_000  # of one kind
    failures: int = 5_000
    problems: int = 1_000
    pictures: int = 20_000  # of the contact sheet: every second, third, … one where there are more


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """All that a report shows. Streams are read once; order is kept, and equal content gives equal bytes.

    What nobody has looked for is None: its section is not there, and the report says which command looks for it.
    """

    title: str  # usually the name of the folder
    summary: Summary
    groups: Iterable[Group] | None = None
    pairs: Iterable[Pair] = ()  # copies that are in no group together
    series: Iterable[Series] | None = None
    verification: Verification | None = None
    leaks: Leaks | None = None
    labels: Labels | None = None
    outliers: Iterable[Outlier] | None = None
    clusters: Clusters | None = None
    map: Map | None = None
    issues: Iterable[Issue] | None = None
    failures: Iterable[Failure] = ()
    pictures: Sequence[Picture] = ()  # for the contact sheet
    problems: Iterable[tuple[str, str]] = ()  # of the listing: (uri of a folder, member or row, reason)
    told: Tellings = field(default=lambda uris: {})  # for the contact sheet
    thumbnails: Thumbnails = field(default=lambda uris: {})
    version: str = ""  # of Tintype
    data_version: str = ""  # of the collection
