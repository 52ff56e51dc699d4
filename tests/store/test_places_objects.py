"""A prefix of a bucket keeps the contract of places, against moto's server, also where every request may fail."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fault_proxy import FaultProxy
from tintype.core.errors import MissingExtra
from tintype.core.object_facts import Budget, StoreError
from tintype.store.places.base import Place
from tintype.store.places.objects import ObjectPlace
from tintype.testing.places import PlaceContract

pytest.importorskip("boto3", reason="comes with the extra aws")
pytest.importorskip("obstore", reason="comes with the extra cloud")
BUDGET = Budget(attempts=8, seconds=20)
PASSING = ("slow", "503", "500", "429", "reset", "lost answer", "cut", "short", "long", "empty")


class TestObjectPlace(PlaceContract):
    @pytest.fixture
    def place(self, bucket: str) -> Place:
        return ObjectPlace(f"s3://{bucket}/some/folder", BUDGET)


class TestWholeBucket(PlaceContract):
    @pytest.fixture
    def place(self, bucket: str) -> Place:
        return ObjectPlace(f"s3://{bucket}", BUDGET)

    def test_more_names_than_a_listing_has_at_once(self, place: Place) -> None:
        """Looked at above; it takes a while."""


@pytest.mark.parametrize("kind", PASSING)
def test_a_fault_that_passes_changes_nothing(bucket: str, proxy: FaultProxy, kind: str) -> None:
    place = ObjectPlace(f"s3://{bucket}/p", BUDGET)
    content = bytes(range(256)) * 100
    for action in ("PUT", "HEAD", "GET"):
        proxy.fail_first(kind, 2, only=action)
        place.write("a", content)
        assert place.read("a") == content
        assert list(place.names()) == ["a"]
    for number in range(3):
        proxy.fail_first(kind, number, only=f"/p/b{number}")
        assert place.create(f"b{number}", content)
        assert not place.create(f"b{number}", b"other")
        assert place.read(f"b{number}") == content


@pytest.mark.parametrize("kind", ["503", "reset", "lost answer"])
@pytest.mark.parametrize("step", ["PUT", "POST"], ids=["copied", "deleted"])
def test_a_file_gets_another_name_within_the_store_though_requests_fail(
    bucket: str, proxy: FaultProxy, kind: str, step: str
) -> None:
    place = ObjectPlace(f"s3://{bucket}/p", BUDGET)
    place.write("parts/a", b"content")
    proxy.fail_first(kind, 2, only=step)
    place.move("parts/a", "b")
    assert {method for method, _, _ in proxy.seen} == {"PUT", "POST"}  # no bytes come here
    assert [fault for _, _, fault in proxy.seen if fault] == [kind] * 2
    assert list(place.names()) == ["b"]
    assert place.read("b") == b"content"
    with pytest.raises(FileNotFoundError):
        place.move("parts/a", "b")


@pytest.mark.parametrize("kind", ["503", "reset", "lost answer"])
def test_of_many_who_create_at_once_one_succeeds_though_answers_are_lost(
    bucket: str, proxy: FaultProxy, kind: str
) -> None:
    """All write the same bytes, so only the writer's own mark can tell whose they are."""
    place = ObjectPlace(f"s3://{bucket}", BUDGET)
    for number in range(4):
        proxy.fail_first(kind, 3, only="PUT")
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(lambda _, n=number: replace(place).create(f"a{n}", b"same"), range(6)))
        assert sum(made) == 1


@pytest.mark.parametrize(
    ("kind", "words"), [("503", "503"), ("reset", ""), ("hang", ""), ("cut", ""), ("short", "bytes came")]
)
def test_a_fault_that_stays_is_said_in_one_line_within_the_budget(
    bucket: str, proxy: FaultProxy, kind: str, words: str
) -> None:
    ObjectPlace(f"s3://{bucket}", BUDGET).write("a", b"0123456789")
    proxy.fail_all(kind, only="GET")
    with pytest.raises(StoreError) as caught:
        ObjectPlace(f"s3://{bucket}", Budget(attempts=3, seconds=4)).read("a")
    said = str(caught.value)
    assert said.startswith(f"s3://{bucket}/a: ")
    assert words in said
    assert "given up after" in said
    assert "\n" not in said
    assert sum(method == "GET" for method, _, _ in proxy.seen) <= 3


@pytest.mark.parametrize(
    ("address", "changes", "words"),
    [
        ("s3://", {}, "names no bucket"),
        ("az://container/x", {}, "Account must be specified"),
        ("s3://BUCKET/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "given up after 2 tries"),
        ("s3://BUCKET/x", {"AWS_ENDPOINT_URL": "nonsense"}, "AWS_ENDPOINT_URL is 'nonsense', which is no address"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    bucket: str, address: str, changes: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    for call in (
        lambda place: place.write("a", b"x"),
        lambda place: place.read("a"),
        lambda place: list(place.names()),
    ):
        with pytest.raises(StoreError) as caught:
            call(ObjectPlace(address.replace("BUCKET", bucket), Budget(attempts=2, seconds=2)))
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_said(aws: str) -> None:
    place = ObjectPlace("s3://no-such-bucket-here/x", BUDGET)
    for call in (lambda: place.write("a", b"x"), lambda: place.create("a", b"x"), lambda: list(place.names())):
        with pytest.raises(StoreError, match=r"^s3://no-such-bucket-here/x/a?: no such bucket$"):
            call()


def test_without_obstore_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingExtra, match=r"tintype\[cloud\]"):
        ObjectPlace("s3://bucket/x").read("a")
