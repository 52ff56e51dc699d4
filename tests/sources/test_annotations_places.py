"""From annotations to the list of objects: units, sizes, orientation, and what makes no sense."""

import numpy as np
import pytest
from object_makers import coco_file, image_table, objects_of

from tintype.core.errors import SourceError
from tintype.sources import object_parts
from tintype.sources.annotations import base
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.coco import COCO
from tintype.sources.annotations.table import TABLE
from tintype.sources.annotations.yolo import YOLO
from tintype.sources.base import Notes
from tintype.sources.boxes import Box, box_of


def coco(tmp_path, boxes, images=None, notes=None, **options):
    annotations = Annotations(COCO, coco_file(tmp_path / "a.json", boxes))
    images = images if images is not None else image_table(sorted(boxes))
    return objects_of(tmp_path / "list", annotations, images, notes, **options)


def table(tmp_path, header, rows, images, **options):
    path = tmp_path / "boxes.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return objects_of(tmp_path / "list", Annotations(TABLE, path, options.pop("unit", None)), images, **options)


def test_objects_are_named_by_image_and_box(tmp_path):
    rows = coco(
        tmp_path, {"b.jpg": [[1, 2, 30, 40]], "a.jpg": [[5, 6, 7.123, 8], {"bbox": [1, 2, 3, 4], "rotation": -9}]}
    )
    assert [row["uri"] for row in rows] == [
        "a.jpg#xywh=1,2,3,4&angle=-9",
        "a.jpg#xywh=5,6,7.12,8",
        "b.jpg#xywh=1,2,30,40",
    ]
    assert [row["size_bytes"] for row in rows] == [47, 7 * 8 * 3 + 11, 30 * 40 * 3 + 13]


def test_the_same_box_twice_is_two_objects_of_one_subject(tmp_path):
    rows = coco(tmp_path, {"a.jpg": [[1, 2, 3, 4]] * 3 + [[1, 2, 3, 40]]})
    assert [row["uri"] for row in rows] == [
        "a.jpg#xywh=1,2,3,4",
        "a.jpg#xywh=1,2,3,4&n=2",
        "a.jpg#xywh=1,2,3,4&n=3",
        "a.jpg#xywh=1,2,3,40",
    ]
    assert {row["box"] for row in rows} == {"1,2,3,4", "1,2,3,40"}
    assert len({row["mark"] for row in rows}) == 4  # their ids differ


def test_the_list_is_in_the_order_of_the_uris(tmp_path):
    boxes = {f"{name}.jpg": [[x, 1, 5, 5] for x in range(40)] for name in ("a", "a-b", "a b", "é", "z")}
    uris = [row["uri"].encode() for row in coco(tmp_path, boxes)]
    assert uris == sorted(uris)


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ([10, 10, 0, 5], "an empty box"),
        ([10, 10, 0.001, 5], "an empty box"),
        ([10, 10, -4, 5], "a box of negative size"),
        ([700, 10, 5, 5], "outside of the image (640 × 480 px)"),
        ([-50, -50, 50, 50], "outside of the image"),
        ([600, 440, 500, 500], None),
    ],
)
def test_boxes_that_make_no_sense_are_objects_with_a_problem(tmp_path, box, problem):
    (row,) = coco(tmp_path, {"a.jpg": [box]})
    assert problem in row["problem"] if problem else row["problem"] is None
    assert (row["size_bytes"] == 0) == (problem is not None)


def test_boxes_too_far_away_to_be_written_are_refused(tmp_path):
    notes = Notes()
    rows = coco(
        tmp_path, {"a.jpg": [[1e300, 1, 2, 3], [1, 2, 3, 4], {"bbox": [1, 2, 3, 4], "rotation": 1e300}]}, notes=notes
    )
    assert [row["box"] for row in rows] == ["1,2,3,4"]
    assert notes.skipped == {"refused": 2}


