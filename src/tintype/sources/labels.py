"""Labels that users bring: the columns they become, and what fits no column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from tintype.core.columns import Column
from tintype.core.errors import SourceError
from tintype.core.names import label_column, shown

REST = Column("label_rest", pa.string(), None, "labels that fit no column, as a JSON object")
MAX_COLUMNS = 500
MAX_TEXT = 65_536
"""Characters of a text that is kept as a label, and of `label_rest` in one row."""

INTEGER, FLOAT, BOOL, STRING = pa.int64(), pa.float64(), pa.bool_(), pa.string()


class Seen:
    """The types of the labels that a first pass sees, by the labels' own names, in the order they were met."""

    def __init__(self) -> None:
        self._types: dict[str, set[pa.DataType]] = {}

    def add(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            kind = _kind(value)
            if kind is not None and (name in self._types or len(self._types) < MAX_COLUMNS):
                self._types.setdefault(name, set()).add(kind)

    def forget(self, name: str) -> None:
        self._types.pop(name, None)

    def columns(self, place: str) -> tuple[Column, ...]:
        """Columns for what was seen, and REST where anything was. Raises SourceError where two would share a name."""
        typed = {name: _common(kinds) for name, kinds in self._types.items() if _is_text(name)}
        return (*label_columns(typed, place), REST) if typed else ()


def label_columns(types: Mapping[str, pa.DataType], place: str) -> tuple[Column, ...]:
    """A column for each label name. Raises SourceError where two names become one column."""
    names: dict[str, str] = {REST.name: "rest"}
    columns = []
    for name, kind in types.items():
        column = label_column(name)
        if column == REST.name:
            raise SourceError(
                f"{place}: the label {shown(name)!r} would take the column {column}, which holds what fits no other "
                "column. Rename it"
            )
        if column in names:
            raise SourceError(
                f"{place}: the labels {shown(names[column])!r} and {shown(name)!r} would both become the column "
                f"{column}. Rename one of them"
            )
        names[column] = name
        columns.append(Column(column, kind, None, name))
    return tuple(columns)


def union(lists: Iterable[Sequence[Column]]) -> tuple[Column, ...]:
    """The label columns of several sources: one whose types differ becomes float (of int and float) or string."""
    types: dict[str, set[pa.DataType]] = {}
    rest = False
    for columns in lists:
        rest |= REST in columns
        for column in columns:
            if column != REST:
                types.setdefault(column.words, set()).add(column.type)
    typed = {name: _common(kinds) for name, kinds in types.items()}
    merged = label_columns(typed, "these sources together")
    mixed = any(len(kinds) > 1 for kinds in types.values())
    return (*merged, REST) if rest or mixed else merged


class Fitter:
    """Sorts the labels of an image into columns whose types are fixed."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {column.words: (column.name, column.type) for column in columns if column != REST}
        self._keeps_rest = REST in columns

    def __call__(self, values: Mapping[str, Any], rest: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Values by column name. What has no column or does not fit its type goes, with `rest`, to `label_rest`."""
        fitted: dict[str, Any] = {}
        left = dict(rest or {})
        for name, value in values.items():
            if value is None:
                continue
            column, kind = self._columns.get(name, (None, None))
            fitting = _fit(value, kind) if column else None
            if column is None or fitting is None:
                left[name] = value
            else:
                fitted[column] = fitting
        if left and self._keeps_rest:
            fitted[REST.name] = _as_json(left)
        return fitted


def read_object(data: bytes) -> dict[str, Any]:
    """The object that JSON text holds. NaN and infinities become strings. Raises ValueError with the reason."""
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_constant=str)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    except ValueError:  # of whole numbers with thousands of digits
        raise ValueError("holds a number that is too long") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _kind(value: Any) -> pa.DataType | None:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, float):
        return FLOAT
    return STRING if isinstance(value, str) else None


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    """The narrowest type that holds them all."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return FLOAT if kinds == {INTEGER, FLOAT} else STRING


def _fit(value: Any, kind: pa.DataType) -> Any:
    """The value as this type, or None where that would lose something."""
    if kind == STRING:
        if isinstance(value, str):
            return value if len(value) <= MAX_TEXT and _is_text(value) else None
        return json.dumps(value) if isinstance(value, bool | int | float) else None
    if isinstance(value, bool) or kind == BOOL:
        return value if isinstance(value, bool) and kind == BOOL else None
    if kind == INTEGER:
        return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
    if isinstance(value, int):
        return float(value) if abs(value) <= 2**53 else None
    return value if isinstance(value, float) else None


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: half a surrogate pair cannot."""
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def _as_json(values: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(values, sort_keys=True, default=str)
    except (RecursionError, ValueError):
        return json.dumps({"not kept": "labels that are nested too deep"})
    if len(text) > MAX_TEXT:
        return json.dumps({"not kept": f"{len(text):,} characters of labels"})
    return text
