"""A report with every section, made of the demo photos and copies made of them, to test with and to look at.

`python tests/reports/photo_makers.py FOLDER_OF_PHOTOS OUTPUT.html [POINTS]` writes it; POINTS are those of the map.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from report_makers import figures

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
from tintype.reports.page import write_report

Edited = tuple[Image.Image, Alignment]


def crop(left: float, top: float, right: float, bottom: float) -> Callable[[Image.Image], Edited]:
    def edit(image: Image.Image) -> Edited:
        w, h = image.size
        part = image.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))
        wide, high = 1 / (right - left), 1 / (bottom - top)
        share = (right - left) * (bottom - top)
        return part, Alignment(transform=(wide, 0, -left * wide, 0, high, -top * high), overlap_a=share, overlap_b=1.0)

    return edit


def turned(method: Image.Transpose, orientation: str) -> Callable[[Image.Image], Edited]:
    return lambda image: (image.transpose(method), Alignment(orientation=orientation, overlap_a=1.0, overlap_b=1.0))


def rotated(degrees: float) -> Callable[[Image.Image], Edited]:
    """Turned clockwise on black ground that is as large as it needs to be."""

    def edit(image: Image.Image) -> Edited:
        w, h = image.size
        grown = image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        gw, gh = grown.size
        transform = (
            cos * w / gw, -sin * h / gw, (gw - cos * w + sin * h) / 2 / gw,
            sin * w / gh, cos * h / gh, (gh - sin * w - cos * h) / 2 / gh,
        )  # fmt: skip
        return grown, Alignment(transform=transform, overlap_a=1.0, overlap_b=w * h / gw / gh)

    return edit


def bordered(share: float) -> Callable[[Image.Image], Edited]:
    def edit(image: Image.Image) -> Edited:
        w, h = image.size
        edge = round(share * max(w, h))
        framed = ImageOps.expand(image, edge, (245, 240, 230))
        gw, gh = framed.size
        return framed, Alignment(
            transform=(w / gw, 0, edge / gw, 0, h / gh, edge / gh), overlap_a=1.0, overlap_b=w * h / gw / gh
        )

    return edit


def captioned(image: Image.Image) -> Edited:
    copy = image.copy()
    w, h = copy.size
    draw = ImageDraw.Draw(copy)
    draw.rectangle((0, 0.84 * h, w, h), (20, 20, 20))
    draw.text((0.05 * w, 0.88 * h), "a day out, 2004", (250, 250, 250))
    return copy, Alignment(
        transform=(1, 0, 0, 0, 1, 0), overlap_a=1.0, overlap_b=1.0, overlaid=((0.0, 0.84, 1.0, 1.0),)
    )


def recolored(image: Image.Image) -> Edited:
    copy = ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.35)).enhance(1.7)
    return copy, Alignment(transform=(1, 0, 0, 0, 1, 0), overlap_a=1.0, overlap_b=1.0)


def gray(image: Image.Image) -> Edited:
    return ImageOps.grayscale(image).convert("RGB"), Alignment(transform=(1, 0, 0, 0, 1, 0))


def smaller(image: Image.Image) -> Edited:
    return image.resize((image.width // 3, image.height // 3)), Alignment(transform=(1, 0, 0, 0, 1, 0))


def after(*edits: Callable[[Image.Image], Edited]) -> Callable[[Image.Image], Edited]:
    """One edit after another; the alignment says where the last picture lies on the first."""

    def edit(image: Image.Image) -> Edited:
        whole = np.eye(3)
        for one in edits:
            image, alignment = one(image)
            step = {"mirrored": (-1, 0, 1, 0, 1, 0), "turned_90": (0, -1, 1, 1, 0, 0)}.get(alignment.orientation or "")
            whole = np.array([*(alignment.transform or step or ()), 0, 0, 1], float).reshape(3, 3) @ whole
        p, q, r, s, t, u = (float(one) for one in whole[:2].ravel())
        return image, Alignment(transform=(p, q, r, s, t, u), overlap_a=0.56)

    return edit


MIRRORED = turned(Image.Transpose.FLIP_LEFT_RIGHT, "mirrored")
CLOCKWISE = turned(Image.Transpose.ROTATE_270, "turned_90")
EDITS: Mapping[str, tuple[Callable[[Image.Image], Edited], str]] = {
    "cropped": (crop(0.22, 0.1, 0.94, 0.86), "55 % of it; agrees at 61 of 64 places"),
    "mirrored": (MIRRORED, "mirrored left to right; pHash is equal"),
    "rotated": (CLOCKWISE, "turned 90° clockwise; pHash differs in 2 of 64 bits"),
    "rotated + cropped": (rotated(14), "turned by 14°; agrees at 48 of 52 places"),
    "cropped + mirrored": (after(crop(0.1, 0.2, 0.8, 1.0), MIRRORED), "56 % of it, mirrored; agrees at 40 places"),
    "overlaid": (captioned, "agrees at 88 of 104 places; the lower 16 % is another picture"),
    "recolored": (recolored, "brighter; agrees at 99 of 99 places"),
    "gray": (gray, "the same without color"),
    "resized + re-encoded": (smaller, "a third of the size; agrees at 70 of 70 places"),
    "bordered": (bordered(0.12), "with a border; agrees at 80 of 80 places"),
}  # fmt: skip


@dataclass
class Shelf:
    """Pictures and their thumbnails."""

    pictures: dict[str, Picture] = field(default_factory=dict)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    images: dict[str, Image.Image] = field(default_factory=dict)

    def add(self, uri: str, image: Image.Image) -> Picture:
        image.thumbnail((320, 320))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=80)
        mean = np.asarray(image.convert("RGB"), np.uint8).reshape(-1, 3).mean(axis=0)
        self.thumbnails[uri] = file.getvalue()
        self.images[uri] = image
        self.pictures[uri] = Picture(
            uri=uri,
            format="jpeg",
            size_bytes=9 * len(file.getvalue()),
            width=4 * image.width,
            height=4 * image.height,
            mean_rgb=(int(mean[0]), int(mean[1]), int(mean[2])),
        )
        return self.pictures[uri]

    def vectors(self, uris: Sequence[str]) -> NDArray[np.float64]:
        """Small colored versions of the pictures, centered and of unit length: (n, 192)."""
        small = [np.asarray(self.images[uri].convert("RGB").resize((8, 8)), np.float64).ravel() for uri in uris]
        centered = np.stack(small) - np.mean(small, axis=0)
        unit: NDArray[np.float64] = centered / np.linalg.norm(centered, axis=1, keepdims=True)
        return unit


def photo_report(photos: Path, points: int | None = None) -> ReportContent:
    """Every section from real photos. `points` asks for a map of that many made places instead of the photos'."""
    shelf = Shelf()
    originals = [
        shelf.add(f"photos/{path.name}", Image.open(path).convert("RGB")) for path in sorted(photos.glob("*.jpg"))
    ]
    groups = _groups(shelf, originals)
    uris = [one.uri for one in originals]
    vectors = shelf.vectors(uris)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)

    def near(row: int, labels: Sequence[str] | None = None) -> list[Neighbor]:
        return [
            Neighbor(
                picture=originals[i], likeness=float(likeness[row, i]), label=labels[i] if labels is not None else None
            )
            for i in np.argsort(-likeness[row], kind="stable")[:6].tolist()
        ]

    lonely = np.argsort(likeness.max(axis=1), kind="stable")[:6].tolist()
    labels = ["harbor" if v[0] > 0 else "portrait" if v[1] > 0 else "mountain landscape" for v in vectors]
    members = [
        np.flatnonzero(np.array(labels) == name).tolist() for name in ("harbor", "portrait", "mountain landscape")
    ]
    copies = [one for group in groups for one in group.others]
    every = [*originals, *(copy.picture for copy in copies)]
    return ReportContent(
        title="demo-photos",
        summary=figures(len(every) + 1, 1),
        groups=groups,
        pairs=[_pair(shelf, originals[3])],
        series=[
            Series(pictures=originals[4:7], reason="three views within a minute; nearest is 0.93 alike"),
            Series(pictures=originals[9:14], reason="the same place; agrees at 9 places, but not in between"),
        ],
        verification=Verification(candidates=1_204, verified=310, remembered=894),
        leaks=Leaks(
            column="split",
            sizes={"train": 3_068, "validation": 341, "test": 372},
            leaks=[
                Leak(
                    pair=Pair(
                        a=group.keep,
                        b=member.picture,
                        relation=member.relation,
                        score=member.score,
                        reason=member.reason,
                        alignment=member.alignment,
                    ),
                    a_split="train",
                    b_split="validation" if number == 2 else "test",
                )
                for number, group in enumerate(groups[:4])
                for member in group.others[:1]
            ],
        ),
        labels=Labels(
            column="label",
            suspects=[
                Suspect(
                    picture=originals[row],
                    given="harbor" if labels[row] != "harbor" else "portrait",
                    suggested=labels[row],
                    score=0.93 - 0.07 * place,
                    reason=f"5 of 6 neighbors are {labels[row]}; nearest is {near(row)[0].picture.uri}",
                    neighbors=near(row, labels),
                )
                for place, row in enumerate([2, 8, 14, 20])
            ],
            overlaps=[
                Overlap(one="harbor", other="mountain landscape", images=31, share=0.22),
                Overlap(one="portrait", other="harbor", images=7, share=0.05),
            ],
        ),
        outliers=[
            Outlier(
                picture=originals[row],
                score=float(1 - likeness[row].max()),
                reason=f"nearest is {near(row)[0].picture.uri} at {likeness[row].max():.2f}",
                neighbors=near(row),
            )
            for row in lonely
        ],
        clusters=None
        if points
        else Clusters(
            clusters=[
                Cluster(
                    number=number,
                    size=len(rows),
                    representatives=[originals[row] for row in rows],
                    tightness=0.9 - 0.17 * number,
                    distinctive=["darker than the rest", "mostly FUJIFILM", "2000 to 2003"][: 4 - number],
                    name=None if number != 2 else "People and animals",
                )
                for number, rows in enumerate(sorted(members, key=len, reverse=True), 1)
                if rows
            ],
            alone=2,
        ),
        map=_map(shelf, every, points),
        issues=[Issue(picture=originals[3], kind="dark", score=0.7, reason="half of it is darker than 8 %")],
        failures=[Failure(uri="photos/broken.jpg", status="damaged", reason="cut off after 12 kB")],
        pictures=every,
        thumbnails=lambda wanted: {uri: shelf.thumbnails[uri] for uri in wanted if uri in shelf.thumbnails},
        version="1.2.3",
    )


