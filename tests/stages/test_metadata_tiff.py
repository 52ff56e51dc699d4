"""Tags of EXIF blocks that the tests write themselves."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import metadata_makers as make
from tintype.stages.metadata import orientation_of, tags
from tintype.stages.metadata.tiff import MAX_ENTRIES, read_tags

LAYOUTS = [("<", False), (">", False), ("<", True), (">", True)]
each_layout = pytest.mark.parametrize(("order", "big"), LAYOUTS)


@each_layout
@pytest.mark.parametrize(
    ("kind", "content", "value"),
    [
        (make.SHORT, [400], (400,)),
        (make.SHORT, [1, 2, 3, 4, 5], (1, 2, 3, 4, 5)),
        (make.LONG, [100_000], (100_000,)),
        (make.RATIONAL, [(1, 250)], (0.004,)),
        (make.RATIONAL, [(1, 2), (5, 0)], (0.5, None)),
        (make.SRATIONAL, [(-3, 2)], (-1.5,)),
        (make.BYTE, [7], (7,)),
        (make.SBYTE, [-7], (-7,)),
        (make.SSHORT, [-300], (-300,)),
        (make.SLONG, [-70_000], (-70_000,)),
        (make.FLOAT, [0.25], (0.25,)),
        (make.DOUBLE, [1e100], (1e100,)),
        (make.LONG8, [1 << 40], (1 << 40,)),
        (make.SLONG8, [-(1 << 40)], (-(1 << 40),)),
        (make.ASCII, b"abc\0", b"abc\0"),
        (make.ASCII, b"longer than a pointer\0", b"longer than a pointer\0"),
        (make.UTF8, b"\xc3\xa9\0", b"\xc3\xa9\0"),
        (make.UNDEFINED, b"\x01\x02", b"\x01\x02"),
    ],
)
def test_reads_every_type(order, big, kind, content, value):
    read = read_tags(make.tiff({tags.MAKE: (kind, content)}, order=order, big=big))
    assert read.main == {tags.MAKE: value}


@each_layout
def test_reads_the_exif_and_the_gps_ifd(order, big):
    block = make.tiff(
        {tags.MODEL: make.text("M")},
        exif={tags.ISO: (make.SHORT, [200])},
        gps={tags.GPS_LATITUDE_REF: (make.ASCII, b"S\0")},
        order=order,
        big=big,
    )
    read = read_tags(block)
    assert read.main == {tags.MODEL: b"M\0", tags.ISO: (200,)}
    assert read.gps == {tags.GPS_LATITUDE_REF: b"S\0"}
    assert read.is_big_endian == (order == ">")


@given(
    st.dictionaries(
        st.sampled_from(sorted(tags.WANTED - tags.OPAQUE - {tags.EXIF_IFD, tags.GPS_IFD})),
        st.one_of(
            st.tuples(st.just(make.ASCII), st.binary(min_size=1, max_size=40)),
            st.tuples(st.just(make.SHORT), st.lists(st.integers(0, 65_535), min_size=1, max_size=8)),
            st.tuples(
                st.just(make.SRATIONAL),
                st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=8),
            ),
        ),
        max_size=20,
    )
)
def test_byte_order_and_offset_size_make_no_difference(entries):
    read = [read_tags(make.tiff(entries, order=order, big=big)).main for order, big in LAYOUTS]
    assert all(other == read[0] for other in read)
    assert set(read[0]) == set(entries)


def test_tiff_ep_files_keep_exif_tags_in_their_first_ifd():
    assert read_tags(make.tiff({tags.ISO: (make.SHORT, [320])})).main[tags.ISO] == (320,)


def test_the_exif_ifd_counts_before_the_first_one():
    block = make.tiff({tags.ISO: (make.SHORT, [100])}, exif={tags.ISO: (make.SHORT, [200])})
    assert read_tags(block).main[tags.ISO] == (200,)


def test_of_a_tag_that_stands_twice_the_first_counts():
    entry = struct.pack("<HHI", tags.ORIENTATION, make.SHORT, 1)
    block = b"II*\0\x08\0\0\0\x02\0" + entry + b"\x06\0\0\0" + entry + b"\x03\0\0\0" + b"\0" * 4
    assert read_tags(block).main[tags.ORIENTATION] == (6,)


@pytest.mark.parametrize("kind", [0, 14, 15, 99, 65_535])
def test_an_entry_of_an_unknown_type_is_left_out(kind):
    bad = struct.pack("<HHII", tags.MAKE, kind, 1, 0)
    good = struct.pack("<HHII", tags.ORIENTATION, make.SHORT, 1, 6)
    assert read_tags(b"II*\0\x08\0\0\0\x02\0" + bad + good + b"\0" * 4).main == {tags.ORIENTATION: (6,)}


@pytest.mark.parametrize("place", [0, 5_000, 0xFFFFFFFF])
@pytest.mark.parametrize("length", [5, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [make.ASCII, make.DOUBLE])
def test_a_value_outside_of_the_block_is_left_out(kind, length, place):
    if place == 0 and length == 5 and kind == make.ASCII:
        length = 500
    block = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", tags.MAKE, kind, length, place) + b"\0" * 4
    assert read_tags(block).main == {}


@pytest.mark.parametrize("offset", [0, 7_000, 0xFFFFFFFF])
def test_an_ifd_outside_of_the_block_is_empty(offset):
    assert read_tags(b"II*\0" + struct.pack("<I", offset) + b"\0" * 20).main == {}


def test_an_ifd_that_points_to_itself_is_read_once():
    entry = struct.pack("<HHII", tags.EXIF_IFD, make.LONG, 1, 8)
    read = read_tags(b"II*\0\x08\0\0\0\x01\0" + entry + struct.pack("<I", 8))
    assert read.main == {}


def test_entries_past_the_bound_are_not_read():
    filler = struct.pack("<HHII", 1, make.SHORT, 1, 1)
    wanted = struct.pack("<HHII", tags.ORIENTATION, make.SHORT, 1, 6)
    for before, found in ((MAX_ENTRIES - 1, {tags.ORIENTATION: (6,)}), (MAX_ENTRIES, {})):
        block = b"II*\0\x08\0\0\0" + struct.pack("<H", before + 1) + filler * before + wanted + b"\0" * 4
        assert read_tags(block).main == found


def test_entries_that_are_promised_and_missing_do_no_harm():
    entry = struct.pack("<HHII", tags.ORIENTATION, make.SHORT, 1, 8)
    assert read_tags(b"II*\0\x08\0\0\0\xff\xff" + entry).main == {tags.ORIENTATION: (8,)}


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_header_are_read_without_an_error(rest):
    for header in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        read_tags(header + rest)


def test_other_bytes_are_no_block():
    assert read_tags(b"") is None
    assert read_tags(b"II*\0") is None
    assert read_tags(b"MZ" + b"\0" * 30) is None


@each_layout
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read(order, big, orientation):
    block = make.tiff({tags.ORIENTATION: (make.SHORT, [orientation])}, order=order, big=big)
    assert orientation_of(block) == orientation


@pytest.mark.parametrize(
    "entry",
    [(make.SHORT, [0]), (make.SHORT, [9]), (make.ASCII, b"6\0"), (make.FLOAT, [math.nan]), (make.RATIONAL, [(6, 0)])],
)
def test_an_orientation_that_cannot_be_is_upright(entry):
    assert orientation_of(make.tiff({tags.ORIENTATION: entry})) == 1
    assert orientation_of(b"") == 1
