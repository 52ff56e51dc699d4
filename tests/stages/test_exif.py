"""The stage `exif` against what exiftool reads from real files, and against files that mean harm."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tintype.core.columns import schema_of
from tintype.stages.base import Batch
from tintype.stages.exif import COLUMNS, STAGE, Settings, compute
from tintype.stages.metadata import Metadata, read_metadata
from tintype.testing.stages import StageContract


class TestExif(StageContract):
    stage = STAGE


def table_of(files: list[bytes], **options: int) -> pa.Table:
    columns = compute(Batch(files, [None] * len(files)), Settings(**options))  # type: ignore[list-item]  # no pixels needed
    return pa.table(columns, schema_of(COLUMNS))


@pytest.fixture(scope="module")
def expected(data: Path) -> dict[str, dict[str, Any]]:
    return json.loads((data / "photos-exif" / "expected.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def rows(data: Path, expected: dict[str, Any]) -> dict[str, dict[str, Any]]:
    files = [(data / "photos-exif" / name).read_bytes() for name in expected]
    return dict(zip(expected, table_of(files).to_pylist(), strict=True))


# Where exiftool finds what a column holds, best first.
TAGS = {
    "camera_make": [("Make", "IFD0"), ("Make", "XMP-tiff")],
    "camera_model": [("Model", "IFD0"), ("Model", "XMP-tiff")],
    "lens": [("LensModel", "ExifIFD"), ("Lens", "XMP-aux")],
    "exposure_s": [("ExposureTime", "ExifIFD"), ("ExposureTime", "XMP-exif")],
    "aperture": [("FNumber", "ExifIFD"), ("FNumber", "XMP-exif")],
    "iso": [("ISO", "ExifIFD"), ("ISO", "XMP-exif")],
    "focal_length_mm": [("FocalLength", "ExifIFD"), ("FocalLength", "XMP-exif")],
    "gps_latitude": [("GPSLatitude", "GPS"), ("GPSLatitude", "XMP-exif")],
    "gps_longitude": [("GPSLongitude", "GPS"), ("GPSLongitude", "XMP-exif")],
    "gps_altitude_m": [("GPSAltitude", "GPS"), ("GPSAltitude", "XMP-exif")],
    "orientation": [("Orientation", "IFD0")],
    "rating": [("Rating", "XMP-xmp"), ("Rating", "IFD0")],
    "caption": [("ImageDescription", "IFD0"), ("Description", "XMP-dc"), ("Caption-Abstract", "IPTC")],
    "keywords": [("Subject", "XMP-dc"), ("Keywords", "IPTC")],
}
NOT_ZERO = {"exposure_s", "aperture", "iso", "focal_length_mm"}  # 0 says that the camera does not know

# What we read on purpose and the list of exiftool's tags does not have, or has otherwise.
DELIBERATE: dict[tuple[str, str], Any] = {
    # The APEX value stands in for a time or f-number that the file does not have.
    ("FujiFilm FinePixS1Pro (1).jpg", "exposure_s"): 2**-9.5,
    ("Fujifilm_FinePix6900ZOOM.jpg", "exposure_s"): 2**-8.5,
    ("Ricoh RDC5300.jpg", "exposure_s"): 2**-6.5,
    ("Ricoh RDC5300.jpg", "aperture"): 4.0,
    # The EXIF lens specification; exiftool's list has only the lens's name, here from a maker note.
    ("Canon EOS REBEL T3i.jpg", "lens"): "18-55mm",
    # The EXIF user comment, which exiftool's list does not have.
    ("PaintTool_sample.jpg", "caption"): "a5cb01550dbb9a6bf732f87e413f6e231cc4581e6a5be800fb0871dce0760cd5",
}

# Times from tags that exiftool's list does not have, checked by hand with exiftool 12.57.
OTHER_TIMES = {
    "67-0_length_string.jpg": ("2016-09-12T10:05:31", "exif:ModifyDate"),
    "Canon_40D_photoshop_import.jpg": ("2008-07-31T10:05:49", "exif:ModifyDate"),
    "Crémieux11.tiff": ("2012-01-09T22:52:11", "exif:ModifyDate"),
    "DudleyLeavittUtah.tiff": ("2009-09-26T01:11:52", "exif:ModifyDate"),
    "Issue 258 (dotnet).jpg": ("2019-10-16T19:01:00", "xmp-photoshop:DateCreated"),
    "Issue 600 (1).jpg": ("2009-09-09T17:00:00", "xmp-photoshop:DateCreated"),
    "Issue 600 (2).jpg": ("2009-09-09T17:00:00", "iptc:DateCreated"),
    "long_description.jpg": ("2003-08-31T00:00:00", "xmp-photoshop:DateCreated"),
    "made-date-blank.jpg": ("2008-07-31T10:38:11", "exif:ModifyDate"),
}


def known(value: Any, column: str) -> bool:
    """Whether exiftool's value says something."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and not (column in NOT_ZERO and value == 0)


