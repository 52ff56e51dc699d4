"""How a run computes rows, as records that planner, workers and parent share; no decoder is loaded with them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tintype.codec.limits import Limits
from tintype.core.columns import ROW_COLUMNS, schema_of
from tintype.stages.base import SHARED_SIDE_PX, Bytes, Model, Needs, Stage

DECODE_STATE = "_stage_decode"

FACT_COLUMNS = ("status", "reason", "format", "width", "height", "frames", "color_mode")
"""What the bytes alone decide; copied together with the stages' columns where bytes are met again."""


@dataclass(frozen=True)
class StageRun:
    """A stage with its settings, and the number that tells rows of this computation from stale ones."""

    stage: Stage
    settings: Any
    state: int

    @property
    def state_column(self) -> str:
        return f"_stage_{self.stage.name}"


@dataclass(frozen=True)
class Scale:
    """How images are decoded for some stages: to this longer side, or with at least this shorter one."""

    side_px: int = 0
    shorter_px: int = 0


@dataclass(frozen=True)
class Work:
    """How a run computes rows; the same for all its shards."""

    stages: tuple[StageRun, ...]
    limits: Limits
    decode_state: int
    label_fields: tuple[pa.Field, ...] = ()

    @property
    def scales(self) -> tuple[Scale, ...]:
        """How each image is decoded: once for all stages that share their views, once for each other scale.

        The shared one is the smallest that all its stages can live with, and never less than ours need: what a stage
        finds must not depend on which others run.
        """
        own = dict.fromkeys(scale for run in self.stages if (scale := _own_scale(run.stage.needs)) is not None)
        shared = [run.stage.needs for run in self.stages if _own_scale(run.stage.needs) is None]
        if not shared and own:
            return tuple(own)
        sides = (needs.side_px for needs in shared if not isinstance(needs, Bytes))
        return (Scale(side_px=max((SHARED_SIDE_PX, *sides))), *own)

    def scale_of(self, run: StageRun) -> int:
        """Which of `scales` a stage works on."""
        own = _own_scale(run.stage.needs)
        return 0 if own is None else self.scales.index(own)

    @property
    def stage_schema(self) -> pa.Schema:
        """Columns of the stages and their states."""
        fields = [column.field for run in self.stages for column in run.stage.columns]
        return pa.schema([*fields, *(pa.field(run.state_column, pa.int32()) for run in self.stages)])

    @property
    def schema(self) -> pa.Schema:
        """All columns that a row of this run has."""
        rows = schema_of(ROW_COLUMNS)
        state = pa.field(DECODE_STATE, pa.int32())
        return pa.schema([*rows, state, *self.stage_schema, *self.label_fields])


def _own_scale(needs: Needs) -> Scale | None:
    """The scale of a stage whose images are decoded for it alone."""
    return Scale(shorter_px=needs.side_px) if isinstance(needs, Model) and not needs.is_shared else None


class Clock:
    """Seconds by activity; `stages` by name."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, activity: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[activity] += time.perf_counter() - begin


class Watch:
    """Where the work notes which images it is at, in case it does not come back. This one notes nothing."""

    def at(self, first: int, last: int, *, alone: bool) -> None:
        """Work on the images first to last of the shard begins."""

    def reading(self, index: int) -> None:
        """An image of the shard is about to be read."""

    def ahead(self, index: int) -> None:
        """An image is about to be read while others are worked on; none any more where it is negative."""

    def nowhere(self) -> None:
        """What follows is no image's fault."""


@dataclass(frozen=True)
class Verdict:
    """What became clear about an image by the death of the workers that tried it."""

    status: str
    reason: str
    while_reading: bool = False
