"""Whose word counts, and which values are left out: metadata out of files that the tests write themselves."""

import hashlib
from datetime import UTC, datetime

import pytest

from stages import metadata_makers as make
from tintype.stages.metadata import Metadata, read_metadata, tags

UTF_8 = (1, 90, b"\x1b%G")


def of_exif(ifd0=None, exif=None, gps=None, order="<") -> Metadata:
    return read_metadata(make.in_jpeg(make.tiff(ifd0 or {}, exif, gps, order=order)))


def of_xmp(body="", attributes="") -> Metadata:
    return read_metadata(make.in_jpeg(xmp=make.xmp(body, attributes)))


def test_no_metadata_is_no_values():
    assert read_metadata(make.jpeg()) == Metadata()
    assert read_metadata(b"") == Metadata()


# When


EARLY, MIDDLE, LATE = "2001:01:01 01:01:01", "2002:02:02 02:02:02", "2003:03:03 03:03:03"


def test_the_moment_of_taking_counts_before_that_of_the_file_and_of_change():
    exif = {tags.DATE_TIME_ORIGINAL: make.text(EARLY), tags.CREATE_DATE: make.text(MIDDLE)}
    ifd0 = {tags.MODIFY_DATE: make.text(LATE)}
    found = [of_exif(ifd0, exif)]
    exif.pop(tags.DATE_TIME_ORIGINAL)
    found += [of_exif(ifd0, exif), of_exif(ifd0)]
    assert [(one.taken_at, one.taken_at_source) for one in found] == [
        (datetime(2001, 1, 1, 1, 1, 1), "exif:DateTimeOriginal"),
        (datetime(2002, 2, 2, 2, 2, 2), "exif:CreateDate"),
        (datetime(2003, 3, 3, 3, 3, 3), "exif:ModifyDate"),
    ]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("photoshop:DateCreated", "xmp-photoshop:DateCreated"),
        ("exif:DateTimeOriginal", "xmp-exif:DateTimeOriginal"),
        ("xmp:CreateDate", "xmp-xmp:CreateDate"),
        ("exif:DateTimeDigitized", "xmp-exif:DateTimeDigitized"),
    ],
)
def test_the_moments_of_xmp_have_their_zone_and_fraction(name, source):
    found = of_xmp(attributes=f'{name}="2020-05-06T07:08:09.25-03:30"')
    assert found.taken_at == datetime(2020, 5, 6, 7, 8, 9, 250_000)
    assert (found.taken_at_offset_min, found.taken_at_source) == (-210, source)


def test_a_scanned_photo_was_taken_when_its_caption_says():
    """The scanner writes when it scanned; that the picture is older only XMP or IPTC know."""
    exif = make.tiff({}, {tags.CREATE_DATE: make.text(LATE)})
    with_xmp = read_metadata(make.in_jpeg(exif, make.xmp(attributes='photoshop:DateCreated="1962-07-01"')))
    with_iptc = read_metadata(make.in_jpeg(exif, iptc=make.iptc((2, 55, b"19620701"), (2, 60, b"120000+0100"))))
    assert (with_xmp.taken_at, with_xmp.taken_at_offset_min) == (datetime(1962, 7, 1), None)
    assert (with_iptc.taken_at, with_iptc.taken_at_offset_min) == (datetime(1962, 7, 1, 12), 60)
    assert with_iptc.taken_at_source == "iptc:DateCreated"


@pytest.mark.parametrize(("as_it_was", "source"), [(True, "xmp-photoshop:DateCreated"), (False, "iptc:DateCreated")])
def test_the_moment_of_iptc_counts_before_that_of_xmp_where_it_was_changed_later(as_it_was, source):
    xmp, iptc = make.xmp(attributes='photoshop:DateCreated="2001-01-01"'), make.iptc((2, 55, b"20020202"))
    digest = hashlib.md5(iptc if as_it_was else b"what it was").digest()
    assert read_metadata(make.in_jpeg(xmp=xmp, iptc=iptc, digest=digest)).taken_at_source == source


def test_sub_seconds_and_offset_belong_to_their_own_time():
    exif = {
        tags.DATE_TIME_ORIGINAL: make.text(EARLY), tags.SUBSECONDS_ORIGINAL: make.text("068"),
        tags.OFFSET_TIME_ORIGINAL: make.text("-03:30"), tags.SUBSECONDS: make.text("9"),
        tags.OFFSET_TIME: make.text("+09:00"), tags.SUBSECONDS_DIGITIZED: make.text("5"),
    }  # fmt: skip
    found = of_exif({}, exif)
    assert found.taken_at == datetime(2001, 1, 1, 1, 1, 1, 68_000)
    assert found.taken_at_offset_min == -210


