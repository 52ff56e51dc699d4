"""Ten kinds of copies that were held out at first, until rules were made after a look at them."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.edits import (
    JPEG_QUALITY,
    PART,
    Chance,
    Edit,
    Pixels,
    clipped,
    font,
    jpeg,
    one_of,
    resized,
    unchanged,
)

MEME_WORDS = ("WHEN YOU", "NOBODY:", "ONE DOES NOT", "SIMPLY", "MONDAY AGAIN", "ME AT 3 AM", "TELL ME MORE", "SUCH WOW")
SUBTITLES = ("I told you he would come back.", "- Where is it? - Down by the river.", "[music plays softly]")
EMOJI = ((250, 205, 60), (235, 64, 52), (80, 170, 90), (66, 120, 220), (245, 130, 190))


def few_colors_gif(rgb: Pixels, chance: Chance) -> tuple[bytes, str]:
    colors = int(chance.integers(12, 33))
    out = io.BytesIO()
    Image.fromarray(rgb).quantize(colors, dither=Image.Dither(int(chance.choice([0, 3])))).save(out, "GIF")
    return out.getvalue(), ".gif"


def collage(rgb: Pixels, chance: Chance, partner: Pixels) -> Pixels:
    """Side by side with another photo, cut to the same size, or one above the other."""
    beside = fitted(partner, (rgb.shape[1], rgb.shape[0]))
    pair = [rgb, beside] if chance.random() < 0.5 else [beside, rgb]
    gap_px = round(min(rgb.shape[:2]) * 0.02) * int(chance.random() < 0.5)
    upright = rgb.shape[1] > rgb.shape[0]  # two wide ones go one above the other
    gap = np.full((gap_px, rgb.shape[1], 3) if upright else (rgb.shape[0], gap_px, 3), 255, np.uint8)
    return np.concatenate([pair[0], gap, pair[1]], axis=0 if upright else 1)


def fitted(rgb: Pixels, size: tuple[int, int]) -> Pixels:
    """Cut and scaled to fill (width, height)."""
    width, height = size
    factor = max(width / rgb.shape[1], height / rgb.shape[0])
    large = resized(rgb, (max(width, round(rgb.shape[1] * factor)), max(height, round(rgb.shape[0] * factor))))
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return large[top : top + height, left : left + width]


def printed(rgb: Pixels, chance: Chance) -> Pixels:
    """A print with a white rim on a table, photographed from the side in uneven light."""
    rim = max(2, min(rgb.shape[:2]) // 25)
    sheet = cv2.copyMakeBorder(rgb, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(250, 250, 246))
    high, wide = sheet.shape[:2]
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    size = np.array([wide * 1.2, high * 1.2], np.float32)
    moved = corners + size * 0.083 + chance.uniform(-0.08, 0.08, (4, 2)).astype(np.float32) * (wide, high)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    table = np.array([[110, 84, 60]], np.float32) + chance.normal(0, 6, (int(size[1]), int(size[0]), 1))
    shot = cv2.warpPerspective(
        sheet, matrix, (int(size[0]), int(size[1])), dst=clipped(table), borderMode=cv2.BORDER_TRANSPARENT
    )
    light = np.linspace(chance.uniform(0.7, 0.9), chance.uniform(1.0, 1.15), shot.shape[1], dtype=np.float32)
    return clipped(cv2.GaussianBlur(shot, (0, 0), 0.7) * light[None, :, None])


def meme(rgb: Pixels, chance: Chance) -> Pixels:
    """Large white capitals with black rims across the top and the bottom."""
    canvas = Image.fromarray(rgb)
    draw = ImageDraw.Draw(canvas)
    size = canvas.width / 8
    first, second = chance.choice(len(MEME_WORDS), 2, replace=False)
    for word, top in ((MEME_WORDS[first], size * 0.2), (MEME_WORDS[second], canvas.height - size * 1.4)):
        left = (canvas.width - draw.textlength(word, font=font(size))) / 2
        draw.text(
            (left, top), word, fill="white", font=font(size), stroke_width=max(1, int(size / 12)), stroke_fill="black"
        )
    return np.asarray(canvas)


def faded(rgb: Pixels, chance: Chance) -> Pixels:
    """An old photo's look: dark corners, lifted blacks, warm light, less color, grain."""
    height, width = rgb.shape[:2]
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    corners = 1 - np.float32(chance.uniform(0.25, 0.4)) * (down**2 + across**2)
    gray = rgb.mean(axis=2, keepdims=True, dtype=np.float32)
    pale = gray + (rgb - gray) * np.float32(chance.uniform(0.4, 0.8))
    warm = 30 + pale * np.array([0.92, 0.85, 0.7], np.float32)
    return clipped(warm * corners[..., None] + chance.normal(0, 6, (height, width, 1)).astype(np.float32))


