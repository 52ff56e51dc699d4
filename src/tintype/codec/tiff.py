"""TIFF 6.0 and BigTIFF: pages counted and the first page's tags read, without decoding."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tintype.codec.limits import Limits
from tintype.codec.verdicts import check_memory, damaged, rejected

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _MAKE = 256, 257, 258, 262, 271
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _STRIP_SIZES = 273, 274, 277, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES = 322, 323, 324, 325
_SUB_DIRECTORIES, _SAMPLE_FORMAT, _DNG_VERSION = 330, 339, 50706

_UNSIGNED = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # types whose values are whole numbers
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value by its type's number: TIFF 6.0, its Supplement 1 (13), and BigTIFF (16 to 18)."""

_MOST_ENTRIES = 4_096  # of one directory
_MOST_VALUES = 1_000_000  # of one tag; more strips than that are over any sane number
_WANTED = frozenset(
    (
        *(_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _STRIP_SIZES),
        *(_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES, _SUB_DIRECTORIES, _SAMPLE_FORMAT, _DNG_VERSION),
    )
)
_SENSOR = frozenset((32803, 34892))  # photometric interpretations of camera sensors: CFA, LinearRaw
_MAKERS = {b"NIKON": "nef", b"SONY": "arw", b"PENTAX": "pef"}


@dataclass(frozen=True)
class Page:
    """Tags of one directory: whole numbers by tag, and the text of the maker."""

    numbers: dict[int, tuple[int, ...]] = field(default_factory=dict)
    maker: bytes = b""

    def first(self, tag: int, otherwise: int) -> int:
        return self.numbers.get(tag, (otherwise,))[0]

    @property
    def width(self) -> int:
        return self.first(_WIDTH, 0)

    @property
    def height(self) -> int:
        return self.first(_HEIGHT, 0)

    @property
    def bits(self) -> int:
        return self.first(_BITS, 1)

    @property
    def samples(self) -> int:
        return self.first(_SAMPLES, 1)

    @property
    def is_float(self) -> bool:
        return self.first(_SAMPLE_FORMAT, 1) == 3

    @property
    def orientation(self) -> int:
        value = self.first(_ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1


class Tiff:
    """A TIFF's directories. Every offset in it is hostile until it was checked against the file's size."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:1] == b"I" else ">"
        self._is_big = data[2:4] in (b"+\0", b"\0+")

    def pages(self, limits: Limits) -> tuple[Page, int]:
        """The first page, and how many there are; a loop of pages ends the count.

        Raises ImageError: `damaged` without a first page, `rejected` past `limits.frames`.
        """
        at = self._number("Q", 8) if self._is_big else self._number("I", 4)
        if not at or at >= len(self._data):
            raise damaged("the first page lies past the end of the file")
        first, next_at = self._directory(at)
        seen = {at}
        while next_at and next_at not in seen and next_at < len(self._data):
            seen.add(next_at)
            if len(seen) > limits.frames:
                raise rejected(f"more than the limit of {limits.frames} pages (limits.frames)")
            next_at = self._next(next_at)
        return first, len(seen)

    def raw_kind(self, first: Page) -> str | None:
        """The format word of a camera raw file that this is; None for a plain TIFF."""
        if _DNG_VERSION in first.numbers:
            return "dng"
        below = [self._directory(at)[0] for at in first.numbers.get(_SUB_DIRECTORIES, ())[:8] if at < len(self._data)]
        if all(page.first(_PHOTOMETRIC, 0) not in _SENSOR for page in (first, *below)):
            return None
        return next((kind for maker, kind in _MAKERS.items() if first.maker.upper().startswith(maker)), "raw")

    def check_first(self, page: Page, limits: Limits) -> None:
        """Raises ImageError where the pixels lie past the end of the file or would not fit into memory."""
        offsets = page.numbers.get(_STRIP_OFFSETS) or page.numbers.get(_TILE_OFFSETS)
        if not offsets:
            raise damaged("the first page says nowhere where its pixels lie")
        sizes = page.numbers.get(_STRIP_SIZES) or page.numbers.get(_TILE_SIZES) or (0,) * len(offsets)
        if any(offset + size > len(self._data) for offset, size in zip(offsets, sizes, strict=False)):
            raise damaged("pixels lie past the end of the file")
        tile = page.first(_TILE_WIDTH, 1) * page.first(_TILE_HEIGHT, 1)
        check_memory(max(tile, page.width * page.height) * page.samples * page.bits // 8, limits)

    def _number(self, kind: str, at: int) -> int:
        size = struct.calcsize(kind)
        if at + size > len(self._data):
            raise damaged("the file breaks off in the tags of a page")
        value: int = struct.unpack_from(self._order + kind, self._data, at)[0]
        return value

    def _entries(self, at: int) -> tuple[int, int, int]:
        """Number of entries, where they begin, and bytes of one."""
        if self._is_big:
            return self._number("Q", at), at + 8, 20
        return self._number("H", at), at + 2, 12

    def _next(self, at: int) -> int:
        """Where the page after this one begins; 0 after the last or where that cannot be told."""
        count, start, size = self._entries(at)
        end = start + count * size
        if end + (8 if self._is_big else 4) > len(self._data):
            return 0
        return self._number("Q" if self._is_big else "I", end)

    def _directory(self, at: int) -> tuple[Page, int]:
        count, start, size = self._entries(at)
        if not count:
            raise damaged("a page has no tags")
        if count > _MOST_ENTRIES:
            raise damaged(f"a page says it has {count} tags")
        numbers: dict[int, tuple[int, ...]] = {}
        maker = b""
        for entry in range(start, start + count * size, size):
            tag, kind, values, place = self._entry(entry)
            if tag == _MAKE:
                maker = self._data[place : place + min(values, 64)]
            elif tag in _WANTED and tag not in numbers:
                numbers[tag] = self._whole_numbers(kind, values, place)
        return Page({tag: found for tag, found in numbers.items() if found}, maker), self._next(at)

    def _whole_numbers(self, kind: int, values: int, place: int) -> tuple[int, ...]:
        """The values of a tag; none where they are of another type, too many or past the end."""
        if kind not in _UNSIGNED or values > _MOST_VALUES or place + values * TYPE_SIZES[kind] > len(self._data):
            return ()
        return struct.unpack_from(f"{self._order}{values}{_UNSIGNED[kind]}", self._data, place)

    def _entry(self, at: int) -> tuple[int, int, int, int]:
        """Tag, type, number of values, and where they lie: in the entry itself where they fit."""
        tag, kind = self._number("H", at), self._number("H", at + 2)
        wide, room = ("Q", 8) if self._is_big else ("I", 4)
        values = self._number(wide, at + 4)
        place = at + 4 + room
        if TYPE_SIZES.get(kind, 1) * values > room:
            place = self._number(wide, place)
        return tag, kind, values, place
