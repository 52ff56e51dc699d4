"""Objects are read as images of their own: upright, with subjects, labels and honest failures."""

import io
import itertools
import json
import os

import numpy as np
import pyarrow as pa
import pytest
from blake3 import blake3
from object_makers import coco_file, image_table, known_images, objects_source
from PIL import Image
from source_makers import tar

from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.sources.annotations.base import Annotations
from tintype.sources.annotations.coco import COCO
from tintype.sources.base import Notes
from tintype.sources.boxes import box_of, split_uri, subject_of
from tintype.sources.folder import FolderSource
from tintype.sources.object_list import ObjectList, write_list
from tintype.sources.objects import COLUMNS, ObjectsSource
from tintype.sources.tar import TarSource
from tintype.testing.pictures import encoded, scene
from tintype.testing.sources import MAX_BYTES, SourceContract, entries_of, items_of


def folder_of(root, count=3):
    new = not root.exists()
    root.mkdir(exist_ok=True)
    for number in range(count if new else 0):
        (root / f"{number}%.jpg").write_bytes(encoded(scene(number)))
    return FolderSource(root)


def pixels(data):
    return decode(data, side_px=10**5, limits=Limits()).rgb


class ObjectsContract(SourceContract):
    def test_labels_fit_their_columns(self, source):
        """As in the contract, but for the columns that are known of objects alone."""
        types = {column.name: column.type for column in source.labels}
        own = [column.name for column in COLUMNS]
        assert [name for name in types if not name.startswith("label_")] == own
        for item in items_of(source):
            assert set(item.labels) <= set(types)
            for name, value in item.labels.items():
                pa.array([value], types[name])


class TestObjectsInFolder(ObjectsContract):
    @pytest.fixture
    def source(self, tmp_path):
        boxes = {
            "0%.jpg": [[0, 0, 96, 64], [3.5, 4, 20, 20], [3.5, 4, 20, 20], {"bbox": [20, 20, 30, 20], "rotation": 33}],
            "1%.jpg": [{"bbox": [-5, 50, 30, 30], "note": "x", "attributes": {"a": [1]}}],
        }
        return objects_source(
            tmp_path / "list", folder_of(tmp_path / "root"), Annotations(COCO, coco_file(tmp_path / "a.json", boxes))
        )


class TestObjectsInTar(ObjectsContract):
    @pytest.fixture
    def source(self, tmp_path):
        members = {f"d/{n}.jpg": encoded(scene(n)) for n in range(3)}
        boxes = {f"{n}.jpg": [[n, n, 90, 60], [1, 1, 9, 9]] for n in range(3)}
        path = tar(tmp_path / "s.tar.gz", members, "w:gz")
        return objects_source(
            tmp_path / "list", TarSource(path), Annotations(COCO, coco_file(tmp_path / "a.json", boxes))
        )


@pytest.fixture
def made(tmp_path):
    """A function from boxes by image name to a source of objects, over three small photos."""
    number = itertools.count()

    def make(boxes, source=None, **options):
        source = source or folder_of(tmp_path / "root")
        annotations = Annotations(COCO, coco_file(tmp_path / "a.json", boxes))
        return objects_source(tmp_path / f"list {next(number)}", source, annotations, **options)

    return make


def test_an_object_is_the_pixels_of_its_box(made, tmp_path):
    (item,) = items_of(made({"0%.jpg": [[10, 20, 30, 40]]}))
    data = (tmp_path / "root" / "0%.jpg").read_bytes()
    assert item.uri == "0%25.jpg#xywh=10,20,30,40"
    assert np.array_equal(pixels(item.data), pixels(data)[20:60, 10:40])
    digest = blake3(data).digest(16)
    assert item.digest == subject_of(digest, "10,20,30,40") == blake3(digest + b"10,20,30,40").digest(16)
    assert item.labels == {
        "object_of": "0%25.jpg", "image_digest": digest, "box_x": 10.0, "box_y": 20.0, "box_width": 30.0,
        "box_height": 40.0, "box_angle": 0.0, "label_label": "cat", "label_id": 0,
    }  # fmt: skip


