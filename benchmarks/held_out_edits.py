"""Five kinds of copies that no training and no choice of a threshold has looked at: what people make of photos.

Written before they were first run; `edits.py` and `seen_edits.py` have the other thirty.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.edits import INK, LOREM, Chance, Edit, Pixels, font, jpeg, one_of, resized

SLIDE_COLORS = ((255, 255, 255), (244, 240, 232), (28, 36, 52))


def slide(rgb: Pixels, chance: Chance) -> Pixels:
    """A page of 16 to 9 with a title and lines of text; the photo beside the text, as large as half the page allows."""
    wide = round(max(rgb.shape[:2]) * chance.uniform(1.6, 2.0))
    high = round(wide * 9 / 16)
    ground = SLIDE_COLORS[int(chance.integers(len(SLIDE_COLORS)))]
    ink = INK if sum(ground) > 384 else (235, 235, 235)
    page = Image.new("RGB", (wide, high), ground)
    draw = ImageDraw.Draw(page)
    draw.text((wide * 0.05, high * 0.06), LOREM[: int(chance.integers(18, 27))], fill=ink, font=font(high * 0.09))
    room_wide, room_high = wide * chance.uniform(0.48, 0.58), high * 0.72
    scale = min(room_wide / rgb.shape[1], room_high / rgb.shape[0])
    photo = resized(rgb, (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)))
    right = chance.random() < 0.5
    left = round(wide * 0.95) - photo.shape[1] if right else round(wide * 0.05)
    page.paste(Image.fromarray(photo), (left, round(high * 0.22 + (room_high - photo.shape[0]) / 2)))
    start = wide * 0.05 if right else left + photo.shape[1] + wide * 0.04
    for line in range(int(chance.integers(3, 7))):
        top = high * (0.28 + 0.1 * line)
        draw.text((start, top), "- " + LOREM[line * 9 : line * 9 + 16], fill=ink, font=font(high * 0.045))
    return np.asarray(page)


def portrait_mode(rgb: Pixels, chance: Chance) -> Pixels:
    """The background blurred as telephones do: sharp in an ellipse of about half the picture, softer outside it."""
    high, wide = rgb.shape[:2]
    middle = chance.uniform(0.4, 0.6, 2)
    reach = chance.uniform(0.33, 0.45, 2)
    down, across = np.mgrid[0 : 1 : high * 1j, 0 : 1 : wide * 1j].astype(np.float32)
    away = np.hypot((down - middle[0]) / reach[0], (across - middle[1]) / reach[1])
    weight = np.clip((1.15 - away) / 0.3, 0, 1).astype(np.float32)[..., None]
    soft = cv2.GaussianBlur(rgb, (0, 0), max(high, wide) * chance.uniform(0.012, 0.02))
    return np.asarray(rgb * weight + soft * (1 - weight) + 0.5, np.uint8)


def censored(rgb: Pixels, chance: Chance) -> Pixels:
    """One to three rectangles made unreadable by large squares of one color or by a black bar, a quarter of it at
    most."""
    out = rgb.copy()
    high, wide = rgb.shape[:2]
    for _ in range(int(chance.integers(1, 4))):
        tall, broad = (min(side, max(8, round(side * chance.uniform(0.15, 0.3)))) for side in (high, wide))
        top, left = chance.integers(0, high - tall + 1), chance.integers(0, wide - broad + 1)
        part = out[top : top + tall, left : left + broad]
        if chance.random() < 0.3:
            part[:] = 0
        else:
            cells = max(2, round(max(tall, broad) / max(high, wide) * 25))
            coarse = resized(part, (cells, cells))
            part[:] = resized(coarse, (broad, tall), cv2.INTER_NEAREST)
    return out


def video_still(rgb: Pixels, chance: Chance) -> Pixels:
    """Cut to 16 to 9 as the preview of a video: a button to play it, a bar of progress, how long it takes."""
    high, wide = rgb.shape[:2]
    keep = min(high, round(wide * 9 / 16)), min(wide, round(high * 16 / 9))
    top, left = (high - keep[0]) // 2, (wide - keep[1]) // 2
    canvas = Image.fromarray(rgb[top : top + keep[0], left : left + keep[1]])
    draw = ImageDraw.Draw(canvas, "RGBA")
    size = min(canvas.size) * 0.2
    x, y = canvas.width / 2, canvas.height / 2
    draw.rounded_rectangle((x - 0.7 * size, y - size / 2, x + 0.7 * size, y + size / 2), size / 5, fill=(0, 0, 0, 170))
    draw.polygon([(x - 0.2 * size, y - 0.27 * size), (x - 0.2 * size, y + 0.27 * size), (x + 0.3 * size, y)], "white")
    bar = max(3, canvas.height // 60)
    draw.rectangle((0, canvas.height - bar, canvas.width, canvas.height), fill=(150, 150, 150, 200))
    seen = canvas.width * chance.uniform(0.1, 0.9)
    draw.rectangle((0, canvas.height - bar, seen, canvas.height), fill=(230, 20, 20, 255))
    words, letters = f"{int(chance.integers(1, 59))}:{int(chance.integers(10, 59))}", font(canvas.height / 14)
    room = draw.textlength(words, font=letters)
    corner = canvas.width - room * 1.4, canvas.height - bar - canvas.height / 9
    draw.rectangle((*corner, corner[0] + room * 1.2, corner[1] + canvas.height / 11), fill=(0, 0, 0, 200))
    draw.text((corner[0] + room * 0.1, corner[1]), words, fill="white", font=letters)
    return np.asarray(canvas)


def round_portrait(rgb: Pixels, chance: Chance) -> Pixels:
    """The picture of a profile: the largest square of it, all but a circle white, half of them with a colored ring."""
    side = min(rgb.shape[:2])
    top, left = ((length - side) // 2 for length in rgb.shape[:2])
    square = rgb[top : top + side, left : left + side]
    disk = Image.new("L", (side, side), 0)
    ImageDraw.Draw(disk).ellipse((0, 0, side - 1, side - 1), fill=255)
    canvas = Image.composite(Image.fromarray(square), Image.new("RGB", (side, side), "white"), disk)
    if chance.random() < 0.5:
        color = tuple(int(level) for level in chance.integers(40, 230, 3))
        ImageDraw.Draw(canvas).ellipse((0, 0, side - 1, side - 1), outline=color, width=max(3, side // 30))
    return np.asarray(canvas)


HELD_OUT = (
    Edit("slide", slide, one_of("overlaid", "cropped", also=("resized",)), jpeg(85)),
    Edit("portrait_mode", portrait_mode, one_of("re-encoded", "overlaid", also=("recolored",)), jpeg(85)),
    Edit("censored", censored, one_of("overlaid", also=("recolored",)), jpeg(85)),
    Edit("video_still", video_still, one_of("cropped", "overlaid"), jpeg(75)),
    Edit("round_portrait", round_portrait, one_of("cropped", "overlaid"), jpeg(85)),
)
