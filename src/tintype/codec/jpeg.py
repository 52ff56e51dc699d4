"""JPEG (ITU-T T.81): header, scaled decoding by libjpeg-turbo, and damage heard from its warnings."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import simplejpeg

from tintype.codec.image import Header, Pixels
from tintype.codec.limits import Limits
from tintype.codec.opened import Opened, Raster
from tintype.codec.orientation import orientation_of
from tintype.codec.scale import power_of_two_below
from tintype.codec.verdicts import check_size, damaged, message_of, rejected, unsupported

_LARGEST_DIVISOR = 8  # of libjpeg's scaled inverse DCT
_MOST_SCANS = 500  # of a progressive file; real ones have about ten. libjpeg-turbo's own tools stop here too

_MOST_SEGMENTS = 100_000
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # of a segment: TEM, RST, SOI and fill bytes have no length
_ENDS = frozenset((0xDA, 0xD9))  # start of scan, end of image
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG and DAC
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_LOSSLESS = frozenset((0xC3, 0xC7, 0xCB, 0xCF))
_PICTURES = 0xB002  # tag of a multi-picture index: one entry of 16 bytes for each picture, its kind first
_ICC = b"ICC_PROFILE\0"

_COLORS = {1: ("gray", "GRAY"), 3: ("rgb", "RGB"), 4: ("cmyk", "CMYK")}

# libjpeg's warnings that say nothing of the pixels. The first hides the later ones, so where the cause can be
# taken out of the file it is.
_ABOUT_PROFILE = "bad ICC marker"
_HARMLESS = ("Unknown Adobe color transform", "unknown JFIF revision", "Invalid SOS parameters")


@dataclass
class _Segments:
    """What the segments before the first scan say."""

    frame: int = 0  # marker of the frame header; 0 where there is none
    precision: int = 8
    width: int = 0
    height: int = 0
    components: int = 0
    exif: bytes = b""
    pictures: int = 1  # of a multi-picture file, previews and maps not counted
    profile_parts: list[tuple[int, int]] = field(default_factory=list)  # where APP2 profile segments begin and end


def open_jpeg(data: bytes, limits: Limits) -> Opened:
    """Raises ImageError where the header is broken, over a limit, or of a kind that is not read."""
    segments = _read_segments(data)
    if not segments.frame:
        raise damaged("the file ends or breaks off before the picture begins (no frame header)")
    if segments.frame in _LOSSLESS or segments.precision != 8:
        raise unsupported(f"a JPEG of a rare kind ({segments.precision} bits, frame type {segments.frame:#x})")
    if segments.components not in _COLORS:
        raise damaged(f"the header says {segments.components} color components")
    check_size(segments.width, segments.height, limits)
    if segments.frame in _PROGRESSIVE and (scans := data.count(b"\xff\xda")) > _MOST_SCANS:
        raise rejected(f"{scans} scans in a progressive JPEG, over the limit of {_MOST_SCANS}")
    header = Header(
        format="jpeg",
        width=segments.width,
        height=segments.height,
        frames=segments.pictures,
        color_mode=_COLORS[segments.components][0],
        orientation=orientation_of(segments.exif),
    )
    return Opened(header, partial(_raster, data, segments, header))


def _read_segments(data: bytes) -> _Segments:
    """Walk the segments up to the first scan. Lenient, as libjpeg is: damage is the decoder's to tell."""
    found = _Segments()
    at = 2
    for _ in range(_MOST_SEGMENTS):
        next_marker = _MARKER.search(data, at)
        if not next_marker or data[next_marker.end() - 1] in _ENDS:
            return found
        at = next_marker.end()  # just past the marker's two bytes
        length = max(2, int.from_bytes(data[at : at + 2], "big"))
        _note(found, data[at - 1], data, at + 2, min(at + length, len(data)))
        at += length
    raise rejected(f"more than {_MOST_SEGMENTS} segments before the picture")