@pytest.mark.parametrize(("changed", "offset"), [(EARLY, 540), (LATE, None)])
def test_the_offset_of_the_change_counts_only_where_nothing_was_changed(changed, offset):
    exif = {tags.DATE_TIME_ORIGINAL: make.text(EARLY), tags.OFFSET_TIME: make.text("+09:00")}
    assert of_exif({tags.MODIFY_DATE: make.text(changed)}, exif).taken_at_offset_min == offset


def test_the_zone_of_tiff_ep_is_used():
    exif = {tags.DATE_TIME_ORIGINAL: make.text(EARLY), tags.TIME_ZONE_HOURS: (make.SSHORT, [-5, 2])}
    assert of_exif({}, exif).taken_at_offset_min == -300
    assert (
        of_exif({tags.MODIFY_DATE: make.text(LATE), tags.TIME_ZONE_HOURS: (make.SSHORT, [-5, 2])}).taken_at_offset_min
        == 120
    )


def test_a_moment_that_cannot_be_leaves_the_word_to_the_next():
    exif = {
        tags.DATE_TIME_ORIGINAL: make.text("0000:00:00 00:00:00"),
        tags.CREATE_DATE: make.text("2004:02:30 00:00:00"),
    }
    found = of_exif({tags.MODIFY_DATE: make.text(LATE)}, exif)
    assert (found.taken_at, found.taken_at_source) == (datetime(2003, 3, 3, 3, 3, 3), "exif:ModifyDate")
    assert of_exif({}, exif).taken_at_source is None


# Where


def gps(north, north_ref, east, east_ref):
    return {
        tags.GPS_LATITUDE: (make.RATIONAL, north), tags.GPS_LATITUDE_REF: (make.ASCII, north_ref),
        tags.GPS_LONGITUDE: (make.RATIONAL, east), tags.GPS_LONGITUDE_REF: (make.ASCII, east_ref),
    }  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("refs", "signs"),
    [((b"N\0", b"E\0"), (1, 1)), ((b"S\0", b"W\0"), (-1, -1)), ((b"s\0", b"East\0"), (-1, 1))],
)
def test_north_and_east_are_positive(order, refs, signs):
    ifd = gps([(33, 1), (51, 1), (5400, 100)], refs[0], [(151, 1), (123, 10), (0, 1)], refs[1])
    found = of_exif({}, gps=ifd, order=order)
    assert found.gps_latitude == pytest.approx(signs[0] * (33 + 51 / 60 + 54 / 3600), abs=1e-12)
    assert found.gps_longitude == pytest.approx(signs[1] * (151 + 12.3 / 60), abs=1e-12)


@pytest.mark.parametrize(
    "ifd",
    [
        gps([(999, 1), (0, 1), (0, 1)], b"N\0", [(1, 1), (0, 1), (0, 1)], b"E\0"),
        gps([(1, 1), (0, 1), (0, 1)], b"N\0", [(181, 1), (0, 1), (0, 1)], b"E\0"),
        gps([(90, 1), (0, 1), (1, 1)], b"N\0", [(1, 1), (0, 1), (0, 1)], b"E\0"),
        gps([(1, 1), (0, 1), (0, 1)], b"Q\0", [(1, 1), (0, 1), (0, 1)], b"E\0"),
        gps([(1, 1), (0, 1), (0, 1)], b"\0", [(1, 1), (0, 1), (0, 1)], b"E\0"),
        gps([(1, 0), (0, 1), (0, 1)], b"N\0", [(1, 1), (0, 1), (0, 1)], b"E\0"),
        gps([(1, 1), (1, 0), (0, 1)], b"N\0", [(1, 1), (0, 1), (0, 1)], b"E\0"),
        {tags.GPS_LATITUDE: (make.RATIONAL, [(1, 1)]), tags.GPS_LATITUDE_REF: (make.ASCII, b"N\0")},
        {**gps([], b"N\0", [(1, 1)], b"E\0"), tags.GPS_LATITUDE: (make.DOUBLE, [float("nan")])},
    ],
)
def test_a_position_that_is_half_or_cannot_be_is_none(ifd):
    found = of_exif({}, gps=ifd)
    assert (found.gps_latitude, found.gps_longitude) == (None, None)


