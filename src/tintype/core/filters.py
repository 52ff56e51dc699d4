"""The language of `--where`: `taken_at >= '2024-01-01' and width > 1000`, read into an expression tree.

    expression = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation = "not" negation | predicate
    predicate = "(" expression ")"
              | column                                            a column of true and false
              | column ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") (literal | column)
              | column ["not"] "in" "(" literal { "," literal } ")"
              | column ["not"] "between" literal "and" literal    both ends belong to it
              | column ["not"] ("like" | "contains") text
              | column "is" ["not"] "null"
    literal = number | text | "true" | "false"
    text = "'" { any character, "'" doubled } "'"

Words of the language are read in any case. A literal is read as its column's type asks: a time from text such as
'2024', '2024-05-01' or '2024-05-01 12:30:00', bytes from hexadecimal text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import pyarrow as pa

from tintype.core.errors import FilterError
from tintype.core.expressions import (
    OPERATORS,
    And,
    Compare,
    Expression,
    In,
    IsNull,
    Like,
    Not,
    Or,
    Reference,
    Value,
    columns_of,
    to_arrow,
    to_sql,
    to_text,
)
from tintype.core.literals import Literal, check_type, is_text, value_for
from tintype.core.names import shown

__all__ = ["Expression", "columns_of", "parse", "to_arrow", "to_sql", "to_text"]

MAX_LENGTH = 10_000  # characters
MAX_DEPTH = 12  # of parentheses and "not"; the table's own parser gives up at 24, or takes exponential time

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | '(?P<text>(?:[^']|'')*)'
      | (?P<sign><=|>=|!=|<>|==|[=<>(),])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)
_RESERVED = frozenset(("and", "or", "not", "in", "is", "null", "like", "contains", "between", "true", "false"))
_SPECIAL = re.compile(r"[\\%_]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SIGNS = {"<>": "!=", "==": "="}

Terms = TypeVar("Terms", And, Or)


def parse(text: str, schema: pa.Schema) -> Expression:
    """Read a filter on the columns of a schema. Raises FilterError, in one line, for what does not fit."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"the filter is {len(text):,} characters long; {MAX_LENGTH:,} are read")
    return _Parser(_tokens(text), schema).whole()


@dataclass(frozen=True)
class _Token:
    kind: str  # word, number, text, sign or end
    text: str
    position: int  # in characters, from 1


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            _refuse_character(text, position)
        kind = found.lastgroup
        tokens.append(_Token(kind, found[kind], found.start(kind) + 1))
        position = found.end()
    return tokens


def _refuse_character(text: str, position: int) -> NoReturn:
    rest = text[position:].lstrip()
    where = f"at character {len(text) - len(rest) + 1} of the filter"
    if rest[0] == '"':
        raise FilterError(f'"…" {where}: text goes in single quotes, and a column\'s name in none')
    if rest[0] == "'":
        raise FilterError(f"the text that begins {where} has no closing quote (' within it is written twice)")
    raise FilterError(f"{shown(rest[0])!r} {where} is not understood")


def _number(text: str) -> int | float:
    if len(text) > 400:  # more digits than any float has
        raise FilterError(f"the number {text[:20]}… is too long")
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _plain_pattern(pattern: str) -> str:
    """The pattern with a backslash only before `%`, `_` and a backslash, where all readers of patterns agree."""
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise FilterError(f"the pattern {shown(pattern)!r} ends in a backslash; one that is meant is written twice")
    return _ESCAPE.sub(lambda found: found[0] if found[1] in "\\%_" else found[1], pattern)


