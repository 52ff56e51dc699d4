"""IPTC data sets and the Photoshop resources around them."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import metadata_makers as make
from tintype.stages.metadata import iptc

UTF_8 = (1, 90, b"\x1b%G")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_a_text_comes_back_from_a_block_that_says_utf_8(text):
    block = make.iptc(UTF_8, (2, 120, text.encode()))
    assert iptc.read_iptc(block) == {iptc.CAPTION: [text]}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Málaga".encode(), "Málaga"),
        ("Málaga".encode("latin-1"), "Málaga"),
        ("“Größe”".encode("cp1252"), "“Größe”"),
        (b"a\x81b\xe9", "a\x81bé"),
    ],
)
def test_a_block_that_names_no_character_set_is_utf_8_or_latin(raw, text):
    assert iptc.read_iptc(make.iptc((2, 120, raw))) == {iptc.CAPTION: [text]}


def test_repeated_data_sets_keep_their_order():
    block = make.iptc((2, 25, b"b"), (2, 5, b"t"), (2, 25, b"a"), (2, 25, b"b"))
    assert iptc.read_iptc(block) == {iptc.KEYWORDS: ["b", "a", "b"], iptc.OBJECT_NAME: ["t"]}


def test_extended_data_sets_are_read():
    assert iptc.read_iptc(make.iptc((2, 120, b"x" * 40_000), (2, 5, b"t"))) == {
        iptc.CAPTION: ["x" * 40_000],
        iptc.OBJECT_NAME: ["t"],
    }


@pytest.mark.parametrize(
    "bad",
    [
        b"\x1c\x02\x78\x00\x09short",
        b"\x1c\x02\x78\xff\xff",
        b"\x1c\x02\x78\x80\x04\xff\xff\xff\xff",
        b"\x1c\x02\x78\x80\x00",
        b"\x00\x02\x78\x00\x01a",
        b"\x1c\x02",
    ],
)
def test_what_stands_before_the_damage_is_kept(bad):
    found = iptc.read_iptc(make.iptc((2, 5, b"t")) + bad + make.iptc((2, 25, b"k")))
    assert found[iptc.OBJECT_NAME] == ["t"]


def test_data_sets_past_the_bound_are_not_read():
    block = make.iptc(*[(2, 25, b"k")] * iptc.MAX_DATA_SETS, (2, 5, b"t"))
    assert iptc.read_iptc(block) == {iptc.KEYWORDS: ["k"] * iptc.MAX_DATA_SETS}


@pytest.mark.parametrize("name", [b"", b"n", b"even"])
def test_the_block_is_found_among_photoshops_resources(name):
    block = make.iptc((2, 5, b"odd"))
    resources = make.photoshop((0x03ED, b"x" * 7), (0x0404, block), (0x0425, b"d" * 16), name=name)
    assert iptc.split_photoshop(resources) == (block, b"d" * 16)


@pytest.mark.parametrize("size", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
def test_a_resource_of_an_impossible_size_ends_the_search(size):
    resources = b"8BIM\x03\xed\0\0" + size + make.photoshop((0x0404, b"never reached"))
    assert iptc.split_photoshop(resources) == (None, None)


def test_a_digest_that_no_longer_fits_makes_the_block_newer_than_xmp():
    block = make.iptc((2, 5, b"t"))
    assert not iptc.is_newer_than_xmp(block, hashlib.md5(block).digest())
    assert iptc.is_newer_than_xmp(block, hashlib.md5(b"as it was").digest())


@pytest.mark.parametrize("digest", [None, b"", b"\0" * 16, b"short"])
def test_without_a_digest_the_block_is_not_newer(digest):
    assert not iptc.is_newer_than_xmp(b"block", digest)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(block):
    iptc.read_iptc(block)
    iptc.read_iptc(b"\x1c\x02\x78" + block)
    iptc.split_photoshop(b"8BIM" + block)
