"""A tar that is written over while it is embedded gives vectors of one state of it, never of bytes between images."""

import os
from pathlib import Path

import pytest
from blake3 import blake3
from embedding import RewrittenSource, rows_of, tars

from tintype import api
from tintype.core.errors import WorkerFailed
from tintype.testing.pictures import fill_folder


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return fill_folder(tmp_path / "root", 16)


@pytest.fixture
def shard(pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tar of eight images, read by the source above."""
    (place,) = tars(tmp_path / "shards", pictures[:8], 8)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr("tintype.sources.resolve.TarSource", RewrittenSource)
    return place


def new_content(shard: Path, number: int, pictures: list[Path]) -> dict[str, bytes]:
    """Puts another state of the tar beside it, with the same names in another order; digests by name."""
    names = [path.stem.replace(" ", "_") for path in pictures[:8]]
    made = shard.parent.parent / f"state {number}"
    made.mkdir()
    copies = []
    for name, picture in zip(reversed(names), pictures[8:], strict=True):
        copies.append(made / f"{name}.jpg")
        copies[-1].write_bytes(picture.read_bytes())
    (other,) = tars(made / "tar", copies, 8)
    other.rename(shard.parent / f"{number}.new")
    return {path.stem: blake3(path.read_bytes()).digest(16) for path in copies}


def test_a_tar_that_is_written_over_is_read_anew(shard: Path, pictures: list[Path], tmp_path: Path) -> None:
    expected = new_content(shard, 1, pictures)
    done = api.embed_to(tmp_path / "out", shard, model="descriptor", workers=1)
    assert (done.images, done.vectors) == (8, 8)
    rows = {row["id"].partition("#")[2].removesuffix(".jpg"): row["digest"] for row in rows_of(tmp_path / "out")}
    assert rows == expected
    assert api.verify(tmp_path / "out").is_whole


def test_one_that_never_rests_is_given_up_with_the_reason(shard: Path, pictures: list[Path], tmp_path: Path) -> None:
    for number in range(3):
        new_content(shard, number, pictures)
    with pytest.raises(WorkerFailed, match=r"1 shards were given up.*SourceError: .*00000\.tar: changed while it was"):
        api.embed_to(tmp_path / "out", shard, model="descriptor", workers=1)
    assert api.status(tmp_path / "out", retry=True).retried == 1
    assert api.work(tmp_path / "out").vectors == 8
