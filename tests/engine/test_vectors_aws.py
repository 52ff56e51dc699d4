"""Embedding from a bucket into a bucket, with the ledger in DynamoDB and SQS, against moto's server."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_server import environment
from fault_proxy import FaultProxy
from tintype import api
from tintype.core.errors import CollectionError, UsageError
from tintype.core.progress import EmbedSummary
from tintype.engine.ledger import sqs_queue
from tintype.store.outputs.plan import read_plan
from tintype.store.places.base import Place
from tintype.store.places.opening import open_place
from tintype.testing.pictures import fill_folder

boto3 = pytest.importorskip("boto3", reason="comes with the extra aws")
pytest.importorskip("obstore", reason="comes with the extra cloud")
IMAGES, SHARD_IMAGES = 24, 5
SHARDS = 5


@pytest.fixture(scope="module")
def images(aws_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of some; each test has other outputs beside it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(aws_address).items():
            patch.setenv(name, value) if value else patch.delenv(name, raising=False)
        patch.setattr(sqs_queue, "_WAIT_S", 0)
        bucket, client = f"vectors-{uuid.uuid4().hex[:8]}", boto3.client("s3")
        client.create_bucket(Bucket=bucket)
        for path in fill_folder(tmp_path_factory.mktemp("images"), IMAGES):
            client.upload_file(str(path), bucket, f"in/{path.name}")
        yield f"s3://{bucket}/in/"


@pytest.fixture(scope="module")
def finished(images: str) -> tuple[str, str]:
    """An output and its ledger."""
    ledger, output = new_ledger(), beside(images)
    assert embed(images, output, ledger).embedded == IMAGES
    return output, ledger


def beside(images: str) -> str:
    return images.replace("/in/", f"/{uuid.uuid4().hex[:8]}/")


def new_ledger() -> str:
    return f"dynamodb:vectors-{uuid.uuid4().hex[:8]}"


def embed(images: str, output: str, ledger: str, **how: object) -> EmbedSummary:
    return api.embed_to(
        output, images, model="descriptor", shard_images=SHARD_IMAGES, workers=1, ledger=ledger, lease_s=5.0, **how
    )


def vectors_of(place: Place) -> dict[str, bytes]:
    return {name: place.read(name) for name in place.names() if not name.startswith("plan")}


def test_the_files_are_those_that_a_folder_gets(images: str, finished: tuple[str, str], tmp_path: Path) -> None:
    api.embed_to(tmp_path / "out", images, model="descriptor", shard_images=SHARD_IMAGES, workers=1)
    kept = vectors_of(open_place(str(tmp_path / "out")))
    there = vectors_of(open_place(finished[0]))
    assert there == {name: content for name, content in kept.items() if not name.startswith(("ledger", "lock"))}
    assert len(there) == SHARDS + 1
    assert api.verify(finished[0]).is_whole


def test_a_ledger_is_of_one_output(images: str, finished: tuple[str, str]) -> None:
    other = beside(images)
    with pytest.raises(
        UsageError, match=r"^the ledger vectors-\w+ in DynamoDB is another output's.*--ledger dynamodb:"
    ):
        embed(images, other, finished[1])
    with pytest.raises(UsageError, match="another output's"):
        api.work(other)


def test_a_complete_output_needs_no_ledger_any_more(images: str, finished: tuple[str, str]) -> None:
    output, ledger = finished
    table, client = ledger.partition(":")[2], boto3.client("dynamodb", region_name="us-east-1")
    client.delete_table(TableName=table)
    assert embed(images, output, ledger).embedded == 0
    assert api.work(output).is_complete
    assert api.status(output).done == IMAGES
    assert table not in client.list_tables()["TableNames"]


def test_two_who_plan_the_same_output_make_one(images: str) -> None:
    ledger, output = new_ledger(), beside(images)
    ended: list[object] = []

    def one() -> None:
        try:
            ended.append(embed(images, output, ledger).embedded)
        except Exception as error:  # noqa: BLE001  shown below
            ended.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(one) for one in ended] == [int] * 3, ended
    assert sum(ended) == IMAGES
    place = open_place(output)
    plan = read_plan(place)
    assert list(place.names("plan/")) == [plan.listing(shard) for shard in range(SHARDS)]
    assert api.verify(output).is_whole


def test_services_that_are_busy_now_and_then_change_nothing(images: str, proxy: FaultProxy) -> None:
    """Every ninth request is refused in one way or another."""
    kinds = ["throttled", "503", "reset", "lost answer"]
    count = 0

    def choose(method: str, path: str) -> str | None:
        nonlocal count
        count += 1
        is_ledger = "DynamoDB" in path or "SQS" in path
        return None if count % 9 else kinds[count // 9 % 4 if is_ledger else 1]

    proxy.choose = choose
    output = beside(images)
    assert embed(images, output, new_ledger()).embedded == IMAGES
    assert api.verify(output).is_whole
    assert {fault for _, _, fault in proxy.seen} >= {*kinds, None}


def test_services_that_stay_busy_end_the_run_in_one_line_and_it_goes_on_later(
    images: str, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tintype.engine.ledger.aws.ATTEMPTS", 2)
    ledger, output = new_ledger(), beside(images)
    finished = 0

    def choose(method: str, path: str) -> str | None:
        nonlocal finished
        finished += "DeleteMessage" in path
        return "throttled" if finished >= 2 and ("DynamoDB" in path or "SQS" in path) else None

    proxy.choose = choose
    with pytest.raises(CollectionError, match=r"2 times\. What was finished is kept: later the same command") as caught:
        embed(images, output, ledger)
    assert "\n" not in str(caught.value)
    proxy.choose = lambda method, path: None
    assert 0 < embed(images, output, ledger).embedded < IMAGES
    assert api.verify(output).is_whole
