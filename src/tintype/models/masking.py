"""Masks of a model that is asked about places (SAM): where it is asked, and what its answers are in the image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.models.card import Card
from tintype.models.detecting import overlaps
from tintype.models.preparing import Size, prepared_size

MASKS, CONFIDENCE, STABILITY = "masks", "confidence", "stability"
"""Outputs of such a model: (masks, side, side) logits of the whole input, filled up to a square; how well the model
takes each mask to fit, about 0 to 1; and how little the mask changes with its threshold, 0 to 1."""

_AT_ONCE = 1 << 22  # pixels of a mask that are made together


@dataclass(frozen=True)
class Mask:
    """What is covered of an image: `box` is x, y, width and height as shares of it, `rle` COCO's compressed run lengths
    of all its pixels, and `area` the share that is covered."""

    confidence: float
    stability: float
    box: tuple[float, float, float, float]
    area: float
    rle: str


def grid_of(size: Size, card: Card, side: int) -> NDArray[np.float32]:
    """(1, side * side, 4): points in the middle of equal cells, in px of what is prepared of an image of this size."""
    width, height = prepared_size(size, card.pixels)
    down, across = np.meshgrid(*((np.arange(side) + 0.5) / side * extent for extent in (height, width)), indexing="ij")
    points = np.stack([across, down], axis=-1).reshape(-1, 2)
    return np.concatenate([points, points], axis=1)[None].astype(np.float32)


def whole_of(size: Size, card: Card) -> NDArray[np.float32]:
    """(1, 1, 4): a box around all that is prepared of an image of this size."""
    width, height = prepared_size(size, card.pixels)
    return np.array([[[0, 0, width, height]]], np.float32)


def masks_of(
    card: Card,
    made: Mapping[str, NDArray[Any]],
    size: Size,
    *,
    min_confidence: float,
    min_stability: float,
    overlap: float,
    most: int,
) -> list[Mask]:
    """The masks of one image, the surest first, from what the model gives for it, each output without the batch.

    Of masks whose boxes overlap by more than `overlap` the surest stays, and empty ones are left out.
    """
    logits, confidence, stability = (made[name] for name in (MASKS, CONFIDENCE, STABILITY))
    width, height = prepared_size(size, card.pixels)
    sure = np.clip(confidence.astype(np.float64), 0, 1)  # models say a little more, too
    good = np.flatnonzero((sure >= min_confidence) & (stability >= min_stability))
    kept: list[int] = []
    boxes: list[NDArray[np.float64]] = []
    for row in good[np.argsort(-confidence[good], kind="stable")].tolist():
        box = _box(logits[row], (width, height), card)
        if box is None or (boxes and overlaps(box, np.array(boxes)).max() > overlap):
            continue
        kept.append(row)
        boxes.append(box)
        if len(kept) == most:
            break
    found = (_mask(logits[row], float(sure[row]), float(stability[row]), (width, height), size, card) for row in kept)
    return [mask for mask in found if mask is not None]


def _box(logits: NDArray[np.float32], shown: Size, card: Card) -> NDArray[np.float64] | None:
    """Around the mask, as the model has it: x, y, width and height as shares of the image; None for an empty mask."""
    scale = logits.shape[0] / card.pixels.width
    down, across = np.nonzero(logits[: max(1, round(shown[1] * scale)), : max(1, round(shown[0] * scale))] > 0)
    if not len(down):
        return None
    low = np.array([across.min(), down.min()])
    high = np.array([across.max() + 1, down.max() + 1])
    box: NDArray[np.float64] = np.concatenate([low, high - low]) / scale / np.array([*shown, *shown], np.float64)
    return box


def _mask(
    logits: NDArray[np.float32], confidence: float, stability: float, shown: Size, size: Size, card: Card
) -> Mask | None:
    """The mask in the image's own pixels; None where not one of them is covered."""
    runs = _Runs()
    low, high = np.array(size, np.float64), np.zeros(2)
    first = 0
    for part in _in_pixels(logits, shown, size, card):
        runs.add(part)
        across, down = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
        if len(across):
            low = np.minimum(low, (across[0] + first, down[0]))
            high = np.maximum(high, (across[-1] + first + 1, down[-1] + 1))
        first += len(part)
    counts = runs.counts()
    covered = sum(counts[1::2])
    if not covered:
        return None
    x, y, width, height = (float(side) for side in np.concatenate([low, high - low]) / np.array([*size, *size]))
    return Mask(confidence, stability, (x, y, width, height), covered / (size[0] * size[1]), compressed(counts))


