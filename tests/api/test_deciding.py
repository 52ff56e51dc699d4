"""A person's verdict is kept with the collection and obeyed by every later answer."""

import shutil
from pathlib import Path

import cv2
import pytest

import tintype
from tintype import api
from tintype.core.errors import CollectionNotTrusted, UsageError
from tintype.testing.pictures import fill_folder

PHOTO = Path(__file__).resolve().parents[2] / "examples" / "photos" / "Casio_EX-S1.jpg"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill_folder(tmp_path / "root", 6)
    photo = cv2.imread(PHOTO)
    cv2.imwrite(tmp_path / "root" / "one.jpg", photo)
    cv2.imwrite(tmp_path / "root" / "half.jpg", cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return tmp_path / "root"


def pairs(photos: tintype.Collection) -> set[tuple[str, str]]:
    rows = tintype.duplicates(photos).pairs.select(["a_uri", "b_uri"]).to_pylist()
    return {(row["a_uri"], row["b_uri"]) for row in rows}


def test_a_verdict_is_obeyed_after_a_rename_and_a_rescan_until_it_is_taken_back(root: Path) -> None:
    photos = tintype.scan(root)
    assert pairs(photos) == {("one.jpg", "half.jpg")}
    api.decide(photos, "not-duplicate", ["half.jpg", "one.jpg"])
    assert pairs(photos) == set()
    (root / "half.jpg").rename(root / "renamed.jpg")
    assert pairs(tintype.scan(root)) == set()
    shutil.rmtree(root / ".tintype" / "images.lance")  # a scan makes everything again but decisions
    (root / ".tintype" / "collection.json").unlink()
    photos = tintype.scan(root)
    assert pairs(photos) == set()
    assert [one.verdict for one in api.decisions(photos)] == ["not-duplicate"]
    api.decide(photos, "undecided", ["renamed.jpg", "one.jpg"])
    assert api.decisions(photos) == []
    assert pairs(photos) == {("one.jpg", "renamed.jpg")}


def test_what_cannot_be_decided_is_refused(root: Path) -> None:
    photos = tintype.scan(root)
    with pytest.raises(UsageError, match="no such image"):
        api.decide(photos, "not-duplicate", ["one.jpg", "missing.jpg"])
    with pytest.raises(UsageError, match="two images"):
        api.decide(photos, "not-duplicate", ["one.jpg", "one.jpg"])
    with pytest.raises(UsageError, match="no verdict"):
        api.decide(photos, "burn", ["one.jpg", "half.jpg"])
    assert not photos.layout.decisions.exists()


def test_a_strangers_decisions_are_not_obeyed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tintype.scan(root)
    api.decide(photos, "not-duplicate", ["half.jpg", "one.jpg"])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "stranger"))
    photos = tintype.open(root)
    assert pairs(photos) == {("one.jpg", "half.jpg")}
    with pytest.raises(CollectionNotTrusted):
        api.decide(photos, "not-duplicate", ["half.jpg", "one.jpg"])
