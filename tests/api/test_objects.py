"""Objects of scanned images are a collection on which all verbs work, kept up to date by the same call."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from blake3 import blake3
from PIL import Image

import tintype
from tintype import api, doctor
from tintype.api.objects import scan_objects
from tintype.core.errors import (
    CollectionError,
    CollectionLocked,
    CollectionNotFound,
    CollectionNotTrusted,
    SourceError,
    UsageError,
)
from tintype.engine.scan import locked
from tintype.store.layout import Layout
from tintype.testing.pictures import encoded, scene

STAGES = ("colors", "phash", "quality", "thumbnail")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six photos, scanned."""
    folder = tmp_path / "root"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(encoded(scene(number, 192, 128)))
    tintype.scan(folder, stages=STAGES, workers=1)
    return folder


def annotate(path: Path, boxes: dict[str, list[list[float]]], labels: dict[tuple[str, int], str] | None = None) -> Path:
    images = [{"id": number, "file_name": name} for number, name in enumerate(boxes)]
    annotations = [
        {"image_id": number, "category_id": 0, "bbox": box, "note": (labels or {}).get((name, place), "")}
        for number, name in enumerate(boxes)
        for place, box in enumerate(boxes[name])
    ]
    document = {"images": images, "annotations": annotations, "categories": [{"id": 0, "name": "thing"}]}
    path.write_text(json.dumps(document))
    return path


BOXES = {f"{n}.jpg": [[10, 10, 100, 80], [n, n, 64, 64], [120, 60, 40, 40]] for n in range(6)}


def make(root: Path, boxes: Path, **options) -> tintype.Collection:
    return scan_objects(root, boxes, **{"stages": STAGES, "workers": 1, **options})


def changes(objects: tintype.Collection) -> dict[str, int]:
    document = objects.last_scan.to_json()
    names = ("new", "changed", "moved", "gone", "unchanged", "updated")
    return {name: document[name] for name in names if document[name]}


def test_doctor_looks_into_the_objects_too(root: Path, tmp_path: Path) -> None:
    before = [check.name for check in doctor.examine(str(root)).checks]
    objects = make(root, annotate(tmp_path / "a.json", BOXES))
    found = doctor.examine(str(root))
    assert [name for check in found.checks if (name := check.name) not in before] == [
        f"objects: {name}" for name in ("record", "trust", "lock", "table", "ledger", "leftovers")
    ]
    assert all(check.ok for check in found.checks if check.name.startswith("objects: "))
    for file in (objects.layout.images / "data").iterdir():
        file.write_bytes(os.urandom(file.stat().st_size))
    assert [check.name for check in doctor.examine(str(root)).checks if check.ok is False] == ["objects: table"]
    objects.layout.record.unlink()
    assert [check.name for check in doctor.examine(str(root)).checks] == before


def test_objects_are_a_collection_within_the_one_of_their_images(root: Path, tmp_path: Path) -> None:
    objects = make(root, annotate(tmp_path / "a.json", BOXES))
    assert len(objects) == 18
    assert objects.place == root / ".tintype" / "objects"
    table = objects.table()
    assert tintype.open(root).objects().table().equals(table)
    assert tintype.open(objects.place).table().equals(table)
    row = objects.table(where="uri = '3.jpg#xywh=3,3,64,64'").to_pylist()[0]
    photo = (root / "3.jpg").read_bytes()
    digest = blake3(photo).digest(16)
    assert row["digest"] == blake3(digest + b"3,3,64,64").digest(16)
    assert (row["object_of"], row["image_digest"], row["label_label"]) == ("3.jpg", digest, "thing")
    assert (row["width"], row["height"], row["status"]) == (64, 64, "ok")
    assert len(tintype.open(root)) == 6  # the images' own table is as it was