def _in_pixels(logits: NDArray[np.float32], shown: Size, size: Size, card: Card) -> Iterator[NDArray[np.bool_]]:
    """What is covered of an image of `size`: its columns (columns, height), from left to right.

    As the model's library has it: scaled up to the model's input, cut to what the image fills of it, and scaled to the
    image, each time bilinearly. The last step across is done here, some columns at a time.
    """
    whole = cv2.resize(logits, (card.pixels.width, card.pixels.height), interpolation=cv2.INTER_LINEAR)
    tall = cv2.resize(whole[: shown[1], : shown[0]], (shown[0], size[1]), interpolation=cv2.INTER_LINEAR)
    columns = np.ascontiguousarray(tall.T)
    is_covered: NDArray[np.bool_] = np.any(columns > 0, axis=1)
    step = max(1, _AT_ONCE // size[1])
    for start in range(0, size[0], step):
        wanted = np.arange(start, min(start + step, size[0]))
        place = np.clip((wanted + 0.5) * (shown[0] / size[0]) - 0.5, 0, shown[0] - 1)
        left = np.floor(place).astype(np.intp)
        right = np.minimum(left + 1, shown[0] - 1)
        made = np.zeros((len(wanted), size[1]), bool)
        some = np.flatnonzero(is_covered[left] | is_covered[right])  # between uncovered columns nothing is covered
        share = (place - left).astype(np.float32)[some, None]
        made[some] = columns[left[some]] * (1 - share) + columns[right[some]] * share > 0
        yield made


class _Runs:
    """Lengths of runs of equal pixels, column by column, of parts that follow each other; the first is of uncovered
    ones, and may be 0."""

    def __init__(self) -> None:
        self._counts: list[int] = [0]
        self._is_covered = False

    def add(self, part: NDArray[np.bool_]) -> None:
        """Columns (columns, height) that follow."""
        pixels = part.ravel()
        if not len(pixels):
            return
        edges = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
        lengths = np.diff(edges, prepend=0, append=len(pixels)).tolist()
        if bool(pixels[0]) == self._is_covered:
            self._counts[-1] += lengths.pop(0)
        self._counts += lengths
        self._is_covered = bool(pixels[-1])

    def counts(self) -> list[int]:
        return self._counts


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """COCO's uncompressed run lengths of a mask (height, width): by columns, the first of uncovered pixels."""
    runs = _Runs()
    runs.add(mask.T)
    return runs.counts()


def compressed(counts: list[int]) -> str:
    """COCO's compressed run lengths, as pycocotools writes them.

    Each number (from the fourth on, what it differs from the last but one) is cut into groups of five bits, the lowest
    first; a sixth bit says that more follow; and each group is a character, from "0" on.
    """
    made = bytearray()
    for place, count in enumerate(counts):
        rest = count - counts[place - 2] if place > 2 else count
        while True:
            bits, rest = rest & 0x1F, rest >> 5
            is_last = rest == (-1 if bits & 0x10 else 0)
            made.append((bits if is_last else bits | 0x20) + 48)
            if is_last:
                break
    return made.decode("ascii")


def decompressed(rle: str) -> list[int]:
    """The run lengths of a compressed text. Raises ValueError for one that is none."""
    counts: list[int] = []
    value = shift = 0
    for character in rle.encode("ascii"):
        group = character - 48
        if not 0 <= group < 64:
            raise ValueError(f"not run lengths: {rle[:20]!r}")
        value |= (group & 0x1F) << shift
        shift += 5
        if not group & 0x20:
            value -= (1 << shift) if group & 0x10 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift or any(count < 0 for count in counts):
        raise ValueError(f"not run lengths: {rle[:20]!r}")
    return counts


def mask_of(rle: str, size: Size) -> NDArray[np.bool_]:
    """The mask (height, width) of compressed run lengths, for an image of this (width, height). Raises ValueError."""
    counts = decompressed(rle)
    if sum(counts) != size[0] * size[1]:
        raise ValueError(f"run lengths of {sum(counts):,} pixels are not those of {size[0]} x {size[1]}")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(size[1], size[0], order="F")
