"""From Pillow's modes to plain 8-bit gray, RGB or CMYK: palettes, alpha over white, 16 bits, floats."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageCms

from tintype.codec.image import Pixels

_BAND = 2_000_000  # pixels converted at a time
_DEEP = frozenset(("I", "F", "I;16", "I;16L", "I;16B", "I;16N"))


def flatten(image: PillowImage.Image, side_px: int, white: float | None = None) -> Pixels:
    """(h, w) gray, (h, w, 3) RGB or (h, w, 4) CMYK of a decoded image, uint8, alpha laid over white.

    `white` is the value of samples deeper than 8 bits that stands for white; None stretches what is there
    to the whole range, except that floats within 0 to 1 are taken as they are. Images of four times `side_px`
    and more are averaged down to about twice that in bands, so that no second copy at full size is held.
    """
    width, height = image.size
    black, white = _range(image, white) if image.mode in _DEEP else (0.0, 255.0)
    block = max(1, max(width, height) // (2 * side_px)) if max(width, height) >= 4 * side_px else 1
    block = min(block, width, height)
    if block == 1:
        return _band(image, black, white)
    rows = max(1, _BAND // (width * block)) * block
    bands = []
    for top in range(0, height - height % block, rows):
        bottom = min(top + rows, height - height % block)
        band = _band(image.crop((0, top, width - width % block, bottom)), black, white)
        size = band.shape[1] // block, band.shape[0] // block
        bands.append(cv2.resize(band, size, interpolation=cv2.INTER_AREA))
    return np.concatenate(bands)


def _band(image: PillowImage.Image, black: float, white: float) -> Pixels:
    if image.mode in _DEEP:
        return _to_8_bits(np.asarray(image), black, white)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    if image.mode == "LAB":
        image = _from_lab(image)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    return np.asarray(image)


def over_white(pixels: Pixels) -> Pixels:
    """(h, w, 2) gray or (h, w, 4) RGB whose last channel is alpha, laid over white: (h, w) or (h, w, 3)."""
    color, alpha = pixels[..., :-1].astype(np.uint16), pixels[..., -1:].astype(np.uint16)
    flat = ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return flat[..., 0] if flat.shape[2] == 1 else flat


def _on_white(image: PillowImage.Image) -> Pixels:
    opaque = PillowImage.new("RGB", image.size, (255, 255, 255))
    opaque.paste(image, mask=image)
    return np.asarray(opaque)


def _from_lab(image: PillowImage.Image) -> PillowImage.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned: PillowImage.Image = ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply(image)
    return turned


def _range(image: PillowImage.Image, white: float | None) -> tuple[float, float]:
    """The values that become 0 and 255."""
    if white is not None:
        return 0.0, white
    if image.mode.startswith("I;16"):
        return 0.0, 65_535.0
    width, height = image.size
    low, high = np.inf, -np.inf
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        samples = np.asarray(image.crop((0, top, width, min(top + rows, height))))
        finite = samples[np.isfinite(samples)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:  # no number at all
        return 0.0, 1.0
    if image.mode == "F" and low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1)


def _to_8_bits(samples: NDArray[np.generic], black: float, white: float) -> Pixels:
    scaled = np.nan_to_num(samples.astype(np.float64), nan=black, posinf=white, neginf=black)
    eight_bits: Pixels = np.clip((scaled - black) * (255 / (white - black)) + 0.5, 0, 255).astype(np.uint8)
    return eight_bits
