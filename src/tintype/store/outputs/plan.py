"""The plan of an output: what is embedded by which model into which files. Written once, and never changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tintype.core.columns import Column
from tintype.core.errors import CollectionDamaged, CollectionNotFound, CollectionTooNew, UsageError
from tintype.store.places.base import Place

SCHEMA = 1
PLAN_FILE = "plan.json"
LISTINGS = "plan/"
PARTS = "parts/"

_WORDS = {
    "sources": "other sources",
    "ignore": "another scan.ignore",
    "hidden": "another scan.hidden",
    "fingerprint": "another model",
    "backend": "another backend",
    "format": "another format",
    "shard_images": "another --shard-images",
    "limits": "other limits",
    "decoding": "other decoders (of another version or with other extras)",
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides about the files; the first fields are those that a second run must have the same."""

    sources: tuple[str, ...]  # absolute places, in order
    ignore: tuple[str, ...]
    hidden: bool
    fingerprint: str  # of the card
    backend: str
    format: str
    shard_images: int
    limits: Mapping[str, Any]
    decoding: int  # a number for codec, limits and extras

    id: str  # the folder of its listings
    model: str  # the card's name, or its file
    card: str  # its name
    dimension: int
    labels: tuple[tuple[str, str, str], ...]  # column, type, name
    shards: int
    images: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()
    ledger: str = "sqlite"
    lease_s: float = 60.0
    schema: int = SCHEMA

    @property
    def label_columns(self) -> tuple[Column, ...]:
        return tuple(Column(name, pa.type_for_alias(kind), None, words) for name, kind, words in self.labels)

    @property
    def label_fields(self) -> list[pa.Field]:
        """Label columns carry the name that the user gave them in their metadata."""
        return [column.field.with_metadata({"label": column.words}) for column in self.label_columns]

    def images_of(self, shard: int) -> int:
        """How many images a shard has."""
        return min(self.shard_images, self.images - shard * self.shard_images)

    def listing(self, shard: int) -> str:
        """The file that lists a shard's images: an Arrow stream with the columns of ENTRIES."""
        return f"{LISTINGS}{self.id}/{shard:05}.arrow"

    def difference(self, other: Plan) -> str | None:
        """In words, what another run would do otherwise; None where it is the same run."""
        for name, words in _WORDS.items():
            if getattr(self, name) != getattr(other, name):
                return words
        return None


def write_plan(place: Place, plan: Plan) -> bool:
    """False where there is one already."""
    return place.create(PLAN_FILE, (json.dumps(dataclasses.asdict(plan), indent=1) + "\n").encode())


def read_plan(place: Place) -> Plan:
    """Raises CollectionNotFound where there is none, CollectionTooNew, or CollectionDamaged."""
    try:
        content = place.read(PLAN_FILE)
    except FileNotFoundError:
        raise OutputNotFound(place.url) from None
    try:
        facts = json.loads(content)
        schema = facts["schema"]
        if schema > SCHEMA:
            raise CollectionTooNew(place.url, schema, SCHEMA)
        for name in ("sources", "ignore"):
            facts[name] = tuple(facts[name])
        for name in ("labels", "problems"):
            facts[name] = tuple(map(tuple, facts[name]))
        plan = Plan(**facts)
        plan.label_columns  # noqa: B018  types that there are not
    except (ValueError, TypeError, KeyError) as error:
        what = f"{PLAN_FILE} cannot be read ({error})"
        raise CollectionDamaged(place.url, what, "Name another folder, and embed again") from error
    return plan


class OutputNotFound(CollectionNotFound):
    """No vectors were planned where some were looked for."""

    def __str__(self) -> str:
        return f"{self.place}: no vectors here. Make some: tintype embed SOURCES --output {self.place} --model CARD"


def refuse_other(place: Place, there: Plan, wanted: Plan) -> None:
    """Raises UsageError where an output is of another run."""
    if difference := there.difference(wanted):
        raise UsageError(
            f"{place.url} holds vectors of {there.card} that were begun with {difference}. Nothing was changed. "
            "Name another --output"
        )
