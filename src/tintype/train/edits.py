"""Random edits of pictures, as people and programs make them: what a copy-detection network learns to see through.

Every edit draws its own strength from a continuous range, and chains of edits are drawn at random, so that a network
meets no setting twice. The same generator gives the same edits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(height, width, 3) uint8 sRGB."""

Edit = Callable[[Picture, Generator, Sequence[Picture]], Picture]
"""Gives a changed copy; the third argument are other pictures, to paste onto it. No argument is written to."""

_LEAST_SIDE_PX = 24  # nothing is shrunk or cropped below this
_LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 !?.,#@"


def compressed(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Stored as a JPEG of quality 8 to 95."""
    quality = int(random.triangular(8, 30, 95))
    file = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return _picture(cv2.cvtColor(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB))


def scaled(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Shrunk to a quarter to all of its sides, by one of several filters."""
    factor = random.uniform(0.25, 1)
    filters = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
    return _resized(picture, factor, factor, filters[random.choice(4, p=(0.5, 0.2, 0.2, 0.1))])


def stretched(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Squeezed along one side to 55 to 95 %."""
    factor = random.uniform(0.55, 0.95)
    return _resized(picture, factor, 1) if random.random() < 0.5 else _resized(picture, 1, factor)


def cropped(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """A part of 25 to 98 % of the area, anywhere, its shape up to a third narrower or lower than the picture's."""
    height, width = picture.shape[:2]
    share, bend = random.uniform(0.25, 0.98), np.exp(random.uniform(-0.4, 0.4))
    high = int(np.clip(np.sqrt(share * bend) * height, min(_LEAST_SIDE_PX, height), height))
    wide = int(np.clip(np.sqrt(share / bend) * width, min(_LEAST_SIDE_PX, width), width))
    top, left = random.integers(0, height - high + 1), random.integers(0, width - wide + 1)
    return picture[top : top + high, left : left + wide]


def mirrored(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Left and right exchanged; one in five upside down instead."""
    return _picture(picture[::-1] if random.random() < 0.2 else picture[:, ::-1])


def turned(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Turned by one, two or three quarters."""
    return _picture(np.rot90(picture, int(random.integers(1, 4))))


def tilted(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Turned by 1 to 25 degrees: with filled corners, or cut to what has none."""
    height, width = picture.shape[:2]
    degrees = random.uniform(1, 25) * random.choice((-1, 1))
    whole = random.random() < 0.5
    cos, sin = np.cos(np.radians(abs(degrees))), np.sin(np.radians(abs(degrees)))
    # Scaled so that the whole picture fits between the borders, or so that the borders stay outside.
    if whole:
        scale = 1 / max(cos + sin * height / width, cos + sin * width / height)
    else:
        scale = max(cos + sin * height / width, cos + sin * width / height)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    return _picture(cv2.warpAffine(picture, matrix, (width, height), **_beyond(random)))


def toned(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Brightness, contrast and gamma changed, to clipping at the ends."""
    levels = np.arange(256) / 255
    gamma, contrast = np.exp(random.uniform(-0.7, 0.7)), np.exp(random.uniform(-0.6, 0.6))
    tones = (levels**gamma - 0.5) * contrast + 0.5 + random.uniform(-0.25, 0.25)
    return _looked_up(picture, tones * 255)


def recolored(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Saturation 0 to 2, the hue turned a little (one in four: anywhere), the channels weighed."""
    turn = random.uniform(-180, 180) if random.random() < 0.25 else random.uniform(-20, 20)
    saturation, gains = random.uniform(0, 2), np.exp(random.uniform(-0.25, 0.25, 3))
    return _mixed(picture, _hue_matrix(turn, saturation) * gains[:, None])


def grayed(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Without color; half of the time in another tint, as old prints are."""
    gray = np.tile([0.299, 0.587, 0.114], (3, 1))
    tint = random.uniform(0.7, 1.15, 3) if random.random() < 0.5 else np.ones(3)
    return _mixed(picture, gray * tint[:, None])


def blurred(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Gaussian blur of 0.2 to 1.5 % of the longer side."""
    sigma = random.uniform(0.002, 0.015) * max(picture.shape[:2])
    return _picture(cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.3)))


def sharpened(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Unsharp mask with an amount of 0.5 to 3."""
    amount, soft = random.uniform(0.5, 3), cv2.GaussianBlur(picture, (0, 0), random.uniform(0.6, 2.5))
    return _picture(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0))


def noised(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Gaussian noise of 4 to 35 levels, colored or gray."""
    height, width = picture.shape[:2]
    noise = random.standard_normal((height, width, int(random.choice((1, 3)))), np.float32) * random.uniform(4, 35)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def framed(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """An even border of 2 to 25 % of the sides around it, or bars along two sides."""
    height, width = picture.shape[:2]
    share = random.uniform(0.02, 0.25)
    high, wide = int(height * share), int(width * share)
    if random.random() < 0.4:
        high, wide = (high, 0) if random.random() < 0.5 else (0, wide)
    return _picture(cv2.copyMakeBorder(picture, high, high, wide, wide, cv2.BORDER_CONSTANT, value=_color(random)))


def captioned(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """A bar of 8 to 30 % of the height above or below (half of the time on the picture itself), with words."""
    height, width = picture.shape[:2]
    high = max(8, int(height * random.uniform(0.08, 0.3)))
    bar = np.empty((high, width, 3), np.uint8)
    bar[:] = _color(random)
    _write(bar, random, int(random.integers(1, 3)), (0.2, 0.7))
    above, inside = random.random() < 0.4, random.random() < 0.5 and high < height
    rest = (picture[high:] if above else picture[:-high]) if inside else picture
    return np.concatenate([bar, rest] if above else [rest, bar])


def written(picture: Picture, random: Generator, _: Sequence[Picture]) -> Picture:
    """Small words, 3 to 8 % of the height, half transparent: once, or again and again across the picture."""
    over = picture.copy()
    _write(over, random, int(random.choice((1, 2, 12))), (0.03, 0.08))
    weight = random.uniform(0.3, 1)
    return _picture(cv2.addWeighted(over, weight, picture, 1 - weight, 0))


def covered(picture: Picture, random: Generator, others: Sequence[Picture]) -> Picture:
    """One to three patches of up to a seventh of the area each: even, or other pictures; some shine through."""
    changed = picture.copy()
    height, width = picture.shape[:2]
    for _ in range(int(random.integers(1, 4))):
        high, wide = (int(side * random.uniform(0.08, 0.38)) + 1 for side in (height, width))
        top, left = random.integers(0, height - high + 1), random.integers(0, width - wide + 1)
        patch = np.empty((high, wide, 3), np.uint8)
        patch[:] = _color(random)
        if others and random.random() < 0.5:
            patch = _fitted(_one_of(others, random), wide, high)
        place = changed[top : top + high, left : left + wide]
        weight = random.uniform(0.4, 1)
        place[:] = cv2.addWeighted(patch, weight, place, 1 - weight, 0)
    return changed


def paged(picture: Picture, random: Generator, others: Sequence[Picture]) -> Picture:
    """On an even page, of which it covers 30 to 80 %, with bars and lines of words beside it: a program's window."""
    height, width = picture.shape[:2]
    side = 1 / np.sqrt(random.uniform(0.3, 0.8))
    page = np.empty((int(height * side), int(width * side), 3), np.uint8)
    page[:] = _color(random)
    for _ in range(int(random.integers(0, 4))):
        page[: int(random.uniform(0.03, 0.2) * len(page))] = _color(random)
        page = _picture(page[::-1, ::-1])
    _write(page, random, int(random.integers(0, 9)), (0.02, 0.06))
    top, left = random.integers(0, len(page) - height + 1), random.integers(0, page.shape[1] - width + 1)
    page[top : top + height, left : left + width] = picture
    return page


EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        *(compressed, scaled, stretched, cropped, mirrored, turned, tilted, toned, recolored, grayed),
        *(blurred, sharpened, noised, framed, captioned, written, covered, paged),
    )
}
"""Every edit by its name."""

_WEIGHTS = {"cropped": 3.0, "compressed": 2.0, "mirrored": 2.5, "turned": 3.0, "recolored": 1.5, "paged": 1.5}
_CHAIN_LENGTHS = (0.35, 0.4, 0.25)  # how often one, two or three edits follow each other


def edited(picture: Picture, random: Generator, others: Sequence[Picture] = ()) -> Picture:
    """A copy after one to three different edits in random order."""
    names = list(EDITS)
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in names])
    length = int(random.choice(3, p=_CHAIN_LENGTHS)) + 1
    for chosen in random.choice(len(names), size=length, replace=False, p=weights / weights.sum()):
        picture = EDITS[names[chosen]](picture, random, others)
    return np.ascontiguousarray(picture)


def _picture(pixels: NDArray[np.uint8]) -> Picture:
    return pixels.copy()  # OpenCV takes no turned or mirrored views


def _color(random: Generator) -> tuple[int, int, int]:
    """Mostly black, white or gray, as borders are."""
    if random.random() < 0.7:
        level = int(random.choice((0, 255, int(random.integers(256))), p=(0.4, 0.4, 0.2)))
        return (level, level, level)
    red, green, blue = random.integers(0, 256, 3)
    return (int(red), int(green), int(blue))


def _beyond(random: Generator) -> dict[str, Any]:
    """What lies outside of a warped picture: one color, or the picture's edge drawn on."""
    if random.random() < 0.75:
        return {"borderMode": cv2.BORDER_CONSTANT, "borderValue": _color(random), "flags": cv2.INTER_LINEAR}
    return {"borderMode": cv2.BORDER_REPLICATE, "flags": cv2.INTER_LINEAR}


def _resized(picture: Picture, across: float, down: float, how: int = cv2.INTER_AREA) -> Picture:
    height, width = picture.shape[:2]
    wide = max(min(width, _LEAST_SIDE_PX), round(width * across))
    high = max(min(height, _LEAST_SIDE_PX), round(height * down))
    return _picture(cv2.resize(picture, (wide, high), interpolation=how))


def _fitted(picture: Picture, width: int, height: int) -> Picture:
    return _picture(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def _looked_up(picture: Picture, levels: NDArray[np.float64]) -> Picture:
    return _picture(cv2.LUT(picture, levels.clip(0, 255).astype(np.uint8)))


def _mixed(picture: Picture, matrix: NDArray[np.float64]) -> Picture:
    """Channels mixed by a (3, 3) matrix, clipped."""
    return _picture(cv2.transform(picture, matrix))


def _hue_matrix(degrees: float, saturation: float) -> NDArray[np.float64]:
    """(3, 3): turns colors about the gray axis and stretches them from it."""
    axis = np.full(3, 1 / np.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.eye(3) + np.sin(np.radians(degrees)) * cross + (1 - np.cos(np.radians(degrees))) * cross @ cross
    gray = np.full((3, 3), 1 / 3)
    matrix: NDArray[np.float64] = gray + saturation * (turn - gray)
    return matrix


def _one_of(others: Sequence[Picture], random: Generator) -> Picture:
    return others[int(random.integers(len(others)))]


def _write(canvas: Picture, random: Generator, lines: int, share: tuple[float, float]) -> None:
    """Draw lines of random letters into the canvas, as high as a `share` between two of its height."""
    height, width = canvas.shape[:2]
    for _ in range(lines):
        letters = "".join(random.choice(list(_LETTERS), int(random.integers(4, 24))))
        font = int(random.choice((cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)))
        size = random.uniform(*share) * height / 22  # the letters of size 1 are 22 px high
        place = (int(random.uniform(-0.1, 0.6) * width), int(random.uniform(0.2, 0.98) * height))
        cv2.putText(canvas, letters, place, font, size, _color(random), int(random.integers(1, 4)), cv2.LINE_AA)
