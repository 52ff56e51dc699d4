"""A bucket is scanned as a folder is: the same rows, nothing done twice, and troubles in one line."""

import shutil
from pathlib import Path

import pytest
from source_makers import parquet_table, tar

from fault_proxy import FaultProxy
from tintype import api
from tintype.cli.main import main
from tintype.core.settings import Config

boto3 = pytest.importorskip("boto3", reason="comes with the extra aws")
pytest.importorskip("obstore", reason="comes with the extra cloud")
PHOTOS = Path(__file__).resolve().parent.parent.parent / "examples" / "photos"
ROWS = ["uri", "digest", "status", "width", "height", "size_bytes", "phash"]


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, photo in enumerate(sorted(PHOTOS.glob("*.jpg"))[:6]):
        target = folder / ("deep/er" if number % 2 else ".") / photo.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(photo, target)
    (folder / "broken.jpg").write_bytes((folder / "copy.jpg").write_bytes(photo.read_bytes()) * b"\xff\xd8\xff\xe0")
    (folder / "notes.txt").write_text("no picture")
    return folder


def upload(bucket: str, folder: Path, prefix: str = "photos") -> None:
    client = boto3.client("s3")
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder)}")


def rows(collection: Path) -> list[dict[str, object]]:
    return api.open(collection).table(ROWS).to_pylist()


def settings() -> Config:
    return api.config(flags={"transfer.attempts": 6, "transfer.seconds": 20, "scan.workers": 2})


def test_a_bucket_gives_the_rows_that_its_folder_gives(bucket: str, photos: Path, tmp_path: Path) -> None:
    upload(bucket, photos)
    here = api.scan(photos, collection=tmp_path / "here.tintype", config=settings())
    there = api.scan(f"s3://{bucket}/photos/", collection=tmp_path / "there.tintype", config=settings())
    assert there.last_scan.new == here.last_scan.new == 8
    assert there.last_scan.skipped == here.last_scan.skipped == {"other": 1}
    assert rows(tmp_path / "there.tintype") == rows(tmp_path / "here.tintype")


def test_a_rescan_reads_only_what_changed(bucket: str, photos: Path, tmp_path: Path, proxy: FaultProxy) -> None:
    upload(bucket, photos)
    collection = tmp_path / "c.tintype"
    assert main(["scan", f"s3://{bucket}/photos", "--collection", str(collection), "--quiet"]) == 0
    proxy.seen.clear()
    again = api.scan(f"s3://{bucket}/photos/", collection=collection, config=settings())
    assert (again.last_scan.unchanged, again.last_scan.new, again.last_scan.changed) == (7, 0, 0) or (
        again.last_scan.unchanged == 8
    )
    upload(bucket, photos, "photos/more")
    boto3.client("s3").delete_object(Bucket=bucket, Key="photos/copy.jpg")
    third = api.scan(f"s3://{bucket}/photos/", collection=collection, config=settings()).last_scan
    assert (third.new + third.moved, third.gone + third.moved) == (8, 1)


def test_faults_cost_nothing_where_they_pass(bucket: str, photos: Path, tmp_path: Path, proxy: FaultProxy) -> None:
    upload(bucket, photos)
    api.scan(f"s3://{bucket}/photos/", collection=tmp_path / "sound.tintype", config=settings())
    count = 0

    def choose(method: str, _: str) -> str | None:
        nonlocal count
        count += 1
        kinds = ("503", "cut", "reset", "short", "lost answer", "empty", "long")
        return kinds[count // 2 % len(kinds)] if count % 2 and method == "GET" else None

    proxy.choose = choose
    api.scan(f"s3://{bucket}/photos/", collection=tmp_path / "faulty.tintype", config=settings())
    assert rows(tmp_path / "faulty.tintype") == rows(tmp_path / "sound.tintype")


def test_shards_and_tables_of_a_bucket_are_scanned_together(bucket: str, photos: Path, tmp_path: Path) -> None:
    images = {path.name: path.read_bytes() for path in photos.glob("*.jpg")}
    shards = tmp_path / "shards"
    shards.mkdir()
    for number, name in enumerate(images):
        tar(shards / f"{number:03}.tar", {name: images[name], f"{name[:-4]}.cls": b"3"})
    parquet_table(shards / "t.parquet", 2)
    upload(bucket, shards, "train")
    address = f"s3://{bucket}/train"
    made = api.scan(
        f"{address}/{{000..{len(images) - 1:03}}}.tar",
        f"{address}/*.parquet",
        collection=tmp_path / "c.tintype",
        config=settings(),
    )
    found = {row["uri"]: row for row in api.open(made.place).table(["uri", "status", "label_cls"]).to_pylist()}
    assert len(found) == len(images) + 2
    assert found["000.tar#" + next(iter(images))]["label_cls"] == 3
    assert "t.parquet#1" in found


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["scan", "s3://BUCKET/photos/"], 2, "--collection DIR"),
        (["info", "s3://BUCKET/photos/"], 2, "--collection DIR"),
        (["scan", "s3://BUCKET/nothing/", "--collection", "HERE"], 4, "nothing there"),
        (["scan", "s3://not-there-at-all/x/", "--collection", "HERE"], 4, "no such bucket"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_code(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    filled = [word.replace("BUCKET", bucket).replace("HERE", str(tmp_path / "c.tintype")) for word in words]
    assert main([*filled, *(["--quiet"] if words[0] == "scan" else [])]) == code
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