def test_the_poles_and_the_date_line_are_places():
    found = of_exif({}, gps=gps([(90, 1), (0, 1), (0, 1)], b"S\0", [(180, 1), (0, 1), (0, 1)], b"W\0"))
    assert (found.gps_latitude, found.gps_longitude) == (-90, -180)


def test_seconds_may_be_missing_where_minutes_have_decimals():
    found = of_exif({}, gps=gps([(10, 1), (305, 10), (0, 0)], b"N\0", [(20, 1), (15, 1)], b"E\0"))
    assert found.gps_latitude == pytest.approx(10 + 30.5 / 60)
    assert found.gps_longitude == pytest.approx(20.25)


@pytest.mark.parametrize(
    ("north", "east", "place"),
    [
        ("33,51.9S", "151,12,36E", (-33.865, 151.21)),
        ("40,30,0N", "74.5W", (40.5, -74.5)),
        ("-33.5", "151.25", (-33.5, 151.25)),
        ("0,30N", "0,15W", (0.5, -0.25)),
        ("91,0N", "1,0E", (None, None)),
        ("1,0E", "1,0N", (None, None)),
        ("far", "away", (None, None)),
        ("1,2,3,4N", "1,0E", (None, None)),
    ],
)
def test_xmp_writes_a_position_as_text(north, east, place):
    found = of_xmp(attributes=f'exif:GPSLatitude="{north}" exif:GPSLongitude="{east}"')
    assert (found.gps_latitude, found.gps_longitude) == pytest.approx(place)


@pytest.mark.parametrize(("reference", "sign"), [(0, 1), (1, -1), (2, 1), (3, -1)])
def test_altitudes_below_the_sea_are_negative(reference, sign):
    ifd = {tags.GPS_ALTITUDE: (make.RATIONAL, [(4125, 10)]), tags.GPS_ALTITUDE_REF: (make.BYTE, [reference])}
    assert of_exif({}, gps=ifd).gps_altitude_m == sign * 412.5
    found = of_xmp(attributes=f'exif:GPSAltitude="4125/10" exif:GPSAltitudeRef="{reference}"')
    assert found.gps_altitude_m == sign * 412.5


@pytest.mark.parametrize("fraction", [(1, 0), (4_000_000_000, 1)])
def test_an_altitude_that_cannot_be_is_none(fraction):
    assert of_exif({}, gps={tags.GPS_ALTITUDE: (make.RATIONAL, [fraction])}).gps_altitude_m is None


def test_the_time_of_the_position_is_utc():
    ifd = {
        tags.GPS_DATE: make.text("2008:10:23"),
        tags.GPS_TIME: (make.RATIONAL, [(14, 1), (57, 1), (4137, 100)]),
    }
    assert of_exif({}, gps=ifd).gps_at == datetime(2008, 10, 23, 14, 57, 41, 370_000, tzinfo=UTC)
    ifd[tags.GPS_TIME] = (make.RATIONAL, [(14, 1), (57, 0), (1, 1)])
    assert of_exif({}, gps=ifd).gps_at is None


# Camera


def test_exif_describes_the_camera():
    found = of_exif(
        {tags.MAKE: make.text("Maker  "), tags.MODEL: make.text("Model")},
        {
            tags.LENS_MODEL: make.text("Lens 50mm"), tags.EXPOSURE_TIME: (make.RATIONAL, [(1, 250)]),
            tags.F_NUMBER: (make.RATIONAL, [(28, 10)]), tags.ISO: (make.SHORT, [400, 0]),
            tags.FOCAL_LENGTH: (make.RATIONAL, [(50, 1)]), tags.FOCAL_LENGTH_35MM: (make.SHORT, [75]),
            tags.FLASH: (make.SHORT, [0x19]),
        },
    )  # fmt: skip
    assert found == Metadata(
        camera_make="Maker", camera_model="Model", lens="Lens 50mm", exposure_s=0.004, aperture=2.8, iso=400,
        focal_length_mm=50, focal_length_35mm=75, flash_fired=True,
    )  # fmt: skip


