"""A folder keeps the contract of places, and leaves nothing half-written in anybody's sight."""

import errno
import os
from pathlib import Path

import pytest

from tintype.core.errors import StorageFull
from tintype.store.places.base import Place
from tintype.store.places.local import LocalPlace
from tintype.testing.places import PlaceContract


class TestLocalPlace(PlaceContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return LocalPlace(tmp_path / "place")


@pytest.mark.parametrize("method", ["write", "create"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place = LocalPlace(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        getattr(place, method)("a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_takes_what_dead_writers_left_and_nothing_else(tmp_path: Path) -> None:
    place = LocalPlace(tmp_path)
    place.write("parts/b", b"x")
    place.write("kept/b", b"x")
    for name in ("parts/.b.a8c_efgh", "parts/.DS_Store", "kept/.b.a8c_efgh", ".plan.json.a8c_efgh", ".plan.settings"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "parts" / "empty").mkdir()
    assert list(place.names()) == ["kept/b", "parts/b"]
    place.sweep("parts/")
    place.sweep("plan.json")
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"parts/b", "parts/.DS_Store", "kept/b", "kept/.b.a8c_efgh", ".plan.settings"}
    assert not (tmp_path / "parts" / "empty").exists()
