"""Decoded images to the pixels that a model takes, as the library that trained it prepares them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tintype.models.card import PixelInput

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

Pixels = NDArray[np.uint8]


def prepared(images: Sequence[Pixels], wanted: PixelInput) -> Pixels:
    """Images (h, w, 3) uint8 sRGB of any size as one uint8 array (n, wanted.height, wanted.width, 3).

    Scaling and cropping are one step of Pillow's, over the part of the image that is seen: the same sampling grid as
    scaling the whole and then cropping, so the same pixels, for less work.
    """
    made = np.empty((len(images), wanted.height, wanted.width, 3), np.uint8)
    for place, rgb in zip(made, images, strict=True):
        _FITS[wanted.fit](rgb, wanted, place)
    return made


def network_input(pixels: Pixels, wanted: PixelInput) -> NDArray[np.generic]:
    """What the network itself takes, from what `prepared` made: normalized, in its order, layout and dtype."""
    if wanted.dtype == "uint8":
        ordered: NDArray[np.generic] = pixels[..., ::-1] if wanted.order == "bgr" else pixels
        return np.ascontiguousarray(ordered.transpose(0, 3, 1, 2)) if wanted.layout == "NCHW" else ordered
    chosen = [2, 1, 0] if wanted.order == "bgr" else [0, 1, 2]
    scale = np.array([1 / wanted.std[channel] for channel in chosen], np.float32)
    shift = np.array([-wanted.mean[channel] / wanted.std[channel] for channel in chosen], np.float32)
    count, height, width, _ = pixels.shape
    if wanted.layout == "NHWC":
        made = np.multiply(pixels[..., chosen], scale, dtype=np.float32)
        made += shift
    else:
        made = np.empty((count, 3, height, width), np.float32)
        for at, channel in enumerate(chosen):
            np.multiply(pixels[..., channel], scale[at], out=made[:, at], dtype=np.float32)
            made[:, at] += shift[at]
    return made.astype(np.float16) if wanted.dtype == "float16" else made


def _squeezed(rgb: Pixels, wanted: PixelInput, place: Pixels) -> None:
    place[:] = _scaled(rgb, (wanted.width, wanted.height), (0, 0, rgb.shape[1], rgb.shape[0]), wanted)


def _cropped(rgb: Pixels, wanted: PixelInput, place: Pixels) -> None:
    """The center of the image scaled so that its shorter side is `shorter_px`.

    With `whole_pixels` sizes and offsets are rounded as torchvision rounds them: the longer side down, half an offset
    to the even.
    """
    height, width = rgb.shape[:2]
    shorter = wanted.shorter_px or min(wanted.width, wanted.height)
    scaled = [side * shorter / min(width, height) for side in (width, height)]
    if wanted.whole_pixels:
        scaled = [float(int(side)) for side in scaled]
    offset = [(have - want) / 2 for have, want in zip(scaled, (wanted.width, wanted.height), strict=True)]
    if wanted.whole_pixels:
        offset = [float(round(start)) for start in offset]
    steps = width / scaled[0], height / scaled[1]
    left, top = offset[0] * steps[0], offset[1] * steps[1]
    right, bottom = left + wanted.width * steps[0], top + wanted.height * steps[1]
    box = max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)
    place[:] = _scaled(rgb, (wanted.width, wanted.height), box, wanted)


def _letterboxed(rgb: Pixels, wanted: PixelInput, place: Pixels) -> None:
    height, width = rgb.shape[:2]
    scale = min(wanted.width / width, wanted.height / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    top, left = (wanted.height - size[1]) // 2, (wanted.width - size[0]) // 2
    place[:] = np.array(wanted.pad, np.uint8)
    place[top : top + size[1], left : left + size[0]] = _scaled(rgb, size, (0, 0, width, height), wanted)


def _shared(rgb: Pixels, wanted: PixelInput, place: Pixels) -> None:
    """Stages take these squares from their batch; here they are made as nearly for an image that has no batch."""
    cv2.resize(rgb, (wanted.width, wanted.height), dst=place, interpolation=cv2.INTER_AREA)


def _scaled(rgb: Pixels, size: tuple[int, int], box: tuple[float, float, float, float], wanted: PixelInput) -> Pixels:
    made = Image.fromarray(rgb).resize(size, _FILTERS[wanted.filter], box=box)
    return np.asarray(made)


_FITS = {"squeeze": _squeezed, "crop": _cropped, "letterbox": _letterboxed, "shared square": _shared}
