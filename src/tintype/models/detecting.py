"""From a detector's outputs to boxes with a class and a confidence, as its card says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.card import Card, Detection
from tintype.models.card_file import read_lines
from tintype.models.preparing import Size, prepared_size, window


@dataclass(frozen=True)
class Found:
    """The boxes of an image, the likeliest first: `classes` int64 (k,), `confidence` float32 (k,) of 0 to 1, and
    `boxes` float64 (k, 4): x and y of the upper left corner, width and height, as shares of the image and within it."""

    classes: NDArray[np.int64]
    confidence: NDArray[np.float32]
    boxes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, rows: Any) -> Found:
        return Found(self.classes[rows], self.confidence[rows], self.boxes[rows])


def detection_of(card: Card) -> Detection:
    """How the card's outputs become boxes. Raises ModelError for a card that is no detector's."""
    if card.detection is None:
        raise ModelError(f"card {card.name} ({card.task}) does not say how its outputs become boxes")
    return card.detection


def class_names(card: Card) -> tuple[str, ...]:
    """The names of a detector's classes by number; empty where nobody names them. Raises ModelError."""
    detection = detection_of(card)
    if detection.labels is None:
        return ()
    names = read_lines(card, detection.labels)
    scores = card.output(detection.scores)
    if detection.classes is None and detection.boxes != detection.scores:
        classes = scores.shape[-1] - (detection.background is not None)
        if len(names) != classes:
            raise ModelError(
                f"card {card.name}: {detection.labels.name} has {len(names)} lines for {classes} classes of "
                f"{scores.name}"
            )
    return names


def found(card: Card, made: Mapping[str, NDArray[Any]], size: Size, min_confidence: float, most: int) -> Found:
    """The boxes of one image of this (width, height), from what the model gives for it, each output without the batch.

    Boxes below `min_confidence`, with numbers that are not finite, or wholly outside of the image are left out. Of
    equally likely ones the model's order is kept.
    """
    detection = detection_of(card)
    raw, scores, numbers = _parts(detection, made)
    query, classes, confidence = _picked(detection, scores, numbers)
    boxes = _in_shares(detection, raw[query], card, size)
    with np.errstate(invalid="ignore"):
        is_kept = (confidence >= min_confidence) & (boxes[:, 2:] > 0).all(axis=1)
    is_kept &= np.isfinite(raw[query, :4]).all(axis=1)
    kept = np.flatnonzero(is_kept)
    kept = kept[np.argsort(-confidence[kept], kind="stable")]
    all_of_it = Found(classes[kept], confidence[kept].astype(np.float32), boxes[kept])
    if detection.overlap is not None:
        all_of_it = all_of_it[_without_overlaps(all_of_it, detection.overlap, most)]
    return all_of_it[:most]


def _parts(
    detection: Detection, made: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64] | None]:
    """Boxes (queries, 4), scores (queries, classes) or (queries,), and class numbers (queries,) where they are said."""
    boxes = made[detection.boxes].astype(np.float64)
    if detection.rows == "last":
        boxes = boxes.T
    if detection.boxes != detection.scores:
        numbers = None if detection.classes is None else made[detection.classes].round().astype(np.int64)
        return boxes, made[detection.scores].astype(np.float64), numbers
    if detection.classes is not None:
        return boxes[:, :4], boxes[:, 4], boxes[:, 5].round().astype(np.int64)
    return boxes[:, :4], boxes[:, 4:], None


def _picked(
    detection: Detection, scores: NDArray[np.float64], numbers: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The query, class and confidence of each candidate."""
    confidence = _confidence(detection, scores)
    queries = np.arange(len(scores))
    if numbers is not None:
        return queries, numbers, confidence
    if detection.background is not None:
        confidence = confidence[:, :-1] if detection.background == "last" else confidence[:, 1:]
    if detection.pick == "best":
        classes = confidence.argmax(axis=1)
        query, confidence = queries, np.take_along_axis(confidence, classes[:, None], axis=1)[:, 0]
    else:
        query, classes = (part.ravel() for part in np.indices(confidence.shape))
        confidence = confidence.ravel()
    if detection.most is not None and detection.most < len(confidence):
        likeliest = np.sort(np.argsort(-confidence, kind="stable")[: detection.most])
        query, classes, confidence = query[likeliest], classes[likeliest], confidence[likeliest]
    return query, classes, confidence


def _confidence(detection: Detection, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if detection.scoring == "probabilities":
        return scores
    with np.errstate(over="ignore", invalid="ignore"):
        if detection.scoring == "sigmoid":
            shares: NDArray[np.float64] = 1 / (1 + np.exp(-scores))
            return shares
        raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def _in_shares(detection: Detection, raw: NDArray[np.float64], card: Card, size: Size) -> NDArray[np.float64]:
    """x, y, width and height as shares of the image, cut to what lies in it."""
    first, second = raw[:, :2], raw[:, 2:4]
    with np.errstate(over="ignore", invalid="ignore"):
        if detection.form == "center":
            low, high = first - second / 2, first + second / 2
        elif detection.form == "corners":
            low, high = first, second
        else:
            low, high = first, first + second
        scale = np.array(prepared_size(size, card.pixels) if detection.unit == "share" else (1, 1), np.float64)
        left, top, width, height = window(size, card.pixels)
        corners = [(side * scale - (left, top)) / (width, height) for side in (low, high)]
        low, high = (np.clip(side, 0, 1) for side in corners)
        return np.concatenate([low, high - low], axis=1)


def _without_overlaps(boxes: Found, overlap: float, most: int) -> list[int]:
    """The rows that stay, the likeliest first."""
    kept: list[int] = []
    for row in range(len(boxes)):
        rivals = [other for other in kept if boxes.classes[other] == boxes.classes[row]]
        if not rivals or overlaps(boxes.boxes[row], boxes.boxes[rivals]).max() <= overlap:
            kept.append(row)
            if len(kept) == most:
                break
    return kept


def overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of a box (4,) with each of others (k, 4), as x, y, width and height."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    both = np.clip(high - low, 0, None).prod(axis=1)
    either = box[2] * box[3] + others[:, 2] * others[:, 3] - both
    shares: NDArray[np.float64] = both / np.maximum(either, np.finfo(np.float64).tiny)
    return shares
