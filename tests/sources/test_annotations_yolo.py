"""Boxes of YOLO label files, in the layouts that tools write."""

import json
import math
import os

import pytest
from object_makers import boxes_of, places

from tintype.core.errors import SourceError
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.yolo import YOLO
from tintype.sources.base import Notes


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".txt").write_text(text)
    return root


def read(path) -> tuple[list[dict], Notes]:
    notes = Notes()
    return boxes_of(Annotations(YOLO, path), notes), notes


def test_a_line_is_a_class_a_center_and_a_size(tmp_path):
    write(tmp_path, labels__train__a="0 0.5 0.5 0.2 0.4\n\n 1  0.25 0.75 0.5 0.5 0.9\r\n")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    boxes, notes = read(tmp_path)
    assert places(boxes) == [
        ("labels/train/a", 0.4, 0.3, 0.2, 0.4, 0, "cat"),
        ("labels/train/a", 0, 0.5, 0.5, 0.5, 0, "dog"),
    ]
    assert json.loads(boxes[1]["values"]) == {"confidence": 0.9}
    assert not notes.skipped


def test_four_corners_are_kept_and_outlines_become_their_box(tmp_path):
    write(tmp_path, a="2 .1 .1 .3 .1 .3 .2 .1 .2\n2 .1 .1 .3 .1 .2 .4\n")
    boxes, _ = read(tmp_path)
    assert boxes[0]["corners"] == [0.1, 0.1, 0.3, 0.1, 0.3, 0.2, 0.1, 0.2]
    assert boxes[0]["x"] is None
    assert places(boxes)[1][1:] == (0.1, 0.1, 0.2, 0.3, 0, "2")


@pytest.mark.parametrize(
    "line",
    ["cat 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1", "0 0.5 0.5 0.1 nan", "0 a b c d", "-1 0.5 0.5 0.1 0.1", "\x00\x01",
     "0 1e400 0 0 0", "0 .1 .1 .2 .2 .3 .3 .4", "0,0.5,0.5,0.1,0.1", "99999999999999999999 0.5 0.5 0.1 0.1"],
)  # fmt: skip
def test_a_line_that_does_not_parse_is_counted_with_its_place(tmp_path, line):
    write(tmp_path, a=f"0 0.5 0.5 0.1 0.1\n{line}\n1 0.5 0.5 0.1 0.1\n")
    boxes, notes = read(tmp_path)
    assert [box["label"] for box in boxes] == ["0", "1"]
    assert notes.skipped == {"refused": 1}
    assert notes.problems[0][0] == "a.txt, line 2"


def test_a_data_yaml_names_classes_and_splits(tmp_path):
    write(tmp_path, train__labels__a="0 .5 .5 .1 .1", valid__labels__b="1 .5 .5 .1 .1", other__labels__c="2 .5 .5 1 1")
    yaml = tmp_path / "data.yaml"
    yaml.write_text("path: ../datasets/x\ntrain: ../train/images\nval: valid/images\nnc: 2\nnames: ['no', 12]\n")
    boxes, _ = read(yaml)
    found = [(box["image"], box["label"], box["values"] and json.loads(box["values"])) for box in boxes]
    assert found == [
        ("other/labels/c", "2", None),
        ("train/labels/a", "no", {"split": "train"}),
        ("valid/labels/b", "12", {"split": "val"}),
    ]


def test_names_by_number_are_read_too(tmp_path):
    write(tmp_path, labels__train__a="7 .5 .5 .1 .1")
    (tmp_path / "d.yaml").write_text("train: images/train\nnames:\n  0: cat\n  7: dog\n")
    (box,), _ = read(tmp_path / "d.yaml")
    assert (box["label"], json.loads(box["values"])) == ("dog", {"split": "train"})


@pytest.mark.parametrize("text", ["", "[1]", "names: cat\ntrain: x", "a: &x b\nc: *x", "\x00"])
def test_a_yaml_that_is_none_is_refused_in_one_line(tmp_path, text):
    write(tmp_path, a="0 .5 .5 .1 .1")
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "d.yaml")
    assert "\n" not in str(caught.value)


def test_text_files_beside_images_are_no_labels_where_there_are_folders_of_labels(tmp_path):
    write(tmp_path, labels__a="0 .5 .5 .1 .1", README="read me", images__notes="more words")
    boxes, notes = read(tmp_path)
    assert ([box["image"] for box in boxes], notes.skipped) == (["labels/a"], {})


def test_a_folder_without_label_files_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no label files"):
        read(tmp_path)


def test_links_lead_nowhere_and_odd_names_are_escaped(tmp_path):
    root = write(tmp_path / "root", a="0 .5 .5 .1 .1")
    outside = write(tmp_path / "outside", secret="0 .5 .5 .1 .1")
    (root / "link.txt").symlink_to(outside / "secret.txt")
    (root / "folder").symlink_to(outside)
    (root / "50%#.txt").write_text("0 .5 .5 .1 .1")
    with open(os.fsencode(root) + b"/caf\xe9.txt", "w") as file:
        file.write("0 .5 .5 .1 .1")
    os.mkfifo(root / "pipe.txt")
    boxes, notes = read(root)
    assert sorted(box["image"] for box in boxes) == ["50%25%23", "a", "caf%E9"]
    assert notes.skipped == {"refused": 2}
    assert {uri for uri, _ in notes.problems} == {"link.txt", "pipe.txt"}


def test_confidences_that_are_no_numbers_cost_the_line(tmp_path):
    write(tmp_path, a="0 .5 .5 .1 .1 inf\n")
    boxes, notes = read(tmp_path)
    assert (boxes, notes.skipped) == ([], {"refused": 1})
    assert not any(math.isinf(box["x"]) for box in boxes)