def wanted(name: str, column: str, found: dict[str, dict[str, Any]]) -> Any:
    if (name, column) in DELIBERATE:
        return DELIBERATE[name, column]
    values = (found.get(tag, {}).get(group) for tag, group in TAGS[column])
    value = next((one for one in values if known(one, column)), None)
    if column == "keywords" and value is not None:
        return [str(one) for one in (value if isinstance(value, list) else [value])]
    value = value[0] if isinstance(value, list) else value
    if found.get("GPS" + column[4:].removesuffix("_m").title() + "Ref", {}).get("GPS") in ("S", "W", 1):
        return -value
    return str(value).strip() if isinstance(value, str) else value


@pytest.mark.parametrize("column", TAGS)
def test_every_file_gives_what_exiftool_reads(column, rows, expected):
    got = {name: row[column] for name, row in rows.items()}
    want = {name: wanted(name, column, expected[name]["all"]) for name in rows}
    differing = {name: (got[name], want[name]) for name in rows if not same(got[name], want[name])}
    assert differing == {}


def same(got: Any, want: Any) -> bool:
    if isinstance(want, int | float) and isinstance(got, int | float):
        return got == pytest.approx(want, rel=1e-6)  # float32 has 24 bits
    return bool(got == want)


def test_the_deliberate_differences_are_all_still_there(rows, expected):
    for name, column in DELIBERATE:
        plain = [expected[name]["all"].get(tag, {}).get(group) for tag, group in TAGS[column]]
        assert not any(known(value, column) for value in plain), (name, column)


TIMES = [
    ("exif:DateTimeOriginal", "DateTimeOriginal", "ExifIFD", "SubSecTimeOriginal", "OffsetTimeOriginal"),
    ("xmp-exif:DateTimeOriginal", "DateTimeOriginal", "XMP-exif", None, None),
    ("exif:CreateDate", "CreateDate", "ExifIFD", "SubSecTimeDigitized", "OffsetTimeDigitized"),
    ("xmp-xmp:CreateDate", "CreateDate", "XMP-xmp", None, None),
]


def wanted_time(name: str, found: dict[str, dict[str, Any]]) -> tuple[datetime | None, int | None, str | None]:
    if name in OTHER_TIMES:
        text, source = OTHER_TIMES[name]
        return datetime.fromisoformat(text), None, source
    for source, tag, group, fraction_tag, offset_tag in TIMES:
        text = str(found.get(tag, {}).get(group, ""))
        parts = re.fullmatch(r"(\d+)[:-](\d+)[:-](\d+)(?:[ T](\d+):(\d+):(\d+))?(.*)", text)
        try:
            local = datetime(*(int(part or 0) for part in parts.groups()[:6])) if parts else None
        except ValueError:
            local = None
        if local is None or parts is None:
            continue
        fraction = found.get(fraction_tag, {}).get(group) if fraction_tag else None
        if fraction is not None:
            local += timedelta(seconds=float(f"0.{fraction}"))
        zone = str(found.get(offset_tag, {}).get(group, "")) if offset_tag else parts[7]
        return local, minutes(zone), source
    return None, None, None