def test_xmp_describes_the_camera_where_exif_does_not():
    found = of_xmp(
        make.xmp_list("exif:ISOSpeedRatings", ["800"], "Seq") + '<exif:Flash exif:Fired="False"/>',
        'tiff:Make="Maker" tiff:Model="Model" aux:Lens="Lens" exif:ExposureTime="1/250" exif:FNumber="28/10" '
        'exif:FocalLength="50/1" exif:FocalLengthIn35mmFilm="75" tiff:Orientation="6"',
    )
    assert found == Metadata(
        camera_make="Maker", camera_model="Model", lens="Lens", exposure_s=0.004, aperture=2.8, iso=800,
        focal_length_mm=50, focal_length_35mm=75, flash_fired=False, orientation=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("specification", "lens"),
    [
        ([(18, 1), (55, 1), (35, 10), (56, 10)], "18-55mm f/3.5-5.6"),
        ([(50, 1), (50, 1), (18, 10), (18, 10)], "50mm f/1.8"),
        ([(70, 1), (200, 1), (0, 0), (0, 0)], "70-200mm"),
        ([(0, 0), (0, 0), (0, 0), (0, 0)], None),
        ([(50, 1), (50, 1)], None),
    ],
)
def test_a_lens_without_a_name_is_named_by_its_specification(specification, lens):
    assert of_exif({}, {tags.LENS_SPECIFICATION: (make.RATIONAL, specification)}).lens == lens


def test_apex_values_stand_in_for_missing_ones():
    found = of_exif(
        {}, {tags.SHUTTER_SPEED_APEX: (make.SRATIONAL, [(-1, 1)]), tags.APERTURE_APEX: (make.RATIONAL, [(4, 1)])}
    )
    assert (found.exposure_s, found.aperture) == (2.0, 4.0)


def test_a_sensitivity_that_needs_more_bits_stands_in_another_tag():
    exif = {tags.ISO: (make.SHORT, [65_535]), tags.RECOMMENDED_EXPOSURE_INDEX: (make.LONG, [102_400])}
    assert of_exif({}, exif).iso == 102_400
    assert of_exif({}, {tags.ISO: (make.SHORT, [65_535])}).iso == 65_535


@pytest.mark.parametrize("kind", [make.SHORT, make.LONG, make.RATIONAL, make.ASCII])
def test_zero_is_no_setting_of_a_camera(kind):
    zero = {make.RATIONAL: [(0, 1)], make.ASCII: b"0\0"}.get(kind, [0])
    names = (
        tags.EXPOSURE_TIME, tags.F_NUMBER, tags.ISO, tags.FOCAL_LENGTH, tags.FOCAL_LENGTH_35MM,
    )  # fmt: skip
    assert of_exif({}, dict.fromkeys(names, (kind, zero))) == Metadata()


@pytest.mark.parametrize("fraction", [(1, 0), (0, 0), (4_294_967_295, 1)])
def test_a_fraction_that_cannot_be_is_none(fraction):
    names = (tags.EXPOSURE_TIME, tags.F_NUMBER, tags.FOCAL_LENGTH)
    assert of_exif({}, {tag: (make.RATIONAL, [fraction]) for tag in names}) == Metadata()


@pytest.mark.parametrize(("value", "orientation"), [(0, None), (1, 1), (8, 8), (9, None), (255, None)])
def test_the_orientation_is_one_of_eight(value, orientation):
    assert of_exif({tags.ORIENTATION: (make.SHORT, [value])}).orientation == orientation


# Words

WORDS = {
    "caption": (tags.IMAGE_DESCRIPTION, "dc:description", (2, 120)),
    "creator": (tags.ARTIST, "dc:creator", (2, 80)),
    "copyright": (tags.COPYRIGHT, "dc:rights", (2, 116)),
    "software": (tags.SOFTWARE, "xmp:CreatorTool", (2, 65)),
    "title": (None, "dc:title", (2, 5)),
    "keywords": (None, "dc:subject", (2, 25)),
}


@pytest.mark.parametrize("column", WORDS)
def test_exif_counts_before_xmp_and_xmp_before_iptc(column):
    tag, name, key = WORDS[column]
    exif = make.tiff({tag: make.text("of EXIF")}) if tag else b""
    xmp, iptc = make.xmp(f"<{name}>of XMP</{name}>"), make.iptc((*key, b"of IPTC"))

    def said(**blocks):
        value = getattr(read_metadata(make.in_jpeg(**blocks)), column)
        return value[0] if isinstance(value, list) else value

    assert said(exif=exif, xmp=xmp, iptc=iptc) == ("of EXIF" if tag else "of XMP")
    assert said(xmp=xmp, iptc=iptc) == "of XMP"
    assert said(iptc=iptc) == "of IPTC"


