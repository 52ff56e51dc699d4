"""How an output stands, from its plan, its ledger and its manifest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tintype.engine.ledger.base import Ledger
from tintype.engine.vectors.ledgers import opened_ledger, shard_of
from tintype.engine.vectors.sealing import results
from tintype.store.outputs.manifest import Manifest, read_manifest
from tintype.store.outputs.plan import Plan, read_plan
from tintype.store.places.base import Place

_OF_LATE_S = 120.0
_MOST_FAILURES = 20


@dataclass(frozen=True, kw_only=True)
class OutputStatus:
    """How an output stands."""

    output: str
    is_complete: bool
    shards: Mapping[str, int]  # by state: pending, leased, done, abandoned
    images: int
    done: int  # images in shards that are done
    vectors: int
    status: Mapping[str, int]  # of images that are done
    images_per_second: float | None  # of late, all workers together; None where nobody works
    seconds_left: float | None
    failures: list[dict[str, Any]]  # images: id, status, reason; the first of each shard that has some
    abandoned: list[dict[str, Any]]  # shards: shard, images, reason
    retried: int = 0

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype status --json`."""
        return {
            "schema": 1,
            "output": self.output,
            "complete": self.is_complete,
            "shards": dict(self.shards),
            "images": self.images,
            "done": self.done,
            "vectors": self.vectors,
            "status": dict(self.status),
            "images_per_second": self.images_per_second,
            "seconds_left": self.seconds_left,
            "failures": self.failures,
            "abandoned": self.abandoned,
            "retried": self.retried,
        }


def output_status(place: Place, *, retry: bool = False) -> OutputStatus:
    """With `retry`, shards that were given up are made pending again first. Raises CollectionNotFound."""
    plan = read_plan(place)
    if (manifest := read_manifest(place)) is not None:
        return _complete(place, plan, manifest)
    with opened_ledger(place, plan) as ledger:
        retried = ledger.retry() if retry else 0
        return _underway(place, plan, ledger, retried)


def _complete(place: Place, plan: Plan, manifest: Manifest) -> OutputStatus:
    return OutputStatus(
        output=place.url,
        is_complete=True,
        shards={"done": plan.shards},
        images=plan.images,
        done=manifest.images,
        vectors=manifest.vectors,
        status=manifest.status,
        images_per_second=None,
        seconds_left=None,
        failures=[],
        abandoned=[],
    )


def _underway(place: Place, plan: Plan, ledger: Ledger, retried: int) -> OutputStatus:
    taken = results(ledger)
    status: Counter[str] = Counter()
    for result in taken:
        status.update(result["status"])
    done = sum(result["rows"] for result in taken)
    abandoned = [(shard_of(plan, payload), reason) for _, payload, reason in ledger.abandoned()]
    left = plan.images - done - sum(plan.images_of(shard) for shard, _ in abandoned)
    rate = _rate(taken, time.time())
    return OutputStatus(
        output=place.url,
        is_complete=False,
        shards=dict(sorted(ledger.counts().items())),
        images=plan.images,
        done=done,
        vectors=sum(result["vectors"] for result in taken),
        status=dict(sorted(status.items())),
        images_per_second=rate,
        seconds_left=round(left / rate, 1) if rate else None,
        failures=[failure for result in taken for failure in result["failures"]][:_MOST_FAILURES],
        abandoned=[{"shard": shard, "images": plan.images_of(shard), "reason": reason} for shard, reason in abandoned],
        retried=retried,
    )


def _rate(taken: Sequence[Mapping[str, Any]], now: float) -> float | None:
    """Images a second between the first and the last shard that were finished of late."""
    late = sorted((result["at"], result["rows"]) for result in taken if result["at"] > now - _OF_LATE_S)
    if len(late) < 2 or late[-1][0] <= late[0][0]:
        return None
    seconds: float = late[-1][0] - late[0][0]
    images: int = sum(rows for _, rows in late[1:])
    return round(images / seconds, 1)
