"""XML is read element by element, and a hostile one is refused in one line."""

import io
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.sources.annotations import xml_elements
from tintype.sources.annotations.xml_elements import BadXml, elements, plain, root_of

HOSTILE = {
    "billion laughs": '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a><b>&y;</b></a>',
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a><b>&x;</b></a>',
    "external subset": '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a><b/></a>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><a/>',
}


class Pieces(io.BytesIO):
    """A file that gives a few bytes at a time and counts them."""

    def __init__(self, data, piece):
        super().__init__(data)
        self.piece, self.given = piece, 0

    def read(self, size=-1):
        data = super().read(self.piece)
        self.given += len(data)
        return data


def read(text, within=None, piece=1 << 16):
    data = text if isinstance(text, bytes) else text.encode()
    return [
        (parent.tag, ElementTree.tostring(element, encoding="unicode"), line)
        for parent, element, line in elements(Pieces(data, piece), "a", within)
    ]


def test_children_come_whole_with_their_parent_and_line():
    assert read('<a><b x="1">t<c/></b>\n <d/></a>') == [("a", '<b x="1">t<c /></b>', 1), ("a", "<d />", 2)]
    found = read('<a><b>skip<x/></b><i n="7"><s/>\n<t><s/></t></i><m><i><no/></i></m><i/></a>', ("i",))
    assert found == [("i", "<s />", 1), ("i", "<t><s /></t>", 2)]


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn"))), max_size=8),
    encoding=st.sampled_from(("utf-8", "utf-16")),
    piece=st.integers(1, 40),
)
def test_reads_what_the_standard_library_reads_however_the_file_is_cut(texts, encoding, piece):
    root = ElementTree.Element("a")
    for text in texts:
        ElementTree.SubElement(ElementTree.SubElement(root, "b", said=text), "c").text = text
    data = ElementTree.tostring(root, encoding=encoding)
    expected = [("a", ElementTree.tostring(child, encoding="unicode")) for child in ElementTree.fromstring(data)]
    assert [found[:2] for found in read(data, piece=piece)] == expected


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_whatever_declares_a_document_type_is_refused(text):
    with pytest.raises(BadXml, match="document type"):
        read(text)
    with pytest.raises(BadXml, match="document type"):
        root_of(io.BytesIO(text.encode()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no element found"),
        ("{}", "not well-formed"),
        ("<a><b></a>", "mismatched tag, line 1"),
        ("<a>\n<b", "unclosed token, line 2"),
        ("<a/><a/>", "junk after document element"),
        ("<a>&nbsp;</a>", "undefined entity"),
        ("<html/>", "its root is <html>, not <a>"),
        ("<a>" + "<b>" * 60, "nested too deep"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "encoding"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', "encoding"),
        (b"<a>\xff\xfe</a>", "not well-formed"),
        ("<a>\0</a>", "not well-formed"),
    ],
)
def test_what_is_no_such_document_is_refused_in_one_line(text, words):
    with pytest.raises(BadXml, match=words) as caught:
        read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['<a><b x="' + "y" * 10**7, "<a><b>" + "<c/>" * 10**6, "<a><b>" + "y" * 10**7, "<a " + " " * 10**7],
    ids=["attribute", "children", "text", "tag"],
)
def test_what_is_too_large_is_refused_before_it_is_read_to_its_end(text, monkeypatch):
    monkeypatch.setattr(xml_elements, "MAX_BYTES", 100_000)
    file = Pieces(text.encode(), 1 << 16)
    with pytest.raises(BadXml, match="longer than 100,000 bytes"):
        list(elements(file, "a"))
    assert file.given < 500_000


def test_what_nobody_wants_may_be_long():
    text = "<a><meta>" + "<job>text</job>" * 10**5 + "</meta><i><b/></i></a>"
    assert [found[:2] for found in read(text, ("i",))] == [("i", "<b />")]


def test_texts_stand_for_values():
    texts = {"1": 1, " 0.50\n": 0.5, "true": True, "007": "007", "a b": "a b", "": None, " ": None, "nan": "nan"}
    assert {text: plain(text) for text in texts} == texts
    assert plain(None) is None
