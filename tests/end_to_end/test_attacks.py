"""Folders that are laid as traps, or named by mistake: nothing outside is changed, nothing is adopted."""

import os
import shutil
from pathlib import Path

import pytest
from command import Ran, Tintype

from tintype.testing.pictures import fill_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill_folder(tmp_path / "root", 12)
    return tmp_path / "root"


def is_refused(ran: Ran, *words: str) -> None:
    assert ran.code != 0
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("tintype: ")]
    for word in words:
        assert word in line


@pytest.mark.parametrize("part", ["lock", "listing.json", "ledger.sqlite", "cache", "findings", "images.lance"])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_link_in_the_place_of_a_part_is_refused_and_what_it_leads_to_stays(
    tintype: Tintype, root: Path, tmp_path: Path, part: str, is_new: bool
) -> None:
    victim = tmp_path / "victim"
    (victim / "updates").mkdir(parents=True)
    (victim / "updates" / "thesis.txt").write_text("precious")
    (victim / "file").write_text("precious")
    place = root / ".tintype"
    if is_new:
        place.mkdir()
    else:
        assert tintype("scan", root).code == 0
        shutil.rmtree(place / part, ignore_errors=True)
        (place / part).unlink(missing_ok=True)
    is_folder = part in ("cache", "findings", "images.lance")
    (place / part).symlink_to(victim if is_folder else victim / "file")
    is_refused(tintype("scan", root), "link")
    assert (victim / "updates" / "thesis.txt").read_text() == "precious"
    assert (victim / "file").read_text() == "precious"
    assert sorted(path.name for path in victim.iterdir()) == ["file", "updates"]


def test_a_refused_collection_of_somebody_else_is_not_touched(tintype: Tintype, root: Path, tmp_path: Path) -> None:
    assert tintype("scan", root).code == 0
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    lock = root / ".tintype" / "lock"
    lock.unlink()
    os.link(victim, lock)
    stranger = Tintype(tmp_path / "stranger")
    stranger.home.mkdir()
    is_refused(stranger("scan", root), "tintype trust")
    assert stranger("info", root).code == 0
    assert victim.read_text() == "precious"


def test_a_folder_with_other_files_is_no_place_for_a_collection(tintype: Tintype, root: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "cache" / "updates").mkdir(parents=True)
    for name in ("lock", "listing.json", "cache/updates/results.csv", "notes.txt"):
        (project / name).write_text("mine")
    is_refused(tintype("scan", root, "--collection", project), "other files", "--collection")
    for name in ("lock", "listing.json", "cache/updates/results.csv", "notes.txt"):
        assert (project / name).read_text() == "mine"


def test_a_table_without_its_record_is_not_adopted(tintype: Tintype, root: Path, tmp_path: Path) -> None:
    assert tintype("scan", root).code == 0
    (root / ".tintype" / "collection.json").unlink()
    stranger = Tintype(tmp_path / "stranger")
    stranger.home.mkdir()
    is_refused(stranger("scan", root), "collection.json")


def test_a_first_scan_that_died_early_is_begun_again(tintype: Tintype, root: Path) -> None:
    place = root / ".tintype"
    (place / "cache" / "updates").mkdir(parents=True)
    (place / "lock").write_text("")
    (place / "ledger.sqlite").write_text("half a ledger")
    (place / ".collection.json.abcd").write_text("{")
    (place / "images.lance").mkdir()
    assert tintype("scan", root, "--json").json["images"] == 12


def test_a_collection_inside_of_its_root_is_not_scanned_itself(tintype: Tintype, root: Path) -> None:
    is_refused(tintype("scan", root, "--collection", root / "collection"), ".tintype")
    first = tintype("scan", root, "--collection", root / "my.tintype", "--json").json
    again = tintype("scan", root, "--collection", root / "my.tintype", "--json").json
    assert first["skipped"] == again["skipped"] == {}


def test_a_time_after_2262_is_no_trouble(tintype: Tintype, root: Path) -> None:
    path = sorted(root.rglob("*.jpg"))[0]
    os.utime(path, (13_600_000_000, 13_600_000_000))  # the year 2400
    assert tintype("scan", root, "--json").json["status"] == {"ok": 12}
    assert tintype("scan", root, "--json").json["unchanged"] == 12


def test_one_source_of_several_that_is_empty_now_forgets_nothing(tintype: Tintype, tmp_path: Path) -> None:
    for name in "ab":
        fill_folder(tmp_path / name, 6, first_seed=ord(name))
    words = ("scan", tmp_path / "a", tmp_path / "b", "--collection", tmp_path / "c.tintype", "--json")
    assert tintype(*words).json["images"] == 12
    (tmp_path / "b").rename(tmp_path / "elsewhere")
    (tmp_path / "b").mkdir()
    ran = tintype(*words).json
    assert (ran["images"], ran["gone"]) == (12, 0)
    assert "no images there now" in ran["problems"][0]["reason"]


def test_a_stage_that_fails_for_all_rows_later_ends_no_scan(tintype: Tintype, root: Path) -> None:
    assert tintype("scan", root, "--stages", "exif").code == 0
    later = tintype("scan", root, "--stages", "exif,quality", "--set", "limits.pixels=100", "--json")
    assert later.code == 0, later.stderr
    assert later.json["status"] == {"rejected": 12}
    assert tintype("scan", root, "--json").json["status"] == {"ok": 12}


def test_a_glob_is_opened_again_by_the_same_words(tintype: Tintype, root: Path, tmp_path: Path) -> None:
    for number in range(2):
        shutil.make_archive(str(tmp_path / f"shard-{number}"), "tar", root)
    pattern = str(tmp_path / "shard-*.tar")
    assert tintype("scan", pattern, "--json").json["images"] == 24
    assert tintype("info", pattern, "--json").json["images"] == 24
