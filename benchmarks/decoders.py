"""JPEG decoders and ways of resizing against each other: CPU ms an image, medians of several rounds.

    python benchmarks/decoders.py [--data ../shared/data] [--rounds 5]

Small files are the 200 photos of photos-imagenet; 12-megapixel files are made from some of them.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as PillowImage

from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.codec.scale import power_of_two_below, scaled_size, shrink
from tintype.codec.threads import use_one_thread

SIDE = 320
Pixels = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    use_one_thread()
    small = [path.read_bytes() for path in sorted((options.data / "photos-imagenet").iterdir())]
    large = [enlarged(photo) for photo in small[::25]]
    photos = [simplejpeg.decode_jpeg(photo, "RGB") for photo in small]
    print(f"CPU ms an image, median of {options.rounds} rounds; longer side at least {SIDE} px\n")
    table("JPEG to pixels", DECODERS, {"500 px": small, "12 megapixels": large}, options.rounds)
    table("decoded 500 px photo to 320 px", RESIZES, {"500 px": photos}, options.rounds)
    print(f"{'PSNR in dB against Lanczos, median and worst':60s}")
    for name, resize in RESIZES.items():
        likeness = [psnr(resize(photo), lanczos(photo)) for photo in photos]
        print(f"  {name:58s}{statistics.median(likeness):12.1f}{min(likeness):12.1f}")
    pngs = {"500 px": [encoded(".png", photo) for photo in photos[::4]]}
    table(
        "\nPNG to pixels", {"Pillow": pillow_full, "OpenCV": opencv_full, "tintype decode": ours}, pngs, options.rounds
    )


def enlarged(photo: bytes) -> bytes:
    """A JPEG of 4000 × 3000 px, quality 90, with the grain that a camera's file of that size has."""
    pixels = cv2.resize(simplejpeg.decode_jpeg(photo, "BGR"), (4000, 3000), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(0).normal(0, 4, (3000, 4000, 1))
    return encoded(".jpg", np.clip(pixels + grain, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])


def encoded(extension: str, pixels: Pixels, settings: Sequence[int] = ()) -> bytes:
    return bytes(cv2.imencode(extension, pixels, settings)[1])


def table(title: str, ways: dict[str, Callable[[Any], object]], columns: dict[str, list[Any]], rounds: int) -> None:
    print(f"{title:60s}" + "".join(f"{name:>15s}" for name in columns))
    for name, way in ways.items():
        times = [cpu_ms(way, items, rounds) for items in columns.values()]
        print(f"  {name:58s}" + "".join(f"{milliseconds:15.2f}" for milliseconds in times))
    print()


def cpu_ms(way: Callable[[Any], object], items: Sequence[Any], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        for item in items:
            way(item)
        taken.append((time.process_time() - start) / len(items) * 1e3)
    return statistics.median(taken)


def pillow_full(data: bytes) -> Pixels:
    return np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB"))


def pillow_draft(data: bytes) -> Pixels:
    image = PillowImage.open(io.BytesIO(data))
    image.draft("RGB", (SIDE, SIDE))
    return np.asarray(image.convert("RGB"))


def simplejpeg_scaled(data: bytes, **settings: Any) -> Pixels:
    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    divisor = power_of_two_below(max(width, height), SIDE, 8)
    least = {"min_width": -(-width // divisor), "min_height": -(-height // divisor)}
    return np.asarray(simplejpeg.decode_jpeg(data, "RGB", **least, **settings))


def simplejpeg_any_factor(data: bytes) -> Pixels:
    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    least_width, least_height = scaled_size(width, height, SIDE)
    return np.asarray(simplejpeg.decode_jpeg(data, "RGB", min_width=least_width, min_height=least_height))


def opencv_full(data: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))


def opencv_reduced(data: bytes) -> Pixels:
    height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    flag = flags.get(power_of_two_below(max(width, height), SIDE, 8), cv2.IMREAD_REDUCED_COLOR_8)
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flag))


def ours(data: bytes) -> Pixels:
    return decode(data, side_px=SIDE, limits=Limits()).rgb


def area(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.resize(pixels, target(pixels), interpolation=cv2.INTER_AREA))


def linear(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.resize(pixels, target(pixels), interpolation=cv2.INTER_LINEAR))


def two_steps(pixels: Pixels) -> Pixels:
    return shrink(pixels, *target(pixels))


def lanczos(pixels: Pixels) -> Pixels:
    return np.asarray(PillowImage.fromarray(pixels).resize(target(pixels), PillowImage.Resampling.LANCZOS))


def target(pixels: Pixels) -> tuple[int, int]:
    return scaled_size(pixels.shape[1], pixels.shape[0], SIDE)


def psnr(one: Pixels, other: Pixels) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * float(np.log10(255**2 / error)) if error else 99.0


DECODERS: dict[str, Callable[[Any], object]] = {
    "Pillow, full size": pillow_full,
    "Pillow, draft mode": pillow_draft,
    "OpenCV, reduced by a power of two": opencv_reduced,
    "simplejpeg, strict, full size": lambda data: simplejpeg.decode_jpeg(data, "RGB"),
    "simplejpeg, strict, smallest factor of eighths": simplejpeg_any_factor,
    "simplejpeg, strict, power of two": simplejpeg_scaled,
    "simplejpeg, strict, power of two, fast DCT and upsampling": lambda data: simplejpeg_scaled(
        data, fastdct=True, fastupsample=True
    ),
    "simplejpeg, not strict, power of two": lambda data: simplejpeg_scaled(data, strict=False),
    "tintype decode: header, checks, decode, resize, color": ours,
}

RESIZES: dict[str, Callable[[Any], Any]] = {
    "INTER_AREA": area,
    "INTER_LINEAR": linear,
    "linear to a whole multiple, then mean of blocks": two_steps,
    "Pillow, Lanczos": lanczos,
}

if __name__ == "__main__":
    main()