def _note(found: _Segments, marker: int, data: bytes, start: int, end: int) -> None:
    if marker in _FRAMES:
        if end - start >= 6 and not found.frame:
            found.frame = marker
            found.precision, found.height, found.width, found.components = struct.unpack_from(">BHHB", data, start)
    elif marker == 0xE1:
        if not found.exif and data[start : start + 6] == b"Exif\0\0":
            found.exif = data[start:end]
    elif marker == 0xE2:
        if data[start : start + 12] == _ICC:
            found.profile_parts.append((start, end))
        elif data[start : start + 4] == b"MPF\0":
            found.pictures = _count_pictures(data[start + 4 : end])


def _count_pictures(index: bytes) -> int:
    """Pictures of a multi-picture index (CIPA DC-007): the first, and those of panoramas and multiple views.

    Previews and what phones add under no type (gain maps) are no pictures of their own.
    """
    order = "<" if index[:2] == b"II" else ">"
    try:
        (directory,) = struct.unpack_from(order + "I", index, 4)
        (entries,) = struct.unpack_from(order + "H", index, directory)
        for entry in range(min(entries, 32)):
            tag, _, size, place = struct.unpack_from(order + "HHII", index, directory + 2 + 12 * entry)
            if tag == _PICTURES:
                pictures = struct.iter_unpack(order + "I12x", index[place + 16 : place + size // 16 * 16])
                return 1 + sum(1 for (kind,) in pictures if kind >> 16 & 0xFF == 0x02)
    except struct.error:
        pass
    return 1


def _raster(data: bytes, segments: _Segments, header: Header, side_px: int) -> Raster:
    divisor = power_of_two_below(max(header.width, header.height), side_px, _LARGEST_DIVISOR)
    decode = partial(
        simplejpeg.decode_jpeg,
        colorspace=_COLORS[segments.components][1],
        min_width=-(-header.width // divisor),
        min_height=-(-header.height // divisor),
    )
    pixels, notes = _decode_strictly(data, segments, decode)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if segments.components == 4:
        # Adobe's programs store CMYK inverted, and so does whoever followed them, with Adobe's marker or without.
        pixels = np.subtract(255, pixels, dtype=np.uint8)
    profile, note = _profile(data, segments)
    return Raster(pixels, profile, header.orientation, (*notes, *note))


def _decode_strictly(data: bytes, segments: _Segments, decode: partial[Pixels]) -> tuple[Pixels, tuple[str, ...]]:
    """Decode, taking libjpeg's warnings about the picture itself for damage; others become notes."""
    try:
        return decode(data, strict=True), ()
    except (ValueError, KeyError) as error:
        message = message_of(error)
    if _ABOUT_PROFILE in message and segments.profile_parts:
        return _decode_strictly(_without_profile(data, segments), _Segments(), decode)
    if any(words in message for words in (_ABOUT_PROFILE, *_HARMLESS)):
        return decode(data, strict=False), (f"libjpeg: {message}",)
    raise damaged(_reason(message))


def _reason(message: str) -> str:
    if "Premature end of JPEG file" in message:
        what = "the file ends in the middle of the picture"
    elif "premature end of data segment" in message:
        what = "a part of the picture is missing"
    elif "tjDecompressHeader" in message:
        what = "the header is broken"
    else:
        what = "the picture's data are broken"
    return f"{what} (libjpeg: {message[:1].lower()}{message[1:]})"


def _without_profile(data: bytes, segments: _Segments) -> bytes:
    kept, last = [], 0
    for start, end in segments.profile_parts:
        kept.append(data[last : start - 4])  # the marker and its length go too
        last = end
    return b"".join((*kept, data[last:]))


def _profile(data: bytes, segments: _Segments) -> tuple[bytes | None, tuple[str, ...]]:
    """The ICC profile put together from its parts (ICC.1:2010, B.4), and a note where parts are missing."""
    parts: dict[int, bytes] = {}
    announced = set()
    for start, end in segments.profile_parts:
        if end - start >= 14:
            parts.setdefault(data[start + 12], data[start + 14 : end])
            announced.add(data[start + 13])
    if not segments.profile_parts:
        return None, ()
    if len(announced) != 1 or sorted(parts) != list(range(1, announced.pop() + 1)):
        return None, ("parts of the color profile are missing; it was ignored",)
    return b"".join(parts[number] for number in sorted(parts)), ()