def test_the_same_photo_under_two_names_has_the_same_objects(made, tmp_path):
    source = folder_of(tmp_path / "root")
    (tmp_path / "root" / "copy.jpg").write_bytes((tmp_path / "root" / "0%.jpg").read_bytes())
    one, two = items_of(made({"0%.jpg": [[1, 2, 30, 40]], "copy.jpg": [[1, 2, 30, 40]]}, source))
    assert (one.digest, one.data) == (two.digest, two.data)


def test_every_stamp_is_of_one_object_alone(made):
    table = entries_of(made({"0%.jpg": [[x, 2, 30, 40] for x in (1, 2, 2, 3)]}))
    keys = list(
        zip(table["inode"].to_pylist(), table["mtime_ns"].to_pylist(), table["offset"].to_pylist(), strict=True)
    )
    assert len(set(keys)) == 4


def test_a_stamp_changes_with_the_labels_of_its_box_and_with_no_others(made):
    before = entries_of(made({"0%.jpg": [[1, 2, 30, 40], [5, 2, 30, 40]]})).to_pylist()
    again = entries_of(made({"1%.jpg": [], "0%.jpg": [[1, 2, 30, 40], {"bbox": [5, 2, 30, 40], "note": "x"}]}))
    assert [row in before for row in again.to_pylist()] == [True, False]


def test_an_image_is_decoded_once_for_all_its_objects(made, monkeypatch):
    source = made({f"{n}%.jpg": [[x, 2, 30, 40] for x in range(20)] for n in range(3)})
    calls = []
    monkeypatch.setattr("tintype.sources.crops.decode", lambda *a, **k: calls.append(1) or decode(*a, **k))
    assert len(items_of(source)) == 60
    assert len(calls) == 3


