"""The shards of a ledger as items of a DynamoDB table; each change is one conditional write.

| item | `run` | `item` | attributes |
| --- | --- | --- | --- |
| the ledger | `ledger` | `ledger` | name of the run, queue, base, numbers given, ranges of the shards, committed |
| a payload | `RUN#NUMBER` | `payload` | kind, payload; a partition of its own each, so that many are written at once |
| a shard | `RUN` | `NUMBER` | kind, state, fence, attempts, owner, deadline, reason, result, `open` |

A shard's item comes with its first lease. `open` is `leased#NUMBER`, `done#KIND#NUMBER` or `abandoned#NUMBER`, the sort
key of the local index of the same name, in which items without it do not stand.
"""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tintype.core.errors import CollectionError
from tintype.engine.ledger import aws
from tintype.engine.ledger.dynamodb_items import (
    Attributes,
    Current,
    Shard,
    padded,
    payload_key,
    ranges_of,
    set_of,
    shard_key,
    shard_of,
    with_numbers,
)

MAX_BYTES = 380_000  # DynamoDB takes items of 400 kB
KEPT_S = 90 * 86_400  # then DynamoDB removes what earlier runs left, which costs nothing
_COMMITTED_AT_ONCE = 99  # a transaction takes 100 items, and the ledger's own is one
_LEDGER = {"run": {"S": "ledger"}, "item": {"S": "ledger"}}
_ACTIVE_S = 60

_NAMED = re.compile(r"#(\w+)")


