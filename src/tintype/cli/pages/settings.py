"""The page of all settings with their types, defaults and variables."""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, get_args, get_type_hints

from tintype.cli.pages.markdown import first_line, page, table
from tintype.cli.words import value_text

_DECISION = re.compile(r" \(decisions/[^)]*\)")  # of no concern to who only sets something
_TYPES = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    tuple[str, ...]: "list of text",
    NoneType: "null",
}


def settings_page(sections: Mapping[str, type]) -> str:
    """The page of all settings; each field's words are the comment beside it."""
    parts = ["# Settings", *_layers()]
    for section, kind in sections.items():
        rows = [_setting_row(section, kind, field) for field in dataclasses.fields(kind)]
        parts += filter(None, (f"## {section}", _DECISION.sub("", first_line(kind))))
        parts.append(table(("setting", "type", "default", "meaning"), rows))
    return page(parts)


def _layers() -> Iterator[str]:
    yield (
        "Flags (`--set KEY=VALUE`) go over environment variables (`TINTYPE_SECTION_KEY`, as in "
        "`TINTYPE_LIMITS_PIXELS=50000000`), over `tintype.yaml` in the scanned folder, over the user's "
        "`config.yaml`, over the defaults. `tintype config show` says where each value comes from."
    )
    yield "```yaml\nlimits:\n  pixels: 50000000\n```"


def _setting_row(section: str, kind: type, field: dataclasses.Field[Any]) -> tuple[str, ...]:
    from tintype.core.settings import variable

    key = f"{section}.{field.name}"
    type_ = _type_words(get_type_hints(kind)[field.name])
    default = getattr(kind(), field.name)
    plain = value_text(list(default) if isinstance(default, tuple) else default)
    return f"`{key}`<br>`{variable(key)}`", type_, f"`{plain}`", _comments(kind).get(field.name, "")


def _type_words(kind: Any) -> str:
    """The type in words; a union's parts joined by "or"."""
    return _TYPES.get(kind) or " or ".join(_TYPES.get(part, str(part)) for part in get_args(kind) or (kind,))


def _comments(kind: type) -> dict[str, str]:
    """Comments by the name of the field that they stand beside; tokens, because a default may hold a `#`."""
    source = inspect.cleandoc(inspect.getsource(kind))
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    names = {token.start[0]: token.string for token in reversed(tokens) if token.type == tokenize.NAME}
    return {
        names[token.start[0]]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT and token.start[0] in names
    }
