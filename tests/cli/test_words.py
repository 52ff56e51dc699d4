"""JSON documents in words."""

import pytest

from tintype.cli.finding_words import duplicate_blocks, issue_blocks
from tintype.cli.output import Line, Table
from tintype.cli.words import (
    MAX_PROBLEMS,
    doctor_blocks,
    info_blocks,
    scan_blocks,
    size,
    value_text,
)

SCAN = {
    "images": 1234,
    "status": {"damaged": 4, "ok": 1230},
    "new": 10,
    "changed": 0,
    "moved": 1,
    "gone": 0,
    "unchanged": 1223,
    "skipped": {"other": 3},
    "problems": [],
    "seconds": 75.2,
    "images_per_second": 812.3,
    "cpu_seconds": 140.04,
    "advice": "use more workers",
}


def lines(blocks) -> list[str]:
    return [block.text for block in blocks if isinstance(block, Line)]


def test_a_scan_in_words():
    assert lines(scan_blocks(SCAN)) == [
        "1,234 images: ok 1,230, damaged 4",
        "In this scan: 10 new, 1 moved, 1,223 unchanged",
        "Passed over: other 3",
        "1 min 15 s, 812 images/s, 140.0 s of CPU",
        "use more workers",
    ]


def test_an_empty_scan_in_words():
    empty = (
        SCAN | dict.fromkeys(("images", "new", "moved", "unchanged"), 0) | {"status": {}, "skipped": {}, "advice": None}
    )
    assert lines(scan_blocks(empty))[:2] == ["0 images", "In this scan: nothing to do"]


def test_many_problems_are_cut_and_counted():
    problems = [{"uri": f"{number}.tar", "reason": "cut"} for number in range(MAX_PROBLEMS + 5)]
    *_, table, last = scan_blocks(SCAN | {"problems": problems})
    assert len(table.rows) == MAX_PROBLEMS
    assert last == Line("… and 5 more; --json lists all")


def pair(a: str, b: str, relation: str, score: float, reason: str) -> dict:
    return {"a": a, "b": b, "relation": relation, "score": score, "reason": reason}


def test_each_member_of_a_group_has_its_relation_and_reason():
    document = {
        "pairs": [
            pair("best", "copy", "identical", 1.0, "same bytes"),
            pair("small", "best", "near", 0.9, "hashes differ in 2 bits"),
            pair("small", "far", "near", 0.8, "turned"),
        ],
        "groups": [{"keep": "best", "why": "most pixels", "members": ["best", "copy", "small", "far"]}],
    }
    first, group = duplicate_blocks(document)
    assert first == Line("1 groups; 3 images beside the ones to keep")
    assert group.title == "Group 1: keep best (most pixels)"
    assert group.rows == [
        ("copy", "identical", "1.00", "same bytes"),
        ("small", "near", "0.90", "hashes differ in 2 bits"),
        ("far", "near", "0.80", "turned (with small)"),
    ]


def test_nothing_found_is_said():
    assert lines(duplicate_blocks({"pairs": [], "groups": []})) == ["No duplicates found."]
    assert lines(issue_blocks({"findings": []})) == ["No issues found."]


def test_issues_come_by_kind_the_surest_first():
    findings = [
        {"uri": "a", "issue": "dark", "score": 0.5, "reason": "very"},
        {"uri": "b", "issue": "odd_size", "score": 0.6, "reason": None},
        {"uri": "c", "issue": "dark", "score": 0.9, "reason": "most"},
    ]
    first, dark, odd = issue_blocks({"findings": findings})
    assert first == Line("3 findings about 3 images")
    assert dark == Table("Dark (2)", ("", ">", ""), [("c", "0.90", "most"), ("a", "0.50", "very")])
    assert odd == Table("Odd size (1)", ("", ">", ""), [("b", "0.60", "")])


def histogram(known: int) -> dict:
    return {"known": known, "mean": 1.5 if known else None, "lowest": 1.0, "highest": 12.25, "histogram": []}


INFO = {
    "images": 8,
    "bytes": 12_345_678,
    "status": {"ok": 8},
    "formats": {"jpeg": 8},
    "megapixels": histogram(8),
    "shapes": {"landscape": 6, "portrait": 2, "square": 0},
    "animated": 0,
    "gray": None,
    "with_date": 4,
    "years": {"2004": 4, "unknown": 4},
    "with_camera": 1,
    "cameras": {"named": {"others": 1}, "others": 3, "unknown": 7},
    "with_gps": 2,
    "measures": {"quality": histogram(8), "noise": histogram(0)},
    "skipped": {},
}


def test_a_collection_in_words():
    tables = {block.title: block.rows for block in info_blocks(INFO)}
    assert tables["Collection"] == [
        ("Images", "8"),
        ("Size", "12.3 MB"),
        ("Megapixels", "1.5 on average, from 1 to 12.2"),
        ("Shapes", "6 landscape, 2 portrait"),
        ("With date", "4 (50%)"),
        ("With camera", "1 (12%)"),
        ("With GPS", "2 (25%)"),
        ("Animated", "0 (0%)"),
    ]
    assert tables["Cameras"] == [("others", "1"), ("other cameras", "3"), ("unknown", "7")]
    assert [row[0] for row in tables["Measures"]] == ["Quality"]
    assert "Passed over" not in tables


def test_an_empty_collection_in_words():
    empty = INFO | {"images": 0, "bytes": 0, "megapixels": histogram(0), "status": {"ok": 0}, "measures": {}}
    assert next(iter(info_blocks(empty))).rows == [("Images", "0"), ("Size", "0 bytes")]


def test_what_is_wrong_comes_last():
    checks = [
        {"name": "table", "ok": False, "message": "cut", "mend": "scan again"},
        {"name": "trust", "ok": None, "message": "read only", "mend": None},
        {"name": "record", "ok": True, "message": "fine", "mend": None},
    ]
    document = {"versions": {}, "system": {"memory_bytes": None, "processors": 2}, "extras": [], "checks": checks}
    *_, table = doctor_blocks(document)
    assert [row[:2] for row in table.rows] == [("ok", "record"), ("note", "trust"), ("WRONG", "table")]
    assert table.rows[-1] == ("WRONG", "table", "cut", "scan again")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5 * 10**15, "5,000.0 TB")],
)
def test_sizes_are_said_in_powers_of_a_thousand(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (["a", 1], "[a, 1]"),
        ("no", '"no"'),
        ("plain", "plain"),
        ("", '""'),
        ("12", '"12"'),
    ],
)
def test_values_are_said_as_a_settings_file_has_them(value, text):
    assert value_text(value) == text
