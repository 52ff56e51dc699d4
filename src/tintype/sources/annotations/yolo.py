"""Boxes of YOLO label files: a text file beside each image, a line for each box, numbers as shares of the image."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from tintype.core import safe_yaml
from tintype.core.columns import Column
from tintype.core.errors import ConfigError, ImageError, SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.annotations.base import Rows, Unit, numbers
from tintype.sources.base import Notes
from tintype.sources.beneath import Beneath, open_file, reason_of

MAX_BYTES = 64_000_000
"""Of one label file."""
CLASS_FILES = ("classes.txt", "obj.names", "classes.names")

_SPLITS = ("train", "val", "test")


class YoloAnnotations:
    """Label files below a folder, or below that of a `data.yaml`, which names the classes and the splits.

    A line is `class x_center y_center width height`, perhaps with a confidence after it, or a class and the x and y
    of corners: four of them are a turned box, clockwise from its upper left corner; any other number from three on
    is an outline, whose box is taken. Without a `data.yaml` the classes' names are the lines of `classes.txt` in the
    folder or the one above it; without that, classes are called by their numbers.
    """

    unit: Unit | None = "share"
    has_extensions = False

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.abspath(path))
        self._root = self._path if self._path.is_dir() else self._path.parent
        self._rows = Rows()

    @property
    def place(self) -> str:
        return str(self._path)

    @property
    def labels(self) -> tuple[Column, ...]:
        return self._rows.labels(shown(self.place))

    def batches(self, notes: Notes) -> Iterator[pa.RecordBatch]:
        self._rows = Rows()
        classes, splits = self._names()
        files = 0
        try:
            with Beneath(self._root) as beneath:
                for path in _label_files(self._root, notes):
                    files += 1
                    self._read(beneath, path, classes, splits, notes)
                    yield from self._rows.full()
        except OSError as error:
            raise SourceError(f"{shown(self.place)}: cannot be read as a folder: {reason_of(error)}") from error
        if not files:
            raise SourceError(f"{shown(self.place)}: no label files (.txt) are in this folder or below it")
        yield from self._rows.rest()

    def _names(self) -> tuple[Mapping[int, str], Mapping[str, str]]:
        """Names of the classes by number, and of the splits by the folder of their images."""
        if not self._path.is_dir():
            return _read_yaml(self._path)
        for folder in (self._root, self._root.parent):
            for name in CLASS_FILES:
                if (folder / name).is_file():
                    return dict(enumerate(_lines_of(folder / name))), {}
        return {}, {}

    def _read(
        self, beneath: Beneath, path: str, classes: Mapping[int, str], splits: Mapping[str, str], notes: Notes
    ) -> None:
        """Take in the boxes of one label file."""
        raw = os.fsencode(path)
        shown_as = uri_from_path(raw)
        image = shown_as[: -len(".txt")]
        split = _split_of(path, splits)
        values: dict[str, Any] = {} if split is None else {"split": split}
        try:
            data = _bytes_of(beneath, raw)
        except ImageError as error:
            notes.refuse(shown_as, error.reason)
            return
        for place, line in enumerate(data.splitlines(), 1):
            words = line.decode("latin-1").split()
            if not words:
                continue
            problem = self._add(image, words, classes, values)
            if problem:
                notes.refuse(f"{shown_as}, line {place}", problem)

    def _add(self, image: str, words: list[str], classes: Mapping[int, str], values: Mapping[str, Any]) -> str | None:
        """Take a box in; returns why not."""
        if not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 9:
            return "the class is no number"
        places = numbers(words[1:], *range(4, 10_000))
        if places is None:
            return "not a class and four or more finite numbers"
        label = classes.get(int(words[0]), str(int(words[0])))
        if len(places) in (4, 5):
            if len(places) == 5:
                values = {**values, "confidence": places.pop()}
            x, y, width, height = places
            self._rows.add(image, (x - width / 2, y - height / 2, width, height, 0.0), None, label, values)
        elif len(places) % 2:
            return "an odd number of coordinates"
        elif len(places) == 8:
            self._rows.add(image, None, places, label, values)
        else:
            left, top = min(places[::2]), min(places[1::2])
            box = (left, top, max(places[::2]) - left, max(places[1::2]) - top, 0.0)
            self._rows.add(image, box, None, label, values)
        return None


def _label_files(root: Path, notes: Notes) -> Iterator[str]:
    """Paths below the root, in order; links and hidden folders are left alone. Where folders are called `labels`,
    only what is in them counts: other text files lie beside images too."""
    paths = []
    for folder, folders, files in os.walk(root, onerror=lambda error: _unseen(error, notes)):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".tintype"))
        inside = os.path.relpath(folder, root)
        paths += [
            os.path.normpath(os.path.join(inside, name))
            for name in files
            if name.endswith(".txt") and not name.startswith(".") and name not in CLASS_FILES
        ]
    in_labels = [path for path in paths if "labels" in PurePosixPath(path).parts[:-1]]
    return iter(sorted(in_labels or paths, key=os.fsencode))


def _unseen(error: OSError, notes: Notes) -> None:
    notes.refuse(uri_from_path(os.fsencode(str(error.filename))), f"the folder cannot be listed: {reason_of(error)}")


def _bytes_of(beneath: Beneath, path: bytes) -> bytes:
    handle = open_file(beneath, path)
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_size > MAX_BYTES:
            raise ImageError("rejected", f"larger than {MAX_BYTES:,} bytes")
        return file.read(MAX_BYTES)


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
