"""What people and programs do to photos: twenty kinds of copies, and the words that tell each one rightly.

`NAMED` are the ten kinds by which other programs were measured, `TUNED` ten more that bounds were chosen by. Kinds that
were held out stand in `seen_edits.py` once somebody has looked at them, those that still are in `held_out_edits.py`.
Training has edits of its own; none of these is used there.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps

Pixels = NDArray[np.uint8]  # (height, width, 3) RGB
Chance = np.random.Generator

JPEG_QUALITY = 90
GRAY_SPREAD = 8  # levels between the channels, up to which a pixel counts as gray
PAGE_COLOR, BAR_COLOR, INK = (245, 246, 248), (32, 74, 135), (40, 40, 40)
LOREM = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore"


@dataclass(frozen=True)
class Relation:
    """Which words tell what was done: one of each set of `must`, and besides only those of `may`.

    "re-encoded" may always stand beside others: every changed picture was encoded again.
    """

    must: tuple[frozenset[str], ...]
    may: frozenset[str] = frozenset()

    def fits(self, found: str) -> bool:
        """Whether a relation as Tintype writes it ("cropped + mirrored") tells this edit."""
        words = set(found.split(" + "))
        allowed = self.may.union({"re-encoded"}, *self.must)
        return words <= allowed and all(words & choice for choice in self.must)

    def __str__(self) -> str:
        return " + ".join("/".join(sorted(choice)) for choice in self.must)


@dataclass(frozen=True)
class Edit:
    """One kind of edit. `change` gets the photo, a generator, and where `needs_partner` another photo.

    `change` is None where the file itself is the copy.
    """

    name: str
    change: Callable[..., Pixels] | None
    relation: Relation
    save: Callable[[Pixels, Chance], tuple[bytes, str]]
    needs_partner: bool = False


@dataclass(frozen=True)
class Copy:
    """An edited photo as a file, and what a finder should say of it and its original."""

    data: bytes
    suffix: str
    relation: Relation


def copy_of(edit: Edit, data: bytes, suffix: str, chance: Chance, partner: bytes | None = None) -> Copy:
    """Edit an encoded photo; `partner` is another photo, for edits that put two into one."""
    if edit.change is None:
        return Copy(data, suffix, edit.relation)
    rgb = pixels_of(data)
    given = (rgb, chance, pixels_of(partner)) if edit.needs_partner and partner is not None else (rgb, chance)
    changed, ending = edit.save(edit.change(*given), chance)
    relation = edit.relation
    if edit.name == "gray_png" and np.ptp(rgb, axis=2).max() <= GRAY_SPREAD:  # nothing to take the color from
        relation = one_of("same pixels", "re-encoded", "gray")
    return Copy(changed, ending, relation)


def pixels_of(data: bytes) -> Pixels:
    """A picture as it is shown: sRGB, upright. A profile that got lost on the way would be a change of colors."""
    with Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened)
        profile = upright.info.get("icc_profile")
        if profile and upright.mode == "RGB":
            own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            return np.asarray(ImageCms.profileToProfile(upright, own, srgb))
        return np.asarray(upright.convert("RGB"))


def one_of(*words: str, also: Iterable[str] = ()) -> Relation:
    return Relation((frozenset(words),), frozenset(also))


def jpeg(quality: int) -> Callable[[Pixels, Chance], tuple[bytes, str]]:
    return lambda rgb, chance: (encoded(rgb, "JPEG", quality=quality), ".jpg")


def poor_jpeg(rgb: Pixels, chance: Chance) -> tuple[bytes, str]:
    return encoded(rgb, "JPEG", quality=int(chance.integers(28, 33))), ".jpg"


def gray_png(rgb: Pixels, chance: Chance) -> tuple[bytes, str]:
    out = io.BytesIO()
    Image.fromarray(rgb).convert("L").save(out, "PNG")
    return out.getvalue(), ".png"


def encoded(rgb: Pixels, form: str, **settings: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, form, **settings)
    return out.getvalue()


def unchanged(rgb: Pixels, chance: Chance) -> Pixels:
    return rgb


def half_size(rgb: Pixels, chance: Chance) -> Pixels:
    return scaled(rgb, 0.5)


def scaled(rgb: Pixels, across: float, down: float | None = None) -> Pixels:
    height, width = rgb.shape[:2]
    size = max(1, round(width * across)), max(1, round(height * (down or across)))
    smaller = size[0] * size[1] < width * height
    return resized(rgb, size, cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def resized(rgb: Pixels, size: tuple[int, int], interpolation: int = cv2.INTER_AREA) -> Pixels:
    return np.asarray(cv2.resize(rgb, size, interpolation=interpolation), np.uint8)


def crop(least: float, most: float) -> Callable[[Pixels, Chance], Pixels]:
    """Keep a share of each side, at a place by chance."""

    def cropped(rgb: Pixels, chance: Chance) -> Pixels:
        share = chance.uniform(least, most)
        height, width = rgb.shape[:2]
        high, wide = max(1, round(height * share)), max(1, round(width * share))
        top, left = chance.integers(0, height - high + 1), chance.integers(0, width - wide + 1)
        return rgb[top : top + high, left : left + wide]

    return cropped


def mirrored(rgb: Pixels, chance: Chance) -> Pixels:
    return np.ascontiguousarray(rgb[:, ::-1])


def turned_90(rgb: Pixels, chance: Chance) -> Pixels:
    return np.ascontiguousarray(np.rot90(rgb, int(chance.choice([1, 3]))))


def brightened(rgb: Pixels, chance: Chance) -> Pixels:
    return clipped(rgb * np.float32(chance.uniform(1.25, 1.5)))


def clipped(values: NDArray[np.floating[Any]]) -> Pixels:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)


def caption_bar(rgb: Pixels, chance: Chance) -> Pixels:
    """A bar of 14 % of the height with a line of text: below the picture, or over its lower edge."""
    height, width = rgb.shape[:2]
    bar = max(8, round(height * 0.14))
    below = chance.random() < 0.5
    canvas = Image.new("RGB", (width, height + bar * below), (0, 0, 0) if chance.random() < 0.5 else (255, 255, 255))
    canvas.paste(Image.fromarray(rgb), (0, 0))
    dark = chance.random() < 0.5
    draw = ImageDraw.Draw(canvas)
    top = canvas.height - bar
    draw.rectangle((0, top, width, canvas.height), fill=(0, 0, 0) if dark else (255, 255, 255))
    words = LOREM[int(chance.integers(0, 40)) :]
    draw.text(
        (width * 0.03, top + bar * 0.22), words, fill=(255, 255, 255) if dark else (0, 0, 0), font=font(bar * 0.5)
    )
    return np.asarray(canvas)


def font(size_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(6.0, size_px))


def tilted(rgb: Pixels, chance: Chance) -> Pixels:
    """Turned by 3 to 12 degrees, with black corners or cut to the largest rectangle within."""
    degrees = chance.uniform(3, 12) * chance.choice([-1, 1])
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turned = np.asarray(cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_CUBIC), np.uint8)
    if chance.random() < 0.5:
        return turned
    sine, cosine = abs(np.sin(np.radians(degrees))), np.cos(np.radians(degrees))
    share = min(height / (width * sine + height * cosine), width / (height * sine + width * cosine))
    high, wide = max(1, int(height * share)), max(1, int(width * share))
    top, left = (height - high) // 2, (width - wide) // 2
    return np.ascontiguousarray(turned[top : top + high, left : left + wide])


def framed(rgb: Pixels, chance: Chance) -> Pixels:
    """A plain border of 5 to 12 % of the longer side; half of them with a thin line inside."""
    border = round(max(rgb.shape[:2]) * chance.uniform(0.05, 0.12))
    color = [(255, 255, 255), (0, 0, 0), (230, 220, 200)][int(chance.integers(0, 3))]
    out = cv2.copyMakeBorder(rgb, border, border, border, border, cv2.BORDER_CONSTANT, value=color)
    if chance.random() < 0.5:
        inset = border // 2
        line = tuple(255 - channel for channel in color)
        cv2.rectangle(out, (inset, inset), (out.shape[1] - inset, out.shape[0] - inset), line, max(1, border // 12))
    return np.asarray(out, np.uint8)


def watermark(rgb: Pixels, chance: Chance) -> Pixels:
    """The same half transparent logo for all: tiled words across, or a badge in a corner."""
    height, width = rgb.shape[:2]
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    if chance.random() < 0.5:
        step = max(24, width // 4)
        for row, top in enumerate(range(0, height, max(20, step // 2))):
            for left in range(-(row % 2) * step // 2, width, step):
                draw.text((left, top), "samplephoto", fill=(255, 255, 255, 110), font=font(step / 7))
    else:
        side = min(width, height) * 0.28
        left, top = width - side * 1.1, height - side * 1.1
        draw.ellipse(
            (left, top, left + side, top + side), fill=(220, 30, 40, 215), outline=(255, 255, 255, 255), width=3
        )
        draw.text((left + side * 0.14, top + side * 0.36), "SAMPLE", fill=(255, 255, 255, 255), font=font(side * 0.2))
    return np.asarray(Image.alpha_composite(Image.fromarray(rgb).convert("RGBA"), layer).convert("RGB"))


def screenshot(rgb: Pixels, chance: Chance) -> Pixels:
    """The picture, a little smaller, on a page with a bar above, a column beside it and lines of text below."""
    photo = scaled(rgb, chance.uniform(0.6, 0.95))
    high, wide = photo.shape[:2]
    bar, side = max(20, high // 8), max(30, wide // 4) * int(chance.random() < 0.5)
    margin, text = max(8, wide // 20), max(40, high // 4)
    page = Image.new("RGB", (wide + side + 2 * margin, bar + high + text + 2 * margin), PAGE_COLOR)
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, bar), fill=BAR_COLOR)
    draw.text((margin, bar * 0.2), "PhotoShare   Home   Explore   Messages", fill="white", font=font(bar * 0.45))
    for line in range(8 if side else 0):
        top = bar + margin + line * max(12, high // 9)
        draw.rounded_rectangle((margin, top, side, top + max(6, high // 16)), 3, fill=(210, 214, 220))
    page.paste(Image.fromarray(photo), (side + margin, bar + margin))
    for line in range(3):
        top = bar + high + margin * 1.4 + line * text / 3.6
        words = LOREM[line * 17 + int(chance.integers(0, 12)) :]
        draw.text((side + margin, top), words, fill=INK, font=font(text / 5))
    return np.asarray(page)


def stretched(rgb: Pixels, chance: Chance) -> Pixels:
    """The sides' ratio changed by 20 to 45 %."""
    factor = chance.uniform(1.2, 1.45)
    return scaled(rgb, 1.0, 1 / factor) if chance.random() < 0.5 else scaled(rgb, 1 / factor, 1.0)


