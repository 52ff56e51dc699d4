"""What is said of work that several processes share."""

from typing import Any

import pytest

from tintype.cli.output import Line, Table
from tintype.cli.work_words import helped_blocks

HELPED: dict[str, Any] = {
    "collection": "/photos/.tintype",
    "images": 1500,
    "updated": 400,
    "status": {"damaged": 2, "ok": 1098},
    "shards": 7,
    "waiting": 3,
    "given_up": 0,
    "scanned_by": "process 7 on host",
    "superseded": False,
    "problems": [{"uri": "a.jpg", "reason": "stage phash failed"}],
    "seconds": 75.0,
    "images_per_second": 20.0,
    "cpu_seconds": 70.0,
    "bottleneck": "decode",
}


def said(document: dict[str, Any]) -> list[str]:
    return [block.text if isinstance(block, Line) else str(block.rows) for block in helped_blocks(document)]


def test_a_helper_says_what_it_did_and_who_takes_it_in() -> None:
    assert said(HELPED) == [
        "1,500 images done here, in 7 shards",
        "New or changed: ok 1,098, damaged 2",
        "New columns of known images: 400",
        "1 min 15 s, 20 images/s, 70.0 s of CPU; most time went to: decode",
        "/photos/.tintype is scanned by process 7 on host, which takes it in",
        "[('a.jpg', 'stage phash failed')]",
    ]
    assert any(isinstance(block, Table) for block in helped_blocks(HELPED))


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        (
            {"scanned_by": None},
            "Nobody scans /photos/.tintype any more: scan again to take in the 3 shards that are done",
        ),
        (
            {"superseded": True},
            "Another scan has begun since; it does what was not done. To help it: tintype work /photos",
        ),
        ({"given_up": 2}, "2 shards were given up; why: tintype status /photos/.tintype"),
        ({"scanned_by": None, "waiting": 0}, "1 min 15 s, 20 images/s"),
    ],
    ids=["nobody scans", "another scan", "given up", "all is taken in"],
)
def test_it_says_what_to_do_where_there_is_something(changes: dict[str, Any], last: str) -> None:
    assert said(HELPED | changes | {"problems": []})[-1].startswith(last)
