"""The elements of an XML document, one at a time: nothing is expanded or fetched, and what is large is refused."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from tintype.core.names import shown
from tintype.sources.text_rows import typed

MAX_BYTES = 4_000_000
"""Of one element, and of what lies between two tags."""
MAX_DEPTH = 50

_READ = 1 << 16


class BadXml(Exception):
    """Why a document is not read, in one line."""


def elements(file: BinaryIO, root: str, within: Container[str] | None = None) -> Iterator[tuple[Element, Element, int]]:
    """The children of the root, or of those of its children that are called as `within` says: each whole, after its
    parent without contents, and with the line it ends in.

    Raises BadXml where the document is not such XML or has another root. One that declares a document type is refused:
    only there could be entities, which grow without bounds or name other files.
    """
    parser = expat.ParserCreate()
    handler = _Handler(parser, root, within)
    fed = 0
    try:
        while data := file.read(_READ):
            fed += len(data)
            parser.Parse(data, False)
            yield from handler.taken()
            if fed - handler.began_at() > MAX_BYTES + 2 * _READ:
                raise BadXml(f"one element is longer than {MAX_BYTES:,} bytes")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadXml(f"not XML: {expat.ErrorString(error.code)}, line {error.lineno}") from None
    except (LookupError, ValueError):
        raise BadXml("not XML: its encoding is none that is known") from None
    yield from handler.taken()


def root_of(file: BinaryIO) -> str:
    """What the root of a document is called. Raises BadXml as `elements` does."""
    try:
        next(elements(file, ""), None)
    except _OtherRoot as error:
        return error.found
    raise BadXml("not XML: no element found")


def plain(text: str | None) -> bool | int | float | str | None:
    """The value that a text stands for; None where there is none."""
    return typed(text.strip()) if text else None


class _OtherRoot(BadXml):
    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(f"its root is <{shown(found[:100])}>, not <{wanted}>")
        self.found = found


class _Handler:
    """Follows where in the document the parser is, and builds the wanted elements."""

    def __init__(self, parser: expat.XMLParserType, root: str, within: Container[str] | None) -> None:
        self._parser, self._root, self._within = parser, root, within
        self._depth = 0
        self._parent: Element | None = None  # whose children are wanted
        self._parent_depth = 0
        self._builder: TreeBuilder | None = None
        self._began_at = 0
        self._done: list[tuple[Element, Element, int]] = []
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _refuse

    def taken(self) -> Iterator[tuple[Element, Element, int]]:
        """The elements that are complete, each once."""
        done, self._done = self._done, []
        return iter(done)

    def began_at(self) -> int:
        """Where in the file what is being read began."""
        return self._began_at if self._builder else self._parser.CurrentByteIndex

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadXml("nested too deep")
        if self._depth == 1 and tag != self._root:
            raise _OtherRoot(tag, self._root)
        if self._builder is None and self._parent is not None:
            self._builder, self._began_at = TreeBuilder(), self._parser.CurrentByteIndex
        if self._builder is not None:
            self._builder.start(tag, attributes)
        elif self._depth == 1 if self._within is None else self._depth == 2 and tag in self._within:
            self._parent, self._parent_depth = Element(tag, attributes), self._depth

    def _end(self, tag: str) -> None:
        if self._builder is not None:
            self._builder.end(tag)
            if self._depth == self._parent_depth + 1 and self._parent is not None:
                self._done.append((self._parent, self._builder.close(), self._parser.CurrentLineNumber))
                self._builder = None
        elif self._depth == self._parent_depth:
            self._parent = None
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)


def _refuse(*_: object) -> None:
    raise BadXml("it declares a document type, which annotations need not and hostile files do")
