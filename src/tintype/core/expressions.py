"""The expression tree of a filter, and its forms: text to read, Arrow to compute with, SQL for the table.

Logic is SQL's three-valued one: what is compared with a null is null, and a row passes only where the whole is
true. Text compares by its UTF-8 bytes; a float that is not a number is unequal to all and on no side of any.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

Value = str | bool | int | float | bytes | datetime | date

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Reference:
    """A column of the table, with its Arrow type."""

    name: str
    type: pa.DataType


@dataclass(frozen=True)
class Compare:
    """A column beside a value that its type can hold, or beside another column of the same type."""

    column: Reference
    operator: str  # a key of OPERATORS
    value: Value | Reference


@dataclass(frozen=True)
class In:
    """A column's value is one of these; at least one."""

    column: Reference
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Like:
    """A text column matches a pattern of SQL: `%` is any text, `_` one character, a backslash takes the next as is."""

    column: Reference
    pattern: str


@dataclass(frozen=True)
class IsNull:
    """A column has no value. Never null itself."""

    column: Reference


@dataclass(frozen=True)
class Not:
    term: Expression


@dataclass(frozen=True)
class And:
    terms: tuple[Expression, ...]  # two or more


@dataclass(frozen=True)
class Or:
    terms: tuple[Expression, ...]  # two or more


Expression = Compare | In | Like | IsNull | Not | And | Or


def columns_of(expression: Expression) -> frozenset[str]:
    """The names of the columns that the expression reads."""
    return frozenset(reference.name for reference in _references(expression))


def _references(expression: Expression) -> Iterator[Reference]:
    if isinstance(expression, And | Or):
        for term in expression.terms:
            yield from _references(term)
    elif isinstance(expression, Not):
        yield from _references(expression.term)
    else:
        yield expression.column
        if isinstance(expression, Compare) and isinstance(expression.value, Reference):
            yield expression.value


def to_arrow(expression: Expression) -> pc.Expression:
    """The expression for Arrow: use it with `Table.filter`, or in a scan of a data set."""
    match expression:
        case And(terms):
            return functools.reduce(operator.and_, map(to_arrow, terms))
        case Or(terms):
            return functools.reduce(operator.or_, map(to_arrow, terms))
        case Not(term):
            return ~to_arrow(term)
        case IsNull(column):
            return pc.field(column.name).is_null()
        case Like(column, pattern):
            return pc.match_like(pc.field(column.name), pattern)
        case In(column, values) if pa.types.is_floating(column.type):  # `isin` tells -0.0 from 0.0
            return functools.reduce(operator.or_, (to_arrow(Compare(column, "=", value)) for value in values))
        case In(column, values):
            found = pc.field(column.name).isin(pa.array(values, column.type))  # false for a null, where SQL says null
            return pc.if_else(pc.field(column.name).is_valid(), found, pa.scalar(None, pa.bool_()))
        case Compare(column, sign, Reference(other)):
            return OPERATORS[sign](pc.field(column.name), pc.field(other))
        case Compare(column, sign, value):
            return OPERATORS[sign](pc.field(column.name), pa.scalar(value, column.type))


def to_sql(expression: Expression) -> str:
    """The expression as SQL that Lance (DataFusion) reads, with every value quoted for its type."""
    return _written(expression, _sql_value, for_table=True)


def to_text(expression: Expression) -> str:
    """The expression as a user may write it: `parse(to_text(e), schema) == e`."""
    return _written(expression, _text_value, for_table=False)


def _written(expression: Expression, value_text: Callable[[Value, pa.DataType], str], *, for_table: bool) -> str:
    def written(inner: Expression) -> str:
        match inner:
            case And(terms) | Or(terms):
                word = " and " if isinstance(inner, And) else " or "
                return word.join(enclosed(term) for term in terms)
            case Not(term):
                return f"not {enclosed(term)}"
            case IsNull(column):
                return f"{column.name} is null"
            case Like(column, pattern):
                return f"{column.name} like {_quoted(pattern)}"
            case In(column, values):
                return f"{column.name} in ({', '.join(value_text(value, column.type) for value in values)})"
            case Compare(column, sign, Reference(other)):
                return f"{column.name} {sign} {other}"
            case Compare(column, sign, value):
                text = f"{column.name} {sign} {value_text(cast(Value, value), column.type)}"
                if for_table and pa.types.is_floating(column.type) and sign != "!=":
                    # DataFusion sorts what is not a number below or above all numbers, by its sign bit.
                    return f"({text} and not isnan({column.name}))"
                return text

    def enclosed(inner: Expression) -> str:
        return f"({written(inner)})" if isinstance(inner, And | Or | Not) else written(inner)

    return written(expression)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text_value(value: Value, _: pa.DataType) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case bytes():
            return _quoted(value.hex())
        case datetime():
            return _quoted(value.isoformat(" "))
        case date():
            return _quoted(value.isoformat())
        case _:
            return _quoted(value)


def _sql_value(value: Value, type_: pa.DataType) -> str:
    match value:
        case float() if pa.types.is_float32(type_):
            # Lance compares as float32 outside of a "not" and as float64 within: both must see the same number.
            return repr(pa.scalar(value, type_).as_py())
        case int() if value == -(2**63) and not isinstance(value, bool):
            return f"cast('{value}' as bigint)"  # its digits without the sign are beyond a 64-bit number
        case bytes():
            return f"X'{value.hex()}'"
        case datetime():
            return f"timestamp '{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}'"
        case date():
            return f"cast('{value.isoformat()}' as date)"
        case _:
            return _text_value(value, type_)
