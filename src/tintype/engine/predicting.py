"""A head over the vectors of a collection: its columns, computed where they are missing or of other vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from blake3 import blake3
from numpy.typing import NDArray

from tintype.core.columns import Column, schema_of
from tintype.core.errors import ModelError, UsageError
from tintype.core.expressions import And, Compare, Expression, IsNull, Not, Or, Reference
from tintype.engine.origins import states_of
from tintype.engine.scan import locked
from tintype.engine.work import StageRun
from tintype.models import registry as models
from tintype.models.card import Card
from tintype.models.card_file import read_labels
from tintype.models.heads.running import Head, result_of, vectors_of
from tintype.stages import registry as stages
from tintype.stages.classification import class_columns, classified
from tintype.store.base import Store
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout

VERSION = 1
"""Grows when the columns of the same head and settings change."""

_BATCH_ROWS = 8_192


@dataclass(frozen=True)
class StoredVectors:
    """A column of a card's vectors. `states` are the numbers in `state_column` that say so, one for each engine, for
    images and for thumbnails."""

    card: Card
    column: str
    state_column: str
    states: tuple[int, ...]

    @property
    def are_these(self) -> Expression:
        """Rows whose vector is the card's."""
        state = Reference(self.state_column, pa.int32())
        return Or(tuple(Compare(state, "=", number) for number in self.states))


@dataclass(frozen=True)
class Counts:
    """Rows that were computed, those that had been before, and those whose image has no vector."""

    computed: int
    kept: int
    without_vector: int


def stored_vectors(store: Store, card: Card) -> StoredVectors:
    """Where a collection keeps the vectors of a card.

    Raises UsageError where it has none of them, ModelError where some are of another version of the card.
    """
    stage = stages.stage(f"embed:{card.name}")
    if card.name == "descriptor" and stage.columns[0].name not in store.schema.names:
        stage = stages.stage("descriptor")
    column = stage.columns[0].name
    run = StageRun(stage, stage.settings(), 0)
    if column not in store.schema.names or run.state_column not in store.schema.names:
        raise UsageError(f"no vectors of {card.name} here. Make them: tintype embed PLACE --model {card.name}")
    found = StoredVectors(card, column, run.state_column, states_of(store.schema, run))
    state = Reference(run.state_column, pa.int32())
    others = store.count(And((Compare(state, ">", 0), Not(found.are_these))))  # below 0 the model failed on the image
    if others:
        raise ModelError(
            f"{others:,} vectors in {column} are not of {card.name} as it is now. "
            f"Make them again: tintype embed PLACE --model {card.name}"
        )
    return found


