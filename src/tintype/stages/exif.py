"""What the image's file says of its making: when, with which camera, where, and in whose words."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tintype.core.columns import TIMESTAMP, Column
from tintype.stages.base import Batch, Bytes, Stage
from tintype.stages.metadata import read_metadata
from tintype.stages.metadata.reading import MAX_KEYWORDS, MAX_TEXT_CHARS

COLUMNS = (
    Column(
        "taken_at",
        TIMESTAMP,
        None,
        "when the photo was taken, in the local time of its camera, without a zone",
    ),
    Column(
        "taken_at_offset_min",
        pa.int16(),
        "min",
        "how far that local time is ahead of UTC; null where the file does not say",
    ),
    Column(
        "taken_at_source",
        pa.string(),
        None,
        "which tag `taken_at` comes from, best first: exif:DateTimeOriginal; xmp-photoshop:DateCreated, "
        "xmp-exif:DateTimeOriginal or iptc:DateCreated; exif:CreateDate; xmp-xmp:CreateDate, "
        "xmp-exif:DateTimeDigitized or iptc:DigitalCreationDate; exif:ModifyDate",
    ),
    Column("camera_make", pa.string(), None, "maker of the camera, as written"),
    Column("camera_model", pa.string(), None, "model of the camera, as written"),
    Column(
        "lens",
        pa.string(),
        None,
        "model of the lens, or its focal lengths and f-numbers where only these are known",
    ),
    Column("exposure_s", pa.float64(), "s", "exposure time"),
    Column("aperture", pa.float32(), None, "f-number of the aperture"),
    Column("iso", pa.int32(), None, "ISO sensitivity"),
    Column("focal_length_mm", pa.float32(), "mm", "focal length of the lens"),
    Column("focal_length_35mm", pa.float32(), "mm", "focal length that gives the same view on 35 mm film"),
    Column("flash_fired", pa.bool_(), None, "whether the flash fired"),
    Column(
        "gps_latitude",
        pa.float64(),
        "degrees",
        "latitude, -90 to 90, north positive; null unless the longitude is known too",
    ),
    Column(
        "gps_longitude",
        pa.float64(),
        "degrees",
        "longitude, -180 to 180, east positive; null unless the latitude is known too",
    ),
    Column("gps_altitude_m", pa.float32(), "m", "altitude, negative below sea level"),
    Column("gps_at", pa.timestamp("us", "UTC"), None, "when the position was taken"),
    Column(
        "orientation",
        pa.int8(),
        None,
        "EXIF orientation as the file states it, 1 to 8; null where there is none or it makes no sense",
    ),
    Column("rating", pa.int8(), None, "stars, 0 to 5; -1 for rejected"),
    Column("keywords", pa.list_(pa.string()), None, "keywords in the order they stand, each once"),
    Column("title", pa.string(), None, "title"),
    Column("caption", pa.string(), None, "caption or description"),
    Column("creator", pa.string(), None, "who made the image; several are joined by `; `"),
    Column("copyright", pa.string(), None, "copyright notice"),
    Column("software", pa.string(), None, "program or firmware that wrote the file"),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    max_text_chars: int = MAX_TEXT_CHARS  # of each text and each keyword
    max_keywords: int = MAX_KEYWORDS  # of one image


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """Read the EXIF, IPTC and XMP blocks of each image's bytes; row i of the result is image i.

    Null where there is no value, or one that cannot be. Texts are as the file has them, so hostile.
    """
    rows = [
        read_metadata(data, max_text_chars=settings.max_text_chars, max_keywords=settings.max_keywords)
        for data in batch.data
    ]
    return {column.name: pa.array([getattr(row, column.name) for row in rows], column.type) for column in COLUMNS}


STAGE = Stage("exif", version=1, columns=COLUMNS, needs=Bytes(), settings=Settings, compute=compute)
