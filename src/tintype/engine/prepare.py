"""How a run computes rows: the stages that were chosen, their settings, and the numbers that tell stale rows."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from blake3 import blake3

from tintype.codec.limits import Limits
from tintype.engine.work import StageRun, Work
from tintype.sources.base import Source
from tintype.stages import registry

CODEC_VERSION = 1
"""Grows when a change of the codec may turn failures into images or the other way round."""

_EXTRAS = ("rawpy", "pylibjxl")


def work_of(source: Source, stages: Sequence[str], settings_of: Callable[[str], Any], limits: Limits) -> Work:
    """The work of a run. Raises PluginError for a stage that there is not."""
    runs = []
    for name in dict.fromkeys(stages):
        stage = registry.stage(name)
        settings = settings_of(name.partition(":")[0])
        runs.append(StageRun(stage, settings, registry.fingerprint(stage, settings)))
    return Work(tuple(runs), limits, decode_state(limits), _label_fields(source))


def decode_state(limits: Limits) -> int:
    """A number that changes with whatever decides about failures: codec, limits, installed extras."""
    extras = [name for name in _EXTRAS if importlib.util.find_spec(name) is not None]
    text = json.dumps([CODEC_VERSION, dataclasses.asdict(limits), extras], sort_keys=True)
    return int.from_bytes(blake3(text.encode()).digest(length=4), "big") & 0x7FFF_FFFF


def _label_fields(source: Source) -> tuple[pa.Field, ...]:
    """Label columns carry the name that the user gave them in their metadata."""
    return tuple(column.field.with_metadata({"label": column.words}) for column in source.labels)
