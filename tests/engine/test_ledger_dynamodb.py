"""The ledger in DynamoDB and SQS keeps the contract against moto's server, writes four times a shard, loses nothing."""

import re
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from ledger_machine import LedgerMachine

from fault_proxy import FaultProxy
from tintype.core.errors import CollectionError, MissingExtra, UsageError
from tintype.engine.ledger import aws as requests
from tintype.engine.ledger import sqs_queue
from tintype.engine.ledger.base import Lease, Ledger
from tintype.engine.ledger.dynamodb import DynamoLedger
from tintype.testing.ledger import Clock, LedgerContract, RealClock

pytest.importorskip("boto3", reason="comes with the extra aws")
LEDGERS_OWN = "ledger"  # the key of the item that is no shard's


@pytest.fixture
def name() -> str:
    return f"ledger-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def ledger(aws: str, name: str, monkeypatch: pytest.MonkeyPatch) -> DynamoLedger:
    monkeypatch.setattr(sqs_queue, "_WAIT_S", 0)
    ledger = DynamoLedger(name)
    ledger.begin()
    return ledger


class TestDynamoLedger(LedgerContract):
    lease_s = 2
    many = 105

    @pytest.fixture
    def clock(self) -> Clock:
        return RealClock()

    @pytest.fixture
    def make_ledger(self, aws: str, name: str) -> Callable[[Clock], Ledger]:
        return lambda clock: DynamoLedger(name, clock)


class DynamoMachine(LedgerMachine):
    is_ordered = False
    has_clock = False
    name = ""

    def open(self) -> Ledger:
        ledger = DynamoLedger(self.name)
        ledger.reclaim_s = 0  # a shard that another instance gave back has its message hidden still
        return ledger


