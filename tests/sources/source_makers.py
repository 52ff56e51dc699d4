"""Small trees, archives and tables for the tests of sources. The images are only as good as their first bytes."""

import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

JPEG = b"\xff\xd8\xff\xe0"


def picture(number: int = 0) -> bytes:
    """Bytes that begin as a JPEG does; another length and content for each number."""
    return JPEG + bytes([number % 256]) * (10 + number)


def tree(root: Path, *paths: str | bytes) -> Path:
    """A folder with a picture at each path, numbered in this order."""
    for number, path in enumerate(paths):
        place = os.path.join(os.fsencode(root), os.fsencode(path))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(picture(number))
    return root


def tar(path: Path, members: dict[str, bytes], mode: str = "w", **kwargs) -> Path:
    with tarfile.open(path, mode, **kwargs) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def samples(count: int = 4) -> dict[str, bytes]:
    """Members of a WebDataset shard: an image with .json, .txt and .cls each."""
    members = {}
    for number in range(count):
        members[f"{number:04d}.jpg"] = picture(number)
        members[f"{number:04d}.json"] = json.dumps({"width": number, "license": "cc0", "score": number / 4}).encode()
        members[f"{number:04d}.txt"] = f"a picture, number {number}\n".encode()
        members[f"{number:04d}.cls"] = str(number % 2).encode()
    return members


def csv_table(folder: Path, count: int = 4) -> Path:
    tree(folder / "images", *[f"{number}.jpg" for number in range(count)])
    lines = [f'images/{number}.jpg,{number},"class, {number % 2}",{number / 4}' for number in range(count)]
    path = folder / "table.csv"
    path.write_text("\n".join(["path,width,class,score", *lines]) + "\n")
    return path


def jsonl_table(folder: Path, count: int = 4) -> Path:
    tree(folder / "images", *[f"{number}.jpg" for number in range(count)])
    path = folder / "table.jsonl"
    rows = [{"image": f"images/{n}.jpg", "width": n, "class": f"class {n % 2}", "box": [n, 1]} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet_table(path: Path, count: int = 4, **columns: list) -> Path:
    """The layout of the library `datasets`: a struct of bytes and path, and labels."""
    images = [{"bytes": picture(number), "path": f"{number}.jpg"} for number in range(count)]
    table = {"image": pa.array(images, pa.struct({"bytes": pa.binary(), "path": pa.string()}))}
    pq.write_table(pa.table({**table, "label": [f"class {n % 2}" for n in range(count)], **columns}), path)
    return path