def test_boxes_of_images_that_are_not_here_are_counted(tmp_path):
    notes = Notes()
    boxes = {"a.jpg": [[1, 2, 3, 4]], "gone.jpg": [[1, 2, 3, 4]] * 5, "1.jpg": [[1, 2, 3, 4]] * 2}
    rows = coco(tmp_path, boxes, image_table(["a.jpg", "x/1.jpg", "y/1.jpg"]), notes)
    assert len(rows) == 1
    assert notes.skipped == {"boxes of images that are not here": 5, "boxes of images that several could be": 2}
    assert [name for name, _ in notes.problems] == ["gone.jpg", "1.jpg"]


def test_where_no_box_has_an_image_nothing_is_made(tmp_path):
    with pytest.raises(SourceError, match="--images"):
        coco(tmp_path, {"a.jpg": [[1, 2, 3, 4]]}, image_table(["b.jpg"]))
    with pytest.raises(SourceError, match="no box in it"):
        coco(tmp_path, {"a.jpg": []}, image_table(["a.jpg"]))


def test_a_folder_says_which_images_are_meant(tmp_path):
    images = image_table(["train/1.jpg", "val/1.jpg"])
    (row,) = coco(tmp_path, {"1.jpg": [[1, 2, 3, 4]]}, images, beneath="val")
    assert row["uri"] == "val/1.jpg#xywh=1,2,3,4"


