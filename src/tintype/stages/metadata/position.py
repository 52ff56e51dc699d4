"""Where an image was taken: EXIF 3.0 section 4.6.7 (GPS IFD), XMP part 2 for the same in text."""

from __future__ import annotations

import re
from datetime import datetime

from tintype.stages.metadata import tags, texts
from tintype.stages.metadata.camera import within
from tintype.stages.metadata.moment import read_gps_moment
from tintype.stages.metadata.statements import Statements, first_number
from tintype.stages.metadata.tiff import Number, Value

ALTITUDE_M = (-12_000.0, 1_000_000.0)  # from below the deepest sea to above the space station
_BELOW = (1, 3)  # below the sea, below the ellipsoid

# XMP writes 40,26.767N or 40,26,46N; some programs write signed degrees.
_XMP_ANGLE = re.compile(
    r"([+-]?\d{1,3}(?:\.\d{1,15})?)(?:,(\d{1,2}(?:\.\d{1,15})?))?(?:,(\d{1,2}(?:\.\d{1,15})?))?([NSEW]?)",
    re.ASCII,
)


def latitude_longitude(said: Statements) -> tuple[float, float] | None:
    """Signed degrees, north and east positive; None unless both are known and can be."""
    gps = said.exif.gps
    north = _angle(gps.get(tags.GPS_LATITUDE), gps.get(tags.GPS_LATITUDE_REF), "NS")
    east = _angle(gps.get(tags.GPS_LONGITUDE), gps.get(tags.GPS_LONGITUDE_REF), "EW")
    found = _possible(north, east)
    return found or _possible(_xmp_angle(said, "exif:GPSLatitude", "NS"), _xmp_angle(said, "exif:GPSLongitude", "EW"))


def _possible(north: float | None, east: float | None) -> tuple[float, float] | None:
    if north is None or east is None:
        return None
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 else None


def _angle(value: Value | None, reference: Value | None, signs: str) -> float | None:
    """Signed degrees; None without a reference, as in `S`: it tells which half of the earth is meant."""
    if not isinstance(value, tuple) or not isinstance(reference, bytes):
        return None
    letter = reference[:1].decode("latin-1").upper()
    degrees = _sum_of(*(*value, 0, 0)[:3])
    if degrees is None or not letter or letter not in signs:
        return None
    return -degrees if letter == signs[1] else degrees


def _sum_of(degrees: Number, minutes: Number, seconds: Number) -> float | None:
    """None where degrees or minutes are missing; seconds may be: some write decimal minutes and 0/0."""
    if degrees is None or minutes is None or degrees < 0 or minutes < 0:
        return None
    return degrees + minutes / 60 + (seconds or 0) / 3600


def _xmp_angle(said: Statements, name: str, signs: str) -> float | None:
    found = _XMP_ANGLE.fullmatch(said.xmp_text(name) or "")
    if not found or (found[4] and found[4] not in signs):
        return None
    degrees = float(found[1])
    if not found[4]:
        return None if found[2] else degrees
    total = _sum_of(degrees, float(found[2] or 0), float(found[3] or 0))
    return -total if total and found[4] == signs[1] else total


def altitude_m(said: Statements) -> float | None:
    """Meters above sea level, negative below it."""
    altitude = first_number(said.exif.gps.get(tags.GPS_ALTITUDE))
    reference = first_number(said.exif.gps.get(tags.GPS_ALTITUDE_REF))
    if altitude is None:
        altitude, reference = said.xmp_number("exif:GPSAltitude"), said.xmp_number("exif:GPSAltitudeRef")
    if altitude is not None and reference in _BELOW:
        altitude = -abs(altitude)
    return within(altitude, ALTITUDE_M)


def gps_at(said: Statements) -> datetime | None:
    """When the position was taken, in UTC."""
    date, clock = said.exif.gps.get(tags.GPS_DATE), said.exif.gps.get(tags.GPS_TIME)
    if not isinstance(date, bytes) or not isinstance(clock, tuple) or len(clock) != 3:
        return None
    hour, minute, second = clock
    if hour is None or minute is None or second is None:
        return None
    return read_gps_moment(texts.up_to_nul(date), (hour, minute, second))
