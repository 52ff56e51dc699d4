"""How the values in a model's column came about: which engine ran it, on what; kept in the column's own metadata."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tintype.core.errors import MissingExtra, ModelError, UsageError
from tintype.core.expressions import Compare, Expression, Reference
from tintype.engine.work import StageRun, Work
from tintype.models.engines import Engine, default
from tintype.models.settling import require, settled
from tintype.stages import registry
from tintype.stages.base import Model
from tintype.store.base import Store
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout
from tintype.store.listing import data_version, note_same_data

KEY = "origins"
"""Of the metadata of a stage's first column: a JSON list, the last run's last."""


@dataclass(frozen=True)
class Origin:
    """Rows whose `_stage_NAME` is `state`, NAME being that of the stage, are of this engine, from the thumbnails of the
    number `thumbnails`, or from the images themselves where that is 0."""

    stage: str
    state: int
    engine: Engine
    thumbnails: int = 0

    @property
    def rows(self) -> Expression:
        return Compare(Reference(f"_stage_{self.stage}", pa.int32()), "=", self.state)

    def to_json(self) -> dict[str, str | int]:
        return {**dataclasses.asdict(self), "engine": str(self.engine)}


def origins(schema: pa.Schema, column: str) -> tuple[Origin, ...]:
    """What is noted of a column, the last run's last. A table may be anybody's: what makes no sense is passed over."""
    metadata = schema.field(column).metadata if column in schema.names else None
    try:
        noted = json.loads((metadata or {}).get(KEY.encode(), b"[]"))
    except (ValueError, RecursionError):
        return ()
    known = [origin for entry in noted if (origin := _origin(entry))] if isinstance(noted, list) else []
    return tuple(origin for origin in known if _state_field(origin.stage) in schema)


def _state_field(stage: str) -> pa.Field:
    return pa.field(f"_stage_{stage}", pa.int32())


def _origin(noted: object) -> Origin | None:
    if not isinstance(noted, Mapping):
        return None
    stage, state, thumbnails = (noted.get(name) for name in ("stage", "state", "thumbnails"))
    if type(stage) is not str or type(state) is not int or type(thumbnails) is not int or not 0 < state < 1 << 31:
        return None
    try:
        return Origin(stage, state, Engine.of(str(noted.get("engine"))), thumbnails)
    except UsageError:
        return None


def is_of_card(run: StageRun) -> bool:
    """Whether a stage was made of a card (`NAME:CARD`); models that come with a stage run as they always do."""
    return isinstance(run.stage.needs, Model) and run.stage.name not in registry.names()


def settled_work(work: Work, schema: pa.Schema, backend: str) -> Work:
    """The work with the engine that each stage of a card is run by in this run, for a table of this schema.

    `backend` is a word as `models.settling.settled` takes it; what it leaves open is as it was when the column was
    made. Raises UsageError, ModelError and MissingExtra where there is no such engine, here or at all.
    """
    runs = [settled_run(run, schema, backend) if is_of_card(run) else run for run in work.stages]
    return dataclasses.replace(work, stages=tuple(runs))


def settled_run(run: StageRun, schema: pa.Schema, backend: str) -> StageRun:
    """As `settled_work`, for one stage of a card."""
    needs, column = model_of(run), run.stage.columns[0].name
    before = next((origin.engine for origin in reversed(origins(schema, column))), None)
    engine = settled(needs.card, backend, before)
    try:
        require(needs.card, engine)
    except (MissingExtra, ModelError) as error:
        if backend or before is None:
            raise
        raise ModelError(
            f"{column} was computed by {engine}, which cannot go on here ({error}). Nothing was changed. Go on where "
            "it can, or compute all of it again: --backend auto"
        ) from error
    return run_on(run, engine)


def run_on(run: StageRun, engine: Engine, thumbnails: int = 0) -> StageRun:
    """The stage of a card on an engine, with the number that tells its rows from others."""
    needs = model_of(run)
    # The default's rows have the number that they had before there was a choice.
    word = "" if engine == default(needs.card) else str(engine)
    stage = dataclasses.replace(run.stage, needs=dataclasses.replace(needs, backend=word, thumbnails=thumbnails))
    return StageRun(stage, run.settings, registry.fingerprint(stage, run.settings))


def origin_of(run: StageRun) -> Origin:
    """Of the rows that a stage of a card computes in this run."""
    needs = model_of(run)
    engine = Engine.of(needs.backend) if needs.backend else default(needs.card)
    return Origin(run.stage.name, run.state, engine, needs.thumbnails)


def model_of(run: StageRun) -> Model:
    """What a stage needs that runs a model. Raises ModelError for others."""
    if not isinstance(run.stage.needs, Model):
        raise ModelError(f"stage {run.stage.name} runs no model")
    return run.stage.needs


def schema_at(layout: Layout) -> pa.Schema:
    """Of the table that there is; without columns where there is none yet."""
    return LanceStore.open(layout.images).schema if layout.record.is_file() else pa.schema([])


def states_of(schema: pa.Schema, run: StageRun) -> tuple[int, ...]:
    """The numbers in `run.state_column` that say that a value is of this stage with this very card, whatever ran it."""
    noted = origins(schema, run.stage.columns[0].name) if is_of_card(run) else ()
    known = [origin.state for origin in noted if run_on(run, origin.engine, origin.thumbnails).state == origin.state]
    return tuple(dict.fromkeys([registry.fingerprint(run.stage, run.settings), *known]))


def note_origins(layout: Layout, store: Store, runs: Sequence[StageRun]) -> None:
    """Note in the table what the models among these runs make their rows of, before any is computed; what no row is of
    any more is forgotten. Nothing is written where all is noted already, and no finding is outdated by it.

    The caller holds the collection's lock.
    """
    own: dict[str, list[StageRun]] = {}  # by column; of several thumbnails there are several
    for run in filter(is_of_card, runs):
        own.setdefault(run.stage.columns[0].name, []).append(run)
    told = {}
    for column, runs_of_it in own.items():
        run = runs_of_it[0]
        store.add_columns(pa.schema([run.stage.columns[0].field, _state_field(run.stage.name)]))
        new, noted = tuple(map(origin_of, runs_of_it)), origins(store.schema, column)
        if noted[-len(new) :] == new:
            continue
        # A column without a note is of a time before there was a choice.
        known = noted or (origin_of(run_on(run, default(model_of(run).card))),)
        old = (origin for origin in known if origin not in new and store.count(origin.rows))
        told[column] = {KEY: json.dumps([origin.to_json() for origin in (*old, *new)])}
    if told:
        data = data_version(layout, store.version)
        store.note(told)
        note_same_data(layout, store.version, data)
