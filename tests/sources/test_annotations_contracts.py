"""Every format of boxes keeps the contract, and the same boxes in all of them are the same objects."""

import csv
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pytest
from hypothesis import given, settings

from tintype.core.names import uri_from_path
from tintype.sources.annotations.resolve import FORMATS, resolve_annotations
from tintype.sources.boxes import Box
from tintype.testing.annotations import SIZE, SOME_BOXES, AnnotationsContract, Drawn, images_named, listed, table_of


class TestCoco(AnnotationsContract):
    def write(self, folder, boxes):
        labels = sorted({one.label for name in boxes for one in boxes[name]})
        document = {
            "images": [
                {"id": n, "file_name": name, "width": SIZE[0], "height": SIZE[1]} for n, name in enumerate(boxes)
            ],
            "annotations": [
                {
                    "image_id": n,
                    "category_id": labels.index(label),
                    "bbox": [box.x, box.y, box.width, box.height],
                    "rotation": box.angle,
                }
                for n, name in enumerate(boxes)
                for box, label in boxes[name]
            ],
            "categories": [{"id": n, "name": label} for n, label in enumerate(labels)],
        }
        (folder / "boxes.json").write_text(json.dumps(document))
        return resolve_annotations(str(folder / "boxes.json"))


class TestYolo(AnnotationsContract):
    def write(self, folder, boxes):
        labels = sorted({one.label for name in boxes for one in boxes[name]})
        (folder / "classes.txt").write_text("\n".join(labels))
        for name in boxes:
            path = (folder / "labels" / name).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{labels.index(label)} {in_shares(box)}\n" for box, label in boxes[name]))
        return resolve_annotations(str(folder))


class TestVoc(AnnotationsContract):
    def write(self, folder, boxes):
        for name in boxes:
            path = (folder / "Annotations" / name).with_suffix(".xml")
            path.parent.mkdir(parents=True, exist_ok=True)
            objects = "".join(
                f"<object><name>{escape(label)}</name><difficult>0</difficult><bndbox><xmin>{box.x}</xmin>"
                f"<ymin>{box.y}</ymin><xmax>{box.x + box.width}</xmax><ymax>{box.y + box.height}</ymax></bndbox>"
                f"<attributes><attribute><name>rotation</name><value>{box.angle}</value></attribute></attributes>"
                "</object>\n"
                for box, label in boxes[name]
            )
            path.write_text(
                f"<annotation><folder/><filename>{escape(Path(name).name)}</filename>"
                f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>{objects}</annotation>"
            )
        return resolve_annotations(str(folder))


class TestCvat(AnnotationsContract):
    def write(self, folder, boxes):
        images = "".join(
            f'<image id="{n}" name={quoteattr(name)} width="{SIZE[0]}" height="{SIZE[1]}">'
            + "".join(
                f'<box label={quoteattr(label)} occluded="0" xtl="{box.x}" ytl="{box.y}" xbr="{box.x + box.width}" '
                f'ybr="{box.y + box.height}" rotation="{box.angle}"/>\n'
                for box, label in boxes[name]
            )
            + "</image>"
            for n, name in enumerate(boxes)
        )
        text = f"<?xml version='1.0' encoding='utf-8'?><annotations><version>1.1</version>{images}</annotations>"
        (folder / "annotations.xml").write_text(text)
        return resolve_annotations(str(folder))


class TestTable(AnnotationsContract):
    def write(self, folder, boxes):
        with (folder / "boxes.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("image", "x", "y", "w", "h", "angle", "label"))
            for name in boxes:
                rows.writerows(
                    (name, box.x, box.y, box.width, box.height, box.angle, label) for box, label in boxes[name]
                )
        return resolve_annotations(str(folder / "boxes.csv"))


CONTRACTS = {"coco": TestCoco, "yolo": TestYolo, "voc": TestVoc, "cvat": TestCvat, "table": TestTable}


def in_shares(box):
    """As YOLO has it: center and size, or the four corners of a turned box."""
    if not box.angle:
        numbers = np.array([box.x + box.width / 2, box.y + box.height / 2, box.width, box.height]) / (*SIZE, *SIZE)
    else:
        turn = math.radians(box.angle)
        along, down = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
        center = np.array([box.x + box.width / 2, box.y + box.height / 2])
        signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        corners = [center + x * along * box.width / 2 + y * down * box.height / 2 for x, y in signs]
        numbers = (np.array(corners) / SIZE).ravel()
    return " ".join(map(repr, numbers.tolist()))


def test_every_format_is_under_contract():
    assert set(CONTRACTS) == set(FORMATS)


@given(boxes=SOME_BOXES)
@settings(max_examples=40)
def test_the_same_boxes_in_all_formats_are_the_same_objects(boxes):
    images = images_named([uri_from_path(name) for name in boxes])
    found = {}
    for name, contract in CONTRACTS.items():
        with TemporaryDirectory() as folder:
            found[name] = listed(contract().write(Path(folder), boxes), images)
    assert all(sorted(objects) == sorted(found["coco"]) for objects in found.values()), found


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_is_called_opens_it_too(tmp_path, name):
    """A path and the name of its format give what the path alone gives."""
    annotations = CONTRACTS[name]().write(tmp_path, {"a.jpg": [Drawn(Box(1, 2, 30, 40), "cat")]})
    assert table_of(resolve_annotations(annotations.place, name)).equals(table_of(annotations))
