"""A small report to test with, and a reader of its markup."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser

import pyarrow as pa
from blake3 import blake3
from PIL import Image

from tintype.reports.content import (
    Alignment,
    Cluster,
    Clusters,
    Failure,
    Group,
    Issue,
    Labels,
    Leak,
    Leaks,
    Map,
    Member,
    Neighbor,
    Outlier,
    Overlap,
    Pair,
    Picture,
    ReportContent,
    Series,
    Suspect,
    Verification,
)
from tintype.reports.summary import Summary, summary


def jpeg(color: tuple[int, int, int] = (180, 90, 40), side_px: int = 32) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side_px, side_px), color).save(file, "JPEG")
    return file.getvalue()


def thumbnails(uris: Sequence[str], more: int = 0) -> Mapping[str, bytes]:
    """A JPEG of its own for each, with `more` bytes at its end."""
    common = jpeg() + bytes(more)
    return {uri: common + blake3(uri.encode("utf-8", "surrogatepass")).digest(16) for uri in uris}


def picture(uri: str, **facts: object) -> Picture:
    usual = {
        "format": "jpeg",
        "size_bytes": 1_234_567,
        "width": 4000,
        "height": 3000,
        "taken_at": datetime(2008, 5, 30, 15, 56),
        "camera": "Canon EOS 40D",
        "mean_rgb": (120, 90, 60),
    }
    return Picture(uri=uri, **{**usual, **facts})  # type: ignore[arg-type]  # the facts are those of Picture


def figures(images: int = 4, failed: int = 1) -> Summary:
    rows = images - failed
    batch = pa.RecordBatch.from_pydict(
        {
            "status": ["ok"] * rows + ["damaged"] * failed,
            "format": ["jpeg"] * rows + [None] * failed,
            "size_bytes": pa.array([1_000_000] * images, pa.int64()),
            "width": pa.array([4000] * rows + [None] * failed, pa.int32()),
            "height": pa.array([3000] * rows + [None] * failed, pa.int32()),
            "sharpness": pa.array([0.5] * rows + [None] * failed, pa.float32()),
        }
    )
    return summary([batch])


def report_of(name: str = "a b.jpg", *, text: str = "the same bytes", **changes: object) -> ReportContent:
    """A report with one of everything, in which every name is or ends with `name` and every reason is `text`."""
    keep, other, dark = (picture(f"{place}/{name}") for place in ("keep", "other", "dark"))
    # The right half of a, mirrored, with a bar at the bottom.
    alignment = Alignment(transform=(-2, 0, 2, 0, 1, 0), overlap_a=0.5, overlap_b=1.0, overlaid=((0.0, 0.9, 1.0, 1.0),))
    pair = Pair(a=keep, b=other, relation="cropped + mirrored", score=0.875, reason=text, alignment=alignment)
    near = [Neighbor(picture=other, likeness=0.625, label=name), Neighbor(picture=keep, likeness=0.5)]
    parts: dict[str, object] = {
        "title": name,
        "summary": figures(),
        "groups": [
            Group(
                keep=keep,
                why=text,
                others=[Member(picture=other, relation="exact", score=1.0, reason=text, alignment=alignment)],
            )
        ],
        "pairs": [pair],
        "verification": Verification(candidates=1_204, verified=310, remembered=894),
        "series": [Series(pictures=[keep, dark], reason=text)],
        "leaks": Leaks(
            column=name, leaks=[Leak(pair=pair, a_split=f"train {name}", b_split=f"test {name}")], sizes={name: 7}
        ),
        "labels": Labels(
            column=name,
            suspects=[
                Suspect(picture=dark, given=f"cat {name}", suggested=name, score=0.75, reason=text, neighbors=near)
            ],
            overlaps=[Overlap(one=f"cat {name}", other=f"dog {name}", images=31, share=0.22)],
        ),
        "outliers": [Outlier(picture=dark, score=0.75, reason=text, neighbors=near)],
        "clusters": Clusters(
            clusters=[
                Cluster(
                    number=1,
                    size=3,
                    representatives=[keep, dark],
                    tightness=0.5,
                    distinctive=[text, name],
                    name=f"cluster {name}",
                )
            ],
            alone=1,
        ),
        "map": Map(pictures=[keep, other, dark], x=[0.0, 1.0, 0.5], y=[0.0, 0.2, 1.0], clusters=[1, None, 2]),
        "issues": [Issue(picture=dark, kind="dark", score=0.75, reason=text)],
        "failures": [Failure(uri=f"bad/{name}", status="damaged", reason=text)],
        "pictures": [dark, keep, other],
        "problems": [(f"folder/{name}", text)],
        "thumbnails": thumbnails,
        "version": "1.2.3",
        "data_version": "7",
    }
    return ReportContent(**{**parts, **changes})  # type: ignore[arg-type]  # the parts are those of ReportContent


FINDINGS = ("pairs", "series", "leaks", "labels", "outliers", "clusters", "map")


def without_findings(**changes: object) -> ReportContent:
    """A report of groups, issues and figures alone, so that others do not show the same pictures."""
    absent: dict[str, object] = {name: () if name == "pairs" else None for name in FINDINGS}
    return report_of(**{**absent, **changes})  # type: ignore[arg-type]  # the parts are those of ReportContent


@dataclass
class Markup:
    """The tags of a page in order, and the text between them."""

    tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    raw: dict[str, list[str]] = field(default_factory=dict)  # what stands in script and style, by type or tag
    errors: list[str] = field(default_factory=list)

    def values(self, attribute: str) -> list[str]:
        return [value or "" for _, pairs in self.tags for name, value in pairs if name == attribute]

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def thumbnails(self) -> list[str]:
        """The embedded JPEGs as base64."""
        start = "data:image/jpeg;base64,"
        return [source.removeprefix(start) for source in self.values("src") if source.startswith(start)]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.markup = Markup()
        self.inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.markup.tags.append((tag, tuple(attrs)))
        if tag in ("script", "style"):
            self.inside = dict(attrs).get("type") or tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = None

    def handle_comment(self, data: str) -> None:
        self.markup.errors.append(f"comment {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.markup.errors.append(f"declaration {data!r}")

    def handle_pi(self, data: str) -> None:
        self.markup.errors.append(f"instruction {data!r}")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.markup.raw.setdefault(self.inside, []).append(data)
        else:
            self.markup.texts.append(data)


def read(page: str) -> Markup:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.markup
