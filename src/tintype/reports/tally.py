"""How often names occur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_NAMES_KEPT = 10_000  # distinct names that are told apart before the rest is counted together


@dataclass(frozen=True)
class Tally:
    """How often each name occurs: most frequent first, the rest in `others`, those without in `unknown`."""

    named: Mapping[str, int]
    others: int = 0
    unknown: int = 0

    @property
    def known(self) -> int:
        return sum(self.named.values()) + self.others

    def to_json(self) -> dict[str, Any]:
        return {"named": dict(self.named), "others": self.others, "unknown": self.unknown}

    def to_flat_json(self) -> dict[str, int]:
        """All in one object, for names that can be neither "others" nor "unknown"."""
        rest = {"others": self.others, "unknown": self.unknown}
        return {**self.named, **{name: count for name, count in rest.items() if count}}


class Names:
    """Counts of names, of which it tells only the first `_NAMES_KEPT` distinct ones apart."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.others = 0
        self.unknown = 0

    def add(self, name: str | None, count: int) -> None:
        if not name:
            self.unknown += count
        elif name in self.counts or len(self.counts) < _NAMES_KEPT:
            self.counts[name] = self.counts.get(name, 0) + count
        else:
            self.others += count

    def add_column(self, column: pa.Array) -> None:
        for pair in pc.value_counts(column).to_pylist():
            value = pair["values"]
            self.add(None if value is None else str(value), pair["counts"])

    def most(self, top: int) -> Tally:
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        others = self.others + sum(count for _, count in ordered[top:])
        return Tally(dict(ordered[:top]), others, self.unknown)

    def in_order(self, top: int) -> Tally:
        """The most frequent ones in the order of their names as numbers."""
        most = self.most(top)
        ordered = sorted(most.named.items(), key=lambda item: int(item[0]))
        return Tally(dict(ordered), most.others, most.unknown)