class ShardTable:
    """Raises botocore's errors, and CollectionError for what DynamoDB cannot hold."""

    def __init__(self, dynamo: Any, name: str) -> None:
        self._dynamo, self._name = dynamo, name

    def make(self) -> None:
        """Make the table where there is none."""
        names = ("run", "item", "open")
        try:
            self._dynamo.create_table(
                TableName=self._name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
                KeySchema=_keys("item"),
                LocalSecondaryIndexes=[
                    {"IndexName": "open", "KeySchema": _keys("open"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
                ],
            )
        except self._dynamo.exceptions.ResourceInUseException:
            self._wait()  # somebody else may have made it a moment ago
            return
        self._wait()
        self._dynamo.update_time_to_live(
            TableName=self._name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )

    def _wait(self) -> None:
        self._dynamo.get_waiter("table_exists").wait(
            TableName=self._name, WaiterConfig={"Delay": 1, "MaxAttempts": _ACTIVE_S}
        )

    def current(self) -> Current | None:
        """The run that there is; None where there is no run or no table."""
        try:
            item = self._own_item()
        except self._dynamo.exceptions.ResourceNotFoundException:
            return None
        if item is None:
            return None
        base, given, committed = (int(item[name]["N"]) for name in ("base", "given", "committed"))
        return Current(item["name"]["S"], item["queue"]["S"], base, given, ranges_of(item["ranges"]["S"]), committed)

    def begin(self, run: str, queue: str, base: int) -> None:
        self._dynamo.put_item(TableName=self._name, Item=_new(run, queue, base))

    def begin_first(self, run: str, queue: str, base: int) -> None:
        """Nothing happens where there is a run already."""
        # Refused also where an earlier try of ours was taken and its answer lost: then the run is ours all the same.
        with contextlib.suppress(self._dynamo.exceptions.ConditionalCheckFailedException):
            self._dynamo.put_item(
                TableName=self._name,
                Item=_new(run, queue, base),
                ConditionExpression="attribute_not_exists(#name)",
                ExpressionAttributeNames={"#name": "name"},
            )

    def give_numbers(self, run: str, count: int) -> range:
        """The next numbers for shards."""
        last = int(self._advance(run, "given", lambda before: {"N": str(int(before["N"]) + count)})["N"])
        return range(last - count + 1, last + 1)

    def put_payloads(self, run: str, kind: str, payloads: Mapping[int, bytes], onto: int | None = None) -> bool:
        """With `onto`, False where there are not so many shards, and then these are none."""
        expires = int(time.time() + KEPT_S)
        for payload in payloads.values():
            _check_size("payload", payload)
        items = (
            payload_key(run, number) | set_of(kind=kind, payload=payload, expires=expires)
            for number, payload in payloads.items()
        )
        aws.write(self._dynamo, self._name, items)

        def counted(before: Attributes) -> Attributes:
            if onto is not None and onto != sum(map(len, ranges_of(before["S"]))):
                raise _Outrun
            return {"S": with_numbers(before["S"], payloads)}

        # What a process wrote that died before this line is no shard: whoever plans will add it again.
        try:
            self._advance(run, "ranges", counted)
        except _Outrun:
            return False
        return True

    def lease(self, current: Current, number: int, kind: str, owner: str, until: float, now: float) -> Shard | float:
        """The shard, leased; else the deadline of the lease that is in the way, 0 where there is no more to do."""
        values = {
            "state": "leased",
            "kind": kind,
            "owner": owner,
            "deadline": until,
            "open": f"leased#{padded(number)}",
        }
        changed = self._update(
            shard_key(current.run, number),
            values | {"expires": int(now + KEPT_S)},
            ("reason",),
            "attribute_not_exists(#state) OR #state = :pending OR (#state = :state AND #deadline < :now)",
            {":pending": {"S": "pending"}, ":now": {"N": repr(now)}, ":base": {"N": str(current.base)}},
            "fence = if_not_exists(fence, :base) + :one, attempts = if_not_exists(attempts, :zero)",
        )
        if isinstance(changed, _Refused):
            shard = shard_of(changed.item)
            return shard.deadline if shard.state == "leased" else 0.0
        return shard_of(changed)

    def change(self, run: str, number: int, fence: int, values: Mapping[str, object], remove: Sequence[str]) -> bool:
        """Change a shard that is leased under this fence; False where it is not."""
        _check_size("result", values.get("result", b""))
        changed = self._update(
            shard_key(run, number),
            values,
            remove,
            "fence = :fence AND #state = :leased",
            {":fence": {"N": str(fence)}, ":leased": {"S": "leased"}},
        )
        return not isinstance(changed, _Refused)

    def take_up_again(self, run: str, number: int) -> bool:
        """Make an abandoned shard pending; False where it is not abandoned."""
        changed = self._update(
            shard_key(run, number),
            {"state": "pending", "attempts": 0},
            ("reason", "open"),
            "#state = :abandoned",
            {":abandoned": {"S": "abandoned"}},
        )
        return not isinstance(changed, _Refused)

    def commit(self, run: str, numbers: Sequence[int]) -> None:
        """Mark shards that are done, counting them in the same transaction; those that are not done stay."""
        for start in range(0, len(numbers), _COMMITTED_AT_ONCE):
            left = list(numbers[start : start + _COMMITTED_AT_ONCE])
            while left:
                try:
                    self._dynamo.transact_write_items(
                        TransactItems=[
                            *(self._committed(run, number) for number in left),
                            self._all_committed(run, len(left)),
                        ]
                    )
                    break
                except self._dynamo.exceptions.TransactionCanceledException as error:
                    reasons = [reason.get("Code") for reason in error.response["CancellationReasons"]]
                    refused = [reason == "ConditionalCheckFailed" for reason in reasons[: len(left)]]
                    if not any(refused):
                        raise
                    left = [number for number, is_refused in zip(left, refused, strict=True) if not is_refused]

    def open_values(self, run: str, prefix: str = "", limit: int | None = None) -> Iterator[str]:
        """The values of `open` that begin so, ascending."""
        condition, values = "#run = :run", {":run": {"S": run}}
        if prefix:
            condition, values = condition + " AND begins_with(#open, :prefix)", values | {":prefix": {"S": prefix}}
        query = {
            "IndexName": "open",
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#run": "run", **({"#open": "open"} if prefix else {})},
            "ExpressionAttributeValues": values,
        }
        for count, item in enumerate(self._queried(query), 1):
            yield item["open"]["S"]
            if count == limit:
                return

    def shards(self, run: str, numbers: Sequence[int] | None = None) -> dict[int, Shard]:
        """The shards of these numbers, or all, by number; those that were never leased have no item."""
        if numbers is None:
            query = {
                "KeyConditionExpression": "#run = :run",
                "ExpressionAttributeNames": {"#run": "run"},
                "ExpressionAttributeValues": {":run": {"S": run}},
            }
            found = [shard_of(item) for item in self._queried(query)]
        else:
            keys = (shard_key(run, number) for number in numbers)
            found = [shard_of(item) for item in aws.read(self._dynamo, self._name, keys)]
        return {shard.number: shard for shard in found}

    def payloads(self, run: str, numbers: Sequence[int]) -> dict[int, tuple[str, bytes]]:
        """Kind and payload by number, of those that there are."""
        items = aws.read(self._dynamo, self._name, (payload_key(run, number) for number in numbers))
        return {
            int(item["run"]["S"].rpartition("#")[2]): (item["kind"]["S"], bytes(item["payload"]["B"])) for item in items
        }

    def _queried(self, query: Mapping[str, Any]) -> Iterator[Attributes]:
        pages = self._dynamo.get_paginator("query").paginate(TableName=self._name, ConsistentRead=True, **query)
        for page in pages:
            yield from page["Items"]

    def _update(
        self,
        key: Attributes,
        values: Mapping[str, object],
        remove: Sequence[str],
        condition: str,
        more: Mapping[str, Any],
        also: str = "",
    ) -> Attributes | _Refused:
        """One conditional write; the new item, or the old one where the condition does not hold.

        botocore sends a request again whose answer did not come. Then the condition may have ceased to hold by our own
        doing: the token tells.
        """
        token = uuid.uuid4().hex
        changes = {**values, "token": token}
        assigned = ", ".join([*(f"#{name} = :{name}" for name in changes), *([also] if also else [])])
        names = {f"#{name}": name for name in {*changes, *remove, *_NAMED.findall(condition)}}
        constants = {":one": {"N": "1"}, ":zero": {"N": "0"}} if also else {}
        try:
            answer = self._dynamo.update_item(
                TableName=self._name,
                Key=key,
                UpdateExpression=f"SET {assigned}"
                + (f" REMOVE {', '.join(f'#{name}' for name in remove)}" if remove else ""),
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    **{f":{name}": value for name, value in set_of(**changes).items()},
                    **more,
                    **constants,
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamo.exceptions.ConditionalCheckFailedException as error:
            there: Attributes = error.response.get("Item", {})
            return there if there.get("token", {}).get("S") == token else _Refused(there)
        changed: Attributes = answer["Attributes"]
        return changed

    def _advance(self, run: str, name: str, change: Callable[[Attributes], Attributes]) -> Attributes:
        """Change an attribute of the ledger's own item; returns what it is then. Raises CollectionError in another run.

        Read and written under a condition, since a plain ADD would count twice where its answer is lost.
        """
        while (item := self._own_item()) is not None and item["name"]["S"] == run:
            before = item[name]
            changed = self._update(
                _LEDGER,
                {name: change(before)},
                (),
                f"#{name} = :before AND #name = :run",
                {":before": before, ":run": {"S": run}},
            )
            if not isinstance(changed, _Refused):
                found: Attributes = changed[name]
                return found
        raise CollectionError(f"the ledger {self._name} was begun anew meanwhile; what was planned is left out")

    def _own_item(self) -> Attributes | None:
        item: Attributes | None = self._dynamo.get_item(TableName=self._name, Key=_LEDGER, ConsistentRead=True).get(
            "Item"
        )
        return item

    def _committed(self, run: str, number: int) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._name,
                "Key": shard_key(run, number),
                "UpdateExpression": "SET #state = :committed REMOVE #open, #result",
                "ConditionExpression": "#state = :done",
                "ExpressionAttributeNames": {"#state": "state", "#open": "open", "#result": "result"},
                "ExpressionAttributeValues": {":committed": {"S": "committed"}, ":done": {"S": "done"}},
            }
        }

    def _all_committed(self, run: str, count: int) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._name,
                "Key": _LEDGER,
                "UpdateExpression": "ADD committed :count",
                "ConditionExpression": "#name = :run",
                "ExpressionAttributeNames": {"#name": "name"},
                "ExpressionAttributeValues": {":count": {"N": str(count)}, ":run": {"S": run}},
            }
        }


def _new(run: str, queue: str, base: int) -> Attributes:
    return _LEDGER | set_of(name=run, queue=queue, base=base, given=0, ranges="", committed=0)


class _Outrun(Exception):
    """Somebody else has added shards meanwhile."""


@dataclass(frozen=True)
class _Refused:
    """A condition did not hold; the item as it is, empty where there is none."""

    item: Attributes


def _keys(sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": "run", "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _check_size(what: str, value: object) -> None:
    if isinstance(value, bytes) and len(value) > MAX_BYTES:
        raise CollectionError(
            f"a shard's {what} of {len(value):,} bytes is more than DynamoDB holds ({MAX_BYTES:,}); keep it apart, in "
            "the place of the outputs"
        )