class _Parser:
    """Recursive descent over the tokens; each method reads one rule of the grammar."""

    def __init__(self, tokens: list[_Token], schema: pa.Schema) -> None:
        self.tokens, self.schema = tokens, schema
        self.next = 0
        self.depth = 0

    def whole(self) -> Expression:
        if self.peek().kind == "end":
            raise FilterError("the filter is empty; write one such as: width > 1000 and status = 'ok'")
        expression = self.expression()
        if self.peek().kind != "end":
            self.refuse("'and', 'or' or the end of the filter")
        return expression

    def expression(self) -> Expression:
        return self.chain("or", Or, self.conjunction)

    def conjunction(self) -> Expression:
        return self.chain("and", And, self.negation)

    def chain(self, word: str, kind: type[Terms], part: Callable[[], Expression]) -> Expression:
        terms = [part()]
        while self.take(word):
            terms.append(part())
        return kind(tuple(terms)) if len(terms) > 1 else terms[0]

    def negation(self) -> Expression:
        if self.take("not"):
            return Not(self.deeper(self.negation))
        if self.take("("):
            inner = self.deeper(self.expression)
            self.expect(")")
            return inner
        return self.predicate()

    def deeper(self, part: Callable[[], Expression]) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FilterError(f"the filter is nested more than {MAX_DEPTH} deep")
        inner = part()
        self.depth -= 1
        return inner

    def predicate(self) -> Expression:
        column = self.column()
        if self.take("is"):
            is_negated = self.take("not")
            self.expect("null")
            return Not(IsNull(column)) if is_negated else IsNull(column)
        if self.take("not"):
            found = self.test(column)
            if found is None:
                self.refuse("'in', 'between', 'like' or 'contains'")
            return Not(found)
        return self.test(column) or self.comparison(column)

    def test(self, column: Reference) -> Expression | None:
        if self.take("in"):
            return In(column, self.values(column))
        if self.take("between"):
            low = self.value(column)
            self.expect("and")
            return And((Compare(column, ">=", low), Compare(column, "<=", self.value(column))))
        if self.take("like"):
            return Like(column, _plain_pattern(self.text(column)))
        if self.take("contains"):
            plain = _SPECIAL.sub(r"\\\g<0>", self.text(column))
            return Like(column, f"%{plain}%")
        return None

    def comparison(self, column: Reference) -> Expression:
        token = self.peek()
        sign = _SIGNS.get(token.text, token.text)
        if token.kind != "sign" or sign not in OPERATORS:
            if pa.types.is_boolean(column.type):
                return Compare(column, "=", True)
            self.refuse(f"a comparison such as '=' or '<' after {column.name}")
        self.next += 1
        other = self.peek()
        if other.kind == "word" and other.text.lower() not in _RESERVED:
            return Compare(column, sign, self.other_column(column))
        return Compare(column, sign, self.value(column))

    def other_column(self, column: Reference) -> Reference:
        other = self.column()
        if other.type != column.type or pa.types.is_floating(other.type):
            raise FilterError(
                f"{column.name} and {other.name} cannot be compared: only columns of one type can, and not floats"
            )
        check_type(column.name, column.type)
        return other

    def column(self) -> Reference:
        token = self.peek()
        if token.kind != "word" or token.text.lower() in _RESERVED:
            self.refuse("a column")
        self.next += 1
        if token.text.startswith("_"):
            raise FilterError(f"column {token.text} is for inner use and cannot be filtered by")
        if token.text not in self.schema.names:
            public = [name for name in self.schema.names if not name.startswith("_")]
            near = difflib.get_close_matches(token.text.lower(), public, n=3, cutoff=0.5)
            raise FilterError(f"no column {token.text}" + (f"; near names: {', '.join(near)}" if near else ""))
        return Reference(token.text, self.schema.field(token.text).type)

    def values(self, column: Reference) -> tuple[Value, ...]:
        self.expect("(")
        values = [self.value(column)]
        while self.take(","):
            values.append(self.value(column))
        self.expect(")")
        return tuple(values)

    def value(self, column: Reference) -> Value:
        token = self.peek()
        word = token.text.lower() if token.kind == "word" else ""
        if word == "null":
            raise FilterError(f"nothing equals null; write: {column.name} is null")
        if word in ("true", "false"):
            literal: Literal = word == "true"
        elif token.kind == "text":
            literal = token.text.replace("''", "'")
        elif token.kind == "number":
            literal = _number(token.text)
        else:
            self.refuse(f"a value to compare {column.name} with")
        self.next += 1
        return value_for(column.name, column.type, literal)

    def text(self, column: Reference) -> str:
        if not is_text(column.type):
            raise FilterError(f"{column.name} is no text, so 'like' and 'contains' say nothing of it")
        return str(self.value(column))

    def peek(self) -> _Token:
        return self.tokens[self.next]

    def take(self, text: str) -> bool:
        """Go past the next token if it is this word or sign."""
        token = self.peek()
        is_it = token.kind in ("word", "sign") and token.text.lower() == text
        self.next += is_it
        return is_it

    def expect(self, text: str) -> None:
        if not self.take(text):
            self.refuse(f"'{text}'")

    def refuse(self, wanted: str) -> NoReturn:
        token = self.peek()
        found = f"{shown(token.text)!r}" if token.kind != "end" else "the end"
        raise FilterError(f"{wanted} is expected at character {token.position} of the filter, not {found}")
