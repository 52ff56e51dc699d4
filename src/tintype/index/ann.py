"""The index that compares with some: FAISS's inverted lists, on clusters that are the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tintype.index import files
from tintype.index.base import Hits, Index, Vectors
from tintype.index.checks import checked_addition, checked_queries, of_kind
from tintype.index.clusters import clusters
from tintype.index.measure import Recall, Truth
from tintype.index.storage import Kind
from tintype.index.vectors import Halves, widened

KIND = "ann"
WANTED_RECALL = 0.95
_LEAST_GAIN = 0.002  # of twice as many probes; below it what is missed is lost in the rounding to 8 bits
_LEAST_SIZE = 256
_SEED = 0
_BLOCK_ROWS = 65_536


class AnnIndex:
    """An inverted file with a flat quantizer (Jégou, Douze and Schmid, "Product quantization for nearest neighbor
    search", 2011), its vectors as float16 or in 8 bits a number.

    Clusters are found in what is added first; how many of them a search looks into is chosen anew with every
    addition, so that the measured recall is 0.95 or more where that is to be had.
    """

    def __init__(self, dimensions: int, storage: Kind = "float16") -> None:
        self._dimensions, self._storage = dimensions, storage
        self._ids = np.empty(0, np.int64)
        self._faiss: Any = None  # made of the first vectors
        self._truth: Truth | None = None
        self._recall = Recall(1.0, 0, 0)

    def add(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Add (n, d) vectors of unit length under new ids (n,), 0 or more. Raises ValueError."""
        halves = checked_addition(self._ids, ids, vectors, self._dimensions)
        if not len(ids):
            return
        if self._faiss is None:
            self._faiss = self._trained(halves)
        for start in range(0, len(ids), _BLOCK_ROWS):
            part = slice(start, start + _BLOCK_ROWS)
            self._faiss.add_with_ids(widened(halves[part]), ids[part])
        self._ids = np.concatenate([self._ids, ids])
        self._truth = (self._truth or Truth.sampled(ids, halves)).seeing(ids, halves)
        self._choose_probes(self._truth)

    def search(self, queries: Vectors, k: int) -> Hits:
        """The k nearest that are found for each of (q, d) vectors of unit length. Raises ValueError."""
        return self._search(checked_queries(queries, k, self._dimensions), k)

    @property
    def recall(self) -> Recall:
        """Of the vectors as they were given: what is lost to 8 bits counts as well."""
        return self._recall

    def save(self, place: Path) -> None:
        """Write the index into one file, atomically. Raises StorageFull or OSError."""
        facts: dict[str, Any] = {"kind": KIND, "storage": self._storage, "dimensions": self._dimensions}
        facts |= {"recall": asdict(self._recall), "probes": 0 if self._faiss is None else self._faiss.nprobe}
        arrays = {"ids": self._ids}
        if self._faiss is not None and self._truth is not None:
            arrays |= _arrays(self._faiss) | self._truth.arrays
        files.write(place, facts, arrays)

    @classmethod
    def load(cls, place: Path) -> Self:
        """Raises CollectionDamaged for a file that is not whole, or is another kind of index."""
        facts, arrays = files.read(place)
        of_kind(place, facts, KIND)
        return cls.of(facts, arrays)

    @classmethod
    def of(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The index whose file holds these facts and arrays."""
        index = cls(facts["dimensions"], facts["storage"])
        index._ids = arrays["ids"]
        if "centers" in arrays:
            index._faiss = _from_arrays(arrays, index._storage)
            index._faiss.nprobe = facts["probes"]
            index._truth = Truth.of(arrays)
            index._recall = Recall(**facts["recall"])
        return index

    def __len__(self) -> int:
        return len(self._ids)

    def _trained(self, halves: Halves) -> Any:
        size = max(_LEAST_SIZE, int(0.75 * len(halves) ** 0.5))
        _, centers = clusters(halves, size, _SEED)
        lengths = np.linalg.norm(centers, axis=1, keepdims=True)
        made = _inverted_file((centers / lengths).astype(np.float32), self._storage)
        # What is learned are the ranges of the 8 bits. Numbers of later vectors may lie further out than those of the
        # first few, but of numbers whose squares add up to 1 hardly any is above three times their mean.
        usual = np.full((1, self._dimensions), min(1.0, 3 / self._dimensions**0.5), np.float32)
        made.train(np.concatenate([widened(halves[:: 1 + len(halves) // _BLOCK_ROWS]), usual, -usual]))
        return made

    def _choose_probes(self, truth: Truth) -> None:
        """Twice as many until the recall is what is wanted, or it no longer grows."""
        probes, before = 1, -1.0
        while True:
            self._faiss.nprobe = probes
            self._recall = truth.recall(self._search)
            share = self._recall.share
            if share >= WANTED_RECALL or probes >= self._faiss.nlist or (probes > 8 and share < before + _LEAST_GAIN):
                return
            probes, before = min(2 * probes, self._faiss.nlist), share

    def _search(self, queries: Halves, k: int) -> Hits:
        if self._faiss is None:
            return Hits(np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -2, np.float32))
        similarity, ids = self._faiss.search(widened(queries), k)
        similarity[ids < 0] = -2
        order = np.lexsort((ids, -similarity))
        return Hits(np.take_along_axis(ids, order, 1), np.take_along_axis(similarity, order, 1))


def _library() -> Any:
    import faiss  # takes a tenth of a second that few calls need to spend

    return faiss


def _inverted_file(centers: NDArray[np.float32], storage: Kind) -> Any:
    faiss = _library()

    dimensions = centers.shape[1]
    quantizer = faiss.IndexFlatIP(dimensions)
    quantizer.add(centers)
    kind = faiss.ScalarQuantizer.QT_fp16 if storage == "float16" else faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(quantizer, dimensions, len(centers), kind, faiss.METRIC_INNER_PRODUCT, False)
    index.own_fields = True
    quantizer.this.disown()
    return index


def _arrays(index: Any) -> dict[str, NDArray[Any]]:
    """The content of an inverted file as plain arrays, so that what is read is never more than numbers."""
    faiss = _library()

    lists = index.invlists
    sizes = [lists.list_size(number) for number in range(index.nlist)]
    codes = np.empty((sum(sizes), index.code_size), np.uint8)
    ids = np.empty(sum(sizes), np.int64)
    end = 0
    for number, size in enumerate(sizes):
        if size:
            flat = faiss.rev_swig_ptr(lists.get_codes(number), size * index.code_size)
            codes[end : end + size] = flat.reshape(size, -1)
            ids[end : end + size] = faiss.rev_swig_ptr(lists.get_ids(number), size)
        end += size
    return {
        "centers": index.quantizer.reconstruct_n(0, index.nlist),
        "ranges": faiss.vector_to_array(index.sq.trained),
        "sizes": np.array(sizes, np.int64),
        "codes": codes,
        "list_ids": ids,
    }


def _from_arrays(arrays: Mapping[str, NDArray[Any]], storage: Kind) -> Any:
    faiss = _library()

    index = _inverted_file(np.ascontiguousarray(arrays["centers"]), storage)
    faiss.copy_array_to_vector(np.ascontiguousarray(arrays["ranges"]), index.sq.trained)
    index.is_trained = True
    end = 0
    for number, size in enumerate(arrays["sizes"].tolist()):
        if size:
            ids = np.ascontiguousarray(arrays["list_ids"][end : end + size])
            codes = np.ascontiguousarray(arrays["codes"][end : end + size])
            index.invlists.add_entries(number, size, faiss.swig_ptr(ids), faiss.swig_ptr(codes))
        end += size
    index.ntotal = end
    return index


_: type[Index] = AnnIndex
