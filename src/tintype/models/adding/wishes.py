"""What whoever adds a model may say about it, where its files do not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tintype.models.card import Filter

Levels = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Each is None where nothing was said. Only `name`, `license`, `trained_on` and `accept_license` are for models of
    every kind; `revision` is for the hub, `with_onnx` for what has safetensors, the rest for ONNX files.

    `size_px` is (width, height). `mean` and `std` are those of red, green and blue, in levels of 0 to 255. `boxes`,
    `unit`, `scores` and `overlap` are for detectors; they mean `form`, `unit`, `scoring` and `overlap` of
    `card.Detection`.
    """

    name: str | None = None
    license: str | None = None
    trained_on: str | None = None
    accept_license: bool = False
    revision: str | None = None
    with_onnx: bool = True
    task: Literal["embed image", "classify", "multi-label", "detect"] | None = None
    size_px: tuple[int, int] | None = None
    fit: Literal["crop", "squeeze", "letterbox"] | None = None
    shorter_px: float | None = None
    filter: Filter | None = None
    mean: Levels | None = None
    std: Levels | None = None
    order: Literal["rgb", "bgr"] | None = None
    labels: Path | None = None
    boxes: Literal["center", "corners", "corner and size"] | None = None
    unit: Literal["share", "px"] | None = None
    scores: Literal["softmax", "sigmoid", "probabilities"] | None = None
    overlap: float | None = None
