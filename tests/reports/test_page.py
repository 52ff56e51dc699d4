"""The page holds what it was handed, harmlessly, in bounds, and the same each time."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_makers import figures, jpeg, picture, read, report_of, thumbnails, without_findings

from tintype.core.names import shown
from tintype.reports import palette
from tintype.reports.content import Bounds, Failure, Group, Issue, Member, ReportContent
from tintype.reports.page import render
from tintype.reports.summary import ModelValues, summary

HOSTILE = [
    "<img src=x onerror=alert(1)>.jpg",
    '"><script>alert(1)<',
    "'onmouseover='alert(1)",
    "]]><!--.jpg",
    "--><!--<!-- .jpg",
    "line\nbreak\r\n\x1b[31mred\x00.jpg",
    "\u202egpj.exe\u2028\u2029",
    "{{ 7*7 }}{% raw %}",
    "&lt;&amp;&#60;&#x3c;",
    "-rf --no-preserve-root",
    "half \ud800 surrogate",
    "%FF%00",
    "zal\u0341\u0342go" + "\u0341" * 50,
    "x" * 5000,
]


def test_shows_what_it_was_handed() -> None:
    page = read(render(report_of("a b.jpg", text="pHash differs in 2 bits")))
    for words in ("keep/", "other/", "a b.jpg", "pHash differs in 2 bits", "4000 × 3000", "1.2 MB", "2008-05-30 15:56"):
        assert words in page.text
    for words in ("Canon EOS 40D", "Keep", "exact", "0.75", "Too dark", "damaged", "Tintype 1.2.3", "version 7"):
        assert words in page.text


def test_says_what_models_computed_and_of_what() -> None:
    made = (ModelValues("a", "onnx:fp32:cpu", "originals", 1), ModelValues("b", "x<b>", "thumbnails", 2))
    content = dataclasses.replace(report_of(), summary=dataclasses.replace(figures(), models=made))
    said = "Computed by models: a of 1 image by onnx:fp32:cpu; b of 2 images by x&lt;b&gt;, from thumbnails."
    assert said in "".join(render(content))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_change_no_markup(name: str) -> None:
    assert _skeleton(render(report_of(name.replace("/", ""), text=name))) == PLAIN


def test_a_script_that_ends_itself_is_shown_as_text() -> None:
    page = read(render(report_of(text="</script><script>alert(1)</script>")))
    assert "</script><script>alert(1)</script>" in page.text
    assert [tag for tag, _ in page.tags].count("script") == 1


@settings(max_examples=60)
@given(name=st.text(min_size=1).map(lambda text: text.replace("/", "_")), text=st.text(min_size=1))
def test_no_name_changes_the_markup(name: str, text: str) -> None:
    page = render(report_of(name, text=text))
    assert _skeleton(page) == PLAIN
    assert shown(name) in read(page).text
    page.encode("utf-8")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_character_of_a_name_is_invisible(name: str) -> None:
    page = render(report_of(name))
    assert {c for c in page if not c.isprintable()} == {"\n"}
    assert shown(name.rpartition("/")[2]) in read(page).text


def _skeleton(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Tags with the names of their attributes, and ids, classes and numbers; not where names may break."""
    markup = read(page)
    assert not markup.errors
    told = ("id", "class", "data-thumbnail", "href", "type")
    return [
        (tag, tuple(f"{name}={value}" if name in told else name for name, value in pairs))
        for tag, pairs in markup.tags
        if tag != "wbr"
    ]


PLAIN = _skeleton(render(report_of("a.jpg")))


def test_the_same_content_gives_the_same_bytes() -> None:
    assert render(report_of()) == render(report_of())


