"""Folders, tars and tables of an object store keep the contract of sources; no fault of a store gives a wrong byte."""

import functools
import gzip
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_makers import parquet_table, picture, samples, tar

from fault_proxy import KINDS, FaultProxy
from tintype.core.errors import ImageError, SourceError
from tintype.core.object_facts import Budget, StoreError
from tintype.core.object_store import PART_BYTES
from tintype.sources.base import Source
from tintype.sources.remote_cache import CacheSettings
from tintype.sources.remote_file import RemoteFileSource
from tintype.sources.remote_folder import RemoteFolderSource
from tintype.sources.resolve import resolve
from tintype.sources.several import SeveralSources
from tintype.sources.table import TableSource
from tintype.sources.tar import TarSource
from tintype.testing.sources import SourceContract, entries_of, items_of

boto3 = pytest.importorskip("boto3", reason="comes with the extra aws")
pytest.importorskip("obstore", reason="comes with the extra cloud")
BUDGET = Budget(attempts=6, seconds=20)
SHORT = Budget(attempts=3, seconds=3)
KEYS = ("b.jpg", "a/z.png", "a.jpg", "a/b/c/d.webp", "a-b/x.jpg", "100%.jpg", "a#1.jpg", "a$1.jpg", "a%1.jpg", "é.jpg")


@pytest.fixture
def cache(tmp_path: Path) -> CacheSettings:
    return CacheSettings(bytes=50_000_000, folder=str(tmp_path / "cache"))


def put(bucket: str, *keys: str, prefix: str = "photos/") -> None:
    """A picture under each key, numbered in this order."""
    for number, key in enumerate(keys):
        put_bytes(bucket, prefix + key, picture(number))


def put_bytes(bucket: str, key: str, content: bytes) -> None:
    _s3(os.environ["AWS_ENDPOINT_URL"]).put_object(Bucket=bucket, Key=key, Body=content)


@functools.lru_cache(maxsize=4)
def _s3(_address: str) -> Any:
    return boto3.client("s3")


def put_file(bucket: str, key: str, path: Path) -> str:
    put_bytes(bucket, key, path.read_bytes())
    return f"s3://{bucket}/{key}"


class TestRemoteFolder(SourceContract):
    @pytest.fixture
    def source(self, bucket: str) -> Source:
        put(bucket, *KEYS)
        put(bucket, "photos2/other.jpg", "photo/other.jpg", "other.jpg", prefix="")
        return RemoteFolderSource(f"s3://{bucket}/photos", budget=BUDGET)


class TestRemoteTar(SourceContract):
    @pytest.fixture
    def source(self, bucket: str, tmp_path: Path, cache: CacheSettings) -> Source:
        odd = {"z/é%#.jpg": picture(9), "a.jpg": picture(8)}
        url = put_file(bucket, "train/0%#.tar", tar(tmp_path / "shard.tar", samples() | odd))
        return RemoteFileSource(url, TarSource, BUDGET, cache)


class TestRemoteParquet(SourceContract):
    @pytest.fixture
    def source(self, bucket: str, tmp_path: Path, cache: CacheSettings) -> Source:
        url = put_file(bucket, "t.parquet", parquet_table(tmp_path / "t.parquet", 12))
        return RemoteFileSource(url, TableSource, BUDGET, cache)


class TestRemoteParquetWithPaths(SourceContract):
    @pytest.fixture
    def source(self, bucket: str, tmp_path: Path, cache: CacheSettings) -> Source:
        put(bucket, *(f"images/{number}.jpg" for number in range(20)), prefix="set/")
        table = pa.table({"file_name": [f"./images/{n}.jpg" for n in range(19, -1, -1)], "n": list(range(20))})
        pq.write_table(table, tmp_path / "t.parquet")
        return RemoteFileSource(put_file(bucket, "set/t.parquet", tmp_path / "t.parquet"), TableSource, BUDGET, cache)


