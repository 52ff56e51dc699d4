"""What a report is made of: everything it shows is handed to it in these records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tintype.reports.summary import Summary

Thumbnails = Callable[[Sequence[str]], Mapping[str, bytes]]
"""JPEG bytes by uri, for those of the uris that have a thumbnail."""


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
class Member:
    """A picture of a duplicate group, and how it is related to the kept one."""

    picture: Picture
    relation: str  # the finding's kind
    score: float  # 0 to 1, 1 is surest
    reason: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Pictures that are copies of each other: the one to keep, why, and the others."""

    keep: Picture
    why: str
    others: Sequence[Member]


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
    members: int = 100  # of one group
    issues: int = 1_000  # of one kind
    failures: int = 5_000
    problems: int = 1_000
    pictures: int = 20_000  # of the contact sheet: every second, third, … one where there are more


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """All that a report shows. Streams are read once; order is kept, and equal content gives equal bytes."""

    title: str  # usually the name of the folder
    summary: Summary
    groups: Iterable[Group] | None = None  # None where nobody has looked for duplicates
    issues: Iterable[Issue] | None = None
    failures: Iterable[Failure] = ()
    pictures: Sequence[Picture] = ()  # for the contact sheet
    problems: Iterable[tuple[str, str]] = ()  # of the listing: (uri of a folder, member or row, reason)
    thumbnails: Thumbnails = field(default=lambda uris: {})
    version: str = ""  # of Tintype
    data_version: str = ""  # of the collection
