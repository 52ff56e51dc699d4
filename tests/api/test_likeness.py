"""Neighbors of a row, of a file from anywhere, and of a vector."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import tintype
from tintype.core.errors import SourceError, UsageError
from tintype.finders.nearest import Nearest

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "examples" / "photos").glob("*.jpg"))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tintype.Collection:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "root"
    root.mkdir()
    for photo in PHOTOS[:13]:
        shutil.copy(photo, root)
    (root / "one.jpg").write_bytes(PHOTOS[0].read_bytes())
    (root / PHOTOS[0].name).unlink()
    halved = cv2.resize(cv2.imread(PHOTOS[0]), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cv2.imwrite(root / "half.jpg", halved)
    (root / "cut.jpg").write_bytes(PHOTOS[1].read_bytes()[:500])
    return tintype.scan(tmp_path / "root")


def uris(found: Nearest) -> list[str]:
    return found.table["b_uri"].to_pylist()


def test_a_row_a_file_and_a_vector_give_the_same(photos: tintype.Collection, tmp_path: Path) -> None:
    by_row = tintype.neighbors(photos, "one.jpg", k=5)
    assert uris(by_row)[0] == "half.jpg"
    assert by_row.table["a_uri"].unique().to_pylist() == ["one.jpg"]
    outside = tmp_path / "elsewhere.jpg"
    shutil.copy(PHOTOS[0], outside)
    by_file = tintype.neighbors(photos, outside, k=6)
    assert uris(by_file) == ["one.jpg", *uris(by_row)]
    vector = photos.table(["uri", "descriptor"], "uri = 'one.jpg'")["descriptor"][0].as_py()
    assert uris(tintype.neighbors(photos, np.array(vector), k=6)) == uris(by_file)


def test_a_filter_lets_only_some_through(photos: tintype.Collection) -> None:
    found = tintype.neighbors(photos, "one.jpg", k=50, where="uri != 'half.jpg' and status = 'ok'")
    assert len(uris(found)) == 12
    assert "half.jpg" not in uris(found)


def test_what_cannot_be_compared_is_refused(photos: tintype.Collection, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="damaged"):
        tintype.neighbors(photos, "cut.jpg")
    with pytest.raises(SourceError, match="neither an image"):
        tintype.neighbors(photos, "missing.jpg")
    with pytest.raises(SourceError, match="neither an image"):
        tintype.neighbors(photos, tmp_path)
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(SourceError, match="unsupported"):
        tintype.neighbors(photos, tmp_path / "text.jpg")
    with pytest.raises(UsageError, match="no column"):
        tintype.neighbors(photos, "one.jpg", vectors="clip")
    with pytest.raises(UsageError, match="holds no vectors"):
        tintype.neighbors(photos, "one.jpg", vectors="width")
    with pytest.raises(UsageError, match="numbers is needed"):
        tintype.neighbors(photos, np.ones(3))
    for vector in (np.zeros(256), np.full(256, np.nan)):
        with pytest.raises(UsageError, match="like nothing"):
            tintype.neighbors(photos, vector)
    with pytest.raises(UsageError, match="of numbers"):
        tintype.neighbors(photos, np.full(256, "x"))
    assert len(uris(tintype.neighbors(photos, np.full(256, 1e300), k=3))) == 3
    with pytest.raises(UsageError, match="at least 1"):
        tintype.neighbors(photos, "one.jpg", k=0)
