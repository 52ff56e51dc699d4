"""Names with newlines, escape codes, HTML, leading dashes and bytes that are not UTF-8: right wherever they go."""

import os
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command import Tintype

from tintype.core.names import path_from_uri
from tintype.testing.pictures import encoded, scene

NAMES = [
    b"new\nline.jpg",
    b"\x1b[31mred\x1b[0m \x07bell.jpg",
    b"<script>alert(1)<img src=x onerror=alert(1)>.jpg",
    b"\"'`&amp;.jpg",
    b"-rf.jpg",
    b"--json.jpg",
    b"\xff\xfe not utf-8.jpg",
    b"caf\xc3\xa9 \xe2\x80\xae gpj.jpg",
    b"100%41 #1.jpg",
    b"; DROP TABLE images; --'.jpg",
    b" leading and trailing .jpg",
    b"a" * 251 + b".jpg",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Each name twice, so that every command has something to say about it."""
    root = os.fsencode(tmp_path / "root")
    for folder in (root, root + b"/-o\n<b>"):
        os.makedirs(folder)
        for number, name in enumerate(NAMES):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(encoded(scene(number, 200, 150)))
    return tmp_path / "root"


def test_json_names_lead_back_to_the_files(tintype: Tintype, root: Path) -> None:
    assert tintype("scan", root).code == 0
    found = tintype("duplicates", root, "--json")
    assert found.stdout.isascii()
    uris = {uri for group in found.json["groups"] for uri in group["members"]}
    assert len(uris) == 2 * len(NAMES)
    for uri in uris:
        assert os.path.isfile(os.path.join(os.fsencode(root), path_from_uri(uri)))


def test_a_terminal_gets_no_control_characters(tintype: Tintype, root: Path) -> None:
    tintype("scan", root)
    for command in ("duplicates", "issues", "info"):
        ran = tintype(command, root)
        assert ran.code == 0
        assert all(char == "\n" or char.isprintable() for char in ran.stdout), command
    assert r"new\nline.jpg" in tintype("duplicates", root).stdout


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.handlers: list[tuple[str, str]] = []
        self.scripts = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" and dict(attrs).get("type") in (None, "text/javascript", "module")
        self.handlers += [(tag, name) for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_report_shows_names_and_runs_none(tintype: Tintype, root: Path, tmp_path: Path) -> None:
    tintype("scan", root)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.jpg").write_bytes(encoded(scene(1)))
    tintype("scan", tmp_path / "plain")
    pages = []
    for place in (root, tmp_path / "plain"):
        page = tmp_path / f"{place.name}.html"
        assert tintype("report", place, "-o", page).code == 0
        tags = Tags()
        tags.feed(page.read_text())
        pages.append(tags)
    hostile, plain = pages
    assert hostile.handlers == []
    assert hostile.scripts == plain.scripts
    assert "alert(1)" in "".join(hostile.text)


def test_a_name_that_looks_like_a_flag_is_a_file_after_two_dashes(tintype: Tintype, tmp_path: Path) -> None:
    folder = tmp_path / "--help"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encoded(scene(1)))
    assert tintype("scan", "--json", "--", "--help", cwd=tmp_path).json["images"] == 1