def degraded(rgb: Pixels, chance: Chance) -> Pixels:
    """Strongly blurred (a Gaussian of 0.8 to 1.4 % of the longer side), or covered with grain."""
    if chance.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(rgb, (0, 0), max(rgb.shape[:2]) * chance.uniform(0.008, 0.014)), np.uint8)
    noise = chance.normal(0, chance.uniform(18, 35), rgb.shape).astype(np.float32)
    return clipped(rgb + noise)


SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32)


def filtered(rgb: Pixels, chance: Chance) -> Pixels:
    """Sepia, a color cast with more contrast, or other hues."""
    way = chance.integers(0, 3)
    if way == 0:
        return clipped(rgb.astype(np.float32) @ SEPIA.T)
    if way == 1:
        cast = chance.uniform(0.65, 1.35, 3).astype(np.float32)
        return clipped((rgb.astype(np.float32) - 128) * np.float32(1.3) * cast + 128 + 20 * (cast - 1))
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(chance.integers(25, 155))) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def messenger(rgb: Pixels, chance: Chance) -> Pixels:
    """As small as messengers send pictures on: 35 to 55 % of the size."""
    return scaled(rgb, chance.uniform(0.35, 0.55))


def mirrored_crop(rgb: Pixels, chance: Chance) -> Pixels:
    return mirrored(crop(0.75, 0.9)(rgb, chance), chance)


