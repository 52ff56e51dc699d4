"""Boxes of Pascal VOC, as the challenge and the tools after it write them."""

import json
import os

import pytest
from object_makers import boxes_of, image_table, objects_of, places

from tintype.core.errors import SourceError
from tintype.sources.annotations import label_files
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.voc import VOC
from tintype.sources.base import Notes

BOX = "<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>40.5</xmax><ymax>60</ymax></bndbox>"


def voc(path, *objects, name="a.jpg", more=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    inner = "\n".join(f"<object>{one}</object>" for one in objects)
    path.write_text(f"<annotation>\n<filename>{name}</filename>{more}\n{inner}</annotation>")
    return path


def read(path) -> tuple[list[dict], Notes]:
    notes = Notes()
    return boxes_of(Annotations(VOC, path), notes), notes


def test_an_object_is_a_box_with_a_class_and_labels(tmp_path):
    more = "<source><database>Unknown</database></source><size><width>640</width><height>480</height></size>"
    first = f"<name> cat </name><pose>Left</pose><truncated>0</truncated><difficult>1</difficult>{BOX}"
    second = f"<name>dog</name>{BOX}<part><name>head</name>{BOX}</part><polygon><x1>1</x1></polygon>"
    boxes, notes = read(voc(tmp_path / "a.xml", first, second, more=more))
    assert places(boxes) == [("a.jpg", 10, 20, 30.5, 40, 0, "cat"), ("a.jpg", 10, 20, 30.5, 40, 0, "dog")]
    assert [json.loads(box["values"] or "{}") for box in boxes] == [
        {"pose": "Left", "truncated": 0, "difficult": 1},
        {},
    ]
    assert (boxes[0]["stated_width"], boxes[0]["stated_height"]) == (640, 480)
    assert not notes.skipped


def test_attributes_become_labels_and_rotation_turns_the_box(tmp_path):
    attributes = "".join(
        f"<attribute><name>{name}</name><value>{value}</value></attribute>"
        for name, value in (("rotation", "350.5"), ("color", "red"), ("label", "x"), ("", "y"), ("none", ""))
    )
    (box,), _ = read(voc(tmp_path / "a.xml", f"<name>cat</name>{BOX}<attributes>{attributes}</attributes>"))
    assert places([box]) == [("a.jpg", 10, 20, 30.5, 40, 350.5, "cat")]
    assert json.loads(box["values"]) == {"color": "red"}


def test_the_files_of_the_challenge_count_pixels_from_one(tmp_path):
    more = "<source><database>The VOC2007 Database</database></source>"
    whole = "<name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>640</xmax><ymax>480</ymax></bndbox>"
    boxes, _ = read(voc(tmp_path / "a.xml", whole, more=more))
    assert places(boxes) == [("a.jpg", 0, 0, 640, 480, 0, "cat")]


@pytest.mark.parametrize(
    "box",
    ["", "<bndbox/>", BOX.replace("10", "nan"), BOX.replace("10", "1e400"), BOX.replace("10", ""),
     BOX.replace("10", "x"), BOX.replace("<xmin>10</xmin>", "")],
)  # fmt: skip
def test_an_object_without_a_box_is_counted_with_its_line(tmp_path, box):
    boxes, notes = read(voc(tmp_path / "a.xml", f"<name>cat</name>{BOX}", f"<name>dog</name>{box}", f"{BOX}"))
    assert [one["label"] for one in boxes] == ["cat", None]
    assert notes.skipped == {"refused": 1}
    assert notes.problems == [("a.xml, line 4", "no bndbox of four finite numbers")]


def test_a_bad_file_costs_itself_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(label_files, "MAX_BYTES", 1_000)
    voc(tmp_path / "good.xml", f"<name>cat</name>{BOX}", name="good.jpg")
    hostile = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&x;</filename></annotation>'
    for name, text in {"bomb": hostile, "cut": "<annotation><object>", "html": "<html/>", "large": "x" * 1_001}.items():
        (tmp_path / f"{name}.xml").write_text(text)
    (tmp_path / "link.xml").symlink_to(tmp_path / "good.xml")
    os.mkfifo(tmp_path / "pipe.xml")
    boxes, notes = read(tmp_path)
    assert [box["image"] for box in boxes] == ["good.jpg"]
    assert notes.skipped == {"refused": 6}
    assert [uri for uri, _ in notes.problems] == [
        "bomb.xml",
        "cut.xml",
        "html.xml",
        "large.xml",
        "link.xml",
        "pipe.xml",
    ]
    assert all("\n" not in reason for _, reason in notes.problems)


@pytest.mark.parametrize(
    ("file", "name", "uris", "expected"),
    [
        ("Annotations/1.xml", "1.jpg", ["JPEGImages/1.jpg", "SegmentationClass/1.png"], "JPEGImages/1.jpg"),
        ("Annotations/train/1.xml", "1.jpg", ["train/1.jpg", "val/1.jpg"], "train/1.jpg"),
        ("Annotation/n01/n01_7.xml", "n01_7", ["train/n01/n01_7.JPEG"], "train/n01/n01_7.JPEG"),
        ("Annotations/1.xml", "%s", ["images/1.jpeg"], "images/1.jpeg"),
        ("train/1.xml", "1.jpg", ["train/1.jpg", "test/1.jpg"], "train/1.jpg"),
        ("xmls/1.xml", "C:\\photos\\other.jpg", ["photos/other.jpg"], "photos/other.jpg"),
        ("1.xml", "../../../etc/passwd", ["etc/passwd"], "etc/passwd"),  # a name in the collection, never opened
        ("1.xml", "", ["images/1.png"], "images/1.png"),
    ],
)
def test_finds_the_image_by_its_place_and_then_by_its_name(tmp_path, file, name, uris, expected):
    voc(tmp_path / "root" / file, f"<name>cat</name>{BOX}", name=name)
    rows = objects_of(tmp_path / "list", Annotations(VOC, tmp_path / "root"), image_table(uris))
    assert [row["uri"] for row in rows] == [f"{expected}#xywh=10,20,30.5,40"]


def test_a_folder_without_annotations_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"no annotations \(.xml\)"):
        read(tmp_path)
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path / "gone" / "a.xml")