class TestRemoteSeveral(SourceContract):
    @pytest.fixture
    def source(self, bucket: str, tmp_path: Path, cache: CacheSettings) -> Source:
        for number in range(3):
            put_file(bucket, f"data/shards/{number}.tar", tar(tmp_path / f"{number}.tar", samples(number + 1)))
        put(bucket, "x.jpg", "deep/y.jpg", prefix="data/photos/")
        found = resolve(f"s3://{bucket}/data/shards/{{0..1}}.tar", transfer=BUDGET, cache=cache)
        found += resolve(f"s3://{bucket}/data/shards/[!01].t*", transfer=BUDGET, cache=cache)
        found += resolve(f"s3://{bucket}/data/photos/", transfer=BUDGET, cache=cache)
        return SeveralSources(found)


def test_paths_of_a_table_lead_to_objects_below_it_and_nowhere_else(
    bucket: str, tmp_path: Path, cache: CacheSettings
) -> None:
    put(bucket, "set/images/a.jpg", "outside.jpg", prefix="")
    paths = ["images/a.jpg", "images/gone.jpg", "../outside.jpg", "/outside.jpg", f"s3://{bucket}/outside.jpg"]
    (tmp_path / "t.csv").write_text("\n".join(["path", *paths]) + "\n")
    source = RemoteFileSource(put_file(bucket, "set/t.csv", tmp_path / "t.csv"), TableSource, BUDGET, cache)
    good, gone, *outside = items_of(source)
    assert (good.data, good.status) == (picture(0), "ok")
    assert (gone.status, gone.reason) == ("unreadable", "no such object")
    assert [item.status for item in outside] == ["rejected"] * 3
    before = entries_of(source)
    put_bytes(bucket, "set/images/a.jpg", picture(0)[:-1] + b"?")
    after = entries_of(source)
    changed = [one != other for one, other in zip(before.to_pylist(), after.to_pylist(), strict=True)]
    assert changed == [True, False, False, False, False]


def test_uris_are_the_rest_of_the_key_in_their_order(bucket: str) -> None:
    put(bucket, *KEYS)
    source = RemoteFolderSource(f"s3://{bucket}/photos/", budget=BUDGET)
    uris = entries_of(source)["uri"].to_pylist()
    assert uris == sorted((key.replace("%", "%25").replace("#", "%23") for key in KEYS), key=str.encode)
    assert source.place == f"s3://{bucket}/photos/"


def test_what_is_passed_over_is_counted_as_in_a_folder(bucket: str) -> None:
    put(bucket, "a.jpg", "b.txt", ".hidden.jpg", ".dir/c.jpg", "draft/d.jpg", "x.tintype/e.jpg", "no_extension")
    put_bytes(bucket, "photos/readme", b"no picture at all, but text")
    put_bytes(bucket, "photos/empty", b"")
    source = RemoteFolderSource(f"s3://{bucket}/photos", ("draft/",), budget=BUDGET)
    assert entries_of(source)["uri"].to_pylist() == ["a.jpg", "no_extension"]
    assert source.notes.skipped == {"other": 3, "hidden": 2, "ignored": 1}