def story(rgb: Pixels, chance: Chance) -> Pixels:
    """An upright page of 9 to 16 as stories have it: the photo across the middle, a blurred enlargement behind."""
    wide = max(rgb.shape[:2])
    high = round(wide * 16 / 9)
    scale = max(wide / rgb.shape[1], high / rgb.shape[0])
    large = resized(rgb, (round(rgb.shape[1] * scale) + 1, round(rgb.shape[0] * scale) + 1), cv2.INTER_LINEAR)
    top, left = (large.shape[0] - high) // 2, (large.shape[1] - wide) // 2
    page = cv2.GaussianBlur(large[top : top + high, left : left + wide], (0, 0), wide * 0.04) // 2 + 40
    share = chance.uniform(0.8, 0.96)
    fit = min(wide * share / rgb.shape[1], high * share / rgb.shape[0])
    photo = resized(rgb, (round(rgb.shape[1] * fit), round(rgb.shape[0] * fit)))
    down = (high - photo.shape[0]) // 2 + round(chance.uniform(-0.05, 0.05) * high * (photo.shape[0] < 0.85 * high))
    across = (wide - photo.shape[1]) // 2
    page[down : down + photo.shape[0], across : across + photo.shape[1]] = photo
    return np.asarray(page, np.uint8)


def stickers(rgb: Pixels, chance: Chance) -> Pixels:
    """Two to four round faces pasted on, each 12 to 22 % of the shorter side wide."""
    canvas = Image.fromarray(rgb)
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(chance.integers(2, 5))):
        size = chance.uniform(0.12, 0.22) * min(canvas.size)
        left, top = (chance.uniform(0, side - size) for side in canvas.size)
        color = EMOJI[int(chance.integers(len(EMOJI)))]
        draw.ellipse(
            (left, top, left + size, top + size), fill=color, outline=(60, 40, 20), width=max(1, int(size / 20))
        )
        for eye in (0.3, 0.62):
            draw.ellipse(
                (left + eye * size, top + 0.3 * size, left + (eye + 0.1) * size, top + 0.45 * size), fill=(50, 30, 20)
            )
        draw.arc(
            (left + 0.25 * size, top + 0.4 * size, left + 0.75 * size, top + 0.8 * size), 20, 160, fill=(50, 30, 20)
        )
    return np.asarray(canvas)


def tone_mapped(rgb: Pixels, chance: Chance) -> Pixels:
    """The look of HDR apps: local contrast pulled up tile by tile, colors stronger."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    tiles = int(chance.integers(3, 9))
    lab[..., 0] = cv2.createCLAHE(clipLimit=float(chance.uniform(2, 4)), tileGridSize=(tiles, tiles)).apply(lab[..., 0])
    strong = (lab[..., 1:].astype(np.float32) - 128) * np.float32(chance.uniform(1.1, 1.4)) + 128
    lab[..., 1:] = clipped(strong)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def newsprint(rgb: Pixels, chance: Chance) -> Pixels:
    """A scanned halftone: gray in dots of 3 to 4 px at 45 degrees, then softened as a scanner does."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    down, across = np.mgrid[0 : gray.shape[0], 0 : gray.shape[1]].astype(np.float32)
    pitch = chance.uniform(3.0, 4.2)
    screen = np.cos((down + across) * (2 * np.pi / pitch / np.sqrt(2))) + np.cos(
        (down - across) * (2 * np.pi / pitch / np.sqrt(2))
    )
    dots = np.where(gray > 127.5 + screen * 60, 235.0, 35.0).astype(np.float32)
    soft = cv2.GaussianBlur(dots, (0, 0), pitch * 0.35)
    paper = np.array([1.0, 0.98, 0.92], np.float32)
    return clipped(soft[..., None] * paper)


def film_frame(rgb: Pixels, chance: Chance) -> Pixels:
    """Cut to 2.39 to 1 between black bars, with a subtitle, as a frame of a film."""
    high, wide = rgb.shape[:2]
    seen = min(high, round(wide / 2.39))
    top = round((high - seen) * chance.uniform(0.3, 0.7))
    frame = np.zeros((max(round(wide * 9 / 16), seen), wide, 3), np.uint8)
    start = (frame.shape[0] - seen) // 2
    frame[start : start + seen] = rgb[top : top + seen]
    canvas = Image.fromarray(frame)
    draw = ImageDraw.Draw(canvas)
    size, words = frame.shape[0] / 16, SUBTITLES[int(chance.integers(len(SUBTITLES)))]
    left = (wide - draw.textlength(words, font=font(size))) / 2
    draw.text((left, frame.shape[0] - start - size * 1.4), words, fill=(245, 235, 150), font=font(size), stroke_width=1)
    return np.asarray(canvas)


SEEN = (
    Edit("collage", collage, one_of("overlaid", "cropped", **PART), jpeg(JPEG_QUALITY), needs_partner=True),
    Edit("printed", printed, one_of("cropped", "overlaid", "rotated", also=("resized", "recolored")), jpeg(85)),
    Edit("meme", meme, one_of("overlaid"), jpeg(75)),
    Edit("few_colors", unchanged, one_of("re-encoded", "recolored"), few_colors_gif),
    Edit("faded", faded, one_of("recolored", also=("overlaid",)), jpeg(80)),
    Edit("story", story, one_of("overlaid", "cropped", also=("resized",)), jpeg(80)),
    Edit("stickers", stickers, one_of("overlaid"), jpeg(80)),
    Edit("tone_mapped", tone_mapped, one_of("recolored", also=("overlaid",)), jpeg(85)),
    Edit("newsprint", newsprint, one_of("gray", "recolored", also=("overlaid",)), jpeg(80)),
    Edit("film_frame", film_frame, one_of("cropped", also=("overlaid", "resized")), jpeg(75)),
)