@pytest.mark.parametrize("column", ["caption", "creator", "copyright", "title", "keywords"])
def test_iptc_counts_before_xmp_where_it_was_changed_later(column):
    _, name, key = WORDS[column]
    xmp, iptc = make.xmp(f"<{name}>of XMP</{name}>"), make.iptc((*key, b"of IPTC"))

    def said(digest):
        value = getattr(read_metadata(make.in_jpeg(xmp=xmp, iptc=iptc, digest=digest)), column)
        return value[0] if isinstance(value, list) else value

    assert said(hashlib.md5(iptc).digest()) == "of XMP"
    assert said(hashlib.md5(b"what it was").digest()) == "of IPTC"


def test_windows_tags_are_utf_16():
    def wide(text):
        return make.BYTE, text.encode("utf-16-le") + b"\0\0"

    found = of_exif(
        {
            tags.XP_TITLE: wide("Tïtle"), tags.XP_COMMENT: wide("山 comment"), tags.XP_AUTHOR: wide("Auþor"),
            tags.XP_KEYWORDS: wide("one; two ;;one"), tags.RATING: (make.SHORT, [4]),
        }
    )  # fmt: skip
    assert found == Metadata(title="Tïtle", caption="山 comment", creator="Auþor", keywords=["one", "two"], rating=4)


@pytest.mark.parametrize(
    ("raw", "caption"),
    [
        (b"ASCII\0\0\0plain", "plain"),
        (b"UNICODE\0" + "wide 山".encode("utf-16-le"), "wide 山"),
        (b"UNICODE\0" + "wide 山".encode("utf-16-be"), "wide 山"),
        (b"UNICODE\0" + "山川".encode("utf-16-le"), "山川"),
        (b"UNICODE\0" + "\ufeff山川".encode("utf-16-be"), "山川"),
        (b"JIS\0\0\0\0\0" + "山川".encode("iso2022_jp"), "山川"),
        (b"\0" * 8 + b"no code named", "no code named"),
        (b"straight away", "straight away"),
        (b"\0" * 8 + bytes(range(1, 32)) * 3, None),
        (b"ASCII\0\0\0" + b"   \0\0", None),
        (b"ASCII", None),
        (b"UNICODE\0\x01\xd8", "\ufffd"),
    ],
)
def test_a_user_comment_names_its_character_code(raw, caption):
    assert of_exif({}, {tags.USER_COMMENT: (make.UNDEFINED, raw)}).caption == caption


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Größe 山".encode(), "Größe 山"),
        ("Größe".encode("latin-1"), "Größe"),
        ("café".encode("latin-1"), "café"),
        ("Größe 山".encode()[:-1], "Größe"),
        (b"before\0behind", "before"),
        (b"  outer white space \r\n", "outer white space"),
        (b"\x1b[31mred\x07", "\x1b[31mred\x07"),
        (b"   \0", None),
    ],
)
def test_texts_of_exif_are_utf_8_or_latin_and_kept_as_they_are(raw, text):
    assert of_exif({tags.IMAGE_DESCRIPTION: (make.ASCII, raw)}).caption == text


def test_several_creators_are_joined():
    assert of_xmp(make.xmp_list("dc:creator", ["A", "", " B "], "Seq")).creator == "A; B"
    found = read_metadata(make.in_jpeg(iptc=make.iptc((2, 80, b"A"), (2, 80, b"B"))))
    assert found.creator == "A; B"


@pytest.mark.parametrize(
    ("raw", "copyright_"),
    [
        (b"Photographer\0Editor\0", "Photographer; Editor"),
        (b" \0Editor\0", "Editor"),
        (b"Photographer\0", "Photographer"),
    ],
)
def test_a_copyright_may_have_two_owners(raw, copyright_):
    assert of_exif({tags.COPYRIGHT: (make.ASCII, raw)}).copyright == copyright_


@pytest.mark.parametrize(
    ("written", "rating"),
    [("-1", -1), ("0", 0), ("5", 5), ("3.4", 3), ("6", None), ("-2", None), ("five", None), ("1e0", None)],
)
def test_a_rating_is_minus_one_to_five(written, rating):
    assert of_xmp(attributes=f'xmp:Rating="{written}"').rating == rating


def test_texts_and_keywords_are_cut_at_their_bounds():
    words = [f"keyword {i}" for i in range(20)]
    file = make.in_jpeg(
        make.tiff({tags.IMAGE_DESCRIPTION: make.text("山" * 1000)}), make.xmp(make.xmp_list("dc:subject", words))
    )
    found = read_metadata(file, max_text_chars=9, max_keywords=3)
    assert found.caption == "山" * 9
    assert found.keywords == ["keyword 0", "keyword 1", "keyword 2"]
