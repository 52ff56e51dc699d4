"""Properties of XMP packets in every form that RDF gives them, and packets that mean harm."""

from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import metadata_makers as make
from tintype.stages.metadata.xmp import MAX_DEPTH, MAX_ELEMENTS, MAX_NAMESPACE_CHARS, read_xmp

# What XML 1.0 allows in a text; a carriage return is left out because XML turns it into a line feed.
xml_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=60)


@given(xml_texts)
def test_a_text_comes_back_from_an_element_and_from_an_attribute(text):
    assert read_xmp(make.xmp(f"<xmp:CreatorTool>{escape(text)}</xmp:CreatorTool>")) == {"xmp:CreatorTool": [text]}
    assert read_xmp(make.xmp(attributes=f"xmp:CreatorTool={quoteattr(text)}")) == {"xmp:CreatorTool": [text]}


@given(st.lists(xml_texts, min_size=1, max_size=8))
def test_the_items_of_a_list_come_back_in_order(items):
    for kind in ("Bag", "Seq"):
        assert read_xmp(make.xmp(make.xmp_list("dc:subject", items, kind))) == {"dc:subject": items}


def test_of_several_languages_the_default_comes_first():
    body = (
        '<dc:title><rdf:Alt><rdf:li xml:lang="de">Berg</rdf:li><rdf:li xml:lang="x-default">Mountain</rdf:li>'
        '<rdf:li xml:lang="fr">Mont</rdf:li></rdf:Alt></dc:title>'
    )
    assert read_xmp(make.xmp(body)) == {"dc:title": ["Mountain", "Berg", "Mont"]}


@pytest.mark.parametrize(
    "flash",
    [
        '<exif:Flash rdf:parseType="Resource"><exif:Fired>True</exif:Fired><exif:Mode>1</exif:Mode></exif:Flash>',
        '<exif:Flash><rdf:Description exif:Fired="True" exif:Mode="1"/></exif:Flash>',
        "<exif:Flash><rdf:Description><exif:Fired>True</exif:Fired></rdf:Description></exif:Flash>",
        '<exif:Flash exif:Fired="True" exif:Mode="1"/>',
    ],
)
def test_the_flash_is_found_in_every_form_of_a_structure(flash):
    assert read_xmp(make.xmp(flash)) == {"exif:Fired": ["True"]}


def test_prefixes_are_free():
    body = '<q:title xmlns:q="http://purl.org/dc/elements/1.1/">T</q:title><dc2:title xmlns:dc2="other">No</dc2:title>'
    assert read_xmp(make.xmp(body)) == {"dc:title": ["T"]}


def test_what_is_said_of_another_image_is_not_taken():
    """A packet may hold whole descriptions of the pictures that this one was made from."""
    within = '<rdf:Description dc:format="image/jpeg" xmp:Rating="5"><dc:title>Other</dc:title></rdf:Description>'
    body = (
        f'<xmpMM:Pantry xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"><rdf:Bag><rdf:li>{within}</rdf:li></rdf:Bag>'
        "</xmpMM:Pantry><xmp:Rating>2</xmp:Rating>"
    )
    assert read_xmp(make.xmp(body)) == {"xmp:Rating": ["2"]}


def test_several_descriptions_are_read_and_the_first_counts():
    body = '</rdf:Description><rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4">'
    assert read_xmp(make.xmp(body)) == {"xmp:Rating": ["4"]}
    assert read_xmp(make.xmp(body, 'xmp:Rating="1"')) == {"xmp:Rating": ["1"]}


def test_a_list_within_a_list_does_not_end_its_item():
    body = "<dc:subject><rdf:Bag><rdf:li>a<rdf:Bag><rdf:li>b</rdf:li></rdf:Bag>c</rdf:li></rdf:Bag></dc:subject>"
    assert read_xmp(make.xmp(body)) == {"dc:subject": ["abc"]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encodings_of_packets_are_known(encoding):
    packet = make.xmp("<dc:title>Größe 山</dc:title>").decode().encode(encoding)
    assert read_xmp(packet) == {"dc:title": ["Größe 山"]}


def test_bytes_that_are_not_utf_8_cost_only_themselves():
    packet = make.xmp("<dc:title>caf?</dc:title><xmp:Rating>3</xmp:Rating>").replace(b"caf?", b"caf\xe9")
    assert read_xmp(packet) == {"dc:title": ["caf\ufffd"], "xmp:Rating": ["3"]}


def test_a_cut_packet_gives_what_stands_before_the_cut():
    packet = make.xmp("<xmp:Rating>3</xmp:Rating><dc:title>Lost</dc:title>")
    assert read_xmp(packet[: packet.index(b"Lost") + 2]) == {"xmp:Rating": ["3"]}


def test_padding_behind_the_packet_is_no_matter():
    assert read_xmp(make.xmp("<xmp:Rating>3</xmp:Rating>") + b" \n" * 1000 + b"\0" * 100) == {"xmp:Rating": ["3"]}


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY e "boom">]>',
        "<!DOCTYPE x []>",
        '<!DOCTYPE x SYSTEM "http://example.invalid/x.dtd">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    ],
)
def test_a_packet_that_declares_a_document_type_is_refused_whole(declaration):
    packet = make.xmp("<xmp:Rating>3</xmp:Rating><dc:title>&#65;</dc:title>", around=declaration + "{}")
    assert read_xmp(packet) == {}


def test_an_entity_that_nobody_declared_ends_the_reading():
    assert read_xmp(make.xmp("<xmp:Rating>3</xmp:Rating><dc:title>&e;</dc:title>")) == {"xmp:Rating": ["3"]}


def test_reading_ends_at_the_bound_of_elements():
    many = "<dc:format/>" * MAX_ELEMENTS
    assert read_xmp(make.xmp(f"<xmp:Rating>3</xmp:Rating>{many}<dc:title>T</dc:title>")) == {"xmp:Rating": ["3"]}


def test_reading_ends_at_a_namespace_that_is_too_long():
    long = f'<n:a xmlns:n="{"u" * (MAX_NAMESPACE_CHARS + 1)}"/>'
    assert read_xmp(make.xmp(f"<xmp:Rating>3</xmp:Rating>{long}<dc:title>T</dc:title>")) == {"xmp:Rating": ["3"]}


def test_reading_ends_at_the_bound_of_depth():
    deep = "<dc:format>" * MAX_DEPTH + "</dc:format>" * MAX_DEPTH
    assert read_xmp(make.xmp(f"<xmp:Rating>3</xmp:Rating>{deep}<dc:title>T</dc:title>")) == {"xmp:Rating": ["3"]}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(packet):
    read_xmp(packet)


@given(st.integers(0, 900), st.binary(max_size=8), st.integers(0, 8))
def test_a_damaged_packet_is_read_without_an_error(place, inserted, removed):
    body = make.xmp_list("dc:subject", ["a", "b"]) + '<exif:Flash exif:Fired="True"/><dc:title>T</dc:title>'
    packet = make.xmp(body, 'xmp:Rating="3"')
    read_xmp(packet[:place] + inserted + packet[place + removed :])
