"""The small file beside the table: whatever stands in it, nothing falls over."""

import json
from pathlib import Path

import pytest

from tintype.store.layout import Layout
from tintype.store.listing import data_version, note_same_data, read_listing, write_listing


@pytest.mark.parametrize(
    "content",
    ["", "[]", "5", "{", '{"skipped": [1]}', '{"problems": [1, "x", [1, 2, 3]]}', '{"problems": 5}',
     '{"skipped": {"a": "x"}}', '{"same_data": [1]}', '{"same_data": {"a": 1}}', '{"same_data": ["x", "y"]}'],
)  # fmt: skip
def test_what_nobody_wrote_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "listing.json").write_text(content)
    layout = Layout(tmp_path)
    listing = read_listing(layout)
    assert not listing.get("skipped")
    assert not listing.get("problems")
    assert data_version(layout, 7) == 7


def test_the_version_of_the_data_outlives_a_listing(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_listing(layout, {"other": 2}, [("a", "why")])
    note_same_data(layout, 9, 4)
    write_listing(layout, {"other": 3}, [])
    assert read_listing(layout)["skipped"] == {"other": 3}
    assert (data_version(layout, 9), data_version(layout, 10)) == (4, 10)
    assert json.loads(layout.listing.read_text())["problems"] == []
