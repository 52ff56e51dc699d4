"""What the tests of boxes and objects share: images as a collection knows them, and annotations of them."""

import json
from pathlib import Path

import pyarrow as pa
from blake3 import blake3

from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.core.errors import ImageError
from tintype.sources.annotations.base import BOXES, Annotations
from tintype.sources.base import Notes, Source
from tintype.sources.object_list import IMAGES, ObjectList, write_list
from tintype.sources.objects import ObjectsSource


def known_images(source: Source) -> pa.Table:
    """Rows of IMAGES for all that a source lists, in the order of the uris."""
    rows = []
    for shard in source.shards():
        for item in source.read(shard, 10**9):
            row = {"uri": item.uri, "size_bytes": item.size_bytes, "mtime_ns": item.mtime_ns, "offset": item.offset}
            row |= {"inode": item.inode, "device": item.device, "status": item.status, "reason": item.reason}
            if item.data is not None:
                row["digest"] = blake3(item.data).digest(16)
                try:
                    image = decode(item.data, side_px=64, limits=Limits())
                except ImageError as error:
                    row |= {"status": error.status, "reason": error.reason}
                else:
                    row |= {"width": image.width, "height": image.height, "orientation": image.orientation}
            rows.append(row)
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["uri"].encode()), schema=IMAGES)


def image_table(uris: list[str], width: int = 640, height: int = 480, **columns: list) -> pa.Table:
    """Rows of IMAGES that no file stands behind."""
    facts = {"uri": uris, "status": ["ok"] * len(uris), "size_bytes": [1] * len(uris)}
    facts |= {"width": [width] * len(uris), "height": [height] * len(uris), **columns}
    arrays = [pa.array(facts.get(field.name, [None] * len(uris)), field.type) for field in IMAGES]
    return pa.table(arrays, schema=IMAGES)


def boxes_of(annotations: Annotations, notes: Notes | None = None) -> list[dict]:
    """All boxes as rows of BOXES."""
    return pa.Table.from_batches(annotations.batches(notes or Notes()), BOXES).to_pylist()


def places(boxes: list[dict]) -> list[tuple]:
    """Image, x, y, width, height, angle and label, in numbers of six digits."""
    names = ("image", "x", "y", "width", "height", "angle", "label")
    return [tuple(round(box[n], 6) if isinstance(box[n], float) else box[n] for n in names) for box in boxes]


def objects_of(
    folder: Path, annotations: Annotations, images: pa.Table, notes: Notes | None = None, **options
) -> list[dict]:
    """The list of the objects, as rows."""
    folder.mkdir(exist_ok=True)
    write_list(folder, [annotations], images, notes or Notes(), **options)
    listed = ObjectList(folder)
    return [row for batch in listed.batches() for row in batch.to_pylist()]


def objects_source(folder: Path, source: Source, annotations: Annotations, **options) -> ObjectsSource:
    folder.mkdir(exist_ok=True)
    notes = Notes()
    labels = write_list(folder, [annotations], known_images(source), notes, **options)
    return ObjectsSource(source, ObjectList(folder), labels, notes)


def coco_file(path: Path, boxes: dict[str, list], **more) -> Path:
    """A COCO file of boxes by the name of their image; a box is a list of numbers, or an annotation without ids."""
    images = [{"id": n, "file_name": name} for n, name in enumerate(boxes)]
    annotations = [
        {"id": 0, "image_id": n, "category_id": 1, **(box if isinstance(box, dict) else {"bbox": box})}
        for n, name in enumerate(boxes)
        for box in boxes[name]
    ]
    for number, annotation in enumerate(annotations):
        annotation["id"] = number
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}], **more}
    path.write_text(json.dumps(document))
    return path
