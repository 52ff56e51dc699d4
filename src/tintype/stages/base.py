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
from tintype.core.errors import ModelError
from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.preparing import prepared

SHARED_SIDE_PX = 320
"""Longer side of the view that the built-in stages share: thumbnails are it, small squares are made from it."""

_LEAST_SCALING = 1.3  # where detail is measured, images are not scaled by less


@dataclass(frozen=True)
class Bytes:
    """The stage reads the encoded bytes of each image (`batch.data`), no pixels."""


@dataclass(frozen=True)
class Pixels:
    """The stage reads pixels whose longer side is at least `side_px` (less only where the image is smaller)."""

    side_px: int


@dataclass(frozen=True)
class Model:
    """The stage runs a model (`batch.runner`).

    Over squares of the shared views (`batch.rgb`) where its card says so; otherwise it has images of its own, decoded
    for it alone: `batch.images`, scaled down by no more than its card allows, for `batch.prepared()`.
    """

    card: Card
    beside: tuple[Card, ...] = ()  # models that the stage uses as well
    backend: str = ""  # the engine that the planner settled on (`models.engines.Engine`); "" for the card's default
    thumbnails: int = 0  # the number (`_stage_thumbnail`) of the thumbnails that it sees; 0 for the images themselves

    @property
    def is_shared(self) -> bool:
        """Whether the views that all built-in stages share are what it takes."""
        return self.card.pixels.fit == "shared square"

    @property
    def side_px(self) -> int:
        """Longer side of the pixels that are decoded; with images of its own, the shorter one."""
        return SHARED_SIDE_PX if self.is_shared else self.card.pixels.least_shorter_px


Needs = Bytes | Pixels | Model

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


@dataclass(frozen=True)
class CardStage:
    """Stages that differ in their model alone, named `NAME:CARD`; `make(card)` is the one of a card."""

    name: str
    settings: type
    make: Callable[[Card], Stage]