def test_the_policy_names_exactly_the_style_and_the_script_of_the_page() -> None:
    page = read(render(report_of()))
    policy = next(value for value in page.values("content") if "default-src" in value)
    for kind in ("style", "script"):
        assert len(page.raw[kind]) == 1
        digest = base64.b64encode(hashlib.sha256(page.raw[kind][0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    # What the policy would refuse must not be there either.
    assert not page.values("style")
    assert not [name for _, pairs in page.tags for name, _ in pairs if name.startswith("on")]


def test_nothing_points_outside_of_the_file() -> None:
    markup = read(render(report_of()))
    links = [*markup.values("href"), *markup.values("src"), *markup.values("srcset"), *markup.values("action")]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    code = "".join(markup.raw["style"] + markup.raw["script"])
    assert not re.search(r"https?:|//\w|@import|url\(|fetch\(|XMLHttp|WebSocket|sendBeacon|import\(", code)


def test_every_link_within_the_page_has_its_target() -> None:
    markup = read(render(report_of()))
    targets = set(markup.values("id"))
    assert {link[1:] for link in markup.values("href") if link.startswith("#")} <= targets
    assert set(" ".join(markup.values("aria-labelledby")).split()) <= targets
    assert len(markup.values("id")) == len(targets)


def test_what_script_and_style_look_for_is_there() -> None:
    markup = read(render(report_of()))
    script = markup.raw["script"][0]
    assert {f"{found}" for found in re.findall(r'byId\("([\w-]+)"\)', script)} <= set(markup.values("id"))
    assert {f"t{number}" for number in markup.values("data-thumbnail")} <= set(markup.values("id"))
    assert all(label for label in markup.values("aria-label"))
    assert len(markup.values("alt")) == sum(tag == "img" for tag, _ in markup.tags)


def test_thumbnails_stand_in_the_page_byte_for_byte() -> None:
    images = {f"{n}.jpg": jpeg((n * 40, 0, 0)) for n in range(4)}
    pictures = [picture(uri) for uri in images]
    page = read(render(without_findings(groups=None, issues=None, pictures=pictures, thumbnails=lambda uris: images)))
    assert sorted(base64.b64decode(text) for text in page.thumbnails) == sorted(images.values())


def test_each_picture_is_embedded_once_however_often_it_is_shown() -> None:
    page = read(render(report_of()))
    assert len(page.thumbnails) == 3
    assert len(page.values("data-thumbnail")) > 3


def test_equal_thumbnails_of_fifty_thousand_copies_are_embedded_once() -> None:
    one = jpeg()
    members = [Member(picture=picture(f"{n}.jpg"), relation="identical", score=1, reason="") for n in range(50_000)]
    content = without_findings(
        groups=[Group(keep=picture("a.jpg"), why="first", others=members)],
        pictures=[picture(f"{n}.jpg") for n in range(50_000)],
        thumbnails=lambda uris: dict.fromkeys(uris, one),
        issues=(),
    )
    page = render(content, Bounds(pictures=2_000))
    assert len(read(page).thumbnails) == 1
    assert "49,901 more files of this group" in read(page).text
    assert len(page) < 5_000_000


def test_only_jpegs_are_embedded() -> None:
    page = read(render(report_of(thumbnails=lambda uris: dict.fromkeys(uris, b"<svg onload=alert(1)>"))))
    assert not page.thumbnails
    assert "no thumbnail" in page.text


def test_ten_thousand_pictures_stay_in_bounds_and_what_is_left_out_is_said() -> None:
    asked = 0

    def some(uris: Sequence[str]) -> Mapping[str, bytes]:
        nonlocal asked
        asked += len(uris)
        assert len(uris) <= 1_000
        return thumbnails(uris, 11_000)

    pictures = [picture(f"p/{n:05d}.jpg") for n in range(10_000)]
    groups = [
        Group(keep=a, why="larger", others=[Member(picture=b, relation="exact", score=1, reason="same bytes")])
        for a, b in zip(pictures[:2000:2], pictures[1:2000:2], strict=True)
    ]
    issues = [Issue(picture=one, kind="dark", score=0.5, reason="dark") for one in pictures[3000:3500]]
    content = without_findings(
        summary=figures(10_000, 0), groups=groups, issues=issues, failures=(), pictures=pictures, thumbnails=some
    )
    text = render(content, Bounds(max_megabytes=10))
    page = read(text)
    embedded = page.thumbnails
    size = sum(map(len, embedded))
    assert 10_000_000 - 2 * len(embedded[0]) < size <= 10_000_000
    assert len(text) < size + 12_000_000
    assert asked < len(embedded) + 512
    assert f"{10_000 - len(embedded):,} thumbnails left out." in page.text
    assert f"{len(embedded):,} are in it" in page.text
    assert {f"{n:05d}.jpg" for n in range(10_000)} <= set(re.findall(r"\d{5}\.jpg", page.text))
    assert f"{10_000:,} images" in page.text


def test_each_section_gets_a_share_of_too_few_thumbnails() -> None:
    pictures = [picture(f"{n:03d}.jpg") for n in range(300)]
    groups = [
        Group(keep=one, why="larger", others=[Member(picture=two, relation="exact", score=1, reason="same")])
        for one, two in zip(pictures[:100:2], pictures[1:100:2], strict=True)
    ]
    issues = [Issue(picture=one, kind="dark", score=0.5, reason="dark") for one in pictures[100:200]]
    content = without_findings(groups=groups, issues=issues, pictures=pictures[200:])
    page = render(content, Bounds(max_megabytes=60 * len(base64.b64encode(thumbnails(["a"])["a"])) / 1e6))
    assert len(read(page).thumbnails) == 60
    for start, end in (("duplicates", "issues"), ("issues", "failed"), ("sheet", None)):
        part = page[page.index(f'<section id="{start}"') : page.index(f'<section id="{end}"') if end else None]
        assert part.count("data-thumbnail=") >= 7


def test_what_goes_beyond_a_bound_is_counted_and_said() -> None:
    one = picture("a.jpg")
    members = [Member(picture=picture(f"{n}.jpg"), relation="exact", score=1, reason="same") for n in range(9)]
    content = without_findings(
        groups=[Group(keep=one, why="larger", others=members)] * 5,
        issues=[Issue(picture=one, kind="dark", score=1, reason="dark")] * 5,
        failures=[Failure(uri="b", status="damaged", reason="cut")] * 5,
        problems=[("c", "cannot be read")] * 5,
        pictures=[picture(f"p{n}.jpg") for n in range(10)],
        summary=figures(10),
    )
    bounds = Bounds(groups=2, members=4, issues=1, failures=3, problems=4, pictures=5)
    text = " ".join(read(render(content, bounds)).text.split())
    assert "5 groups with 45 copies" in text
    assert "3 more groups not shown here" in text
    assert "6 more files of this group" in text
    assert "4 more pictures not shown here" in text
    assert "2 more files not shown here" in text
    assert "1 more problem not shown here" in text
    assert "5 of 10 images" in text


def test_an_empty_collection_makes_a_page() -> None:
    page = read(render(ReportContent(title="empty", summary=summary([]), groups=(), issues=())))
    assert "No images were found here." in page.text
    assert "No duplicates were found." in page.text
    assert not page.thumbnails


def test_a_collection_of_failures_only_makes_a_page() -> None:
    failures = [Failure(uri=f"{n}.jpg", status="damaged", reason="cut off after 12 bytes") for n in range(3)]
    content = ReportContent(title="broken", summary=figures(3, 3), failures=failures)
    page = read(render(content))
    assert "3 could not be used" in page.text
    assert page.text.count("cut off after 12 bytes") == 3
    assert "Duplicates" not in page.text


def test_what_nobody_looked_for_is_not_called_absent() -> None:
    assert "No picture is there twice" not in read(render(report_of(groups=None))).text
    assert "No picture is there twice" in read(render(report_of(groups=()))).text


def test_a_kept_picture_among_its_own_others_is_shown_once() -> None:
    keep = picture("a.jpg")
    again = Member(picture=keep, relation="exact", score=1, reason="its own copy")
    other = Member(picture=picture("b.jpg"), relation="exact", score=1, reason="same")
    page = read(render(report_of(groups=[Group(keep=keep, why="larger", others=[again, other])])))
    assert "its own copy" not in page.text
    assert "2 files" in page.text


def test_only_facts_that_differ_from_the_kept_picture_are_marked() -> None:
    keep, same, smaller = picture("a.jpg"), picture("b.jpg"), picture("c.jpg", width=400, height=300)
    others = [Member(picture=one, relation="copy_turned", score=0.9, reason="turned") for one in (same, smaller)]
    text = render(report_of(groups=[Group(keep=keep, why="larger", others=others)]))
    assert re.findall(r'class="differs"><dt>(\w+)</dt><dd>([^<]+)', text) == [("Pixels", "400 × 300")]
    assert "copy turned" in text


def test_names_and_pictures_are_there_without_javascript() -> None:
    page = read(render(report_of("without.jpg")))
    assert page.text.count("without.jpg") >= 6
    assert "Without JavaScript" in page.text
    assert "#store" in page.values("href")
    assert len(page.thumbnails) == 3
    assert all(base64.b64decode(text).startswith(b"\xff\xd8") for text in page.thumbnails)
    assert re.search(r"All pictures in this file\s+keep/without.jpg\s+other/without.jpg\s+dark/without.jpg", page.text)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(theme: str) -> None:
    """WCAG 2.1 AA asks for a contrast of 4.5 for text and 3 for marks of plots."""
    colors = _colors(theme)
    for ground in ("paper", "card"):
        for text in ("ink", "soft", "accent"):
            assert _contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
        assert _contrast(colors["mark"], colors[ground]) >= 3
        for color in (*palette.COLORS, palette.GRAY):
            assert _contrast(color, colors[ground]) >= 3, (color, ground)
    assert _contrast(colors["edge"], colors["film"]) >= 4.5
    assert _contrast("#ffffff", colors["mark-fill"]) >= 4.5


def test_each_theme_is_written_once() -> None:
    style = read(render(report_of())).raw["style"][0]
    names = re.findall(r"(--[\w-]+): ", style[: style.index("}")])
    assert len(names) == len(set(names)) >= 12
    assert "prefers-color-scheme" not in style


def _colors(theme: str) -> dict[str, str]:
    style = read(render(report_of())).raw["style"][0]
    style = style[: style.index("}")]
    pairs = re.findall(r"--([\w-]+): (?:light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)|(#[0-9a-f]{6}));", style)
    return {name: both or (light if theme == "light" else dark) for name, light, dark, both in pairs}


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(color[i : i + 2], 16)) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