def test_every_verb_works_on_them(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "1.jpg", root / "copy of 1.jpg")
    tintype.scan(root, stages=STAGES, workers=1)
    boxes = {**BOXES, "copy of 1.jpg": BOXES["1.jpg"]}
    objects = make(root, annotate(tmp_path / "a.json", boxes))
    assert tintype.info(objects).to_json()["images"] == 21
    found = tintype.duplicates(objects)
    identical = [pair for pair in found.pairs.to_pylist() if pair["kind"] == "identical"]
    assert {pair["a_uri"].split("#")[0] for pair in identical} <= {"1.jpg", "copy of 1.jpg"}
    assert len(identical) == 3
    strict = tintype.config().replace({"issues.blurred_below": 1.0})
    faulted = set(tintype.issues(objects, strict).table["a_uri"].to_pylist())
    assert faulted
    assert faulted <= set(objects.table(["uri"])["uri"].to_pylist())
    page = tintype.report(objects, tmp_path / "objects.html").read_text()
    assert "xywh" in page
    assert all(check.ok is not False for check in api.check(objects.place))
    assert all(check.ok is not False for check in api.check(root))


def test_the_same_call_again_computes_nothing(root: Path, tmp_path: Path) -> None:
    boxes = annotate(tmp_path / "a.json", BOXES)
    before = make(root, boxes).table()
    os.utime(boxes)  # the file of annotations is newer, what it says is the same
    again = make(root, boxes)
    assert changes(again) == {"unchanged": 18}
    assert again.table().equals(before)


def test_the_same_boxes_in_another_format_are_the_same_objects(root: Path, tmp_path: Path) -> None:
    before = make(root, annotate(tmp_path / "a.json", BOXES)).table(["uri", "digest", "phash"])
    for name, boxes in BOXES.items():
        objects = "".join(
            f"<object><name>thing</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + width}</xmax>"
            f"<ymax>{y + height}</ymax></bndbox></object>"
            for x, y, width, height in boxes
        )
        path = (tmp_path / "voc" / name).with_suffix(".xml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<annotation><filename>{name}</filename>{objects}</annotation>")
    again = make(root, tmp_path / "voc")
    assert again.table(["uri", "digest", "phash"]).equals(before)
    assert set(again.table(["label_label"])["label_label"].to_pylist()) == {"thing"}