@dataclass
class Batch:
    """Decoded images, held once, with views that are made once and shared by all stages.

    `data[i]` are the encoded bytes of image i and `images[i]` its decoded pixels (longer side at least the
    largest `Pixels.side_px` of the stages that run, or full size). Views are read-only, and a turned or mirrored
    image has exactly the turned or mirrored views.
    """

    data: Sequence[bytes]
    images: Sequence[Image]
    runner: Runner | None = None  # of the card that the stage needs, while it computes
    _views: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice) -> Batch:
        return Batch(self.data[rows], self.images[rows], self.runner)

    def fitted(self, side_px: int) -> list[NDArray[np.uint8]]:
        """Each image scaled down to a longer side of `side_px`: (h, w, 3) uint8 sRGB; smaller ones as they are."""
        views: list[NDArray[np.uint8]] = self._view("fitted", side_px, self._fit)
        return views

    def detail_luma(self, side_px: int) -> list[NDArray[np.uint8]]:
        """Each image in gray, for measures of fine detail: (h, w) uint8, luma of ITU-R BT.601.

        As `fitted`, but up to 1.3 times `side_px` remain where the last step would scale by less: a factor so close
        to one blurs (decisions/0009-quality-measures.md).
        """
        views: list[NDArray[np.uint8]] = self._view("detail_luma", side_px, self._detail_luma)
        return views

    def prepared(self) -> NDArray[np.uint8]:
        """All images as the runner's card takes them: uint8 (n, height, width, 3). Raises ModelError without one."""
        if self.runner is None:
            raise ModelError("a stage that needs a model was run without one")
        sizes = [(image.width, image.height) for image in self.images]
        return prepared([image.rgb for image in self.images], self.runner.info.card.pixels, sizes)

    def rgb(self, side_px: int) -> NDArray[np.uint8]:
        """All images squeezed to squares: (n, side_px, side_px, 3) uint8 sRGB, upright."""
        squares: NDArray[np.uint8] = self._view("rgb", side_px, self._squeeze)
        return squares

    def luma(self, side_px: int) -> NDArray[np.uint8]:
        """All images squeezed to gray squares: (n, side_px, side_px) uint8, luma of ITU-R BT.601."""
        squares: NDArray[np.uint8] = self._view("luma", side_px, self._squeeze_luma)
        return squares

    def _view(self, kind: str, side_px: int, make: Callable[[int], Any]) -> Any:
        key = (kind, side_px)
        if key not in self._views:
            self._views[key] = make(side_px)
        return self._views[key]

    def _halved(self, side_px: int) -> list[NDArray[np.uint8]]:
        """Each image halved until its longer side is at most twice `side_px`: one step more sees every pixel."""
        # Small views come from the shared one whether or not it was asked for, so that a value never depends on
        # which other stages run.
        small = 2 * side_px <= SHARED_SIDE_PX
        views = self.fitted(SHARED_SIDE_PX) if small else [image.rgb for image in self.images]
        return [_halved_to(view, 2 * side_px) for view in views]

    def _fit(self, side_px: int) -> list[NDArray[np.uint8]]:
        # The size follows from the image itself: halving rounds, and three times over that could bend its shape.
        halved = self._view("halved", side_px, self._halved)
        return [_shrunk(view, image.rgb.shape, side_px) for view, image in zip(halved, self.images, strict=True)]

    def _detail_luma(self, side_px: int) -> list[NDArray[np.uint8]]:
        pairs = zip(self._view("halved", side_px, self._halved), self.fitted(side_px), strict=True)
        chosen = (halved if max(halved.shape) <= _LEAST_SCALING * side_px else fitted for halved, fitted in pairs)
        return [_frozen(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)) for view in chosen]

    def _squeeze(self, side_px: int) -> NDArray[np.uint8]:
        squares = np.empty((len(self), side_px, side_px, 3), np.uint8)
        # Two and a half times the side, which keeps exact means below, as far as the shared view goes.
        source_px = min(5 * side_px // 2, SHARED_SIDE_PX) if 2 * side_px <= SHARED_SIDE_PX else 5 * side_px // 2
        for square, view in zip(squares, self.fitted(source_px), strict=True):
            double = _resized(view, (2 * side_px, 2 * side_px))
            cv2.resize(double, (side_px, side_px), dst=square, interpolation=cv2.INTER_AREA)  # exact means of 2x2
        return _frozen(squares)

    def _squeeze_luma(self, side_px: int) -> NDArray[np.uint8]:
        squares = self.rgb(side_px)
        if len(squares) == 0:  # OpenCV refuses arrays without pixels
            return _frozen(np.empty(squares.shape[:3], np.uint8))
        strip = squares.reshape(-1, side_px, 3)  # all squares one above the other
        return _frozen(cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).reshape(squares.shape[:3]))


def _frozen(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pixels.flags.writeable = False
    return pixels


def _halved_to(rgb: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The image halved until its longer side is at most `side_px`; the image itself where it is no larger."""
    while max(rgb.shape[:2]) > side_px:
        height, width = rgb.shape[:2]
        rgb = _frozen(_resized(rgb, ((width + 1) // 2, (height + 1) // 2)))
    return rgb


def _shrunk(rgb: NDArray[np.uint8], shape: tuple[int, ...], side_px: int) -> NDArray[np.uint8]:
    """The image with a longer side of `side_px`, shaped as the (height, width) of `shape`; itself if no larger."""
    height, width = shape[:2]
    longer = max(height, width)
    if longer <= side_px:
        return rgb
    size = (max(1, round(width * side_px / longer)), max(1, round(height * side_px / longer)))
    return rgb if size == rgb.shape[1::-1] else _frozen(_resized(rgb, size))


def _resized(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The image in `size` (width, height); a mirrored or turned image gives exactly the mirrored or turned result.

    OpenCV's bit-exact bilinear resizing keeps that law and takes a quarter of the time of its area resizing, which
    breaks it (decisions/0010-perceptual-hash.md).
    """
    pixels: NDArray[np.uint8] = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR_EXACT)
    return pixels
