"""Columns made of findings are written beside the others, and make no finding stale."""

from pathlib import Path

import pyarrow as pa
import pytest

import tintype
from tintype.core.columns import DIGEST
from tintype.core.errors import CollectionLocked
from tintype.engine.derived import write_derived
from tintype.engine.scan import locked
from tintype.testing.pictures import fill_folder


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tintype.Collection:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fill_folder(tmp_path / "root", 12)
    return tintype.scan(tmp_path / "root", stages=["phash"])


def values(photos: tintype.Collection, count: int) -> pa.Table:
    digests = photos.table(["digest"])["digest"].unique()[:count]
    return pa.table({"digest": digests, "map_x": pa.array(range(count), pa.float32())})


def test_values_go_to_their_rows_and_others_are_null(photos: tintype.Collection) -> None:
    write_derived(photos.layout, values(photos, 5))
    again = tintype.open(photos.place)
    by_digest = dict(zip(*(values(photos, 5)[name].to_pylist() for name in ("digest", "map_x")), strict=True))
    for row in again.table(["digest", "map_x"]).to_pylist():
        assert row["map_x"] == by_digest.get(row["digest"])
    write_derived(photos.layout, values(photos, 2))
    assert tintype.open(photos.place).table(["map_x"])["map_x"].null_count == 10


def test_findings_still_hold_and_a_scan_makes_them_stale(photos: tintype.Collection, tmp_path: Path) -> None:
    data = tintype.open(photos.place).data_version
    for count in (3, 4):
        write_derived(photos.layout, values(photos, count))
        again = tintype.open(photos.place)
        assert again.version > data
        assert again.data_version == data
    tintype.scan(tmp_path / "root", stages=["phash"])  # nothing new
    assert tintype.open(photos.place).data_version == data
    fill_folder(tmp_path / "root" / "more", 1)
    tintype.scan(tmp_path / "root", stages=["phash"])
    assert tintype.open(photos.place).data_version > data


def test_waits_for_nobody(photos: tintype.Collection) -> None:
    with locked(photos.layout), pytest.raises(CollectionLocked):
        write_derived(photos.layout, pa.table({"digest": pa.array([], DIGEST), "map_x": pa.array([], pa.float32())}))
