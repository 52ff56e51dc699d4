"""From a file's own color to sRGB: ICC profiles, CMYK, gray."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageCms

from tintype.codec.image import Pixels
from tintype.codec.verdicts import message_of

_LARGEST_PROFILE = 16_000_000  # bytes; printers' profiles have 2 to 4 MB
_SAME_COLOR = 3  # of 255; a profile that moves no color further than this is sRGB under another name
_CHANNELS = {"RGB": 3, "GRAY": 1, "CMYK": 4}
_PILLOW_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


@dataclass(frozen=True)
class _Conversion:
    """What a profile asks for. `transform` is None where nothing is to be done; `note` says why it failed."""

    channels: int
    mode: str
    transform: ImageCms.ImageCmsTransform | None
    note: str | None = None


def to_srgb(pixels: Pixels, profile: bytes | None) -> tuple[Pixels, str | None]:
    """The pixels as (h, w, 3) uint8 sRGB, and a note where the profile could not be used.

    `pixels` is (h, w) gray, (h, w, 3) RGB or (h, w, 4) CMYK with 255 as full ink. Profiles are applied with
    the perceptual intent; broken ones are ignored, as browsers do.
    """
    conversion = _conversion(profile) if profile else None
    if conversion is None or conversion.transform is None:
        return _without_profile(pixels), conversion.note if conversion else None
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1 and conversion.channels == 3:
        pixels = _without_profile(pixels)
    elif channels != conversion.channels:
        return _without_profile(pixels), "the color profile is for another kind of image and was ignored"
    return _transformed(pixels, conversion.mode, conversion.transform), None


def _without_profile(pixels: Pixels) -> Pixels:
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB))
    return _from_ink(pixels) if pixels.shape[2] == 4 else pixels


def _from_ink(cmyk: Pixels) -> Pixels:
    """RGB of CMYK without a profile: what each ink leaves of the light, (1 - ink) × (1 - black)."""
    light = 255 - cmyk.astype(np.uint16)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def _transformed(pixels: Pixels, mode: str, transform: ImageCms.ImageCmsTransform) -> Pixels:
    return np.asarray(transform.apply(PillowImage.fromarray(np.ascontiguousarray(pixels), mode)))


@lru_cache(maxsize=32)
def _conversion(profile: bytes) -> _Conversion:
    """The transform to sRGB, made once for each profile: that costs more than applying it to a thumbnail."""
    if len(profile) > _LARGEST_PROFILE:
        return _unusable("larger than 16 MB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space not in _CHANNELS:
            return _unusable(f"of the color space {space}")
        mode = _PILLOW_MODES[space]
        transform = ImageCms.buildTransform(source, _srgb(), mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        return _unusable(message_of(error))
    return _Conversion(_CHANNELS[space], mode, None if _changes_nothing(mode, transform) else transform)


def _unusable(why: str) -> _Conversion:
    return _Conversion(0, "", None, f"the color profile is broken and was ignored ({why})")


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(mode: str, transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the profile is sRGB: no color of a 9 × 9 × 9 grid moves."""
    if mode == "CMYK":
        return False
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    if mode == "L":
        grid: NDArray[np.uint8] = np.arange(256, dtype=np.uint8)[None]  # (1, 256)
    else:
        grid = np.array(list(itertools.product(steps, repeat=3)), np.uint8)[None]  # (1, 729, 3)
    moved = _transformed(grid, mode, transform).astype(np.int16) - _without_profile(grid)
    return bool(np.abs(moved).max() <= _SAME_COLOR)