def test_whatever_owners_do_it_says_what_the_plainest_ledger_says(
    aws: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_queue, "_WAIT_S", 0)
    monkeypatch.setattr(DynamoMachine, "name", name)
    monkeypatch.setattr(LedgerMachine, "another_process", lambda _: None)
    few = settings(max_examples=6, stateful_step_count=25, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(DynamoMachine, settings=few)


def test_a_shard_is_written_four_times_and_a_heartbeat_writes_nothing(ledger: DynamoLedger) -> None:
    writes = _watched(ledger)
    ledger.add("rows", [b"payload"] * 12)
    numbers = [_whole_life(ledger, lease) for lease in _leases(ledger, 12)]
    ledger.mark_committed(numbers)
    ledger.counts()
    own = writes.pop(LEDGERS_OWN)
    assert set(writes.values()) == {4}
    assert len(writes) == 12
    assert own == 3  # numbers given, shards counted, commits counted: for all twelve together
    assert ledger.counts() == {"committed": 12}


def _whole_life(ledger: DynamoLedger, lease: Lease) -> int:
    for _ in range(3):
        assert ledger.renew(lease, 60)
    assert ledger.finish(lease, b"result")
    return lease.shard


def _watched(ledger: DynamoLedger) -> Counter[str]:
    """How often each shard, and the ledger's own item, is written from now on, as botocore's requests say."""
    writes: Counter[str] = Counter()

    def note(key: dict[str, dict[str, str]]) -> None:
        run, item = key["run"]["S"], key["item"]["S"]
        writes[str(int(run.rpartition("#")[2] if item == "payload" else item)) if run != LEDGERS_OWN else run] += 1

    def look(params: dict[str, object], model: object, **_: object) -> None:
        name = model.name
        if name in ("PutItem", "UpdateItem", "DeleteItem"):
            note(params.get("Key") or params["Item"])
        for request in [one for part in params.get("RequestItems", {}).values() for one in part]:
            if name == "BatchWriteItem":
                note(request["PutRequest"]["Item"])
        for request in params.get("TransactItems", []):
            (change,) = request.values()
            note(change.get("Key") or change["Item"])

    ledger._table._dynamo.meta.events.register("provide-client-params.dynamodb", look)
    return writes


def _leases(ledger: Ledger, count: int) -> list[Lease]:
    leases = [ledger.lease("one", 60) for _ in range(count)]
    return [lease for lease in leases if lease is not None]


def test_shards_without_a_message_are_found_again(ledger: DynamoLedger) -> None:
    """Some were leased by a process that died, some failed, some were added and never announced."""
    ledger.add("rows", [b"1", b"2", b"3", b"4"])
    first, second, third = _leases(ledger, 3)
    ledger.finish(first, b"")
    ledger.fail(second, "bad", 5)
    current = ledger._table.current()
    ledger._table.change(current.run, third.shard, third.fence, {"deadline": 1.0}, ())
    ledger._queue._sqs.purge_queue(QueueUrl=current.queue)
    assert ledger.lease("one", 60) is None
    ledger.reclaim_s = 0
    assert {lease.shard for lease in _leases(ledger, 4)} == {1, 2, 3, 4} - {first.shard}
    assert ledger.lease("one", 60) is None


def test_nothing_is_announced_again_while_somebody_is_at_work(ledger: DynamoLedger) -> None:
    ledger.add("rows", [b"1"])
    (lease,) = _leases(ledger, 1)
    ledger.reclaim_s = 0
    assert ledger.lease("two", 60) is None
    assert ledger.finish(lease, b"")


def test_what_was_added_by_a_process_that_died_before_it_announced_it_is_worked_on(ledger: DynamoLedger) -> None:
    current = ledger._table.current()
    numbers = ledger._table.give_numbers(current.run, 2)
    ledger._table.put_payloads(current.run, "rows", dict(zip(numbers, [b"1", b"2"], strict=True)))
    ledger.reclaim_s = 0
    assert sorted(lease.payload for lease in _leases(ledger, 3)) == [b"1", b"2"]


def test_what_was_half_added_by_a_process_that_died_is_no_shard(
    ledger: DynamoLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever plans goes on by what is counted, and adds it again."""
    ledger.add("rows", [b"1"])
    monkeypatch.setattr(requests, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ledger.add("rows", [b"2", b"3"])
    monkeypatch.undo()
    assert ledger.counts() == {"pending": 1}
    ledger.add("rows", [b"2", b"3"])
    ledger.reclaim_s = 0
    assert sorted(lease.payload for lease in _leases(ledger, 4)) == [b"1", b"2", b"3"]
    assert ledger.counts() == {"leased": 3}


def test_a_message_that_comes_twice_gives_one_lease(ledger: DynamoLedger) -> None:
    ledger.add("rows", [b"1"])
    current = ledger._table.current()
    ledger._queue.send(current.queue, current.run, [(1, "rows")] * 3)
    (lease,) = _leases(ledger, 4)
    assert ledger.finish(lease, b"")
    ledger.mark_committed([1])
    assert _leases(ledger, 3) == []
    assert ledger.counts() == {"committed": 1}


def test_another_process_may_keep_and_end_a_lease(ledger: DynamoLedger, name: str) -> None:
    ledger.add("rows", [b"1"])
    (lease,) = _leases(ledger, 1)
    other = DynamoLedger(name)
    assert other.renew(lease, 60)
    assert other.finish(lease, b"elsewhere")
    assert [done.result for done in ledger.done("rows", 1)] == [b"elsewhere"]


@pytest.mark.parametrize("kind", ["503", "reset", "lost answer"])
@pytest.mark.parametrize("step", ["UpdateItem", "TransactWriteItems", "BatchWriteItem", "SendMessageBatch"])
def test_an_answer_that_is_lost_changes_nothing_twice(
    proxy: FaultProxy, name: str, kind: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore asks again; a conditional write must know its own doing, and counters must not count twice."""
    monkeypatch.setattr(sqs_queue, "_WAIT_S", 0)
    ledger = DynamoLedger(name)
    ledger.begin()
    proxy.fail_first(kind, 1, only=step)
    ledger.add("rows", [b"1"])
    for action in (lambda lease: ledger.fail(lease, "bad", 5), lambda lease: ledger.finish(lease, b"r")):
        proxy.fail_first(kind, 2, only="UpdateItem")
        (lease,) = _leases(ledger, 1)
        assert action(lease)
    assert ledger.counts() == {"done": 1}
    proxy.fail_first(kind, 1, only=step)
    ledger.mark_committed([lease.shard])
    assert ledger.counts() == {"committed": 1}
    assert any(fault for _, _, fault in proxy.seen)


DRAIN = """
import sys
from tintype.engine.ledger.dynamodb import DynamoLedger
ledger = DynamoLedger(sys.argv[1])
while (lease := ledger.lease(sys.argv[2], 60)) is not None:
    assert ledger.finish(lease, sys.argv[2].encode())
    print(lease.shard)
"""


def test_processes_share_the_shards_without_doubling_one(ledger: DynamoLedger, name: str) -> None:
    ledger.add("rows", (b"x" for _ in range(40)))
    workers = [
        subprocess.Popen([sys.executable, "-c", DRAIN, name, f"w{n}"], stdout=subprocess.PIPE, text=True)
        for n in range(3)
    ]
    taken = [int(line) for worker in workers for line in worker.communicate()[0].split()]
    assert [worker.returncode for worker in workers] == [0] * 3
    assert sorted(taken) == list(range(1, 41))


def test_a_payload_that_no_item_can_hold_is_refused(ledger: DynamoLedger) -> None:
    with pytest.raises(CollectionError, match="payload of 400,000 bytes is more than DynamoDB holds"):
        ledger.add("rows", [bytes(400_000)])


def test_a_name_that_no_table_may_have_is_refused() -> None:
    for name in ("a", "a/b", "x" * 61, "ünï"):
        with pytest.raises(UsageError, match="no name for a ledger"):
            DynamoLedger(name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials. Set AWS_ACCESS_KEY_ID"),
        ({"AWS_REGION": ""}, "no region. Set AWS_REGION"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "AWS_ENDPOINT_URL"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    aws: str, name: str, changes: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for variable, value in changes.items():
        monkeypatch.setenv(variable, value) if value else monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    with pytest.raises(CollectionError) as caught:
        DynamoLedger(name).begin()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_aws_refuses_is_said_in_one_line(proxy: FaultProxy, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tintype.engine.ledger.aws.ATTEMPTS", 1)
    ledger = DynamoLedger(name)
    ledger.begin()
    proxy.fail_all("500")
    with pytest.raises(CollectionError, match=f"the ledger {name} in DynamoDB cannot be used: 500"):
        ledger.counts()


@pytest.mark.parametrize(
    ("kind", "service"), [("throttled", "DynamoDB"), ("throttled", "AmazonSQS"), ("503", "DynamoDB")]
)
def test_a_service_that_stays_busy_is_said_in_one_line_after_its_tries(
    proxy: FaultProxy, name: str, kind: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tintype.engine.ledger.aws.ATTEMPTS", 2)
    monkeypatch.setattr(sqs_queue, "_WAIT_S", 0)
    ledger = DynamoLedger(name)
    ledger.begin()
    proxy.fail_all(kind, only=service)
    with pytest.raises(CollectionError) as caught:
        ledger.lease("one", 60)
    said = str(caught.value)
    assert re.search(
        r"(ProvisionedThroughputExceededException|RequestThrottled|503).*, 2 times\. What was finished is", said
    )
    assert "\n" not in said
    assert [fault for _, _, fault in proxy.seen if fault] == [kind] * 2


def test_a_service_that_is_busy_for_a_while_costs_only_time(
    proxy: FaultProxy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_queue, "_WAIT_S", 0)
    ledger = DynamoLedger(name)
    for _ in range(2):
        proxy.fail_first("throttled", 2)
        assert ledger.join("0123456789ab")
        proxy.fail_first("throttled", 2)
    assert ledger.add("rows", [b"1"], onto=0)
    for service in ("DynamoDB", "AmazonSQS"):
        proxy.fail_first("throttled", 2, only=service)
        (lease,) = _leases(ledger, 1)
        assert ledger.give_back(lease)
    assert ledger.counts() == {"pending": 1}


def test_without_boto3_it_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtra, match=r"tintype\[aws\]"):
        DynamoLedger(name)
