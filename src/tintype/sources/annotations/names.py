"""Which images of a collection annotations speak of."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.names import uri_from_path

Naming = Literal["paths", "label files", "annotation files"]
"""How names are meant: as paths, relative or absolute, also with `\\`, or as uris themselves (`shard.tar#a.jpg`); as
paths of YOLO's label files, without extensions; as paths of VOC's XML files, with the extension of their image where
it is known."""

MISSING, AMBIGUOUS = -1, -2
"""What stands in the place of a row where no image has the name, or several could."""

_WHOLE = 0
_FOLDERS = ("labels", "annotations", "annotation")  # where label files lie, in any case
_MOST_PARTS = 100  # folders in a name that is looked for at the end of uris
_ENDING = r"\.[^./#]*$"


class ImageNames:
    """The images of a collection, by what annotations may call them."""

    def __init__(self, uris: pa.Array) -> None:
        self._uris = uris
        self._indexes: dict[tuple[bool, int], _Index] = {}

    def rows(self, names: pa.Array, *, naming: Naming = "paths", beneath: str = "") -> NDArray[np.int64]:
        """Row of the image for each name, MISSING or AMBIGUOUS: (n,) int64. Names are never opened as paths.

        In this order: the name is the whole uri; the end of one uri, whole folders; one uri is the end of the name, the
        longest such. `beneath` is a folder that names are relative to: only whole uris count then, and those of members
        of tars and rows of tables wherever they lie.
        """
        found = np.full(len(names), MISSING, np.int64)
        in_containers = np.flatnonzero(pc.match_substring(names, "#").to_numpy(zero_copy_only=False))
        if len(in_containers):
            found[in_containers] = self._index(True, _WHOLE).whole(names.take(pa.array(in_containers)))
        for has_extension, reading in _READINGS[naming]:
            waiting = np.flatnonzero(found == MISSING)
            if not len(waiting):
                break
            wanted = _read_as(reading, names.take(pa.array(waiting)))
            if beneath:
                prefix = uri_from_path(beneath).strip("/") + "/"
                wanted = pc.binary_join_element_wise(prefix, wanted, "")
                found[waiting] = self._index(has_extension, _WHOLE).whole(wanted)
            else:
                found[waiting] = self._by_ends(wanted, has_extension)
        return found

    def _by_ends(self, wanted: pa.Array, has_extension: bool) -> NDArray[np.int64]:
        index = self._index(has_extension, _WHOLE)
        found = index.whole(wanted)
        parts = pc.add(pc.count_substring(wanted, "/"), 1).fill_null(0).to_numpy(zero_copy_only=False)
        for count in np.unique(parts[found == MISSING]).tolist():
            here = np.flatnonzero((found == MISSING) & (parts == count))
            if 0 < count <= _MOST_PARTS and len(here):
                found[here] = self._index(has_extension, count).whole(wanted.take(pa.array(here)))
        for dropped in range(1, int(min(parts.max(initial=0), _MOST_PARTS))):
            here = np.flatnonzero((found == MISSING) & (parts > dropped))
            if not len(here):
                break
            shorter = [text.split("/", dropped)[-1] for text in wanted.take(pa.array(here)).to_pylist()]
            found[here] = index.whole(pa.array(shorter, pa.string()))
        return found

    def _index(self, has_extension: bool, parts: int) -> _Index:
        """Rows by whole uris, or by so many parts at their ends."""
        key = (has_extension, parts)
        if key not in self._indexes:
            uris = self._uris if has_extension else pc.replace_substring_regex(self._uris, _ENDING, "")
            self._indexes[key] = _Index(uris if parts == _WHOLE else _ends(uris, parts))
        return self._indexes[key]


class _Index:
    """Row by text; a text that stands twice is ambiguous."""

    def __init__(self, texts: pa.Array) -> None:
        encoded = texts.dictionary_encode()
        codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
        self._texts = encoded.dictionary
        rows = np.full(len(self._texts) + 1, MISSING, np.int64)
        rows[codes] = np.arange(len(texts))
        counts = np.bincount(codes, minlength=len(rows))
        self._rows = np.where(counts > 1, AMBIGUOUS, rows)
        self._rows[-1] = MISSING

    def whole(self, wanted: pa.Array) -> NDArray[np.int64]:
        at = pc.index_in(wanted, value_set=self._texts, skip_nulls=True).fill_null(len(self._texts)).to_numpy()
        rows: NDArray[np.int64] = self._rows[at]
        return rows


def _ends(uris: pa.Array, parts: int) -> pa.Array:
    """The last folders and the name of each uri; null where it has fewer, or they are not all in one place."""
    pattern = r"(?:^|[/#])(?P<end>" + r"[^/#]+/" * (parts - 1) + r"[^/#]+)$"
    return pc.struct_field(pc.extract_regex(uris, pattern), [0])


def _read_as(reading: Callable[[str], str], names: pa.Array) -> pa.Array:
    texts = (reading(name) for name in names.to_pylist())
    return pa.array([text or None for text in texts], pa.string())


def _path(name: str) -> str:
    """A path downwards: what leads up or to the root before it is left off."""
    plain = posixpath.normpath(name).lstrip("/")
    while plain.startswith("../"):
        plain = plain[3:]
    return "" if plain in (".", "..") else plain


def _beside(path: str, folder: str) -> str:
    """The path with its last folder of annotations called otherwise, or with what lies in it alone."""
    parts = path.split("/")
    at = max((place for place, part in enumerate(parts[:-1]) if part.lower() in _FOLDERS), default=-1)
    if at < 0:
        return ""
    return "/".join([*parts[:at], folder, *parts[at + 1 :]] if folder else parts[at + 1 :])


def _of_label_files(*folders: str) -> tuple[Callable[[str], str], ...]:
    """The image lies in a folder beside that of the label files, or with them; these names are uris already."""
    beside = (lambda name, folder=folder: _beside(_path(name), folder) for folder in folders)
    return (*beside, _path, lambda name: _beside(_path(name), ""))


_PATHS = (
    lambda name: uri_from_path(_path(name)),
    lambda name: uri_from_path(_path(name.replace("\\", "/"))),
    lambda name: name,  # a uri itself
)
_READINGS: dict[Naming, tuple[tuple[bool, Callable[[str], str]], ...]] = {
    "paths": tuple((True, reading) for reading in _PATHS),
    "label files": tuple((False, reading) for reading in _of_label_files("images")),
    "annotation files": tuple(
        (has_extension, reading)
        for has_extension in (True, False)
        for reading in _of_label_files("JPEGImages", "images")
    ),
}
"""What a name may mean, likeliest first, and whether it has the extension of the image."""
