"""YAML as far as a settings file needs it: plain data with line numbers, bounded, and no value read as another.

Anchors, aliases, tags, merge keys, several documents and repeated keys are refused, and so is what is too
large or too deep. A plain scalar becomes a number, a boolean or null only in the forms that YAML 1.1 and 1.2
readers agree on, and `yes`, `no`, `on`, `off` and `1e3`, which a text setting then refuses; everything else
(`012`, `12:30:00`, `2020-01-01`, `1_000`) stays the text that was written.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tintype.core.errors import ConfigError
from tintype.core.names import shown

MAX_BYTES = 256_000
MAX_DEPTH = 8

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})(\.[0-9]{0,40})?([eE][-+]?[0-9]{1,3})?|[-+]?\.[0-9]{1,40}")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Node:
    """A value of a YAML document: `value` is a scalar, a list of nodes or a dict of nodes by text key."""

    value: Any
    line: int  # from 1
    text: str | None = None  # as it was written, for a plain scalar
    key_line: int | None = None

    def plain(self) -> Any:
        """The value without line numbers, as JSON has it."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read(path: Path) -> Node | None:
    """The document in a file; null where the file does not exist or is empty. Raises ConfigError."""
    try:
        raw = _bytes_of(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text") from error
    return parse(text, str(path))


def parse(text: str, place: str) -> Node | None:
    """The one document in the text; null where there is none. `place` opens each error's message.

    Raises ConfigError, in one line, with the line number.
    """
    import yaml

    if len(text) > MAX_BYTES:
        raise ConfigError(f"{place}: longer than {MAX_BYTES:,} characters")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _document(yaml.parse(text, loader), place)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = text.rstrip().count("\n") + 1  # the parser may be one line past the end
        raise _refused(place, min(mark.line + 1, last) if mark else 1, error.problem or "not YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
        raise _refused(place, line, f"a character that YAML does not allow: {error.reason}") from error
    except UnicodeEncodeError as error:
        raise _refused(place, 1, "not UTF-8 text") from error


def is_plain(text: str) -> bool:
    """Whether text, written without quotes, is read as that very text, in lists too."""
    try:
        node = parse(f"[{text}]", "")
    except ConfigError:
        return False
    return node is not None and node.plain() == [text]


def _bytes_of(path: Path) -> bytes:
    """At most MAX_BYTES of a regular file; a FIFO or a device is never waited for."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ConfigError(f"{path} is not a file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            raw = file.read(MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES:,} bytes")
    return raw


def _refused(place: str, line: int, reason: str) -> ConfigError:
    return ConfigError(f"{place}:{line}: {shown(reason)}")


def _document(events: Iterator[Any], place: str) -> Node | None:
    """Build the tree from the parser's events, which arrive one by one: nothing grows before it is checked."""
    import yaml

    document: Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent) and document is not None:
            raise _refused(place, _line(event), "a second document; one is expected")
        if isinstance(event, yaml.NodeEvent):
            document = _node(event, events, place, 1)
    return document


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _node(event: Any, events: Iterator[Any], place: str, depth: int) -> Node:
    import yaml

    line = _line(event)
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _refused(place, line, "anchors and aliases (& and *) are not read; write the value out")
    if event.tag is not None:
        raise _refused(place, line, f"tags ({event.tag}) are not read")
    if depth > MAX_DEPTH:
        raise _refused(place, line, f"nested more than {MAX_DEPTH} deep")
    if isinstance(event, yaml.ScalarEvent):
        is_plain = event.implicit[0]
        return Node(_scalar(event.value) if is_plain else event.value, line, event.value if is_plain else None)
    if isinstance(event, yaml.SequenceStartEvent):
        return Node(_items(events, place, depth), line)
    return Node(_entries(events, place, depth), line)


def _items(events: Iterator[Any], place: str, depth: int) -> list[Node]:
    import yaml

    items = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            break
        items.append(_node(event, events, place, depth + 1))
    return items


def _entries(events: Iterator[Any], place: str, depth: int) -> dict[str, Node]:
    import yaml

    entries: dict[str, Node] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        key = _node(event, events, place, depth + 1)
        name = key.text if key.text is not None else key.value
        if not isinstance(name, str):
            raise _refused(place, key.line, "a key must be a name")
        if name in entries:
            raise _refused(place, key.line, f"{name!r} is set twice, first in line {entries[name].key_line}")
        node = _node(next(events), events, place, depth + 1)
        entries[name] = Node(node.value, node.line, node.text, key_line=key.line)
    return entries


def _scalar(text: str) -> Any:
    """What a plain scalar stands for; the text itself where readers of YAML differ."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in (text.lower(), text.capitalize(), text.upper()) and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if abs(value) != float("inf") else text
    return text
