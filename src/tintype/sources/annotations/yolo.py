"""Boxes of YOLO label files: a text file beside each image, a line for each box, numbers as shares of the image."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from tintype.core import safe_yaml
from tintype.core.errors import ConfigError, SourceError
from tintype.core.names import shown
from tintype.sources.annotations.base import BoxFormat, Rows, around, numbers
from tintype.sources.annotations.label_files import contents, label_files
from tintype.sources.base import Notes
from tintype.sources.beneath import reason_of

CLASS_FILES = ("classes.txt", "obj.names", "classes.names")

_SPLITS = ("train", "val", "test")


def _read(path: Path, rows: Rows, notes: Notes) -> Iterator[pa.RecordBatch]:
    """Label files below a folder, or below that of a `data.yaml`, which names the classes and the splits.

    A line is `class x_center y_center width height`, perhaps with a confidence after it, or a class and the x and y
    of corners: four of them are a turned box, clockwise from its upper left corner; any other number from three on
    is an outline, whose box is taken. Without a `data.yaml` the classes' names are the lines of `classes.txt` in the
    folder or the one above it; without that, classes are called by their numbers.
    """
    root = path if path.is_dir() else path.parent
    classes, splits = _named_in(root) if path.is_dir() else _read_yaml(path)
    paths = _label_files(root, notes)
    if not paths:
        raise SourceError(f"{shown(str(path))}: no label files (.txt) are in this folder or below it")
    for uri, data in contents(root, paths, notes):
        _add_file(uri, data, classes, splits, rows, notes)
        yield from rows.full()


def _named_in(folder: Path) -> tuple[Mapping[int, str], Mapping[str, str]]:
    """Names of the classes by number, and of the splits by the folder of their images."""
    for place in (folder, folder.parent):
        for name in CLASS_FILES:
            if (place / name).is_file():
                return dict(enumerate(_lines_of(place / name))), {}
    return {}, {}


def _add_file(
    uri: str, data: bytes, classes: Mapping[int, str], splits: Mapping[str, str], rows: Rows, notes: Notes
) -> None:
    """Take in the boxes of one label file."""
    image = uri[: -len(".txt")]
    split = _split_of(uri, splits)
    values: dict[str, Any] = {} if split is None else {"split": split}
    for place, line in enumerate(data.splitlines(), 1):
        words = line.decode("latin-1").split()
        problem = _add(image, words, classes, values, rows) if words else None
        if problem:
            notes.refuse(f"{uri}, line {place}", problem)


def _add(image: str, words: list[str], classes: Mapping[int, str], values: Mapping[str, Any], rows: Rows) -> str | None:
    """Take a box in; returns why not."""
    if not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 9:
        return "the class is no number"
    places = numbers(words[1:], range(4, 10_000))
    if places is None:
        return "not a class and four or more finite numbers"
    label = classes.get(int(words[0]), str(int(words[0])))
    if len(places) in (4, 5):
        if len(places) == 5:
            values = {**values, "confidence": places.pop()}
        x, y, width, height = places
        rows.add(image, (x - width / 2, y - height / 2, width, height, 0.0), None, label, values)
    elif len(places) % 2:
        return "an odd number of coordinates"
    elif len(places) == 8:
        rows.add(image, None, places, label, values)
    else:
        rows.add(image, (*around(places), 0.0), None, label, values)
    return None


def _label_files(root: Path, notes: Notes) -> list[str]:
    """Where folders are called `labels`, only what is in them counts: other text files lie beside images too."""
    paths = [path for path in label_files(root, ".txt", notes) if PurePosixPath(path).name not in CLASS_FILES]
    return [path for path in paths if "labels" in PurePosixPath(path).parts[:-1]] or paths


def _lines_of(path: Path) -> list[str]:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > safe_yaml.MAX_BYTES:
            raise SourceError(f"{shown(str(path))}: no list of classes: it is too large, or no file")
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise SourceError(f"{shown(str(path))}: cannot be read: {reason_of(error)}") from error
    return [line.strip() for line in text.rstrip().split("\n")]


def _read_yaml(path: Path) -> tuple[dict[int, str], dict[str, str]]:
    """What a `data.yaml` says of classes and splits; folders that lead out of its own are taken as if they did not."""
    try:
        document = safe_yaml.read(path)
    except ConfigError as error:
        raise SourceError(str(error)) from error
    if document is None or not isinstance(document.value, dict):
        raise SourceError(f"{shown(str(path))}: not there, or no data.yaml of a YOLO data set")
    names = document.value.get("names")
    splits = {}
    for split in _SPLITS:
        node = document.value.get(split)
        for one in node.value if node is not None and isinstance(node.value, list) else [node]:
            if one is not None and isinstance(one.value, str):
                parts = [part for part in PurePosixPath(one.value).parts if part not in ("/", "..")]
                splits["/".join(parts)] = split
    return _classes(names, path), splits


def _classes(names: safe_yaml.Node | None, path: Path) -> dict[int, str]:
    if names is None or names.value is None:
        return {}
    if isinstance(names.value, list):
        return {number: _written(node) for number, node in enumerate(names.value)}
    if isinstance(names.value, dict) and all(key.isascii() and key.isdigit() for key in names.value):
        return {int(key): _written(node) for key, node in names.value.items()}
    raise SourceError(f"{shown(str(path))}:{names.line}: `names` has to be a list, or names by number")


def _written(node: safe_yaml.Node) -> str:
    """A class called `no` or `8` is called so, and is no truth value or number."""
    return node.text if node.text is not None else str(node.plain())


def _split_of(path: str, splits: Mapping[str, str]) -> str | None:
    """The split in whose folder the image would lie; of folders within one another the inner one."""
    parts = list(PurePosixPath(path).parts[:-1])
    if "labels" in parts:
        parts[len(parts) - 1 - parts[::-1].index("labels")] = "images"
    folders = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((splits[folder] for folder in folders if folder in splits), None)


YOLO = BoxFormat("yolo", _read, unit="share", naming="label files")
