"""Values of a filter, read as the type of the column that they are compared with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa

from tintype.core.errors import FilterError
from tintype.core.expressions import Value
from tintype.core.names import shown

Literal = str | bool | int | float

_TIME = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"([ T](?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d{1,6}))?)?"
    r" ?(?P<zone>Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)


def is_text(type_: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def value_for(name: str, type_: pa.DataType, literal: Literal) -> Value:
    """The literal as column `name` of this type holds it: a time in UTC where the column has a zone.

    Raises FilterError for what the column cannot hold, and for lists, structs and other types without literals.
    """
    wanted, read = _reader(name, type_)
    refusal = FilterError(f"{name} {wanted}; {shown(repr(literal))} does not fit")
    try:
        value = read(literal)
        if value is None:
            raise refusal
        held = pa.scalar(value, type_).as_py()
        if isinstance(value, datetime) and held != value:  # Arrow cuts what is finer than the column's unit
            raise refusal
    except (pa.ArrowException, OverflowError, ValueError) as error:
        raise refusal from error
    if isinstance(held, float) and math.isinf(held):
        raise refusal
    return value


def check_type(name: str, type_: pa.DataType) -> None:
    """Raises FilterError for a column whose values cannot be compared."""
    _reader(name, type_)


def _reader(name: str, type_: pa.DataType) -> tuple[str, Callable[[Literal], Value | None]]:
    """What such a column holds, in words, and how a literal is read as that (null where it is none)."""
    if is_text(type_):
        return "holds text in single quotes", _text
    if pa.types.is_boolean(type_):
        return "is true or false", lambda literal: literal if isinstance(literal, bool) else None
    if pa.types.is_integer(type_):
        return f"holds whole numbers ({type_})", _integer
    if pa.types.is_float32(type_) or pa.types.is_float64(type_):
        return f"holds numbers (float{type_.bit_width})", _float
    if pa.types.is_timestamp(type_):
        if type_.tz is None:
            return "holds times without a zone, such as '2024-05-01 12:30'", _local_time
        return "holds times, such as '2024-05-01 12:30Z'", _time
    if pa.types.is_date32(type_):
        return "holds dates, such as '2024-05-01'", _date
    if pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_):
        size = f"{2 * type_.byte_width} digits of" if pa.types.is_fixed_size_binary(type_) else "an even count of"
        return f"holds bytes, written as {size} hexadecimal text in quotes", _bytes
    raise FilterError(f"{name} holds {type_}, which a filter can only test with 'is null'")


def _text(literal: Literal) -> str | None:
    if not isinstance(literal, str):
        return None
    literal.encode()  # half of a surrogate pair, as of a command line that is not UTF-8, raises ValueError
    return literal


def _integer(literal: Literal) -> int | None:
    """A whole number may be written as one of its floats: 1e6."""
    if isinstance(literal, bool | str) or int(literal) != literal:
        return None
    return int(literal)


def _float(literal: Literal) -> float | None:
    return None if isinstance(literal, bool | str) else float(literal)


def _bytes(literal: Literal) -> bytes | None:
    return bytes.fromhex(literal) if isinstance(literal, str) and literal.isalnum() else None


def _date(literal: Literal) -> date | None:
    time = _local_time(literal)
    return time.date() if time is not None and time == datetime.combine(time, datetime.min.time()) else None


def _local_time(literal: Literal) -> datetime | None:
    time = _read_time(literal)
    return time if time is not None and time.tzinfo is None else None


def _time(literal: Literal) -> datetime | None:
    time = _read_time(literal)
    if time is None:
        return None
    return time.astimezone(UTC) if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _read_time(literal: Literal) -> datetime | None:
    """A time from text that may stop after any part, or from a number that is a year. Raises ValueError."""
    found = _TIME.fullmatch(str(literal)) if isinstance(literal, str | int) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(found[part] or least)
        for part, least in (("year", 1), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    )
    microsecond = int((found["fraction"] or "0").ljust(6, "0"))
    return datetime(year, month, day, hour, minute, second, microsecond, _zone(found["zone"]))


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)
