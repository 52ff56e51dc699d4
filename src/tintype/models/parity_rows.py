"""What parity says of an engine, and what it needs for that, whatever the model gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tintype.codec.decode import decode
from tintype.codec.image import Image
from tintype.codec.limits import Limits
from tintype.models.card import Card

OTHERS_IN = 100
"""One image in so many, and one at least, may get another first class or answer: two can be equally likely."""

PREPARATION = "preparation"
_SHARED_PX = 320  # longer side of what the built-in stages share


@dataclass(frozen=True)
class Row:
    """One engine, or the preparation of images alone, against the reference.

    `cosine_mean` and `cosine_worst` are of the vectors of an image, over all outputs that are vectors the lesser;
    `top1_agreement` is the share of images with the same first class or, where a model answers in boxes or words, with
    the same answer, 0 to 1. Each is None where the card has no such output. `per_s` counts images (or texts) a second,
    of the forward pass alone or of the preparation alone.
    """

    name: str
    cosine_mean: float | None
    cosine_worst: float | None
    top1_agreement: float | None
    per_s: float | None
    is_usable: bool
    reason: str = ""


@dataclass(frozen=True)
class Parity:
    """`reference` says what was compared with; `left_out` images could not be read."""

    card: Card
    reference: str
    count: int
    left_out: int
    rows: tuple[Row, ...]


def decoded(card: Card, data: bytes) -> Image:
    """An image as a scan decodes it for the card. Raises ImageError."""
    if card.pixels.fit == "shared square":
        return decode(data, side_px=_SHARED_PX, limits=Limits())
    return decode(data, shorter_px=card.pixels.least_shorter_px, limits=Limits())


def too_many(agreement: float, count: int) -> bool:
    """Whether more images get another class or answer than may."""
    return round((1 - agreement) * count) > max(1, count // OTHERS_IN)


def per_second(work: Callable[[slice], object], parts: Sequence[slice], seconds: float) -> float:
    """Images a second, part after part and from the start again until the time is up; all was worked on once before."""
    start, count = time.perf_counter(), 0
    while True:
        for part in parts:
            work(part)
            count += part.stop - part.start
            spent = time.perf_counter() - start
            if spent >= seconds:
                return float(count / spent)