def test_only_what_changed_is_cut_again(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    make(root, annotate(path, BOXES))
    more = {**BOXES, "0.jpg": [*BOXES["0.jpg"], [1, 1, 30, 30]], "5.jpg": BOXES["5.jpg"][:2]}
    assert changes(make(root, annotate(path, more))) == {"new": 1, "gone": 1, "unchanged": 17}
    again = make(root, annotate(path, more, {("2.jpg", 0): "blurry"}))
    assert changes(again) == {"changed": 1, "unchanged": 17}
    assert again.table(["uri"], where="label_note = 'blurry'")["uri"].to_pylist() == ["2.jpg#xywh=10,10,100,80"]


def test_a_changed_photo_changes_its_objects_once_it_was_scanned(root: Path, tmp_path: Path) -> None:
    boxes = annotate(tmp_path / "a.json", BOXES)
    make(root, boxes)
    (root / "4.jpg").write_bytes(encoded(scene(44, 192, 128)))
    assert changes(make(root, boxes)) == {"unchanged": 18}  # as far as the collection knows
    tintype.scan(root, stages=STAGES, workers=1)
    assert changes(make(root, boxes)) == {"changed": 3, "unchanged": 15}
    assert changes(make(root, boxes)) == {"unchanged": 18}


def test_a_photo_that_changes_before_its_first_crop_says_so_until_it_is_scanned(root: Path, tmp_path: Path) -> None:
    (root / "4.jpg").write_bytes(encoded(scene(44, 192, 128)))
    boxes = annotate(tmp_path / "a.json", BOXES)
    objects = make(root, boxes)
    assert objects.last_scan.status == {"ok": 15, "unreadable": 3}
    tintype.scan(root, stages=STAGES, workers=1)
    assert make(root, boxes).last_scan.status == {"ok": 18}


def test_a_photo_that_was_renamed_takes_its_objects_along(root: Path, tmp_path: Path) -> None:
    make(root, annotate(tmp_path / "a.json", BOXES))
    (root / "2.jpg").rename(root / "two.jpg")
    tintype.scan(root, stages=STAGES, workers=1)
    renamed = {("two.jpg" if name == "2.jpg" else name): boxes for name, boxes in BOXES.items()}
    again = make(root, annotate(tmp_path / "a.json", renamed))
    assert changes(again) == {"moved": 3, "unchanged": 15}
    assert not again.last_scan.time["stages"] or not any(again.last_scan.time["stages"].values())


def test_a_stage_that_comes_later_is_computed_for_all(root: Path, tmp_path: Path) -> None:
    boxes = annotate(tmp_path / "a.json", BOXES)
    make(root, boxes, stages=("thumbnail",))
    again = make(root, boxes, stages=STAGES)
    assert changes(again) == {"unchanged": 18, "updated": 18}
    fresh = shutil.copytree(root, tmp_path / "fresh", ignore=shutil.ignore_patterns(".tintype"))
    tintype.scan(fresh, stages=STAGES, workers=1)
    columns = ["uri", "digest", "phash", "thumbnail", "label_label"]
    assert make(fresh, boxes).table(columns).equals(again.table(columns))


def test_rows_do_not_depend_on_the_number_of_workers(root: Path, tmp_path: Path) -> None:
    boxes = {name: [[x, 1, 40, 40 + x % 9] for x in range(100)] for name in BOXES}
    path = annotate(tmp_path / "a.json", boxes)
    one = make(root, path).table()
    shutil.rmtree(root / ".tintype" / "objects")
    two = make(root, path, workers=2).table()
    assert two.equals(one)
    assert one.num_rows == 600


def test_objects_of_damaged_images_and_senseless_boxes_have_rows(root: Path, tmp_path: Path) -> None:
    (root / "cut.jpg").write_bytes(encoded(scene(7, 192, 128))[:2_000])
    tintype.scan(root, stages=STAGES, workers=1)
    boxes = {"cut.jpg": [[1, 2, 30, 40]], "0.jpg": [[500, 500, 10, 10], [1, 1, 0, 9], [150, 100, 100, 100]]}
    objects = make(root, annotate(tmp_path / "a.json", {**boxes, "no such.jpg": [[1, 2, 3, 4]] * 2}))
    rows = objects.table(["uri", "status", "reason", "width", "box_width"]).to_pylist()
    assert [(row["uri"], row["status"], row["width"]) for row in rows] == [
        ("0.jpg#xywh=1,1,0,9", "rejected", None),
        ("0.jpg#xywh=150,100,100,100", "ok", 42),
        ("0.jpg#xywh=500,500,10,10", "rejected", None),
        ("cut.jpg#xywh=1,2,30,40", "damaged", None),
    ]
    assert all(row["reason"] for row in rows if row["status"] != "ok")
    assert objects.skipped == {"boxes of images that are not here": 2}
    assert objects.problems[0][0] == "no such.jpg"
    kinds = {row["kind"] for row in tintype.issues(objects).table.to_pylist()}
    assert {"damaged", "rejected"} <= kinds


def test_objects_of_images_in_tables_and_tars(tmp_path: Path, data: Path) -> None:
    """The table holds the bytes of its images and their boxes; one shard of the same is a tar."""
    photos = pq.read_table(data / "clothing-168" / "test.parquet").slice(0, 8).to_pylist()
    boxes = [[[10.0, 20.0, 100.0, 90.0], [0.0, 0.0, 50.0, 50.0]] for _ in photos]
    path = tmp_path / "clothes.parquet"
    pq.write_table(
        pa.table(
            {
                "image": pa.array([photo["image"] for photo in photos]),
                "label": [photo["label"] for photo in photos],
                "objects": [{"bbox": box, "category": ["a", "b"]} for box in boxes],
            }
        ),
        path,
    )
    tintype.scan(path, stages=("thumbnail",), workers=1)
    objects = scan_objects(path, path, stages=STAGES, workers=1)
    assert len(objects) == 16
    row = objects.table(where="uri = 'clothes.parquet#5#xywh=10,20,100,90'").to_pylist()[0]
    assert (row["object_of"], row["label_label"], row["status"]) == ("clothes.parquet#5", "a", "ok")


def test_yolo_labels_beside_the_images(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / "set" / kind / split).mkdir(parents=True)
        (tmp_path / "set" / "images" / split / "1.jpg").write_bytes(encoded(scene(len(split), 192, 128)))
        (tmp_path / "set" / "labels" / split / "1.txt").write_text("1 0.5 0.5 0.25 0.5\nbroken\n")
    (tmp_path / "set" / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat, dog]\n")
    tintype.scan(tmp_path / "set", stages=STAGES, workers=1)
    objects = make(tmp_path / "set", tmp_path / "set" / "data.yaml")
    assert objects.table(["uri", "label_label", "label_split"]).to_pylist() == [
        {"uri": "images/train/1.jpg#xywh=72,32,48,64", "label_label": "dog", "label_split": "train"},
        {"uri": "images/val/1.jpg#xywh=72,32,48,64", "label_label": "dog", "label_split": "val"},
    ]
    assert objects.skipped == {"refused": 2}


def test_other_annotations_take_the_place_of_the_first(root: Path, tmp_path: Path) -> None:
    make(root, annotate(tmp_path / "a.json", BOXES))
    other = annotate(tmp_path / "b.json", {"0.jpg": [[10, 10, 100, 80], [2, 2, 20, 20]]})
    objects = make(root, other)
    assert changes(objects) == {"new": 1, "gone": 17, "unchanged": 1}
    assert objects.sources == (str(other),)
    both = scan_objects(root, tmp_path / "a.json", other, stages=STAGES, workers=1)
    assert len(both) == 20  # the same box twice is two objects


def test_annotations_that_cannot_be_read_leave_the_objects_as_they_were(root: Path, tmp_path: Path) -> None:
    path = annotate(tmp_path / "a.json", BOXES)
    make(root, path)
    path.write_text('{"images": [')
    with pytest.raises(SourceError):
        make(root, path)
    path.write_text('{"images": [], "annotations": []}')
    with pytest.raises(SourceError, match="no box"):
        make(root, path)
    assert len(tintype.open(root).objects()) == 18


def test_images_are_never_scanned_into_the_objects(root: Path, tmp_path: Path) -> None:
    make(root, annotate(tmp_path / "a.json", BOXES))
    with pytest.raises(CollectionError, match=r"is the collection of .*a\.json"):
        tintype.scan(root, collection=root / ".tintype" / "objects", stages=STAGES)
    assert len(tintype.open(root).objects()) == 18
    tintype.scan(root, stages=STAGES, workers=1)
    assert len(tintype.open(root).objects()) == 18


def test_what_does_not_go_together_is_said(root: Path, tmp_path: Path) -> None:
    boxes = annotate(tmp_path / "a.json", BOXES)
    with pytest.raises(CollectionError, match="tintype objects"):
        tintype.open(root).objects()
    with pytest.raises(CollectionNotFound, match="tintype scan"):
        make(tmp_path, boxes)
    with pytest.raises(UsageError, match="exif"):
        make(root, boxes, orientation="stored")
    with pytest.raises(UsageError, match="orientation"):
        make(root, boxes, orientation="sideways")
    with pytest.raises(UsageError, match="unit"):
        make(root, boxes, unit="px")
    with pytest.raises(UsageError, match="format"):
        make(root, boxes, kind="dota")
    with pytest.raises(UsageError, match="no annotations"):
        scan_objects(root)
    with pytest.raises(SourceError, match="not there"):
        make(root, tmp_path / "no.json")
    with pytest.raises(SourceError, match="boxes can be read"):
        make(root, root / "0.jpg")


def test_a_collection_of_somebody_else_gets_no_objects(root: Path, tmp_path: Path, monkeypatch) -> None:
    boxes = annotate(tmp_path / "a.json", BOXES)
    make(root, boxes)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other state"))
    with pytest.raises(CollectionNotTrusted):
        make(root, boxes)
    assert not tintype.open(root).objects().is_trusted
    tintype.trust(root)
    assert tintype.open(root).objects().is_trusted
    assert changes(make(root, boxes)) == {"unchanged": 18}


def test_two_at_once_are_refused(root: Path, tmp_path: Path) -> None:
    boxes = annotate(tmp_path / "a.json", BOXES)
    make(root, boxes)
    with locked(Layout(root / ".tintype" / "objects")), pytest.raises(CollectionLocked):
        make(root, boxes)


def test_links_in_the_place_of_its_parts_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / ".tintype" / "objects").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CollectionError, match="is a link"):
        make(root, annotate(tmp_path / "a.json", BOXES))
    assert not list((tmp_path / "elsewhere").iterdir())