def minutes(zone: str) -> int | None:
    if not zone:
        return None
    return 0 if zone == "Z" else int(zone[0] + "1") * (int(zone[1:3]) * 60 + int(zone[4:6]))


def test_every_file_gives_the_time_that_exiftool_reads(rows, expected):
    differing = {}
    for name, row in rows.items():
        got = (row["taken_at"], row["taken_at_offset_min"], row["taken_at_source"])
        want = wanted_time(name, expected[name]["all"])
        if name in OTHER_TIMES:
            got, want = (got[0], got[2]), (want[0], want[2])
        if got != want:
            differing[name] = (got, want)
    assert differing == {}


# Columns that expected.json does not have; read with exiftool 12.57 (-n), those of the Metadata Working Group
# with its module MWG.
KNOWN = {
    "Photoshop (3).jpg": {
        "creator": "Test author string for metadata-extractor",
        "copyright": "Test copyright string for metadata-extractor",
        "caption": "Test description string for metadata-extractor",
        "keywords": ["test keyword 1", "test keyword 2"],
    },
    "Issue 258 (dotnet).jpg": {
        "creator": "Creator1 (ref2019.1)",
        "copyright": "Copyright (Notice) 2019.1 IPTC - www.iptc.org  (ref2019.1)",
        "keywords": ["Keyword1ref2019.1", "Keyword2ref2019.1", "Keyword3ref2019.1"],
    },
    "Issue 122.jpg": {
        "creator": "Stephen Dunn",
        "title": "9401004P  S KOREA V USA X",
    },
    "Nikon D1X.jpg": {"copyright": "Copyright,", "creator": None, "caption": "Workshop showing workbench and storage"},
    "Issue 80.jpg": {"creator": "Corbis", "copyright": "© Corbis.  All Rights Reserved.", "rating": 4},
    "Pentax_K10D.jpg": {"creator": "Laitche", "copyright": "Laitche (This file is in the public domain.)"},
    "DSCN0042.jpg": {"gps_at": "2008-10-23T14:57:41.370000+00:00"},
    "Canon_40D.jpg": {"flash_fired": True, "software": "GIMP 2.4.5"},
    "Samsung GT-I9000 (Galaxy S).jpg": {"focal_length_35mm": None, "caption": "SAMSUNG"},
    "Nikon_COOLPIX_P1.jpg": {"focal_length_35mm": 36.0, "flash_fired": False},
}


@pytest.mark.parametrize("name", KNOWN)
def test_further_columns_have_known_answers(name, rows):
    got = {column: rows[name][column] for column in KNOWN[name]}
    got = {column: value.isoformat() if isinstance(value, datetime) else value for column, value in got.items()}
    assert got == KNOWN[name]


def test_the_columns_are_the_fields_of_the_metadata():
    assert [column.name for column in COLUMNS] == [field.name for field in fields(Metadata)]


def test_real_files_in_small_batches_give_the_rows_of_one_large_batch(data, expected, rows):
    files = [(data / "photos-exif" / name).read_bytes() for name in expected]
    for size in (1, 7):
        parts = [table_of(files[start : start + size]) for start in range(0, len(files), size)]
        assert pa.concat_tables(parts).to_pylist() == list(rows.values())


def test_settings_bound_the_texts(data):
    photo = (data / "photos-exif" / "made-keywords-many.jpg").read_bytes()
    found = table_of([photo], max_text_chars=5, max_keywords=2).to_pylist()[0]
    assert found["keywords"] == ["keywo"]
    assert found["camera_model"] == "Canon"


# Files that mean harm

