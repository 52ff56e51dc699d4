"""Which images of a collection annotations speak of."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.names import uri_from_path

MISSING, AMBIGUOUS = -1, -2
"""What stands in the place of a row where no image has the name, or several could."""

_MOST_PARTS = 100  # folders in a name that is looked for at the end of uris
_ENDING = re.compile(r"\.[^./#]*$")


def image_rows(names: pa.Array, uris: pa.Array, *, beneath: str = "", has_extensions: bool = True) -> NDArray[np.int64]:
    """Row of `uris` for each name, MISSING or AMBIGUOUS: (n,) int64. Names are never opened as paths.

    In this order: the name is the whole uri; the end of one uri, whole folders; one uri is the end of the name, the
    longest such. Names are paths, relative or absolute, also with `\\`, or uris themselves (`shard.tar#a.jpg`).
    `beneath` is a folder that they are relative to: only whole uris count then. Without extensions, names are those
    of YOLO's label files: the image lies in `images` where they lie in `labels`, or beside them.
    """
    known = uris if has_extensions else pc.replace_substring_regex(uris, _ENDING.pattern, "")
    found = np.full(len(names), MISSING, np.int64)
    index = _Index(known)
    for reading in _readings(has_extensions):
        waiting = np.flatnonzero(found == MISSING)
        if not len(waiting):
            break
        wanted = _read_as(reading, names.take(pa.array(waiting)))
        if beneath:
            prefix = uri_from_path(beneath).strip("/") + "/"
            found[waiting] = index.whole(pc.binary_join_element_wise(prefix, wanted, ""))
        else:
            found[waiting] = _by_ends(wanted, known, index)
    return found


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


def _by_ends(wanted: pa.Array, known: pa.Array, index: _Index) -> NDArray[np.int64]:
    found = index.whole(wanted)
    parts = pc.add(pc.count_substring(wanted, "/"), 1).fill_null(0).to_numpy(zero_copy_only=False)
    for count in np.unique(parts[found == MISSING]):
        here = np.flatnonzero((found == MISSING) & (parts == count))
        if 0 < count <= _MOST_PARTS and len(here):
            found[here] = _Index(_ends(known, int(count))).whole(wanted.take(pa.array(here)))
    for dropped in range(1, int(min(parts.max(initial=0), _MOST_PARTS))):
        here = np.flatnonzero((found == MISSING) & (parts > dropped))
        if not len(here):
            break
        shorter = [text.split("/", dropped)[-1] for text in wanted.take(pa.array(here)).to_pylist()]
        found[here] = index.whole(pa.array(shorter, pa.string()))
    return found


def _ends(uris: pa.Array, parts: int) -> pa.Array:
    """The last folders and the name of each uri; null where it has fewer, or they are not all in one place."""
    pattern = r"(?:^|[/#])(?P<end>" + r"[^/#]+/" * (parts - 1) + r"[^/#]+)$"
    return pc.struct_field(pc.extract_regex(uris, pattern), [0])


def _readings(has_extensions: bool) -> Iterator[Callable[[str], str]]:
    """What a name may mean, likeliest first."""
    if has_extensions:
        yield lambda name: uri_from_path(_path(name))
        yield lambda name: uri_from_path(_path(name.replace("\\", "/")))
        yield lambda name: name  # a uri itself
    else:  # uris already: they were made of the paths of label files
        yield lambda name: _beside_labels(_path(name), "images")
        yield _path
        yield lambda name: _beside_labels(_path(name), "")


def _read_as(reading: Callable[[str], str], names: pa.Array) -> pa.Array:
    texts = (reading(name) for name in names.to_pylist())
    return pa.array([text or None for text in texts], pa.string())


def _path(name: str) -> str:
    """A path downwards: what leads up or to the root before it is left off."""
    plain = posixpath.normpath(name).lstrip("/")
    while plain.startswith("../"):
        plain = plain[3:]
    return "" if plain in (".", "..") else plain


def _beside_labels(path: str, folder: str) -> str:
    """The path with its last folder `labels` called otherwise, or with what lies in it alone."""
    parts = path.split("/")
    if "labels" not in parts[:-1]:
        return ""
    at = len(parts) - 2 - parts[:-1][::-1].index("labels")
    return "/".join([*parts[:at], folder, *parts[at + 1 :]] if folder else parts[at + 1 :])
