"""Random tables and filters, and a plain Python reading of what a filter means."""

import operator
import re
import struct
from datetime import UTC, date, datetime

import pyarrow as pa
from hypothesis import strategies as st

from tintype.core.expressions import OPERATORS, And, Compare, In, IsNull, Like, Not, Or, Reference

SCHEMA = pa.schema(
    [
        ("uri", pa.string()),
        ("camera", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("size_bytes", pa.int64()),
        ("count", pa.uint64()),
        ("sharpness", pa.float32()),
        ("latitude", pa.float64()),
        ("is_gray", pa.bool_()),
        ("taken_at", pa.timestamp("us")),
        ("modified_at", pa.timestamp("us", "UTC")),
        ("label_seconds", pa.timestamp("s")),
        ("label_day", pa.date32()),
        ("digest", pa.binary(16)),
        ("placeholder", pa.binary()),
    ]
)

WORDS = ("", "a", "A", "b", "ab", "a%", "a_b", "\\", "a\\b", "it's", "x\ny", "ä", "日本", "\U0001f600", "--", ";")
texts = st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8"), max_size=4)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)) | st.sampled_from(
    (datetime(1970, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2024, 2, 29))
)
EXTREMES = {
    pa.int32(): (-(2**31), -1, 0, 1, 2, 2**31 - 1),
    pa.int64(): (-(2**63), -1, 0, 1, 2, 2**63 - 1),
    pa.uint64(): (0, 1, 2, 2**63, 2**64 - 1),
}
FLOATS = (0.0, -0.0, 0.1, 1.0, -1.5, 3e38, 1e-40)


def single(value: float) -> float:
    """The nearest float32, as a Python float."""
    return struct.unpack("f", struct.pack("f", value))[0]


def literals(kind: pa.DataType) -> st.SearchStrategy:
    """Values that a filter may hold for a column of this type."""
    if kind in EXTREMES:
        low, *_, high = EXTREMES[kind]
        return st.sampled_from(EXTREMES[kind]) | st.integers(low, high)
    if kind == pa.float32():
        return st.sampled_from(FLOATS) | st.floats(-10, 10)
    if kind == pa.float64():
        return st.sampled_from((*FLOATS, 1e308, 5e-324)) | st.floats(allow_nan=False, allow_infinity=False)
    if kind == pa.bool_():
        return st.booleans()
    if kind == pa.string():
        return texts
    if kind == pa.date32():
        return st.dates(date(1, 1, 2), date(9999, 12, 30))
    if kind == pa.timestamp("s"):
        return times.map(lambda time: time.replace(microsecond=0))
    if kind == pa.timestamp("us", "UTC"):
        return times.map(lambda time: time.replace(tzinfo=UTC))
    if kind == pa.timestamp("us"):
        return times
    if kind == pa.binary(16):
        return st.sampled_from((b"\0" * 16, b"\xff" * 16)) | st.binary(min_size=16, max_size=16)
    return st.binary(min_size=1, max_size=3)


NOT_A_NUMBER = tuple(struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (0x7FF8 << 48, 0xFFF8 << 48))


def values(kind: pa.DataType) -> st.SearchStrategy:
    """Values that a column may hold, nulls and odd floats among them."""
    if pa.types.is_floating(kind):
        odd = st.sampled_from((*NOT_A_NUMBER, float("inf"), float("-inf")))
        return st.none() | literals(kind) | odd
    return st.none() | literals(kind)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 6))
    return pa.table(
        {
            field.name: pa.array(draw(st.lists(values(field.type), min_size=rows, max_size=rows)), field.type)
            for field in SCHEMA
        }
    )


references = st.sampled_from([Reference(field.name, field.type) for field in SCHEMA])
patterns = st.lists(st.sampled_from(("%", "_", "\\%", "\\_", "\\\\", "a", "b", "'", "ä", "\n", "x")), max_size=5)


@st.composite
def comparisons(draw: st.DrawFn) -> Compare:
    column = draw(references)
    sign = draw(st.sampled_from(sorted(OPERATORS)))
    alike = [
        Reference(field.name, field.type)
        for field in SCHEMA
        if field.type == column.type and field.name != column.name and not pa.types.is_floating(field.type)
    ]
    if alike and draw(st.booleans()):
        return Compare(column, sign, draw(st.sampled_from(alike)))
    return Compare(column, sign, draw(literals(column.type)))


@st.composite
def lists(draw: st.DrawFn) -> In:
    column = draw(references)
    return In(column, tuple(draw(st.lists(literals(column.type), min_size=1, max_size=4))))


def leaves() -> st.SearchStrategy:
    text = references.filter(lambda column: column.type == pa.string())
    return st.one_of(
        comparisons(), lists(), st.builds(IsNull, references), st.builds(Like, text, patterns.map("".join))
    )


def _grown(inner: st.SearchStrategy) -> st.SearchStrategy:
    terms = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(inner.map(Not), terms.map(And), terms.map(Or))


expressions = st.recursive(leaves(), _grown, max_leaves=6)


def holds(expression, row: dict) -> bool | None:
    """What the filter says of one row: true, false or null."""
    match expression:
        case And(terms):
            results = [holds(term, row) for term in terms]
            return False if False in results else None if None in results else True
        case Or(terms):
            results = [holds(term, row) for term in terms]
            return True if True in results else None if None in results else False
        case Not(term):
            result = holds(term, row)
            return None if result is None else not result
        case IsNull(column):
            return row[column.name] is None
        case Like(column, pattern):
            value = row[column.name]
            return None if value is None else bool(re.fullmatch(_regular(pattern), value, re.DOTALL))
        case In(column, wanted):
            value = row[column.name]
            return None if value is None else any(_compared(operator.eq, value, one, column.type) for one in wanted)
        case Compare(column, sign, Reference(other)):
            a, b = row[column.name], row[other]
            return None if a is None or b is None else _compared(OPERATORS[sign], a, b, column.type)
        case Compare(column, sign, value):
            a = row[column.name]
            return None if a is None else _compared(OPERATORS[sign], a, value, column.type)


def _compared(compare, a, b, kind: pa.DataType) -> bool:
    if kind == pa.float32():
        b = single(b)
    if kind == pa.string():
        a, b = a.encode(), b.encode()
    return bool(compare(a, b))


def _regular(pattern: str) -> str:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join({"%": ".*", "_": "."}.get(part, re.escape(part[-1])) for part in parts)


def rows_of(table: pa.Table) -> list[dict]:
    return table.to_pylist()