def test_more_keys_than_a_page_of_a_listing(bucket: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the second page fails, it goes on there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.upstream)
    for number in range(1_003):
        put_bytes(bucket, f"many/{number:04}.jpg", b"x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
    asked = 0

    def choose(method: str, path: str) -> str | None:
        nonlocal asked
        asked += "list-type=2" in path
        return "503" if "list-type=2" in path and asked == 2 else None

    proxy.choose = choose
    entries = entries_of(RemoteFolderSource(f"s3://{bucket}/many/", budget=BUDGET))
    assert entries["uri"].to_pylist() == [f"{number:04}.jpg" for number in range(1_003)]
    assert asked == 3


def test_a_changed_object_has_another_stamp_though_its_size_and_second_are_the_same(bucket: str) -> None:
    put(bucket, "a.jpg")
    source = RemoteFolderSource(f"s3://{bucket}/photos/", budget=BUDGET)
    (shard,) = source.shards()
    before = entries_of(source)
    put_bytes(bucket, "photos/a.jpg", picture(0)[:-1] + b"?")
    assert not entries_of(source).equals(before)
    (item,) = source.read(shard, 1_000_000)
    assert item.data == picture(0)[:-1] + b"?"
    assert item.inode == entries_of(source)["inode"][0].as_py()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hang"])
def test_no_fault_that_passes_costs_an_image_or_a_byte(bucket: str, proxy: FaultProxy, kind: str) -> None:
    put(bucket, *KEYS)
    source = RemoteFolderSource(f"s3://{bucket}/photos", budget=BUDGET)
    proxy.fail_first(kind, 3, only="GET")
    entries = entries_of(source)
    for shard in source.shards():
        proxy.fail_first(kind, 3)
        items = list(source.read(shard, 1_000_000))
        assert [item.uri for item in items] == entries["uri"].to_pylist()
        assert {item.uri: item.data for item in items} == {
            key.replace("%", "%25").replace("#", "%23"): picture(number) for number, key in enumerate(KEYS)
        }
    assert {fault for _, _, fault in proxy.seen} >= {kind}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hang"])
def test_no_fault_gives_a_tar_with_a_wrong_byte(
    bucket: str, proxy: FaultProxy, kind: str, tmp_path: Path, cache: CacheSettings
) -> None:
    """Of a single object no listing tells the size: where all answers lie alike, it is refused with a reason, and the
    shard is tried again."""
    members = {f"{n}.jpg": picture(n) + bytes([n]) * PART_BYTES for n in range(2)}
    url = put_file(bucket, "large.tar", tar(tmp_path / "large.tar", members))
    source = RemoteFileSource(url, TarSource, BUDGET, cache)
    reasons: list[str] = []
    proxy.fail_first(kind, 3)
    while len(reasons) < 3:
        try:
            assert [item.data for item in items_of(source)] == list(members.values())
            break
        except SourceError as error:
            reasons.append(str(error))
    assert len(reasons) <= 2
    assert not any("\n" in reason for reason in reasons)
    assert kind in {fault for _, _, fault in proxy.seen}


@pytest.mark.parametrize("kind", ["503", "reset", "hang", "cut", "short", "empty"])
def test_one_object_that_cannot_be_had_costs_its_row_and_no_other(bucket: str, proxy: FaultProxy, kind: str) -> None:
    put(bucket, "a.jpg", "b.jpg", "c.jpg")
    source = RemoteFolderSource(f"s3://{bucket}/photos", budget=SHORT)
    (shard,) = source.shards()
    proxy.fail_all(kind, only="/photos/b.jpg")
    first, second, third = source.read(shard, 1_000_000)
    assert [first.data, third.data] == [picture(0), picture(2)]
    assert (second.status, second.data) == ("unreadable", None)
    assert "given up after" in str(second.reason)
    assert "\n" not in str(second.reason)


def test_where_the_store_gives_nothing_the_shard_fails_with_the_reason(bucket: str, proxy: FaultProxy) -> None:
    put(bucket, "a.jpg", "b.jpg")
    source = RemoteFolderSource(f"s3://{bucket}/photos", budget=SHORT)
    (shard,) = source.shards()
    proxy.fail_all("503")
    with pytest.raises(StoreError, match=r"photos/a.jpg: 503 .*given up after 3 tries"):
        list(source.read(shard, 1_000_000))
    with pytest.raises(SourceError, match="given up after"):
        list(source.shards())


def test_what_is_gone_or_was_made_anew_is_said(bucket: str) -> None:
    put(bucket, "a.jpg", "b.jpg")
    source = RemoteFolderSource(f"s3://{bucket}/photos", budget=BUDGET)
    (shard,) = source.shards()
    boto3.client("s3").delete_object(Bucket=bucket, Key="photos/a.jpg")
    put_bytes(bucket, "photos/b.jpg", picture(200))
    gone, new = source.read(shard, 1_000_000)
    assert (gone.status, gone.reason) == ("unreadable", "no such object")
    assert (new.data, new.size_bytes) == (picture(200), len(picture(200)))
    (too_large, _) = reversed(list(source.read(shard, len(picture(100)))))
    assert (too_large.status, too_large.size_bytes, too_large.data) == ("rejected", len(picture(200)), None)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("s3://BUCKET/nothing/here/", "nothing there: no key begins so"),
        ("s3://BUCKET/nothing.tar", "nothing.tar: not there"),
        ("s3://BUCKET/nothing-*.tar", "not there: no key fits"),
        ("s3://no-such-bucket-at-all/x/", "no such bucket"),
        ("s3://no-such-bucket-at-all/*.tar", "no such bucket"),
        ("s3://BUCKET/a.zip", "unpack it"),
        ("s3://BUCKET/photos/a.jpg", "name its folder: s3://BUCKET/photos/"),
        ("s3://", "names no bucket"),
    ],
)
def test_what_cannot_be_read_says_why_in_one_line(bucket: str, place: str, words: str, cache: CacheSettings) -> None:
    put(bucket, "a.jpg")
    with pytest.raises(SourceError) as caught:
        list(resolve(place.replace("BUCKET", bucket), transfer=SHORT, cache=cache)[0].shards())
    assert words.replace("BUCKET", bucket) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_no_path_can_be_is_named(bucket: str) -> None:
    put(bucket, "a.jpg", "odd//b.jpg")
    with pytest.raises(SourceError, match=r"odd//b\.jpg.* such keys cannot be read"):
        list(RemoteFolderSource(f"s3://{bucket}/photos", budget=BUDGET).shards())


