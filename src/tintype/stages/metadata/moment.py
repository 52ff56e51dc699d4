"""When a photo was taken, out of the texts that say so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta

EARLIEST_YEAR = 1826  # of the oldest photograph that is left, by Niépce; earlier dates are a program's zero
MAX_OFFSET_MIN = 15 * 60  # no zone was ever farther from UTC

# EXIF 3.0 4.6.5 writes 2024:05:31 10:20:30; XMP part 1, 8.2.1.2 writes 2024-05-31T10:20:30.25+02:00.
_MOMENT = re.compile(
    r"(\d{4})[:/.-](\d\d?)[:/.-](\d\d?)"
    r"(?:[T ]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)
_IPTC_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_IPTC_TIME = re.compile(r"(\d\d):?(\d\d):?(\d\d)([+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """A local time without a zone, to the microsecond, and its distance from UTC where that is known."""

    local: datetime
    offset_min: int | None = None


def read_moment(text: str) -> Moment | None:
    """The moment that an EXIF or XMP text names; None where it names no whole day or one that cannot be."""
    found = _MOMENT.fullmatch(text.strip(" \0\t\r\n"))
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    local = _local(year, month, day, hour or "0", minute or "0", second or "0", fraction or "0")
    return Moment(local, read_offset(offset or "")) if local else None


def read_iptc_moment(date: str, time: str) -> Moment | None:
    """The moment of IPTC's CCYYMMDD and HHMMSS±HHMM; midnight where the time is missing or makes no sense."""
    day = _IPTC_DATE.fullmatch(date.strip(" \0"))
    if not day:
        return None
    clock = _IPTC_TIME.fullmatch(time.strip(" \0"))
    timed = _local(day[1], day[2], day[3], clock[1], clock[2], clock[3], "0") if clock else None
    if clock and timed:
        return Moment(timed, read_offset(clock[4] or ""))
    midnight = _local(day[1], day[2], day[3], "0", "0", "0", "0")
    return Moment(midnight) if midnight else None


def read_offset(text: str) -> int | None:
    """Minutes east of UTC of `+02:00`, `-0330` or `Z`; None for anything else."""
    text = text.strip(" \0")
    if text == "Z":
        return 0
    found = _OFFSET.fullmatch(text)
    if not found or int(found[3]) > 59:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    if minutes > MAX_OFFSET_MIN:
        return None
    return -minutes if found[1] == "-" else minutes


def microseconds(digits: str) -> int | None:
    """The fraction of a second that EXIF's SubSecTime gives: digits after the decimal point."""
    digits = digits.strip(" \0")
    return int(digits[:6].ljust(6, "0")) if digits.isascii() and digits.isdigit() else None


def read_gps_moment(date: str, clock: tuple[float, float, float]) -> datetime | None:
    """The UTC time, to the millisecond, of a GPS date (YYYY:MM:DD) and hours, minutes and seconds."""
    day = _MOMENT.fullmatch(date.strip(" \0"))
    hour, minute, second = clock
    if not day or not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    midnight = _local(day[1], day[2], day[3], "0", "0", "0", "0")
    since = timedelta(milliseconds=round((hour * 3600 + minute * 60 + second) * 1000))
    return (midnight + since).replace(tzinfo=UTC) if midnight and midnight.year < MAXYEAR else None


def _local(year: str, month: str, day: str, hour: str, minute: str, second: str, fraction: str) -> datetime | None:
    if int(year) < EARLIEST_YEAR:
        return None
    try:
        microsecond = int(fraction[:6].ljust(6, "0"))
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), microsecond)
    except ValueError:  # the 31st of February
        return None
