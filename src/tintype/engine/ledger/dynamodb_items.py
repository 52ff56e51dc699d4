"""The items of a ledger's table: their keys, their attributes, and how DynamoDB writes values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class Current:
    """What the ledger's own item says."""

    run: str
    queue: str
    base: int  # all fences of the run are greater, all of earlier ones smaller
    given: int = 0  # the last number that was given to a shard
    ranges: tuple[range, ...] = ()  # of the numbers whose shards are there; nearly always one
    committed: int = 0

    @property
    def total(self) -> int:
        return sum(map(len, self.ranges))


@dataclass(frozen=True)
class Shard:
    """What a shard's item says."""

    number: int
    kind: str
    state: str
    fence: int
    attempts: int
    deadline: float
    reason: str
    result: bytes


def number_of(value: str) -> int:
    """The number at the end of a value of `open`."""
    return int(value.rpartition("#")[2])


def open_when(state: str, number: int, kind: str = "") -> str:
    """The value of `open` of a shard in this state."""
    return "#".join([state, *([kind] if kind else []), padded(number)])


def shard_of(item: Attributes) -> Shard:
    return Shard(
        number=int(item["item"]["S"]) if "item" in item else 0,
        kind=item.get("kind", {}).get("S", ""),
        state=item.get("state", {}).get("S", ""),
        fence=int(item.get("fence", {}).get("N", 0)),
        attempts=int(item.get("attempts", {}).get("N", 0)),
        deadline=float(item.get("deadline", {}).get("N", 0)),
        reason=item.get("reason", {}).get("S", ""),
        result=bytes(item.get("result", {}).get("B", b"")),
    )


def set_of(**values: object) -> dict[str, Any]:
    """Values as DynamoDB writes them."""
    return {name: _typed(value) for name, value in values.items()}


def _typed(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value  # written so already
    if isinstance(value, bytes):
        return {"B": value}
    return {"S": value} if isinstance(value, str) else {"N": repr(value)}


def ranges_of(text: str) -> tuple[range, ...]:
    """Ranges of numbers from `1-500,1001-1500`."""
    ends = (part.partition("-") for part in text.split(",") if part)
    return tuple(range(int(first), int(last) + 1) for first, _, last in ends)


def with_numbers(text: str, numbers: Iterable[int]) -> str:
    """The ranges together with some more numbers, which follow one another; what touches becomes one."""
    more = sorted(numbers)
    joined: list[range] = []
    for part in sorted([*ranges_of(text), range(more[0], more[-1] + 1)], key=lambda part: part.start):
        if joined and joined[-1].stop == part.start:
            joined[-1] = range(joined[-1].start, part.stop)
        else:
            joined.append(part)
    return ",".join(f"{part.start}-{part.stop - 1}" for part in joined)


def shard_key(run: str, number: int) -> dict[str, Any]:
    return set_of(run=run, item=padded(number))


def payload_key(run: str, number: int) -> dict[str, Any]:
    return set_of(run=f"{run}#{number}", item="payload")


def padded(number: int) -> str:
    return f"{number:012d}"