@pytest.mark.parametrize(
    "changes", [{"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}]
)
def test_a_store_that_cannot_be_used_says_so_in_one_line(
    bucket: str, changes: dict[str, str | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in changes.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(StoreError) as caught:
        list(RemoteFolderSource(f"s3://{bucket}/x", budget=SHORT).shards())
    assert ("no credentials" if None in changes.values() else "given up after") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_fetched_once_for_all_who_read_it(
    bucket: str, proxy: FaultProxy, tmp_path: Path, cache: CacheSettings
) -> None:
    url = put_file(bucket, "a.tar", tar(tmp_path / "a.tar", samples(3)))
    source = RemoteFileSource(url, TarSource, BUDGET, cache)
    proxy.seen.clear()
    for one in (source, pickle.loads(pickle.dumps(source)), source.with_labels(source.labels)):
        assert len(items_of(one)) == 3
    assert sum(method == "GET" for method, _, _ in proxy.seen) == 1


def test_several_at_once_share_one_fetch(bucket: str, proxy: FaultProxy, tmp_path: Path, cache: CacheSettings) -> None:
    url = put_file(bucket, "a.tar", tar(tmp_path / "a.tar", samples(3)))
    proxy.seen.clear()
    proxy.fail_all("slow", only="GET")
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda _: items_of(RemoteFileSource(url, TarSource, BUDGET, cache)), range(5)))
    assert [len(items) for items in found] == [3] * 5
    assert sum(method == "GET" for method, _, _ in proxy.seen) == 1


def test_what_a_killed_process_left_is_neither_taken_for_the_file_nor_kept_for_ever(
    bucket: str, tmp_path: Path, cache: CacheSettings
) -> None:
    url = put_file(bucket, "a.tar", tar(tmp_path / "a.tar", samples(3)))
    source = RemoteFileSource(url, TarSource, BUDGET, cache)
    assert len(items_of(source)) == 3
    (file,) = Path(cache.folder).rglob("*.tar")
    assert oct(Path(cache.folder).stat().st_mode)[-3:] == "700"
    file.rename(file.with_name("half"))
    assert len(items_of(source)) == 3
    (file,) = Path(cache.folder).rglob("*.tar")
    file.rename(file.with_name("half"))
    other = put_file(bucket, "b.tar", tar(tmp_path / "b.tar", samples(3)))
    size = (tmp_path / "b.tar").stat().st_size
    small = CacheSettings(bytes=size + 10, folder=cache.folder)
    assert len(items_of(RemoteFileSource(other, TarSource, BUDGET, small))) == 3
    assert not list(Path(cache.folder).rglob("half"))


def test_the_cache_never_holds_more_than_it_may(bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    urls = []
    for number in range(6):
        made = tar(tmp_path / f"{number}.tar", {f"{n}.jpg": picture(n) + os.urandom(30_000) for n in range(10)})
        urls.append(put_file(bucket, made.name, made))
    size = (tmp_path / "0.tar").stat().st_size
    cache = CacheSettings(bytes=3 * size, folder=str(folder))
    for url in (*urls, *urls):
        assert len(items_of(RemoteFileSource(url, TarSource, BUDGET, cache))) == 10
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert sum(file.stat().st_size for file in files) <= cache.bytes


def test_a_file_in_use_is_not_removed_and_what_does_not_fit_is_refused(bucket: str, tmp_path: Path) -> None:
    made = {name: tar(tmp_path / name, samples(3)) for name in ("a.tar", "b.tar")}
    urls = {name: put_file(bucket, name, path) for name, path in made.items()}
    size = made["a.tar"].stat().st_size
    cache = CacheSettings(bytes=size + 10, folder=str(tmp_path / "cache"))
    first, second = (RemoteFileSource(url, TarSource, BUDGET, cache) for url in urls.values())
    (shard,) = first.shards()
    reading = first.read(shard, 1_000_000)
    assert next(reading).data == picture(0)
    with pytest.raises(SourceError, match=r"in use\. Let it be larger: --set cache.bytes=N"):
        list(second.shards())
    assert [item.data for item in reading] == [picture(1), picture(2)]
    assert len(items_of(second)) == 3
    with pytest.raises(SourceError, match="the cache holds 100"):
        list(RemoteFileSource(urls["a.tar"], TarSource, BUDGET, CacheSettings(bytes=100, folder=cache.folder)).shards())


def test_a_fetch_that_breaks_off_leaves_nothing_that_is_taken_for_the_file(
    bucket: str, proxy: FaultProxy, tmp_path: Path, cache: CacheSettings
) -> None:
    members = {f"{n}.jpg": picture(n) + bytes(PART_BYTES) for n in range(2)}
    url = put_file(bucket, "a.tar", tar(tmp_path / "a.tar", members))
    asked = 0

    def choose(method: str, _: str) -> str | None:
        nonlocal asked
        asked += method == "GET"
        return "503" if method == "GET" and asked > 1 else None

    proxy.choose = choose
    source = RemoteFileSource(url, TarSource, SHORT, cache)
    with pytest.raises(StoreError, match="given up after"):
        list(source.shards())
    assert not list(Path(cache.folder).rglob("*.tar"))
    proxy.choose = lambda *_: None
    assert [item.status for item in items_of(source)] == ["ok", "ok"]


def test_errors_speak_of_the_address_and_not_of_the_cache(bucket: str, cache: CacheSettings) -> None:
    put_bytes(bucket, "bad.tar", b"this is no tar at all" * 100)
    put_bytes(bucket, "packed.tar", gzip.compress(bytes(10_240)))
    with pytest.raises(SourceError, match=rf"^s3://{bucket}/bad.tar: not a tar archive"):
        list(RemoteFileSource(f"s3://{bucket}/bad.tar", TarSource, BUDGET, cache).shards())
    with pytest.raises(SourceError, match=r"packed, though it is named \.tar"):
        list(RemoteFileSource(f"s3://{bucket}/packed.tar", TarSource, BUDGET, cache).shards())


def test_places_here_and_there_share_no_folder(bucket: str, tmp_path: Path, cache: CacheSettings) -> None:
    (tmp_path / "photos").mkdir()
    found = resolve(str(tmp_path / "photos")) + resolve(f"s3://{bucket}/x/") + resolve("gs://bucket/x/")
    with pytest.raises(SourceError, match="have no folder in common"):
        SeveralSources(found[:2])
    with pytest.raises(SourceError, match="have no folder in common"):
        SeveralSources(found[1:])
    assert SeveralSources(resolve("s3://one/a/") + resolve("s3://two/a/")).place == "s3://"


def test_a_key_that_no_listing_has_is_an_error_of_the_image(bucket: str) -> None:
    source = RemoteFolderSource(f"s3://{bucket}/photos", budget=BUDGET)
    for uri in ("a//b.jpg", "/a.jpg", "%FF.jpg", "../x.jpg", "a/./b.jpg"):
        with pytest.raises(ImageError):
            source.open(uri)