PART = {"also": ("resized",)}
NAMED = (
    Edit("exact", None, one_of("identical"), jpeg(JPEG_QUALITY)),
    Edit("jpeg_q40", unchanged, one_of("re-encoded"), jpeg(40)),
    Edit("half_size", half_size, one_of("resized"), jpeg(JPEG_QUALITY)),
    Edit("crop_90", crop(0.9, 0.9), one_of("cropped"), jpeg(JPEG_QUALITY)),
    Edit("crop_70", crop(0.7, 0.7), one_of("cropped"), jpeg(JPEG_QUALITY)),
    Edit("mirrored", mirrored, one_of("mirrored"), jpeg(JPEG_QUALITY)),
    Edit("turned_90", turned_90, one_of("rotated"), jpeg(JPEG_QUALITY)),
    Edit("brightened", brightened, one_of("recolored"), jpeg(JPEG_QUALITY)),
    Edit("gray_png", unchanged, one_of("gray", also=("recolored",)), gray_png),
    Edit("caption_bar", caption_bar, one_of("overlaid", "cropped"), jpeg(JPEG_QUALITY)),
)
TUNED = (
    Edit("crop_half", crop(0.5, 0.6), one_of("cropped"), jpeg(JPEG_QUALITY)),
    Edit("tilted", tilted, one_of("rotated", also=("cropped", "overlaid")), jpeg(JPEG_QUALITY)),
    Edit("framed", framed, one_of("overlaid", "cropped"), jpeg(JPEG_QUALITY)),
    Edit("watermark", watermark, one_of("overlaid", also=("recolored",)), jpeg(JPEG_QUALITY)),
    Edit("screenshot", screenshot, one_of("overlaid", "cropped", **PART), jpeg(JPEG_QUALITY)),
    Edit("stretched", stretched, one_of("resized"), jpeg(JPEG_QUALITY)),
    Edit("degraded", degraded, one_of("re-encoded", "recolored"), jpeg(JPEG_QUALITY)),
    Edit("filtered", filtered, one_of("recolored", "gray"), jpeg(JPEG_QUALITY)),
    Edit("messenger", messenger, one_of("resized"), poor_jpeg),
    Edit("mirrored_crop", mirrored_crop, Relation((frozenset({"mirrored"}), frozenset({"cropped"}))), jpeg(50)),
)
