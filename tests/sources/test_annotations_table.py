"""Boxes of tables, under the names that tools give their columns."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_makers import boxes_of, places

from tintype.core.errors import SourceError
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.table import CENTERS, EDGES, SIZES, TABLE
from tintype.sources.base import Notes


def csv(tmp_path, header, *rows):
    path = tmp_path / "boxes.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def read(path) -> tuple[list[dict], Notes]:
    notes = Notes()
    return boxes_of(Annotations(TABLE, path), notes), notes


@pytest.mark.parametrize("names", SIZES)
def test_edges_and_sizes(tmp_path, names):
    path = csv(tmp_path, f"filename,{','.join(names)},class", "a.jpg,10,20,30.5,40,cat")
    assert places(read(path)[0]) == [("a.jpg", 10, 20, 30.5, 40, 0, "cat")]


@pytest.mark.parametrize("names", [*EDGES, ("x1", "y1", "x2", "y2")])
def test_four_edges_with_the_size_of_the_image(tmp_path, names):
    path = csv(tmp_path, f"filename,width,height,{','.join(names).upper()},label", "a.jpg,640,480,10,20,40,60,cat")
    (box,) = read(path)[0]
    assert places([box]) == [("a.jpg", 10, 20, 30, 40, 0, "cat")]
    assert (box["stated_width"], box["stated_height"], box["values"]) == (640, 480, None)


@pytest.mark.parametrize("names", CENTERS)
def test_centers(tmp_path, names):
    path = csv(tmp_path, f"image,{','.join(names)},angle", "a.jpg,25,40,30,40,12.5")
    assert places(read(path)[0]) == [("a.jpg", 10, 20, 30, 40, 12.5, None)]


def test_corners(tmp_path):
    path = csv(tmp_path, "filename,x1,y1,x2,y2,x3,y3,x4,y4,label", "a.jpg,1,2,3,4,5,6,7,8,ship")
    assert read(path)[0][0]["corners"] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_other_columns_become_labels(tmp_path):
    path = csv(tmp_path, "image,x,y,w,h,label,Is It?,note", "a.jpg,1,2,3,4,007,true,", "b.jpg,1,2,3,4,8,false,n")
    annotations = Annotations(TABLE, path)
    boxes = boxes_of(annotations)
    assert [(box["label"], json.loads(box["values"])) for box in boxes] == [
        ("007", {"Is It?": True, "note": ""}),
        ("8", {"Is It?": False, "note": "n"}),
    ]
    assert [column.name for column in annotations.labels] == ["label_label", "label_is_it", "label_note", "label_rest"]


@pytest.mark.parametrize("bad", ["a.jpg,1,2,3,", "a.jpg,1,2,3,x", "a.jpg,1,2,3,nan", "a.jpg,1,2,1e400,4", ",1,2,3,4",
                                 "a.jpg,1,2,3,4,5,6,7"])  # fmt: skip
def test_a_row_that_is_no_box_is_counted_and_the_others_are_read(tmp_path, bad):
    boxes, notes = read(csv(tmp_path, "image,x,y,w,h", "b.jpg,1,2,3,4", bad, "c.jpg,1,2,3,4"))
    assert [box["image"] for box in boxes] == ["b.jpg", "c.jpg"]
    assert notes.skipped == {"refused": 1}


def test_lists_of_numbers_and_lists_of_boxes_in_jsonl(tmp_path):
    path = tmp_path / "boxes.jsonl"
    lines = [
        {"image": "a.jpg"},
        {"image": "a.jpg", "bbox": [1, 2, 3, 4], "class": "cat"},
        {"image": "b.jpg", "bbox": [[1, 2, 3, 4], [5, 6, 7, 8, 30], "no"], "class": 5},
        {"image": "c.jpg", "bbox": []},
        {"image": "d.jpg", "bbox": None},
        "no object",
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    boxes, notes = read(path)
    assert places(boxes) == [("a.jpg", 1, 2, 3, 4, 0, "cat")]
    assert notes.skipped == {"refused": 3}  # no box in the row, a cell that is no list of boxes, and no object


def test_a_list_of_boxes_costs_the_bad_one_alone(tmp_path):
    path = tmp_path / "boxes.jsonl"
    path.write_text(json.dumps({"image": "b.jpg", "bbox": [[1, 2, 3, 4], [5, 6], [5, 6, 7, 8, 30]]}) + "\n")
    boxes, notes = read(path)
    assert places(boxes) == [("b.jpg", 1, 2, 3, 4, 0, None), ("b.jpg", 5, 6, 7, 8, 30, None)]
    assert notes.skipped == {"refused": 1}


def test_objects_beside_the_bytes_of_their_images(tmp_path):
    """The layout of data sets for detection: the bytes are not read, and the rows themselves are the images."""
    path = tmp_path / "train.parquet"
    images = pa.array(
        [{"bytes": b"x" * 100, "path": "a.jpg"}] * 2, pa.struct([("bytes", pa.binary()), ("path", "string")])
    )
    objects = [
        {"bbox": [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], "category": [3, 4]},
        {"bbox": [], "category": []},
    ]
    pq.write_table(pa.table({"image": images, "image_id": [10, 11], "objects": objects}), path)
    boxes, notes = read(path)
    assert places(boxes) == [
        ("train.parquet#0", 1, 2, 3, 4, 0, "3"),
        ("train.parquet#0", 5, 6, 7, 8, 0, "4"),
    ]
    assert json.loads(boxes[0]["values"]) == {"image_id": 10}
    assert not notes.skipped


def test_a_table_without_boxes_says_how_columns_have_to_be_called(tmp_path):
    with pytest.raises(SourceError, match="xmin, ymin, xmax, ymax"):
        read(csv(tmp_path, "image,a,b", "a.jpg,1,2"))
    with pytest.raises(SourceError, match="no column with images"):
        read(csv(tmp_path, "x,y,w,h", "1,2,3,4"))