def test_shares_become_px(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n0 .25 .25 .75 .25 .75 .75 .25 .75\n")
    rows = objects_of(tmp_path / "list", Annotations(YOLO, tmp_path / "labels"), image_table(["a.jpg"]))
    assert [row["box"] for row in rows] == ["160,120,320,240", "240,120,160,240"]


def test_a_slanted_rectangle_in_shares_is_one_in_px_only(tmp_path):
    """Corners are scaled before their angle is taken: the sides of an image are not alike."""
    corners = np.array([[320, 100], [420, 200], [370, 250], [270, 150]]) / (640, 480)
    (tmp_path / "labels").mkdir()
    line = "0 " + " ".join(map(repr, corners.ravel().tolist()))
    backwards = "1 " + " ".join(map(repr, corners[[0, 3, 2, 1]].ravel().tolist()))
    (tmp_path / "labels" / "a.txt").write_text(f"{line}\n{backwards}\n")
    rows = objects_of(tmp_path / "list", Annotations(YOLO, tmp_path / "labels"), image_table(["a.jpg"]))
    assert {row["box"] for row in rows} == {"274.29,139.64,141.42,70.71&angle=45"}


def test_numbers_of_a_table_tell_their_unit(tmp_path):
    images = image_table(["a.jpg"])
    shares = ["a.jpg,0.5,0.5,0.25,0.25", "a.jpg,-0.01,0,1.02,1"]
    rows = table(tmp_path, "image,x,y,w,h", shares, images)
    assert {row["box"] for row in rows} == {"320,240,160,120", "-6.4,0,652.8,480"}
    rows = table(tmp_path, "image,x,y,w,h", [*shares, "a.jpg,10,10,20,20"], images)
    assert "10,10,20,20" in {row["box"] for row in rows}
    (row,) = table(tmp_path, "image,x,y,w,h", ["a.jpg,1,1,2,2"], images, unit="px")
    assert row["box"] == "1,1,2,2"


def test_boxes_of_an_image_without_a_size_are_percents(tmp_path):
    images = image_table(["a.jpg"], width=None, height=None, status=["damaged"], reason=["cut off"])
    (row,) = table(tmp_path, "image,x,y,w,h", ["a.jpg,0.5,0.25,0.1,0.1"], images)
    assert (row["uri"], row["x"], row["problem"]) == ("a.jpg#xywh=percent:50,25,10,10", None, None)
    (row,) = table(tmp_path, "image,x,y,w,h", ["a.jpg,50,25,10,10"], images)
    assert (row["uri"], row["x"]) == ("a.jpg#xywh=50,25,10,10", 50)


# Upper left corner of the stored picture, 100 x 60, in the upright one.
@pytest.mark.parametrize(
    ("turned", "expected"),
    [
        (1, Box(10, 20, 30, 5, 7)), (2, Box(60, 20, 30, 5, -7)), (3, Box(60, 35, 30, 5, 7)),
        (4, Box(10, 35, 30, 5, -7)), (5, Box(20, 10, 5, 30, -7)), (6, Box(35, 10, 5, 30, 7)),
        (7, Box(35, 60, 5, 30, -7)), (8, Box(20, 60, 5, 30, 7)),
    ],
)  # fmt: skip
def test_boxes_of_stored_pixels_are_turned_with_their_image(tmp_path, turned, expected):
    width, height = (60, 100) if turned >= 5 else (100, 60)
    images = image_table(["a.jpg"], width, height, orientation=[turned])
    box = {"bbox": [10, 20, 30, 5], "rotation": 7}
    (row,) = coco(tmp_path, {"a.jpg": [box]}, images, orientation="stored")
    assert box_of(row["box"]) == expected
    (row,) = coco(tmp_path, {"a.jpg": [box]}, images, orientation="upright")
    assert box_of(row["box"]) == Box(10, 20, 30, 5, 7)


def test_the_stated_size_tells_which_pixels_are_meant(tmp_path):
    images = image_table(["a.jpg"], 60, 100, orientation=[6])
    for stated, box in (("100,60", "50,10,5,30"), ("60,100", "10,5,30,5"), ("0,0", "10,5,30,5")):
        (row,) = table(tmp_path, "image,width,height,xmin,ymin,xmax,ymax", [f"a.jpg,{stated},10,5,40,10"], images)
        assert (row["box"], row["problem"]) == (box, None)


def test_boxes_that_were_drawn_in_another_size_are_not_guessed(tmp_path):
    header, images = "image,width,height,xmin,ymin,xmax,ymax", image_table(["a.jpg"])
    (row,) = table(tmp_path, header, ["a.jpg,1280,960,10,5,40,10"], images)
    assert row["problem"] == "annotated in 1280 × 960 px; the image has 640 × 480"
    (row,) = table(tmp_path, header, ["a.jpg,1280,960,10,5,40,10"], images, orientation="upright")
    assert row["problem"] is None


def test_the_list_is_the_same_however_boxes_come_and_are_sorted(tmp_path, monkeypatch):
    boxes = {f"{n % 5}/{n:03}.jpg": [[x % 3, n, 5, 5] for x in range(1 + n % 7)] for n in range(100)}
    annotations = Annotations(COCO, coco_file(tmp_path / "a.json", boxes))
    images = image_table(sorted(boxes))
    expected = objects_of(tmp_path / "list", annotations, images)
    assert [row["uri"].encode() for row in expected] == sorted(row["uri"].encode() for row in expected)
    written = (tmp_path / "list" / "objects.arrow").read_bytes()
    for parts, rows in ((1, 7), (3, 1), (100, 50)):
        monkeypatch.setattr(object_parts, "MOST_PARTS", parts)
        monkeypatch.setattr(base, "ROWS_PER_BATCH", rows)
        objects_of(tmp_path / f"list {parts}", annotations, images)
        assert sorted(path.name for path in (tmp_path / f"list {parts}").iterdir()) == ["images.arrow", "objects.arrow"]
        assert (tmp_path / f"list {parts}" / "objects.arrow").read_bytes() == written


def test_an_image_that_is_not_here_is_named_once(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "ROWS_PER_BATCH", 2)
    notes = Notes()
    coco(tmp_path, {"a.jpg": [[1, 2, 3, 4]], "gone.jpg": [[1, 2, 3, 4]] * 9}, image_table(["a.jpg"]), notes)
    assert notes.skipped == {"boxes of images that are not here": 9}
    assert [name for name, _ in notes.problems] == ["gone.jpg"]


def test_a_hundred_thousand_boxes_in_one_image(tmp_path):
    rows = coco(tmp_path, {"a.jpg": [[n % 600, n % 400, 5 + n % 7, 5] for n in range(100_000)]})
    assert len(rows) == 100_000
    assert len({row["uri"] for row in rows}) == 100_000
