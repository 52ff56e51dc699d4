"""Each section shows what was found, counts all of it, and says honestly what it leaves out or never looked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from photo_makers import EDITS, photo_report
from report_makers import figures, jpeg, picture, read, report_of, without_findings

from tintype.reports.content import (
    Alignment,
    Bounds,
    Cluster,
    Clusters,
    Group,
    Labels,
    Leak,
    Leaks,
    Map,
    Member,
    Neighbor,
    Outlier,
    Overlap,
    Pair,
    ReportContent,
    Series,
    Suspect,
    Told,
    Verification,
)
from tintype.reports.page import render
from tintype.reports.summary import summary

A, B, C = (picture(f"{name}.jpg") for name in "abc")


def words_of(content: ReportContent, bounds: Bounds | None = None, section: str | None = None) -> str:
    """The text of the page or of one section, with single spaces."""
    page = render(content, bounds)
    if section is not None:
        start = page.index(f'<section id="{section}"')
        page = page[start : page.index("</section>", start)]
    return " ".join(" ".join(read(page.replace("<wbr>", "")).texts).split())


def pair(a: str = "a.jpg", b: str = "b.jpg", relation: str = "cropped", **facts: object) -> Pair:
    usual: dict[str, object] = {"score": 0.9, "reason": "agrees at 40 places"}
    return Pair(a=picture(a), b=picture(b), relation=relation, **{**usual, **facts})  # type: ignore[arg-type]  # wrong on purpose, or of many types


# Copies


def test_each_member_of_a_group_has_its_own_relation() -> None:
    members = [
        Member(picture=B, relation="cropped + mirrored", score=0.97, reason="half of it"),
        Member(picture=C, relation="gray", score=0.88, reason="no color"),
    ]
    text = words_of(without_findings(groups=[Group(keep=A, why="larger", others=members)]), section="duplicates")
    assert re.search(r"b\.jpg cropped mirrored 0\.97 half of it", text)
    assert re.search(r"c\.jpg gray 0\.88 no color", text)


def test_copies_are_counted_by_each_word_of_their_relation() -> None:
    members = [Member(picture=picture(f"{n}.jpg"), relation="gray", score=1, reason="") for n in range(3)]
    members.append(Member(picture=B, relation="cropped + gray", score=1, reason=""))
    bounds = Bounds(members=2, groups=1)
    text = words_of(without_findings(groups=[Group(keep=A, why="", others=members)] * 2), bounds, "duplicates")
    assert "gray 8 cropped 2" in text


def test_what_both_pictures_show_is_framed_and_said() -> None:
    alignment = Alignment(transform=(2, 0, -1, 0, 1, 0), overlap_a=0.5, overlap_b=1.0)
    page = render(
        without_findings(
            groups=None, pairs=[pair(alignment=alignment)], thumbnails=lambda uris: dict.fromkeys(uris, jpeg())
        )
    )
    assert page.count('class="marks"') == 1
    assert '<path class="frame-line" d="M200 0' in page
    assert "50 % of the other, all of this one" in read(page).text
    assert 'data-lies="0.5 0 0.5 0 1 0"' in page


def test_nothing_is_drawn_over_a_picture_that_is_not_there() -> None:
    alignment = Alignment(transform=(2, 0, -1, 0, 1, 0))
    page = render(without_findings(pairs=[pair(alignment=alignment)], thumbnails=lambda uris: {}))
    assert 'class="marks"' not in page


def test_pairs_are_shown_where_nobody_made_groups() -> None:
    text = words_of(without_findings(groups=None, pairs=[pair()] * 3), Bounds(pairs=2), "duplicates")
    assert "Pairs outside of groups 3" in text
    assert "1 more pair not shown here" in text
    assert "No duplicates" not in text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1_204, 310, 894), "of 310 were laid over each other to make sure, 894 pairs were remembered from before."),
        ((1, 1, 0), "1 pair looked alike at first sight: the pictures of 1 were laid over each other to make sure."),
        ((0, 0, 0), "No two pictures looked alike at first sight."),
    ],
)
def test_verified_pairs_are_counted(numbers: tuple[int, int, int], text: str) -> None:
    candidates, verified, remembered = numbers
    verification = Verification(candidates=candidates, verified=verified, remembered=remembered)
    assert text in words_of(without_findings(groups=(), verification=verification), section="duplicates")


def test_photos_of_one_scene_stand_apart_from_copies() -> None:
    content = without_findings(groups=(), series=[Series(pictures=[A, B, C], reason="one place")] * 4)
    text = words_of(content, Bounds(series=3, members=2), "series")
    assert "4 series of photos" in text
    assert "not copies" in text
    assert text.count("and 1 more photo of this series") == 3
    assert "1 more series not shown" in text
    assert "No duplicates were found" in words_of(content, section="duplicates")


# Leaks


def leaks_of(*crossings: tuple[str, str, str, str], **facts: object) -> Leaks:
    leaks = [Leak(pair=pair(a, b), a_split=one, b_split=other) for a, b, one, other in crossings]
    return Leaks(column="split", leaks=leaks, **facts)  # type: ignore[arg-type]  # wrong on purpose, or of many types


def test_leaks_are_counted_for_each_two_splits_in_either_direction() -> None:
    leaks = leaks_of(
        ("1.jpg", "2.jpg", "train", "test"),
        ("3.jpg", "1.jpg", "test", "train"),
        ("1.jpg", "5.jpg", "train", "validation"),
        sizes={"train": 2_000, "validation": 50, "test": 100},
    )
    text = words_of(without_findings(leaks=leaks), Bounds(pairs=1), "leaks")
    assert "3 pairs of copies" in text
    assert "train and test 2 train: 1 of 2,000 images (< 1 %) test: 2 of 100 images (2 %) 2 cropped" in text
    assert "train and validation 1 train: 1 of 2,000 images (< 1 %) validation: 1 of 50 images (2 %) 1 cropped" in text
    assert "2 more pairs not shown here; the table above counts them" in text


def test_leaks_name_the_split_of_each_picture_and_need_no_sizes() -> None:
    text = words_of(without_findings(leaks=leaks_of(("1.jpg", "2.jpg", "train", "test"))), section="leaks")
    assert "test: 1 image train: 1 image" in text
    assert re.search(r"train 1\.jpg .* test 2\.jpg", text)


def test_no_leak_is_said() -> None:
    assert "No picture stands on both sides of a split in “fold”" in words_of(
        without_findings(leaks=Leaks(column="fold", leaks=()))
    )


# Labels


def suspect(given: str, suggested: str | None, *neighbors: Neighbor) -> Suspect:
    return Suspect(picture=A, given=given, suggested=suggested, score=0.8, reason="5 of 6 say so", neighbors=neighbors)


def test_suspects_show_both_labels_and_their_neighbors() -> None:
    near = [Neighbor(picture=B, likeness=0.91, label="dog"), Neighbor(picture=C, likeness=0.5, label="cat")]
    page = render(without_findings(labels=Labels(column="kind", suspects=[suspect("cat", "dog", *near)])))
    assert '<dd class="given">cat</dd>' in page
    assert '<dd class="suggested">dog</dd>' in page
    assert '<span class="badge good">dog</span>' in page
    assert '<span class="badge">cat</span>' in page
    assert "b.jpg dog 0.91" in " ".join(read(page).text.split())


def test_what_is_taken_for_what_is_counted_beyond_what_is_shown() -> None:
    suspects = [suspect("cat", "dog")] * 5 + [suspect("cat", None)] * 2 + [suspect(f"{n}", "dog") for n in range(20)]
    labels = Labels(
        column="kind", suspects=iter(suspects), overlaps=[Overlap(one="cat", other="dog", images=1, share=0.2)] * 4
    )
    text = words_of(without_findings(labels=labels), Bounds(suspects=3, overlaps=3), "labels")
    assert "Labels to look at again 27" in text
    assert "cat → dog 5 cat → ? 2" in text
    assert "10 others" in text
    assert "24 more labels not shown here" in text
    assert text.count("20 % · 1 image") == 3
    assert "1 more pair of classes not shown here" in text


def test_no_more_neighbors_than_the_bound_are_shown() -> None:
    near = [Neighbor(picture=picture(f"n{n}.jpg"), likeness=0.5) for n in range(50)]
    content = without_findings(
        labels=Labels(column="kind", suspects=[suspect("cat", "dog", *near)]),
        outliers=[Outlier(picture=A, score=1, reason="far", neighbors=near)],
    )
    for section in ("labels", "outliers"):
        assert len(re.findall(r"n\d+\.jpg", words_of(content, Bounds(neighbors=4), section))) == 4


def test_labels_that_nothing_contradicts_are_said_to_be_so() -> None:
    text = words_of(without_findings(labels=Labels(column="kind", suspects=())), section="labels")
    assert "No label in “kind” is contradicted" in text


# Outliers, clusters, map


def test_outliers_stand_beside_their_nearest() -> None:
    one = Outlier(
        picture=A, score=0.93, reason="nearest is b.jpg at 0.31", neighbors=[Neighbor(picture=B, likeness=0.3125)]
    )
    text = words_of(without_findings(outliers=[one] * 4), Bounds(outliers=3), "outliers")
    assert "4 pictures least like the rest" in text
    assert "nearest is b.jpg at 0.31" in text
    assert "b.jpg 0.31" in text
    assert "1 more outlier not shown here" in text
    assert "No picture stands apart" in words_of(without_findings(outliers=()))


def test_clusters_say_their_size_and_what_is_distinctive() -> None:
    clusters = [
        Cluster(number=n, size=10 - n, representatives=[A, B, C], tightness=0.5, distinctive=["dark", "1998"])
        for n in range(1, 5)
    ]
    content = without_findings(clusters=Clusters(clusters=iter(clusters), alone=7))
    text = words_of(content, Bounds(clusters=2, representatives=2), "clusters")
    assert "4 clusters of 30 pictures that are like each other; 7 more are in none" in text
    assert "Cluster 1 9 pictures alike 0.50 dark 1998 a.jpg" in text
    assert "c.jpg" not in text
    assert "2 more clusters not shown here" in text
    assert "form no clusters" in words_of(without_findings(clusters=Clusters(clusters=())))


def test_the_map_is_there_without_javascript_and_says_what_it_lacks() -> None:
    content = without_findings(map=Map(pictures=[A, B, C], x=[0, 1, float("nan")], y=[0, 1, 2]))
    page = read(render(content))
    assert [source[:22] for source in page.values("src") if source.startswith("data:image/png")] == [
        "data:image/png;base64,"
    ]
    assert "Map of 2 pictures as colored points" in page.values("alt")
    assert "1 picture has no place here" in page.text
    assert "No picture has a place" in words_of(without_findings(map=Map(pictures=(), x=(), y=())))


def test_links_of_the_legend_lead_to_the_clusters_that_are_shown() -> None:
    clusters = [Cluster(number=n, size=1, representatives=[A]) for n in (1, 2)]
    content = without_findings(
        clusters=Clusters(clusters=clusters), map=Map(pictures=[A, B], x=[0, 1], y=[0, 1], clusters=[1, 2])
    )
    page = read(render(content, Bounds(clusters=1)))
    assert "#cluster-1" in page.values("href")
    assert "cluster-1" in page.values("id")
    assert "#cluster-2" not in page.values("href")


# All of them


def test_what_nobody_looked_for_is_named_with_its_command() -> None:
    text = words_of(without_findings(groups=None, issues=None), section="missing")
    for command in (
        "duplicates",
        "leaks --by COLUMN",
        "labels --label COLUMN",
        "outliers",
        "clusters",
        "map",
        "issues",
    ):
        assert f"tintype {command}" in text
    assert '<section id="missing"' not in render(report_of())
    assert '<section id="missing"' not in render(ReportContent(title="empty", summary=summary([])))


def test_sections_of_what_nobody_looked_for_are_absent() -> None:
    page = render(without_findings(groups=None, issues=None, failures=(), problems=(), pictures=()))
    assert re.findall(r'<section id="([\w-]+)"', page) == ["overview", "missing"]


@pytest.mark.parametrize("pictures", [0, 1])
def test_findings_of_a_tiny_collection_make_a_page(pictures: int) -> None:
    shown = [A][:pictures]
    content = ReportContent(
        title="tiny",
        summary=figures(pictures, 0),
        groups=(),
        series=(),
        leaks=Leaks(column="split", leaks=()),
        labels=Labels(column="label", suspects=()),
        outliers=[Outlier(picture=one, score=1.0, reason="it is alone") for one in shown],
        clusters=Clusters(clusters=[], alone=pictures),
        map=Map(pictures=shown, x=[0.0] * pictures, y=[0.0] * pictures),
        issues=(),
        pictures=shown,
    )
    assert len(read(render(content)).text) > 200


def test_every_section_gets_a_share_of_too_few_thumbnails() -> None:
    def some(name: str) -> list[Pair]:
        return [pair(f"{name}{n}a.jpg", f"{name}{n}b.jpg") for n in range(60)]

    def copy_of(one: Pair) -> Member:
        return Member(picture=one.b, relation="gray", score=1, reason="")

    content = report_of(
        groups=[Group(keep=one.a, why="", others=[copy_of(one)]) for one in some("g")],
        pairs=some("p"),
        series=[Series(pictures=[one.a, one.b], reason="") for one in some("s")],
        leaks=Leaks(column="split", leaks=[Leak(pair=one, a_split="a", b_split="b") for one in some("l")]),
        labels=Labels(
            column="label",
            suspects=[Suspect(picture=one.a, given="x", suggested="y", score=1, reason="") for one in some("c")],
        ),
        outliers=[Outlier(picture=one.a, score=1, reason="") for one in some("o")],
        clusters=Clusters(
            clusters=[Cluster(number=n, size=1, representatives=[one.a]) for n, one in enumerate(some("k"))]
        ),
        pictures=[one.a for one in some("e")],
        summary=figures(60, 0),
    )
    page = render(content, Bounds(max_megabytes=150 * len(jpeg()) * 4 / 3 / 1e6))
    for section in ("map", "clusters", "duplicates", "series", "leaks", "labels", "outliers", "issues", "sheet"):
        start = page.index(f'<section id="{section}"')
        assert "data-thumbnail=" in page[start : page.index("</section>", start)], section
    assert "thumbnails left out" in read(page).text


def test_ten_thousand_groups_are_all_counted_and_the_page_stays_in_bounds() -> None:
    alignment = Alignment(transform=(-2, 0, 2, 0, 1, 0), overlap_a=0.5)

    def groups() -> object:
        for n in range(10_000):
            copy = Member(
                picture=picture(f"{n}b.jpg"), relation="cropped", score=1, reason="half of it", alignment=alignment
            )
            yield Group(keep=picture(f"{n}a.jpg"), why="larger", others=[copy])

    page = render(without_findings(groups=groups(), thumbnails=lambda uris: dict.fromkeys(uris, jpeg())))
    text = " ".join(read(page).text.split())
    assert "10,000 groups with 10,000 copies" in text
    assert "cropped 10,000" in text
    assert "8,000 more groups not shown here" in text
    assert len(page) < 12_000_000


@pytest.fixture(scope="module")
def photos(data: Path) -> ReportContent:
    return photo_report(data / "demo-photos")


def test_real_photos_and_copies_of_them_are_drawn_as_they_were_made(photos: ReportContent) -> None:
    page = render(photos)
    groups = re.findall(r'<article class="group item pair" aria-labelledby="g\d+">.*?</article>', page, re.DOTALL)
    signs = ('class="frame-line"', 'class="letter"', 'class="overlaid"')
    drawn = {relation: tuple(sign in group for sign in signs) for relation, group in zip(EDITS, groups, strict=True)}
    assert drawn == {
        "cropped": (True, False, False),
        "mirrored": (False, True, False),
        "rotated": (False, True, False),
        "rotated + cropped": (True, True, False),
        "cropped + mirrored": (True, True, False),
        "overlaid": (False, False, True),
        "recolored": (False, False, False),
        "gray": (False, False, False),
        "resized + re-encoded": (False, False, False),
        "bordered": (True, False, False),
    }


def test_each_photo_is_embedded_once_and_the_page_is_the_same_each_time(photos: ReportContent) -> None:
    page = render(photos)
    embedded = read(page).thumbnails
    assert len(embedded) == len(set(embedded))
    assert page.count("data-thumbnail=") > 2 * len(embedded)
    assert render(photos) == page


def test_what_models_say_stands_beside_a_picture_and_boxes_are_drawn_over_it() -> None:
    told = Told(
        facts=[("Caption (blip)", "a <b>dog</b>"), ("Objects (detr)", "dog, car")], boxes=[(0.25, 0.5, 0.75, 1.0)]
    )
    page = render(report_of(pictures=[A, B], told=lambda uris: {"a.jpg": told} if "a.jpg" in uris else {}))
    sheet = page[page.index('id="sheet"') :]
    assert sheet.count('class="overlaid"') == 1
    assert '<rect class="overlaid" x="100" y="150" width="200" height="150"/>' in sheet
    assert "<dt>Caption (blip)</dt><dd>a &lt;b&gt;dog&lt;/b&gt;</dd>" in sheet
    assert "<dd>dog, car</dd>" in sheet