HOSTILE = {
    "exif-ansi-escapes.jpg": {
        "camera_make": "\x1b[2J\x1b[31mRED\x1b]0;title\x07",
        "camera_model": "a\rb\nc\td\x08\x08",
    },
    "exif-html-script.jpg": {
        "caption": "<script>alert(1)</script><img src=x onerror=alert(2)>",
        "creator": '"><svg/onload=alert(3)>',
    },
    "exif-nul-inside.jpg": {"camera_make": "Can"},
    "exif-orientation-6-and-xmp-3.jpg": {"orientation": 6},
    "exif-ifd-loop.jpg": {"orientation": 1},
    "exif-subifd-loop.jpg": {"orientation": 1},
    "exif-thumbnail-too-big.jpg": {"orientation": 1},
    "exif-big-endian-mark-little-data.jpg": {},
    "exif-chain-3000.jpg": {},
    "exif-count-huge.jpg": {},
    "exif-entries-65535.jpg": {},
    "exif-gps-out-of-range.jpg": {},
    "exif-gps-zero-denominator.jpg": {},
    "exif-ifd-far-offset.jpg": {},
    "exif-orientation-0.jpg": {},
    "exif-orientation-255.jpg": {},
    "exif-orientation-9.jpg": {},
    "exif-orientation-string.jpg": {},
    "exif-rational-zero.jpg": {},
    "exif-type-0-and-99.jpg": {},
    "iptc-length-past-end.jpg": {},
    "iptc-photoshop-negative.jpg": {},
    "png-exif-chunk-garbage.png": {},
    "xmp-billion-laughs.jpg": {},
    "xmp-deep-nesting.jpg": {},
    "xmp-external-entity.jpg": {},
    "xmp-external-http.jpg": {},
    "xmp-not-xml.jpg": {},
    "xmp-quadratic-blowup.jpg": {},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_metadata_gives_sound_values_or_none(name, data):
    row = table_of([(data / "hostile" / name).read_bytes()]).to_pylist()[0]
    assert {column: value for column, value in row.items() if value is not None} == HOSTILE[name]


def test_every_hostile_file_is_read(data):
    files = [path.read_bytes() for path in sorted((data / "hostile").iterdir())]
    table = table_of(files)
    table.validate(full=True)
    assert table.num_rows == len(files)
    for row in table.to_pylist():
        assert_possible(row)


def assert_possible(row: dict[str, Any]) -> None:
    """The row keeps what its columns promise."""
    assert row["orientation"] in (None, *range(1, 9))
    assert row["rating"] in (None, *range(-1, 6))
    assert (row["gps_latitude"] is None) == (row["gps_longitude"] is None)
    assert row["gps_latitude"] is None or (abs(row["gps_latitude"]) <= 90 and abs(row["gps_longitude"]) <= 180)
    assert (row["taken_at"] is None) == (row["taken_at_source"] is None)
    assert row["taken_at_offset_min"] is None or (row["taken_at"] and abs(row["taken_at_offset_min"]) <= 900)
    for column in ("exposure_s", "aperture", "iso", "focal_length_mm", "focal_length_35mm"):
        assert row[column] is None or 0 < row[column] < 1e9
    for column in COLUMNS:
        if column.type == pa.string():
            value = row[column.name]
            assert value is None or (value.strip() == value and "\0" not in value and 0 < len(value) <= 8_192)


@pytest.fixture(scope="module")
def heads(data: Path, expected: dict[str, Any]) -> list[bytes]:
    """The first 70 kB of each real file, where its metadata lies."""
    return [(data / "photos-exif" / name).read_bytes()[:70_000] for name in expected]


edits = st.lists(
    st.tuples(st.integers(0, 8_000), st.binary(min_size=1, max_size=6), st.integers(0, 6)), min_size=1, max_size=12
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 91), edits=edits, end=st.integers(1, 70_000))
def test_real_metadata_damaged_anywhere_is_read_without_an_error(heads, which, edits, end):
    damaged = heads[which]
    for place, inserted, removed in edits:
        damaged = damaged[:place] + inserted + damaged[place + removed :]
    for file in (damaged, damaged[:end]):
        assert_possible(table_of([file]).to_pylist()[0])


def test_reading_twice_gives_the_same(heads):
    assert [read_metadata(head) for head in heads] == [read_metadata(head) for head in heads]
