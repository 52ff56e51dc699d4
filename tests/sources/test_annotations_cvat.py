"""Boxes of CVAT for images."""

import json

import pytest
from object_makers import boxes_of, places

from tintype.core.errors import SourceError
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.cvat import CVAT
from tintype.sources.base import Notes

BOX = '<box label="cat" xtl="10" ytl="20.5" xbr="40" ybr="60.5"/>'


def cvat(tmp_path, *shapes, image='name="a.jpg"'):
    path = tmp_path / "annotations.xml"
    inner = "\n".join(shapes)
    path.write_text(f"<annotations><version>1.1</version><image {image}>\n{inner}</image></annotations>")
    return path


def read(path) -> tuple[list[dict], Notes]:
    notes = Notes()
    return boxes_of(Annotations(CVAT, path), notes), notes


def test_a_box_comes_with_its_class_labels_and_split(tmp_path):
    shape = (
        '<box label="cat" source="manual" occluded="1" z_order="0" xtl="10" ytl="20.5" xbr="40" ybr="60.5" '
        'rotation="350"><attribute name="color">dark red</attribute><attribute name="age">7</attribute>'
        '<attribute name="label">no</attribute><attribute name="empty"></attribute></box>'
    )
    image = 'id="3" name="sub/a.jpg" subset="Train" width="640" height="480"'
    (box,), notes = read(cvat(tmp_path, shape, image=image))
    assert places([box]) == [("sub/a.jpg", 10, 20.5, 30, 40, 350, "cat")]
    assert json.loads(box["values"]) == {
        "source": "manual", "occluded": 1, "z_order": 0, "color": "dark red", "age": 7, "split": "Train",
    }  # fmt: skip
    assert (box["stated_width"], box["stated_height"]) == (640, 480)
    assert not notes.skipped


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ('<polygon label="p" points="10.5,20;40,25;20,60.00"/>', (10.5, 20, 29.5, 40, 0)),
        ('<ellipse label="p" cx="50" cy="40" rx="30" ry="10" rotation="15"/>', (20, 30, 60, 20, 15)),
        ('<mask label="p" rle="3, 4, 5" left="7" top="8" width="3" height="4"/>', (7, 8, 3, 4, 0)),
    ],
)
def test_other_shapes_have_the_box_around_them(tmp_path, shape, expected):
    (box,), _ = read(cvat(tmp_path, shape))
    assert places([box]) == [("a.jpg", *expected, "p")]
    assert box["values"] is None


def test_shapes_that_have_no_box_are_counted(tmp_path):
    shapes = (
        '<points label="p" points="1,2"/>', '<polyline label="p" points="1,2;3,4"/>', '<tag label="t"/>',
        '<cuboid label="c" xtl1="1"/>', '<skeleton label="s"><points label="p" points="1,2"/></skeleton>',
    )  # fmt: skip
    boxes, notes = read(cvat(tmp_path, *shapes, BOX))
    assert [box["label"] for box in boxes] == ["cat"]
    assert notes.skipped == {"shapes that are no boxes": 5}


@pytest.mark.parametrize(
    "shape",
    ['<box label="x"/>', BOX.replace("10", "nan"), BOX.replace("10", "-inf"), BOX.replace("10", "1e999"),
     BOX.replace("10", "ten"), '<polygon points="1,2;3,4"/>', '<polygon points="1,2;3;4,5;6,7"/>', "<polygon/>",
     '<ellipse cx="1" cy="1"/>', '<mask rle="1" left="a"/>'],
)  # fmt: skip
def test_a_shape_without_its_numbers_is_counted_with_its_line(tmp_path, shape):
    boxes, notes = read(cvat(tmp_path, BOX, shape, BOX))
    assert len(boxes) == 2
    assert notes.skipped == {"refused": 1}
    assert notes.problems[0][0] == "annotations.xml, line 3"


def test_boxes_of_an_image_without_a_name_are_refused(tmp_path):
    assert read(cvat(tmp_path, BOX, image='id="0"'))[1].problems[0][1] == "no name of an image"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><annotations/>', "document type"),
        (f'<annotations><image name="a.jpg">{BOX}', "no element found"),
        ("<annotation/>", "its root is <annotation>"),
        ("", "no element found"),
        ('<annotations><track id="0" label="car"><box frame="0"/></track></annotations>', "CVAT for images"),
    ],
)
def test_another_document_is_refused_in_one_line(tmp_path, text, words):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(SourceError, match=words) as caught:
        read(tmp_path / "a.xml")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        read(tmp_path / "gone.xml")
