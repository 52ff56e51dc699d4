"""When an image was taken, and who says so.

First what names the moment of taking, then what names the making of the file, the time of change last. Among
equals EXIF counts first; then XMP, or IPTC where it is newer: Metadata Working Group 2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tintype.stages.metadata import iptc, tags
from tintype.stages.metadata.moment import Moment, microseconds, read_iptc_moment, read_moment, read_offset
from tintype.stages.metadata.statements import Statements

Claim = tuple[str, Callable[[], Moment | None]]


def taken_at(said: Statements) -> tuple[Moment, str] | None:
    """The moment of the first source that names one that can be, and that source's name."""
    for source, claim in _claims(said):
        moment = claim()
        if moment:
            return moment, source
    return None


def _claims(said: Statements) -> Iterator[Claim]:
    yield (
        "exif:DateTimeOriginal",
        lambda: _exif(said, tags.DATE_TIME_ORIGINAL, tags.SUBSECONDS_ORIGINAL, tags.OFFSET_TIME_ORIGINAL, 0),
    )
    yield from _in_order(
        said,
        ("iptc:DateCreated", lambda: _iptc(said, iptc.DATE_CREATED, iptc.TIME_CREATED)),
        ("xmp-photoshop:DateCreated", lambda: _xmp(said, "photoshop:DateCreated")),
        ("xmp-exif:DateTimeOriginal", lambda: _xmp(said, "exif:DateTimeOriginal")),
    )
    yield (
        "exif:CreateDate",
        lambda: _exif(said, tags.CREATE_DATE, tags.SUBSECONDS_DIGITIZED, tags.OFFSET_TIME_DIGITIZED, 0),
    )
    yield from _in_order(
        said,
        (
            "iptc:DigitalCreationDate",
            lambda: _iptc(said, iptc.DIGITAL_CREATION_DATE, iptc.DIGITAL_CREATION_TIME),
        ),
        ("xmp-xmp:CreateDate", lambda: _xmp(said, "xmp:CreateDate")),
        ("xmp-exif:DateTimeDigitized", lambda: _xmp(said, "exif:DateTimeDigitized")),
    )
    yield "exif:ModifyDate", lambda: _exif(said, tags.MODIFY_DATE, tags.SUBSECONDS, tags.OFFSET_TIME, 1)


def _in_order(said: Statements, of_iptc: Claim, *of_xmp: Claim) -> tuple[Claim, ...]:
    return (of_iptc, *of_xmp) if said.is_iptc_newer else (*of_xmp, of_iptc)


def _exif(said: Statements, tag: int, subseconds_tag: int, offset_tag: int, zone_index: int) -> Moment | None:
    text = said.exif_text(tag)
    moment = read_moment(text) if text else None
    if moment is None:
        return None
    fraction = microseconds(said.exif_text(subseconds_tag) or "")
    local = moment.local if fraction is None else moment.local.replace(microsecond=fraction)
    offset = read_offset(said.exif_text(offset_tag) or "")
    if offset is None and text == said.exif_text(tags.MODIFY_DATE):
        offset = read_offset(said.exif_text(tags.OFFSET_TIME) or "")  # speaks of the time of change, here the same
    if offset is None:
        offset = moment.offset_min if moment.offset_min is not None else _time_zone(said, zone_index)
    return replace(moment, local=local, offset_min=offset)


def _time_zone(said: Statements, index: int) -> int | None:
    """TIFF/EP's zone in hours: the first of the original time, the second of the time of change."""
    hours = said.exif.main.get(tags.TIME_ZONE_HOURS)
    if not isinstance(hours, tuple) or len(hours) <= index:
        return None
    number = hours[index]
    return number * 60 if isinstance(number, int) and -12 <= number <= 14 else None


def _xmp(said: Statements, name: str) -> Moment | None:
    text = said.xmp_text(name)
    return read_moment(text) if text else None


def _iptc(said: Statements, date: tuple[int, int], time: tuple[int, int]) -> Moment | None:
    day = said.iptc_text(date)
    return read_iptc_moment(day, said.iptc_text(time) or "") if day else None
