"""Vectors of pictures by an ONNX descriptor, straight from its file: what an index or a finder is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.edits import Pixels
from benchmarks.measure import ROOT
from tintype.models.backends.onnx_runtime import onnxruntime

BUILT_IN = ROOT / "src" / "tintype" / "models" / "cards" / "descriptor.onnx"
BATCH_IMAGES = 64

Floats = NDArray[np.float32]


class Descriptor:
    """A model of one of two kinds, answering with vectors of unit length.

    It takes `pixels` uint8 (n, side, side, 3) and has the outputs `descriptor` (n, d) and perhaps `regions`
    (n, r, d); or it takes, as the models of the test data do, `image` float32 (n, 3, side, side) from -1 to 1 and
    has the output `features` (n, d). Pictures are squeezed into squares. `side` says how large where the model
    leaves it open.
    """

    def __init__(self, model: Path, side: int | None = None) -> None:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 2
        self._session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
        (self._entry,) = self._session.get_inputs()
        self.side = side or next(size for size in self._entry.shape[1:] if isinstance(size, int) and size > 3)
        outputs = {output.name for output in self._session.get_outputs()}
        self._wanted = [name for name in ("descriptor", "features", "regions") if name in outputs]

    def squeezed(self, rgb: Pixels) -> Pixels:
        return np.asarray(cv2.resize(rgb, (self.side, self.side), interpolation=cv2.INTER_AREA), np.uint8)

    def vectors(self, pictures: Iterable[Pixels]) -> tuple[Floats, Floats | None]:
        """(n, d), and (n, r, d) where the model describes regions."""
        coming = (self.squeezed(rgb) for rgb in pictures)
        parts = []
        while some := list(islice(coming, BATCH_IMAGES)):
            parts.append(self._run(some))
        columns = [unit(np.concatenate(column)) for column in zip(*parts, strict=True)]
        return columns[0], columns[1] if len(columns) > 1 else None

    def _run(self, squares: Sequence[Pixels]) -> list[Floats]:
        pixels: NDArray[Any] = np.stack(squares)
        if self._entry.name != "pixels":
            pixels = ((pixels.astype(np.float32) - 128) / 128).transpose(0, 3, 1, 2)
        answer: list[Floats] = self._session.run(self._wanted, {self._entry.name: pixels})
        return answer


def unit(vectors: Floats) -> Floats:
    """Scaled to unit length along the last axis."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