@dataclass(frozen=True)
class Prediction:
    """A head and how much of what it says is kept: its likeliest `top` classes, from `min_confidence` (0 to 1) on."""

    card: Card
    min_confidence: float = 0.0
    top: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(f"min_confidence must be 0 to 1, not {self.min_confidence}")
        if not 1 <= self.top <= 1_000:
            raise UsageError(f"top must be 1 to 1,000, not {self.top}")
        _ = vectors_of(self.card), result_of(self.card)

    @property
    def name(self) -> str:
        """Of its first column."""
        return f"predict_{self.card.name}"

    @property
    def state_column(self) -> str:
        return f"_stage_{self.name}"

    @property
    def tells_classes(self) -> bool:
        return result_of(self.card).meaning != "score"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The likeliest class, its confidence and the likeliest few; or one number."""
        if self.tells_classes:
            return class_columns(self.name, "class", self.card)
        words = f"what the head {self.card.name} gives for the picture's vector; no share of anything, but a number"
        return (Column(self.name, pa.float32(), None, words),)

    def state(self, of_vectors: int) -> int:
        """The number that tells rows of this computation, over vectors of that number, from stale ones."""
        settings = [self.min_confidence, self.top] if self.tells_classes else []
        known = ["predict", VERSION, self.card.fingerprint, settings, of_vectors]
        text = json.dumps(known, separators=(",", ":"))
        return int.from_bytes(blake3(text.encode()).digest(length=4), "big") & 0x7FFF_FFFF or 1


def source_of(store: Store, head: Card) -> StoredVectors:
    """The vectors that a head takes. Raises ModelError where the card at hand is not the one that it was made for."""
    wanted = vectors_of(head)
    over = models.card(wanted.card)
    if over.fingerprint != wanted.fingerprint:
        raise ModelError(
            f"head {head.name} was made for another version of {over.name} (fingerprint {wanted.fingerprint[:8]}…, "
            f"here {over.fingerprint[:8]}…). Make the head again: tintype models head"
        )
    return stored_vectors(store, over)


def predict_rows(
    layout: Layout, prediction: Prediction, tell: Callable[[int, int], None] = lambda done, total: None
) -> Counts:
    """Compute a head's columns of all rows that lack them, or have them of other vectors, settings or weights.

    A fragment of the table at a time is in memory; what is finished stays where this is stopped. `tell` hears how many
    rows are done, of how many. Raises CollectionLocked, StorageFull, ModelError and UsageError.
    """
    with locked(layout):
        store = LanceStore.open(layout.images)
        source = source_of(store, prediction.card)
        schema = schema_of(prediction.columns)
        schema = schema.append(pa.field(prediction.state_column, pa.int32()))
        _refuse_other_kind(store, prediction)
        store.add_columns(schema)
        compute = _Computation(prediction, source, pa.schema([pa.field("_rowid", pa.uint64()), *schema]))
        stale = _stale(prediction, source)
        total, done = store.count(stale), 0
        for part in store.stale(stale, [source.column, source.state_column]) if total else ():
            store.update(part.fragment, map(compute, _batches(part.rows)), compute.schema)
            done += part.rows.num_rows
            tell(done, total)
        all_rows = store.count()
        with_vectors = store.count(source.are_these)
    return Counts(done, with_vectors - total, all_rows - with_vectors)


def _refuse_other_kind(store: Store, prediction: Prediction) -> None:
    """A head of classes may have had the name of one that gives numbers, or the other way round."""
    first = prediction.columns[0]
    if first.name in store.schema.names and store.schema.field(first.name).type != first.type:
        there = store.schema.field(first.name).type
        raise UsageError(
            f"column {first.name} holds {there} of an earlier head of that name, and {prediction.card.name} now gives "
            f"{first.type}. Nothing was changed. Make the head under another name"
        )


def _stale(prediction: Prediction, source: StoredVectors) -> Expression:
    """Rows with vectors whose columns are not of this very computation over them."""
    of_vectors, own = Reference(source.state_column, pa.int32()), Reference(prediction.state_column, pa.int32())
    cases: list[Expression] = []
    for number in source.states:
        other = Or((IsNull(own), Compare(own, "!=", prediction.state(number))))
        cases.append(And((Compare(of_vectors, "=", number), other)))
    return Or(tuple(cases))


def _batches(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    return iter(rows.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS))


class _Computation:
    """From stored rows to new values for them, in batches of `schema`."""

    def __init__(self, prediction: Prediction, source: StoredVectors, schema: pa.Schema) -> None:
        self.prediction, self.source, self.schema = prediction, source, schema
        self._head = Head(prediction.card)
        self._labels = read_labels(prediction.card, self._head.output.name) if prediction.tells_classes else ()
        self._states = {number: prediction.state(number) for number in source.states}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """An image whose vector is null has nulls: the model gave none for it."""
        prediction = self.prediction
        vectors, there = matrix(batch[self.source.column])
        values = self._head(vectors)
        if prediction.tells_classes:
            values[~there] = np.nan
            columns = classified(prediction.name, values, self._labels, prediction.min_confidence, prediction.top)
        else:
            columns = {prediction.name: pa.array(values, pa.float32(), mask=~(there & np.isfinite(values)))}
        states = [self._states[number] for number in batch[self.source.state_column].to_pylist()]
        known = {"_rowid": batch["_rowid"], **columns, prediction.state_column: pa.array(states, pa.int32())}
        return pa.RecordBatch.from_arrays([known[name] for name in self.schema.names], schema=self.schema)


def matrix(column: pa.Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Vectors float32 (n, d) of a column, zeros where one is null, and which of them (n,) are not."""
    there = column.is_valid().to_numpy(zero_copy_only=False)
    made = np.zeros((len(column), column.type.list_size), np.float32)
    made[there] = column.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    return made, there