def test_exif_turned_photos_are_cut_as_they_are_seen(tmp_path):
    """Of all eight turns of one picture the same box is cut, whichever pixels the annotations speak of."""
    root = tmp_path / "root"
    root.mkdir()
    upright = scene(1, 96, 64)
    for turned in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turned
        stored = {
            1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
            6: np.rot90(upright), 7: upright[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(upright, 3),
        }[turned]  # fmt: skip
        Image.fromarray(stored).save(root / f"{turned}.png", exif=exif)
    boxes = {f"{turned}.png": [[10, 20, 40, 30]] for turned in range(1, 9)}
    annotations = Annotations(COCO, coco_file(tmp_path / "a.json", boxes))
    for item in items_of(objects_source(tmp_path / "list", FolderSource(root), annotations)):
        assert np.array_equal(pixels(item.data), upright[20:50, 10:50]), item.uri


def test_boxes_that_make_no_sense_are_rejected_with_their_reason(made):
    items = items_of(made({"0%.jpg": [[1, 2, 0, 4], [500, 2, 3, 4], [1, 2, -3, 4], [1, 2, 30, 40]]}))
    found = {(item.status, item.reason) for item in items}
    assert found == {
        ("rejected", "an empty box"),
        ("rejected", "the box lies outside of the image (96 × 64 px)"),
        ("rejected", "a box of negative size"),
        ("ok", None),
    }
    assert all(item.digest and item.labels["object_of"] == "0%25.jpg" for item in items)


def test_objects_of_an_image_that_is_not_ok_have_its_status_and_it_is_not_tried_again(made, tmp_path, monkeypatch):
    source = folder_of(tmp_path / "root")
    (tmp_path / "root" / "cut.jpg").write_bytes(encoded(scene(5))[:900])
    (tmp_path / "root" / "no.jpg").write_text("no image")
    objects = made({"cut.jpg": [[1, 2, 3, 4]] * 3, "no.jpg": [[1, 2, 3, 4]]}, source)
    monkeypatch.setattr("tintype.sources.crops.decode", None)
    items = items_of(objects)
    assert [item.status for item in items] == ["damaged"] * 3 + ["unsupported"]
    assert all(item.reason.startswith("the image: ") for item in items)
    assert all(item.data is None and item.digest and item.labels["image_digest"] for item in items)


def test_an_image_that_is_gone_or_changed_since_its_scan_is_unreadable(made, tmp_path):
    objects = made({"0%.jpg": [[1, 2, 3, 4]] * 2, "1%.jpg": [[1, 2, 3, 4]], "2%.jpg": [[1, 2, 3, 4]]})
    (tmp_path / "root" / "0%.jpg").unlink()
    (tmp_path / "root" / "1%.jpg").write_bytes(encoded(scene(9)))
    items = items_of(objects)
    assert [item.status for item in items] == ["unreadable", "unreadable", "unreadable", "ok"]
    assert "no such file" in items[0].reason
    assert "scan it again" in items[2].reason


def test_an_image_that_would_take_too_much_memory_is_rejected(made, tmp_path):
    source = made({"0%.jpg": [[0, 0, 96, 64]]})
    small = ObjectsSource(source._images, source._objects, (), Notes(), Limits(memory_mb=0))
    (item,) = items_of(small)
    assert item.status == "rejected"
    assert "limits.memory_mb" in item.reason


def test_objects_that_are_not_in_the_list_any_more_are_unreadable(made):
    source = made({"0%.jpg": [[1, 2, 30, 40]]})
    (shard,) = source.shards()
    again = made({"0%.jpg": [[2, 2, 30, 40]]})
    (item,) = again.read(shard, MAX_BYTES)
    assert (item.status, item.data) == ("unreadable", None)


def test_hostile_names_and_labels_stay_text(made, tmp_path):
    source = folder_of(tmp_path / "root")
    name = "<b>\n'; DROP.jpg"
    (tmp_path / "root" / name).write_bytes(encoded(scene(3)))
    (item,) = items_of(made({name: [{"bbox": [1, 2, 30, 40], "=cmd|' /C calc'!A0": "\x1b[31m"}]}, source))
    assert item.labels["object_of"] == name
    assert "\x1b[31m" in item.labels.values()
    assert split_uri(item.uri)[0] == name


def test_the_list_is_looked_up_across_its_parts(tmp_path):
    boxes = {f"{n:03}.jpg": [[x, 1, 5, 5] for x in range(300)] for n in range(60)}
    images = image_table(sorted(boxes))
    folder = tmp_path / "list"
    folder.mkdir()
    write_list(folder, [Annotations(COCO, coco_file(tmp_path / "a.json", boxes))], images, Notes())
    objects = ObjectList(folder)
    uris = [uri for batch in objects.batches() for uri in batch["uri"].to_pylist()]
    assert len(objects) == len(uris) == 18_000
    some = [*uris[::997], "no such", "000.jpg", "zzz", "", *uris[-1:]]
    assert [row and row["uri"] for row in objects.rows_of(pa.array(some))] == [
        uri if uri in set(uris) else None for uri in some
    ]


def test_a_crop_is_a_file_that_others_can_read(made):
    (item,) = items_of(made({"0%.jpg": [[10, 20, 30, 40]]}))
    with Image.open(io.BytesIO(item.data)) as image:
        assert (image.format, image.size, image.mode) == ("PPM", (30, 40), "RGB")
    assert box_of(split_uri(item.uri)[1]) is not None


def test_known_images_have_what_a_collection_has(tmp_path):
    """The helper of these tests gives what the list needs."""
    table = known_images(folder_of(tmp_path / "root"))
    assert table["width"].to_pylist() == [96] * 3
    assert json.dumps(table["uri"].to_pylist()) == '["0%25.jpg", "1%25.jpg", "2%25.jpg"]'
    assert os.path.isdir(tmp_path)
