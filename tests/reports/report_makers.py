"""A small report to test with, and a reader of its markup."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser

import pyarrow as pa
from PIL import Image

from tintype.reports.content import Failure, Group, Issue, Member, Picture, ReportContent
from tintype.reports.summary import Summary, summary


def jpeg(color: tuple[int, int, int] = (180, 90, 40), side_px: int = 32) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side_px, side_px), color).save(file, "JPEG")
    return file.getvalue()


def thumbnails(uris: Sequence[str]) -> Mapping[str, bytes]:
    return dict.fromkeys(uris, jpeg())


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
    """A report with one of everything, in which every name ends with `name` and every reason is `text`."""
    keep, other, dark = (picture(f"{place}/{name}") for place in ("keep", "other", "dark"))
    parts: dict[str, object] = {
        "title": name,
        "summary": figures(),
        "groups": [
            Group(
                keep=keep,
                why=text,
                others=[Member(picture=other, relation="exact", score=1.0, reason=text)],
            )
        ],
        "issues": [Issue(picture=dark, kind="dark", score=0.75, reason=text)],
        "failures": [Failure(uri=f"bad/{name}", status="damaged", reason=text)],
        "pictures": [dark, keep, other],
        "problems": [(f"folder/{name}", text)],
        "thumbnails": thumbnails,
        "version": "1.2.3",
        "data_version": "7",
    }
    return ReportContent(**{**parts, **changes})  # type: ignore[arg-type]  # the parts are those of ReportContent


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
