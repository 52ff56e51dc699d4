"""Decoded images to the pixels that a model takes, as the library that trained it prepares them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

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


Size = tuple[int, int]  # width and height


def prepared(images: Sequence[Pixels], wanted: PixelInput, sizes: Sequence[Size] | None = None) -> Pixels:
    """Images (h, w, 3) uint8 sRGB of any size as one uint8 array (n, wanted.height, wanted.width, 3).

    With the fit "whole" the array is as high and wide as their `prepared_size`, which must be that of all.

    `sizes` are the (width, height) of images that their decoder scaled, as their files have them: libraries round
    sizes and offsets of those, and a pixel more or less moves a whole crop. Scaling and cropping are one step of
    Pillow's, over the part of the image that is seen: the same sampling grid as scaling the whole and then cropping, so
    the same pixels, for less work.
    """
    known = sizes if sizes is not None else [(rgb.shape[1], rgb.shape[0]) for rgb in images]
    shapes = {prepared_size(size, wanted) for size in known} or {(wanted.width, wanted.height)}
    if len(shapes) > 1:
        raise ValueError("images of one shape are prepared together")
    ((width, height),) = shapes
    made = np.empty((len(images), height, width, 3), np.uint8)
    for place, rgb, size in zip(made, images, known, strict=True):
        _FITS[wanted.fit](rgb, wanted, place, size)
    return made


def prepared_size(size: Size, wanted: PixelInput) -> Size:
    """(width, height) of what `prepared` makes of an image of this size."""
    return whole_size(size, wanted) if wanted.fit == "whole" else (wanted.width, wanted.height)


def whole_size(size: Size, wanted: PixelInput) -> Size:
    """(width, height) of an image that keeps its shape, rounded as transformers' processors do it.

    With `sides` "down" as those of DETR: the shorter side is rounded, the longer one cut. Otherwise both are rounded,
    as those of SAM and ViLT have it. No side is less than `multiple_of`.
    """
    shorter, longer = min(size), max(size)
    most = wanted.longer_px
    if wanted.sides == "down":
        aim = wanted.shorter_px or 0.0
        if most is not None and longer / shorter * aim > most:
            aim = most * shorter / longer
        is_left = round(aim) == shorter and (wanted.multiple_of == 1 or size[1] <= size[0])  # YOLOS scales upright ones
        sides = [shorter, longer] if is_left else [round(aim), int(aim * longer / shorter)]
    else:
        scale = (wanted.shorter_px or float("inf")) / shorter
        scale = scale if most is None or longer * scale <= most else most / longer
        sides = [int(side * scale + 0.5) for side in (shorter, longer)]
    step = wanted.multiple_of
    short, long = (max(side // step, 1) * step for side in sides)
    return (short, long) if size[0] < size[1] else (long, short)


def enlarged(size: Size, wanted: PixelInput) -> float:
    """How many pixels `prepared` makes of one of an image of this size, along the side where these are most."""
    if wanted.fit == "crop":
        return (wanted.shorter_px or min(wanted.width, wanted.height)) / min(size)
    if wanted.fit == "letterbox":
        return min(wanted.width / size[0], wanted.height / size[1])
    if wanted.fit == "pad":
        return max(wanted.width, wanted.height) / max(size)
    width, height = prepared_size(size, wanted)
    return max(width / size[0], height / size[1])


def window(size: Size, wanted: PixelInput) -> tuple[float, float, float, float]:
    """Where an image of this size lies in what was prepared of it: left, top, width and height, in px.

    A cropped image begins before the left or upper edge, and is larger than what is seen of it.
    """
    if wanted.fit == "letterbox":
        left, top, width, height = _letterbox(size, wanted)
        return float(left), float(top), float(width), float(height)
    if wanted.fit == "crop":
        scaled, offset = _crop(size, wanted)
        return -offset[0], -offset[1], scaled[0], scaled[1]
    width, height = prepared_size(size, wanted)
    return 0.0, 0.0, float(width), float(height)


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


def _squeezed(rgb: Pixels, wanted: PixelInput, place: Pixels, size: Size) -> None:
    place[:] = _scaled(rgb, size, (0, 0, *size), (place.shape[1], place.shape[0]), wanted)


def _cropped(rgb: Pixels, wanted: PixelInput, place: Pixels, size: Size) -> None:
    """The center of the image scaled so that its shorter side is `shorter_px`."""
    scaled, offset = _crop(size, wanted)
    steps = size[0] / scaled[0], size[1] / scaled[1]
    left, top = offset[0] * steps[0], offset[1] * steps[1]
    box = left, top, left + wanted.width * steps[0], top + wanted.height * steps[1]
    place[:] = _scaled(rgb, size, box, (wanted.width, wanted.height), wanted)


def _crop(size: Size, wanted: PixelInput) -> tuple[list[float], list[float]]:
    """The size that the image is scaled to, and where in it the crop begins.

    With `whole_pixels` the longer side is rounded down, and half an offset to the even number as torchvision does it,
    or down as transformers does it.
    """
    shorter = wanted.shorter_px or min(wanted.width, wanted.height)
    scaled = [side * shorter / min(size) for side in size]
    if wanted.whole_pixels:
        scaled = [float(int(side)) for side in scaled]
    offset = [(have - want) / 2 for have, want in zip(scaled, (wanted.width, wanted.height), strict=True)]
    if wanted.whole_pixels:
        offset = [float(floor(start) if wanted.round_down else round(start)) for start in offset]
    return scaled, offset


def _letterboxed(rgb: Pixels, wanted: PixelInput, place: Pixels, size: Size) -> None:
    left, top, width, height = _letterbox(size, wanted)
    place[:] = np.array(wanted.pad, np.uint8)
    place[top : top + height, left : left + width] = _scaled(rgb, size, (0, 0, *size), (width, height), wanted)


def _letterbox(size: Size, wanted: PixelInput) -> tuple[int, int, int, int]:
    """Left, top, width and height of the image in what is filled up."""
    scale = min(wanted.width / size[0], wanted.height / size[1])
    width, height = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return (wanted.width - width) // 2, (wanted.height - height) // 2, width, height


def _padded(rgb: Pixels, wanted: PixelInput, place: Pixels, size: Size) -> None:
    """The image in the middle of a square of its longer side, scaled; half an offset of a pixel is rounded down."""
    height, width = rgb.shape[:2]
    side, factors = max(size), _factors((width, height), size)
    starts = [(side - length) // 2 * factor for length, factor in zip(size, factors, strict=True)]
    left, top = (ceil(start) for start in starts)
    before = left - starts[0], top - starts[1]  # a part of a pixel, where the decoder scaled
    box = (*before, before[0] + side * factors[0], before[1] + side * factors[1])
    square = Image.new("RGB", (ceil(box[2]), ceil(box[3])), wanted.pad)
    square.paste(Image.fromarray(rgb), (left, top))
    place[:] = np.asarray(square.resize((wanted.width, wanted.height), _FILTERS[wanted.filter], box=box))


def _shared(rgb: Pixels, wanted: PixelInput, place: Pixels, size: Size) -> None:
    """Stages take these squares from their batch; here they are made as nearly for an image that has no batch."""
    cv2.resize(rgb, (wanted.width, wanted.height), dst=place, interpolation=cv2.INTER_AREA)


def _scaled(rgb: Pixels, size: Size, box: tuple[float, float, float, float], to: Size, wanted: PixelInput) -> Pixels:
    """What lies in `box` (left, top, right, bottom in the file's pixels), in the size `to`."""
    height, width = rgb.shape[:2]
    across, down = _factors((width, height), size)
    left, right = (min(max(0.0, side * across), float(width)) for side in (box[0], box[2]))
    top, bottom = (min(max(0.0, side * down), float(height)) for side in (box[1], box[3]))
    made = Image.fromarray(rgb).resize(to, _FILTERS[wanted.filter], box=(left, top, right, bottom))
    return np.asarray(made)


def _factors(given: Size, size: Size) -> tuple[float, float]:
    """By how much a decoder scaled an image of `size`, across and down.

    JPEG decoders scale by eighths and round sides up: the last pixel is part of one, which for the others is a shift.
    """
    for eighths in range(8, 0, -1):
        if given == tuple(ceil(side * eighths / 8) for side in size):
            return eighths / 8, eighths / 8
    return given[0] / size[0], given[1] / size[1]


_FITS = {
    "squeeze": _squeezed,
    "whole": _squeezed,
    "crop": _cropped,
    "letterbox": _letterboxed,
    "pad": _padded,
    "shared square": _shared,
}
