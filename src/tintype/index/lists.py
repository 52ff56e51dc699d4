"""An inverted file: vectors in lists by their nearest center, coded, in a mapped file of which a search reads some."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged
from tintype.index.choice import Design
from tintype.index.clusters import clusters
from tintype.index.faiss_library import library, one_thread
from tintype.index.record import Effort, Segment
from tintype.index.rows import ArrayWriter, damaged, mapped, write_array
from tintype.index.vectors import Halves, widened

SAMPLED = 48  # vectors a list, to learn from
_LEARNED_FROM = 1 << 22, 1 << 24  # numbers that quantizers learn from: 16,384 to 65,536 vectors of 256
_LEARNED_SHARE = 512  # of the memory in bytes, one number for so many
_AXES_FROM = 1 << 22  # numbers for principal axes
_CODE_WORDS = 256
_ROUNDS = 12  # of the product quantizer's k-means; twice as many lessen its error by 1 in 100
_SEED = 0
_ALIGNMENT = 8  # of row numbers in a file of lists


class Trained:
    """What is learned once and shared by all lists of an index: centers, and how the rest of a vector is coded.

    An inverted file with a flat quantizer (Jégou, Douze and Schmid, "Product quantization for nearest neighbor
    search", 2011). Lists keep the vectors as float16; or what is left of them without their center in 8 bits a
    number, or by a product quantizer after a rotation (Ge, He, Ke and Sun, "Optimized product quantization", 2013).
    """

    def __init__(self, design: Design, arrays: Mapping[str, NDArray[Any]]) -> None:
        """`arrays` as `learned` makes them."""
        self.design, self.arrays = design, arrays
        self.centers = np.ascontiguousarray(arrays["centers"], np.float32)
        self._rotation = arrays.get("rotation")
        self.index = _inverted_file(design, self.centers, arrays)
        self.code_bytes = int(self.index.code_size)

    @classmethod
    def learned(cls, sample: Halves, design: Design, memory_bytes: int) -> Trained:
        """From (s, d) vectors of unit length, always the same."""
        least, most = _LEARNED_FROM
        with one_thread():
            _, whole = clusters(sample, max(1, len(sample) // design.lists), _SEED)
            lengths = np.linalg.norm(whole, axis=1, keepdims=True)
            arrays: dict[str, NDArray[Any]] = {"centers": (whole / np.maximum(lengths, 1e-9)).astype(np.float32)}
            some = widened(_thinned(sample, max(least, min(most, memory_bytes // _LEARNED_SHARE))))
            if design.coding == "product":
                arrays["rotation"] = _rotation(_residuals(some, arrays["centers"]), design.subvectors)
                arrays["centers"] = _turned(arrays["centers"], arrays["rotation"])
                some = _turned(some, arrays["rotation"])
            arrays |= _quantizer(design, _residuals(some, arrays["centers"]))
        return cls(design, arrays)

    def prepared(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Vectors (n, d) as the lists see them: rotated where they are."""
        wide = widened(vectors)
        return wide if self._rotation is None else _turned(wide, self._rotation)

    def coded(self, halves: Halves) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The list of each of (n, d) vectors, (n,), and its code, (n, b)."""
        faiss = library()
        wide = self.prepared(halves)
        _, nearest = self.index.quantizer.search(wide, 1)
        label = np.ascontiguousarray(nearest[:, 0])
        codes = np.empty((len(wide), self.code_bytes), np.uint8)
        self.index.encode_vectors(len(wide), faiss.swig_ptr(wide), faiss.swig_ptr(label), faiss.swig_ptr(codes), False)
        return label, codes


def files_of(name: str) -> list[str]:
    """The files of a segment of lists."""
    return [f"{name}.lists.npy", f"{name}.sizes.npy"]


def write_lists(
    folder: Path, name: str, labels: NDArray[np.int64], codes: NDArray[np.uint8], first_row: int, count: int
) -> None:
    """Write the codes (n, b) of n rows from `first_row` on into `count` lists; in a list they stand by row."""
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels, minlength=count)
    ends = np.cumsum(sizes)
    with_room = ArrayWriter(folder / f"{name}.lists.npy", np.uint8, ())
    for end, size in zip(ends.tolist(), sizes.tolist(), strict=True):
        rows = order[end - size : end]
        _write_list(with_room, codes[rows], first_row + rows)
    with_room.close()
    write_array(folder / f"{name}.sizes.npy", sizes.astype(np.int64))


def merge(folder: Path, parts: Sequence[str], into: str, code_bytes: int) -> None:
    """Put the lists of parts, whose rows follow one another, together: list by list, in bounded memory."""
    sizes = [mapped(folder / f"{part}.sizes.npy") for part in parts]
    files = [(folder / f"{part}.lists.npy").open("rb") for part in parts]
    merged = ArrayWriter(folder / f"{into}.lists.npy", np.uint8, ())
    try:
        for file in files:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
        for number in range(len(sizes[0])):
            taken = [_read_list(file, int(own[number]), code_bytes) for file, own in zip(files, sizes, strict=True)]
            _write_list(merged, np.concatenate([codes for codes, _ in taken]), np.concatenate([r for _, r in taken]))
        merged.close()
    finally:
        for file in files:
            file.close()
    write_array(folder / f"{into}.sizes.npy", np.stack(sizes).sum(axis=0))


class Lists:
    """The lists of one segment, mapped."""

    def __init__(self, folder: Path, segment: Segment, trained: Trained, first_row: int) -> None:
        """Raises CollectionDamaged where sizes do not fit the file: nothing outside of it may be read."""
        path = folder / f"{segment.name}.lists.npy"
        sizes = mapped(folder / f"{segment.name}.sizes.npy")
        area = mapped(path)
        room = _rooms(sizes, trained.code_bytes)
        spans = room * (trained.code_bytes + 8)
        fits = sizes.shape == (len(trained.centers),) and sizes.dtype == np.int64 and (sizes >= 0).all()
        if not fits or sizes.sum() != segment.rows or area.dtype != np.uint8 or int(spans.sum()) != area.size:
            raise damaged(path)
        begin = path.stat().st_size - area.size
        # FAISS only points at the lists.
        self._index, self._lists = _over(path, begin, sizes, room, spans, trained)
        self._trained, self._range = trained, (first_row, first_row + segment.rows)
        self.count = len(sizes)

    def search(
        self, queries: NDArray[np.float16], k: int, effort: Effort, selector: Any
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k best of (q, d) queries by their codes: rows (q, k), -1 where there are fewer, and scores."""
        faiss = library()
        chosen = faiss.SearchParametersIVF(sel=selector, nprobe=min(effort.probes, self.count))
        scores, rows = self._index.search(self._trained.prepared(queries), k, params=chosen)
        if ((rows >= 0) & ((rows < self._range[0]) | (rows >= self._range[1]))).any():
            raise CollectionDamaged("the index", "a list names a row that there is not", "Build it again")
        return rows, scores


def _over(
    path: Path,
    begin: int,
    sizes: NDArray[np.int64],
    room: NDArray[np.int64],
    spans: NDArray[np.int64],
    trained: Trained,
) -> tuple[Any, Any]:
    """An index of FAISS's over the lists in a file that begin at a byte, and these lists."""
    faiss = library()
    lists = faiss.OnDiskInvertedLists()
    lists.nlist, lists.code_size = len(sizes), trained.code_bytes
    lists.filename, lists.read_only, lists.prefetch_nthread = os.fspath(path), True, 0
    lists.totsize = begin + int(spans.sum())
    offsets = begin + np.cumsum(spans) - spans
    table = np.ascontiguousarray(np.stack([sizes, room, offsets], axis=1).astype(np.uint64))  # size, capacity, offset
    lists.lists.resize(len(sizes))
    faiss.memcpy(lists.lists.data(), faiss.swig_ptr(table), table.nbytes)
    if spans.sum():
        lists.do_mmap()
    index = _inverted_file(trained.design, trained.centers, trained.arrays)
    index.replace_invlists(lists, False)
    index.ntotal = int(sizes.sum())
    return index, lists


def _inverted_file(design: Design, centers: NDArray[np.float32], arrays: Mapping[str, NDArray[Any]]) -> Any:
    faiss = library()
    count, width = centers.shape
    quantizer = faiss.IndexFlatIP(width)
    quantizer.add(centers)
    if design.coding == "product":
        index = faiss.IndexIVFPQ(quantizer, width, count, design.subvectors, 8, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(np.ascontiguousarray(arrays["codebooks"]), index.pq.centroids)
    else:
        is_wide = design.coding == "float16"
        kind = faiss.ScalarQuantizer.QT_fp16 if is_wide else faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, width, count, kind, faiss.METRIC_INNER_PRODUCT, not is_wide, False
        )
        faiss.copy_array_to_vector(np.ascontiguousarray(arrays["ranges"]), index.sq.trained)
    index.is_trained = True
    index.own_fields = True
    quantizer.this.disown()
    return index


def _quantizer(design: Design, residuals: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    faiss = library()
    width = residuals.shape[1]
    if design.coding == "product":
        product = faiss.ProductQuantizer(width, design.subvectors, 8)
        product.cp.seed, product.cp.max_points_per_centroid, product.cp.niter = _SEED + 1, 256, _ROUNDS
        product.cp.min_points_per_centroid = 1
        if len(residuals) < _CODE_WORDS:  # few are taken several times
            residuals = np.resize(residuals, (_CODE_WORDS, width))
        product.train(residuals)
        return {"codebooks": faiss.vector_to_array(product.centroids)}
    if design.coding == "int8":
        scalar = faiss.ScalarQuantizer(width, faiss.ScalarQuantizer.QT_8bit)
        scalar.train(residuals)
        return {"ranges": faiss.vector_to_array(scalar.trained)}
    return {"ranges": np.empty(0, np.float32)}


def _rotation(residuals: NDArray[np.float32], subvectors: int) -> NDArray[np.float32]:
    """(e, d): turns vectors so that parts of equal width vary equally much; zeros fill up to a multiple of them.

    The closed form of Ge and others: principal axes, the widest first, each given to the part whose axes have the
    smallest product so far. The iterated form took a minute here and coded with a third more error.
    """
    dimensions = residuals.shape[1]
    part_width = -(-dimensions // subvectors)
    some = _thinned(residuals, _AXES_FROM).astype(np.float64)
    some -= some.mean(axis=0)
    variance, axes = np.linalg.eigh(some.T @ some / len(some))
    width = np.log(np.maximum(variance, 1e-12))
    parts: list[list[int]] = [[] for _ in range(subvectors)]
    widths = np.zeros(subvectors)
    for axis in np.argsort(-variance, kind="stable").tolist():
        part = int(widths.argmin())
        parts[part].append(axis)
        widths[part] = np.inf if len(parts[part]) == part_width else widths[part] + width[axis] - width.min()
    turn = np.zeros((subvectors, part_width, dimensions), np.float32)
    for number, members in enumerate(parts):
        turn[number, : len(members)] = axes[:, members].T
    return turn.reshape(-1, dimensions)


def _thinned(vectors: NDArray[Any], numbers: int) -> NDArray[Any]:
    """Evenly spread ones of (n, d) vectors, so that they are at most so many numbers."""
    return np.ascontiguousarray(vectors[:: -(-vectors.size // numbers)])


def _turned(vectors: NDArray[np.float32], rotation: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(vectors @ rotation.T)


def _residuals(vectors: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.float32]:
    faiss = library()
    quantizer = faiss.IndexFlatIP(centers.shape[1])
    quantizer.add(centers)
    _, label = quantizer.search(np.ascontiguousarray(vectors), 1)
    return np.ascontiguousarray(vectors - centers[label[:, 0]])


def _rooms(sizes: NDArray[np.int64], code_bytes: int) -> NDArray[np.int64]:
    """How many codes each list has room for: so many that row numbers and the next list begin at whole words."""
    unit = _ALIGNMENT // int(np.gcd(_ALIGNMENT, code_bytes))
    return -(-sizes // unit) * unit


def _write_list(file: ArrayWriter, codes: NDArray[np.uint8], rows: NDArray[np.int64]) -> None:
    """Codes, then row numbers, each filled up with zeros."""
    room = int(_rooms(np.array([len(rows)]), codes.shape[1])[0])
    whole = np.zeros(room * (codes.shape[1] + 8), np.uint8)
    whole[: codes.size] = codes.reshape(-1)
    begin = room * codes.shape[1]
    whole[begin : begin + 8 * len(rows)] = np.ascontiguousarray(rows, "<i8").view(np.uint8)
    file.add(whole)


def _read_list(file: Any, size: int, code_bytes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    room = int(_rooms(np.array([size]), code_bytes)[0])
    data = file.read(room * (code_bytes + 8))
    codes = np.frombuffer(data, np.uint8, size * code_bytes).reshape(size, code_bytes)
    return codes, np.frombuffer(data, "<i8", size, room * code_bytes)
