"""Boxes of COCO files, good, odd and hostile."""

import json

import pytest
from object_makers import boxes_of, coco_file, places

from tintype.core.errors import SourceError
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.coco import COCO
from tintype.sources.base import Notes


def read(path) -> tuple[list[dict], Notes]:
    notes = Notes()
    return boxes_of(Annotations(COCO, path), notes), notes


def test_boxes_come_with_names_labels_and_sizes(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(
        json.dumps(
            {
                "annotations": [
                    {"id": 7, "image_id": 2, "category_id": 3, "bbox": [1, 2.5, 30, 40], "iscrowd": 0, "area": 12.5,
                     "segmentation": [[1, 2, 3, 4]], "attributes": {"occluded": True, "color": "red"}},
                    {"id": 8, "image_id": 1, "category_id": 3, "bbox": [0, 0, 5, 5]},
                ],
                "images": [
                    {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480},
                    {"id": 2, "file_name": "sub/b.jpg", "width": 0, "height": None},
                ],
                "categories": [{"id": 3, "name": "zebra"}],
            }
        )
    )  # fmt: skip
    boxes, notes = read(path)
    assert places(boxes) == [("sub/b.jpg", 1, 2.5, 30, 40, 0, "zebra"), ("a.jpg", 0, 0, 5, 5, 0, "zebra")]
    assert json.loads(boxes[0]["values"]) == {"id": 7, "iscrowd": 0, "area": 12.5, "occluded": True, "color": "red"}
    assert (boxes[0]["stated_width"], boxes[1]["stated_width"], boxes[1]["stated_height"]) == (None, 640, 480)
    assert not notes.skipped


def test_turned_boxes_are_read_as_cvat_and_as_detectron2_write_them(tmp_path):
    turned = [
        {"bbox": [10, 20, 30, 40], "attributes": {"rotation": 15.5}},
        {"bbox": [10, 20, 30, 40], "rotation": 350},
        {"bbox": [25, 40, 30, 40, -15.5]},
    ]
    boxes, _ = read(coco_file(tmp_path / "a.json", {"a.jpg": turned}))
    assert [box[1:6] for box in places(boxes)] == [
        (10, 20, 30, 40, 15.5),
        (10, 20, 30, 40, 350),
        (10, 20, 30, 40, 15.5),
    ]
    assert "rotation" not in (boxes[0]["values"] or "")


def test_ids_may_be_text_here_and_numbers_there(tmp_path):
    path = coco_file(tmp_path / "a.json", {"a.jpg": [{"bbox": [1, 2, 3, 4], "image_id": "0", "category_id": "1"}]})
    assert places(read(path)[0]) == [("a.jpg", 1, 2, 3, 4, 0, "cat")]


def test_a_category_without_a_name_is_called_by_its_id(tmp_path):
    path = coco_file(tmp_path / "a.json", {"a.jpg": [{"bbox": [1, 2, 3, 4], "category_id": 99}, [1, 1, 2, 2]]})
    assert [box["label"] for box in read(path)[0]] == ["99", "cat"]


@pytest.mark.parametrize(
    "annotation",
    [
        {"bbox": [1, 2, 3]},
        {"bbox": None},
        {"bbox": [1, 2, 3, "NaN"]},
        {"bbox": [1, 2, 3, float("nan")]},
        {"bbox": [1, 2, 3, float("inf")]},
        {"bbox": [1, 2, 3, 10**400]},
        {"bbox": [1, 2, 3, True]},
        {"bbox": {"x": 1}},
        {"bbox": [1, 2, 3, 4], "image_id": None},
        {"bbox": [1, 2, 3, 4], "image_id": [1]},
        {"bbox": [1, 2, 3, 4], "image_id": 12345},
    ],
)
def test_what_is_no_box_is_refused_with_its_place(tmp_path, annotation):
    boxes, notes = read(coco_file(tmp_path / "a.json", {"a.jpg": [[1, 2, 3, 4], annotation]}))
    assert len(boxes) == 1
    assert notes.skipped == {"refused": 1}
    assert notes.problems[0][0].startswith("a.json")


def test_entries_of_other_kinds_cost_themselves_alone(tmp_path):
    images = [3, {"id": 1}, {"file_name": "x.jpg"}, {"id": 0, "file_name": "a.jpg"}, {"id": 0, "file_name": "b.jpg"}]
    images.append({"id": 5, "file_name": "half \ud800.jpg"})
    path = coco_file(tmp_path / "a.json", {"a.jpg": [[1, 2, 3, 4]]}, images=images, categories=[{"id": 1}, None])
    boxes, notes = read(path)
    assert places(boxes) == [("a.jpg", 1, 2, 3, 4, 0, "1")]
    assert notes.skipped == {"refused": 7}


def test_labels_have_the_types_of_what_was_seen(tmp_path):
    boxes = [{"bbox": [1, 2, 3, 4], "score": 1}, {"bbox": [1, 2, 3, 4], "score": 0.5, "by": "ann"}]
    annotations = Annotations(COCO, coco_file(tmp_path / "a.json", {"a.jpg": boxes}))
    boxes_of(annotations)
    types = {column.name: str(column.type) for column in annotations.labels}
    assert types == {
        "label_label": "string", "label_id": "int64", "label_score": "double", "label_by": "string",
        "label_rest": "string",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["images", "annotations"])
def test_a_file_without_its_parts_is_no_coco_file(tmp_path, name):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({name: []}))
    with pytest.raises(SourceError, match="not a COCO file"):
        read(path)


def test_the_hostile_file_of_the_test_data_costs_its_bad_entries(data):
    boxes, notes = read(data / "hostile-archives" / "coco-bad-references.json")
    assert notes.skipped["refused"]
    assert all(len(reason) < 200 for _, reason in notes.problems)
    assert all(box["image"] for box in boxes)


@pytest.mark.parametrize("name", ["bom", "deep", "duplicate-keys", "huge-int", "lone-surrogate", "nan"])
def test_other_hostile_json_is_refused_in_one_line(data, name):
    with pytest.raises(SourceError):
        read(data / "hostile-archives" / f"{name}.json")


def test_refused_boxes_beyond_all_bounds_are_counted_and_not_all_listed(tmp_path):
    boxes, notes = read(coco_file(tmp_path / "a.json", {"a.jpg": [[1, 2, 3]] * 3_000}))
    assert (boxes, notes.skipped["refused"], len(notes.problems)) == ([], 3_000, 1_000)