def test_boxes_of_stored_pixels_follow_what_exif_says(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    upright = scene(1, 64, 96)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(root / "a.png", exif=exif)
    tintype.scan(root, stages=("exif",), workers=1)
    boxes = annotate(tmp_path / "a.json", {"a.png": [[10, 20, 30, 5]]})
    found = make(root, boxes, orientation="stored").table(["uri", "width", "height"]).to_pylist()
    assert found == [{"uri": "a.png#xywh=39,10,5,30", "width": 5, "height": 30}]
    assert make(root, boxes).table(["uri"])["uri"].to_pylist() == ["a.png#xywh=10,20,30,5"]


def test_objects_outlive_a_collection_of_images_that_is_made_anew(root: Path, tmp_path: Path) -> None:
    boxes = annotate(tmp_path / "a.json", BOXES)
    make(root, boxes)
    decisions = root / ".tintype" / "objects" / "decisions.jsonl"
    decisions.write_text("{}\n")
    (root / ".tintype" / "collection.json").unlink()
    shutil.rmtree(root / ".tintype" / "images.lance")
    again = tintype.scan(root, stages=STAGES, workers=1)
    objects = make(root, boxes)
    assert changes(objects) == {"unchanged": 18}
    assert objects.record.id == again.record.id
    assert decisions.read_text() == "{}\n"


def test_nothing_of_the_list_stays(root: Path, tmp_path: Path) -> None:
    make(root, annotate(tmp_path / "a.json", BOXES))
    assert not (root / ".tintype" / "objects" / "cache" / "list").exists()


def test_turned_boxes_come_upright(tmp_path: Path) -> None:
    """What was turned in the photo is found as a copy of the upright photo of it."""
    import cv2

    root = tmp_path / "root"
    root.mkdir()
    thing = cv2.GaussianBlur(scene(3, 160, 120), (0, 0), 2)
    canvas = np.full((400, 400, 3), 128, np.uint8)
    canvas[140:260, 120:280] = thing
    matrix = cv2.getRotationMatrix2D((199.5, 199.5), -30, 1)
    turned = cv2.warpAffine(canvas, matrix, (400, 400), borderValue=(128, 128, 128))
    (root / "turned.jpg").write_bytes(encoded(turned, quality=95))
    (root / "upright.jpg").write_bytes(encoded(canvas, quality=95))
    tintype.scan(root, stages=STAGES, workers=1)
    table = tmp_path / "boxes.csv"
    table.write_text("image,x,y,w,h,angle\nturned.jpg,120,140,160,120,30\nupright.jpg,120,140,160,120,0\n")
    objects = make(root, table)
    (group,) = tintype.duplicates(objects).groups
    assert {group.keep, *group.members} == set(objects.table(["uri"])["uri"].to_pylist())