def _groups(shelf: Shelf, originals: Sequence[Picture]) -> list[Group]:
    """One group for each edit, and one with all of them."""

    def member(keep: Picture, relation: str) -> Member:
        edit, reason = EDITS[relation]
        image, alignment = edit(shelf.images[keep.uri])
        stem = Path(keep.uri).stem
        copy = shelf.add(f"copies/{stem} {relation.replace(' ', '_')}.jpg", image.copy())
        return Member(picture=copy, relation=relation, score=0.97, reason=reason, alignment=alignment)

    chosen = [originals[i] for i in (0, 18, 2, 7, 11, 17, 19, 20, 21, 22)]
    groups = [
        Group(keep=keep, why="larger, and 11 times the bytes", others=[member(keep, relation)])
        for keep, relation in zip(chosen, EDITS, strict=True)
    ]
    keep = originals[26]
    others = [member(keep, relation) for relation in EDITS]
    exact = shelf.add(
        "a folder with a long name/of which nothing is known/" + "very_long_name_" * 8 + ".jpg",
        shelf.images[keep.uri].copy(),
    )
    others.append(Member(picture=exact, relation="identical", score=1.0, reason="same bytes"))
    return [*groups, Group(keep=keep, why="in the collection's main folder, and larger", others=others)]


def _pair(shelf: Shelf, original: Picture) -> Pair:
    """Two crops of one photo, which each show something that the other does not."""
    image = shelf.images[original.uri]
    left, right = crop(0, 0, 0.7, 0.9)(image)[0], crop(0.25, 0.2, 1, 1)(image)[0]
    transform = (0.7 / 0.75, 0, -0.25 / 0.75, 0, 0.9 / 0.8, -0.2 / 0.8)
    return Pair(
        a=shelf.add("copies/left.jpg", left.copy()),
        b=shelf.add("copies/right.jpg", right.copy()),
        relation="cropped",
        score=0.91,
        reason="agrees at 22 of 24 places",
        alignment=Alignment(transform=transform, overlap_a=0.5, overlap_b=0.525),
    )


def _map(shelf: Shelf, pictures: Sequence[Picture], points: int | None) -> Map:
    if points is None:
        vectors = shelf.vectors([one.uri for one in pictures])
        _, _, axes = np.linalg.svd(vectors, full_matrices=False)
        places = vectors @ axes[:2].T
        numbers = [1 if x > 0 else 2 if y > 0 else 3 for x, y in places]
        return Map(pictures=pictures, x=places[:, 0].tolist(), y=places[:, 1].tolist(), clusters=numbers)
    random = np.random.default_rng(20)
    chosen = random.integers(1, 26, points)
    middles = random.normal(size=(26, 2)) * (7, 4)
    places = middles[chosen] + random.normal(size=(points, 2)) * random.uniform(0.2, 1.2, (26, 2))[chosen]
    return Map(
        pictures=[pictures[i % len(pictures)] for i in range(points)],
        x=places[:, 0].tolist(),
        y=places[:, 1].tolist(),
        clusters=[None if number > 22 else number for number in chosen.tolist()],
    )


if __name__ == "__main__":
    write_report(Path(sys.argv[2]), photo_report(Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
