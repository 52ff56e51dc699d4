"""The data dictionary: every column that a row may have."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tintype.cli.pages.markdown import page, table
from tintype.core.columns import ROW_COLUMNS, Column
from tintype.engine.work import DECODE_STATE
from tintype.sources.labels import REST
from tintype.stages import registry
from tintype.stages.base import Bytes, Stage

_LABEL = (
    "`label_NAME`",
    "text, number or true/false",
    "",
    "what a tar or a table says of the image; NAME is the label's own name in lower case, with `_` for all but "
    "letters and digits",
)
_DECODE = Column(DECODE_STATE, pa.int32(), None, "tells which codec, limits and extras decided about the status")
_STATE = ("`_stage_NAME`", "whole number (`int32`)", "", "tells how the columns of stage NAME were computed")
_HEADS = ("column", "type", "unit", "meaning")


def column_page() -> str:
    """The page of the columns of every row, of each stage, of labels, and of those for inner use."""
    own = [column for column in ROW_COLUMNS if not column.name.startswith("_")]
    inner = [column for column in ROW_COLUMNS if column.name.startswith("_")]
    parts = [
        "# Columns",
        "A row is an image. Every column may be null, which means that there is no value: nothing is known, or it was "
        "not computed. `photos.columns` names the columns of a collection, and `photos.table([…])` reads some of them.",
        "All columns here but lists and bytes can be filtered by; see [commands.md](../commands.md#filters).",
        "## Every row",
        table(_HEADS, map(_cells, own)),
    ]
    for name in (*registry.DEFAULT_STAGES, *sorted(set(registry.names()) - set(registry.DEFAULT_STAGES))):
        parts += _stage_parts(registry.stage(name))
    parts += [
        "## Labels",
        "Only images of tars and tables have labels. Types are fixed by the first scan.",
        table(_HEADS, (_LABEL, _cells(REST))),
        "## For inner use",
        "Columns that begin with `_` are no promise: they may change with any version. "
        "[collection-format.md](../collection-format.md) says how they are used.",
        table(_HEADS, (*map(_cells, inner), _cells(_DECODE), _STATE)),
    ]
    return page(parts)


def _stage_parts(stage: Stage) -> Iterator[str]:
    needs = (
        "the file's bytes" if isinstance(stage.needs, Bytes) else f"pixels, {stage.needs.side_px} on the longer side"
    )
    is_default = "computed by default" if stage.name in registry.DEFAULT_STAGES else "computed when asked for"
    yield f"## Stage `{stage.name}`"
    yield f"Version {stage.version}; {is_default}; reads {needs}."
    yield table(_HEADS, map(_cells, stage.columns))


def _cells(column: Column) -> tuple[str, ...]:
    return f"`{column.name}`", type_words(column.type), column.unit or "", column.words


def type_words(kind: pa.DataType) -> str:
    """An Arrow type in plain words, with its own name beside them where these leave something open."""
    if pa.types.is_string(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "true or false"
    if pa.types.is_fixed_size_binary(kind):
        return f"{kind.byte_width} bytes"
    if pa.types.is_binary(kind):
        return "bytes"
    if pa.types.is_timestamp(kind):
        return f"{'local time' if kind.tz is None else 'time'} (`{kind}`)"
    if pa.types.is_fixed_size_list(kind):
        return f"list of {kind.list_size} × {type_words(kind.value_type)}"
    if pa.types.is_list(kind):
        return f"list of {type_words(kind.value_type)}"
    if pa.types.is_integer(kind):
        return f"whole number (`{kind}`)"
    return f"number (`float{kind.bit_width}`)"
