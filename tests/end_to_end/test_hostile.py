"""300 damaged, odd or hostile files among 200 good photos: one run, every image has its row, no good one is blamed."""

import csv
from pathlib import Path

import pytest
from command import Tintype

EXPECTED = {"ok": "ok", "damaged": "damaged", "rejected": "rejected", "not_image": "unsupported"}


def test_every_file_that_says_image_gets_the_right_status(tintype: Tintype, data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("hostile", "photos-imagenet"):
        for path in (data / name).iterdir():
            (root / path.name).write_bytes(path.read_bytes())
    (root / "manifest.csv").unlink()
    scanned = tintype("scan", root, "--json")
    assert scanned.code == 0, scanned.stderr
    assert scanned.json["images"] == 500
    assert scanned.json["skipped"] == {}

    manifest = {row["name"]: row for row in csv.DictReader((data / "hostile" / "manifest.csv").open())}
    found = {row["uri"]: row for row in tintype("issues", root, "--json").json["findings"]}
    failed = {uri: row for uri, row in found.items() if row["issue"] in {*EXPECTED.values(), "timeout", "crashed"}}
    del found
    wrong = []
    for name, row in manifest.items():
        status = failed[name]["issue"] if name in failed else "ok"
        if row["expect"] != "any" and status != EXPECTED[row["expect"]]:
            wrong.append((name, row["expect"], status))
    assert wrong == []
    assert all(row["reason"] and "\n" not in row["reason"] for row in failed.values())
    photos = {path.name for path in (data / "photos-imagenet").iterdir()}
    assert photos & failed.keys() == set()
    assert scanned.json["status"]["ok"] == 500 - len(failed)
    for name in ("tintype-was-unpickled.txt", "tintype-yaml-was-run.txt"):
        assert not Path(name).exists()


@pytest.mark.parametrize("kind", ["tar", "parquet", "csv", "jsonl"])
def test_hostile_archives_and_tables_end_in_rows_or_one_line(
    tintype: Tintype, data: Path, tmp_path: Path, kind: str
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for path in sorted((data / "hostile-archives").glob(f"*.{kind}")):
        outside = sorted(entry.name for entry in work.iterdir())
        place = tmp_path / f"{path.name}.tintype"
        ran = tintype.here(
            "scan", path, "--collection", place, "--workers", "1", "--stages", "exif", "--json", cwd=work
        )
        document = ran.json
        if ran.code:
            assert list(document) == ["schema", "error"], path.name
            assert path.name in document["error"]["message"]
        else:
            rows = sum(document["status"].values())
            assert rows == document["images"], path.name
        assert sorted(entry.name for entry in work.iterdir()) == outside, path.name
    assert not (Path("/tmp/tintype-escaped.jpg")).exists()
