"""One image's metadata: EXIF, IPTC and XMP brought together, impossible values left out.

Whose word counts follows the Metadata Working Group, "Guidelines for Handling Image Metadata" 2.0 (2010).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tintype.stages.metadata import camera, position, tags, taken, words
from tintype.stages.metadata.statements import Statements, read_statements
from tintype.stages.metadata.tiff import read_tags

MAX_TEXT_CHARS = 8_192
MAX_KEYWORDS = 1_000


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of one image; None where nothing is. Units and meaning stand in the stage's columns."""

    taken_at: datetime | None = None  # without a zone
    taken_at_offset_min: int | None = None
    taken_at_source: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    lens: str | None = None
    exposure_s: float | None = None
    aperture: float | None = None
    iso: int | None = None
    focal_length_mm: float | None = None
    focal_length_35mm: float | None = None
    flash_fired: bool | None = None
    gps_latitude: float | None = None
    gps_longitude: float | None = None
    gps_altitude_m: float | None = None
    gps_at: datetime | None = None  # UTC
    orientation: int | None = None
    rating: int | None = None
    keywords: list[str] | None = None
    title: str | None = None
    caption: str | None = None
    creator: str | None = None
    copyright: str | None = None
    software: str | None = None


def read_metadata(data: bytes, *, max_text_chars: int = MAX_TEXT_CHARS, max_keywords: int = MAX_KEYWORDS) -> Metadata:
    """The metadata of an encoded image of any format; never raises, whatever the bytes.

    Texts, each keyword too, are cut at `max_text_chars` characters, and there are at most `max_keywords`.
    They are as the file has them, so hostile: escape them where they are shown.
    """
    said = read_statements(data, max_text_chars)
    if not (said.exif.main or said.exif.gps or said.iptc or said.xmp):
        return Metadata()
    return _summarize(said, max_keywords)


def _summarize(said: Statements, max_keywords: int) -> Metadata:
    moment, source = taken.taken_at(said) or (None, None)
    latitude, longitude = position.latitude_longitude(said) or (None, None)
    return Metadata(
        taken_at=moment.local if moment else None,
        taken_at_offset_min=moment.offset_min if moment else None,
        taken_at_source=source,
        camera_make=camera.make(said),
        camera_model=camera.model(said),
        lens=camera.lens(said),
        exposure_s=camera.exposure_s(said),
        aperture=camera.aperture(said),
        iso=camera.iso(said),
        focal_length_mm=camera.focal_length_mm(said),
        focal_length_35mm=camera.focal_length_35mm(said),
        flash_fired=camera.flash_fired(said),
        gps_latitude=latitude,
        gps_longitude=longitude,
        gps_altitude_m=position.altitude_m(said),
        gps_at=position.gps_at(said),
        orientation=camera.orientation(said),
        rating=words.rating(said),
        keywords=words.keywords(said, max_keywords),
        title=words.title(said),
        caption=words.caption(said),
        creator=words.creator(said),
        copyright=words.rights(said),
        software=words.software(said),
    )


def orientation_of(exif_block: bytes) -> int:
    """The orientation, 1 to 8, in an EXIF block that begins with its TIFF header; 1 where there is none."""
    found = read_tags(exif_block)
    value = found.main.get(tags.ORIENTATION) if found else None
    number = value[0] if isinstance(value, tuple) else None
    return number if isinstance(number, int) and 1 <= number <= 8 else 1
