"""What a stage is, and the batch of decoded images that it works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.codec.image import Image
from tintype.core.columns import Column


@dataclass(frozen=True)
class Bytes:
    """The stage reads the encoded bytes of each image (`batch.data`), no pixels."""


@dataclass(frozen=True)
class Pixels:
    """The stage reads pixels whose longer side is at least `side_px` (less only where the image is smaller)."""

    side_px: int


Needs = Bytes | Pixels

StageOutput = Mapping[str, pa.Array]


@dataclass(frozen=True)
class Stage:
    """A pure function from images to columns, as a record: everything the engine needs is in view.

    `compute(batch, settings)` returns one Arrow array for each of `columns`, of that type, with one value an
    image in the batch's order. It must not depend on where a batch begins or ends, and must be a module-level
    function. A changed number means a new `version`: rows of an old one are computed again.
    """

    name: str
    version: int
    columns: tuple[Column, ...]
    needs: Needs
    settings: type
    compute: Callable[[Batch, Any], StageOutput]


@dataclass
class Batch:
    """Decoded images, held once, with views that are made once and shared by all stages.

    `data[i]` are the encoded bytes of image i and `images[i]` its decoded pixels (longer side at least the
    largest `Pixels.side_px` of the stages that run, or full size). Views are read-only.
    """

    data: Sequence[bytes]
    images: Sequence[Image]
    _views: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice) -> Batch:
        return Batch(self.data[rows], self.images[rows])

    def fitted(self, side_px: int) -> list[NDArray[np.uint8]]:
        """Each image scaled down so that its longer side is `side_px`: (h, w, 3) uint8 sRGB; smaller ones as they are."""
        return self._view("fitted", side_px, self._fit)

    def rgb(self, side_px: int) -> NDArray[np.uint8]:
        """All images squeezed to squares: (n, side_px, side_px, 3) uint8 sRGB, upright."""
        return self._view("rgb", side_px, self._squeeze)

    def luma(self, side_px: int) -> NDArray[np.uint8]:
        """All images squeezed to gray squares: (n, side_px, side_px) uint8, luma of ITU-R BT.601."""
        return self._view("luma", side_px, self._gray)

    def _view(self, kind: str, side_px: int, make: Callable[[int], Any]) -> Any:
        key = (kind, side_px)
        if key not in self._views:
            self._views[key] = make(side_px)
        return self._views[key]

    def _fit(self, side_px: int) -> list[NDArray[np.uint8]]:
        views = []
        for image in self.images:
            height, width = image.rgb.shape[:2]
            scale = side_px / max(height, width)
            if scale >= 1:
                views.append(image.rgb)
                continue
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            view = cv2.resize(image.rgb, size, interpolation=cv2.INTER_AREA)
            view.flags.writeable = False
            views.append(view)
        return views

    def _squeeze(self, side_px: int) -> NDArray[np.uint8]:
        squares = np.empty((len(self), side_px, side_px, 3), np.uint8)
        for square, image in zip(squares, self._smallest_above(side_px), strict=True):
            cv2.resize(image, (side_px, side_px), dst=square, interpolation=cv2.INTER_AREA)
        squares.flags.writeable = False
        return squares

    def _gray(self, side_px: int) -> NDArray[np.uint8]:
        squares = self.rgb(side_px)
        gray = np.empty(squares.shape[:3], np.uint8)
        for target, square in zip(gray, squares, strict=True):
            cv2.cvtColor(square, cv2.COLOR_RGB2GRAY, dst=target)
        gray.flags.writeable = False
        return gray

    def _smallest_above(self, side_px: int) -> list[NDArray[np.uint8]]:
        return [image.rgb for image in self.images]
