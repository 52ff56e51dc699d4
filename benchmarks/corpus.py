"""Makes the inputs of the benchmarks from the test photos, with fixed seeds."""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, JpegImagePlugin

from benchmarks.measure import ROOT, WORK

LARGE_SIZE = (4000, 3000)
LARGE_BASES = 60
LARGE_QUALITY = 90
TINY_FOLDERS = 200
EXIF_ORIENTATION = 0x0112
SIZE_TOLERANCE = 0.10


def test_photos() -> list[Path]:
    """The 200 photos of ImageNet's size that all corpora are made from."""
    data = Path(os.environ.get("TINTYPE_TEST_DATA", ROOT / ".." / "shared" / "data"))
    photos = sorted((data / "photos-imagenet").glob("*.JPEG"))
    if not photos:
        raise SystemExit(f"no test photos in {data}: set TINTYPE_TEST_DATA to the folder of the test data")
    return photos


def photos(count: int) -> Path:
    """A folder of distinct JPEGs of the sizes and weights that ImageNet has.

    Each is a random crop of 85 to 100 % of a test photo, back at the photo's size, with slightly other color
    and the photo's metadata and subsampling. A larger corpus begins with the files of a smaller one.
    """
    return _made_once(f"photos-{count}", lambda folder: _make_photos(folder, count))


def large_photos(count: int) -> Path:
    """A folder of distinct JPEGs of 12 megapixels and 3 to 5 MB, such as a phone makes.

    Mosaics of 16 test photos at twice their size, with a sensor's noise. Past the first 60 the pixels come
    again under other bytes (a comment), so that each file is an image of its own.
    """
    return _made_once(f"large-{count}", lambda folder: _make_large(folder, count))


def tiny_tree(count: int) -> Path:
    """A tree of small distinct JPEGs in 200 folders, to walk through."""
    return _made_once(f"tiny-{count}", lambda folder: _make_tiny(folder, count))


def _made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, made aside first: a broken-off making leaves nothing that looks whole."""
    folder = WORK / name
    if not folder.exists():
        print(f"making {name}", flush=True)
        aside = WORK / f"{name}.part"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        make(aside)
        aside.rename(folder)
    return folder


def _make_photos(folder: Path, count: int) -> None:
    sources = test_photos()
    for number in range(count):
        edited = _edited(sources[number % len(sources)], random.Random(f"photo {number}"))
        (folder / f"{number // 1000:03d}").mkdir(exist_ok=True)
        (folder / f"{number // 1000:03d}" / f"{number:06d}.jpg").write_bytes(edited)


def _edited(source: Path, chance: random.Random) -> bytes:
    with Image.open(source) as opened:
        sampling = JpegImagePlugin.get_sampling(opened)
        exif = opened.getexif()
        size = opened.size
        image = opened.convert("L" if opened.mode == "L" else "RGB")
    kept = chance.uniform(0.85, 1.0)
    width, height = max(1, round(size[0] * kept)), max(1, round(size[1] * kept))
    left, top = chance.randint(0, size[0] - width), chance.randint(0, size[1] - height)
    image = image.resize(size, Image.Resampling.LANCZOS, box=(left, top, left + width, top + height))
    for enhancer in (ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast):
        image = enhancer(image).enhance(chance.uniform(0.95, 1.05))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=chance.randint(92, 96), subsampling=sampling if sampling >= 0 else 0, exif=exif)
    return out.getvalue()


def _make_large(folder: Path, count: int) -> None:
    sources = test_photos()
    bases = [_mosaic(sources, number) for number in range(min(count, LARGE_BASES))]
    for number in range(count):
        (folder / f"{number:04d}.jpg").write_bytes(_commented(bases[number % LARGE_BASES], number))


def _mosaic(sources: list[Path], number: int) -> bytes:
    chance = random.Random(f"large {number}")
    canvas = Image.new("RGB", LARGE_SIZE)
    tile = (LARGE_SIZE[0] // 4, LARGE_SIZE[1] // 4)
    for place in range(16):
        with Image.open(chance.choice(sources)) as opened:
            photo = opened.convert("RGB").resize(tile, Image.Resampling.BICUBIC)
        canvas.paste(photo, (place % 4 * tile[0], place // 4 * tile[1]))
    noise = np.random.default_rng(number).normal(0, 3.2, (LARGE_SIZE[1], LARGE_SIZE[0], 1))
    noisy = np.clip(np.asarray(canvas, np.float32) + noise, 0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 1
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "JPEG", quality=LARGE_QUALITY, subsampling=2, exif=exif)
    return out.getvalue()


def _commented(jpeg: bytes, number: int) -> bytes:
    """The same JPEG with a comment after its first marker segment (where every reader allows one)."""
    comment = f"number {number}".encode()
    first_segment_end = 4 + int.from_bytes(jpeg[4:6], "big")
    marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return jpeg[:first_segment_end] + marker + jpeg[first_segment_end:]


def _make_tiny(folder: Path, count: int) -> None:
    bases = [_tiny_jpeg(gray) for gray in range(0, 256, 16)]
    for number in range(count):
        place = folder / f"{number % TINY_FOLDERS:03d}"
        place.mkdir(exist_ok=True)
        (place / f"{number:06d}.jpg").write_bytes(_commented(bases[number % len(bases)], number))


def _tiny_jpeg(gray: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (8, 8), gray).save(out, "JPEG", optimize=True)
    return out.getvalue()


def mean_bytes(folder: Path) -> float:
    """Mean size of the files below a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(sizes) / len(sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small corpora only")
    quick = parser.parse_args().quick
    originals = sum(path.stat().st_size for path in test_photos()) / len(test_photos())
    print(f"test photos: {originals / 1e3:.1f} kB on average")
    for count in (500,) if quick else (500, 2000, 5000):
        relative = mean_bytes(photos(count)) / originals
        verdict = "like" if abs(relative - 1) <= SIZE_TOLERANCE else "UNLIKE"
        print(f"photos-{count}: {relative:.3f} of that, {verdict} the originals")
    for count in (20,) if quick else (60, 300):
        print(f"large-{count}: {mean_bytes(large_photos(count)) / 1e6:.2f} MB on average")
    for count in (5_000,) if quick else (100_000,):
        print(f"tiny-{count}: {mean_bytes(tiny_tree(count)):.0f} bytes on average")


if __name__ == "__main__":
    main()
