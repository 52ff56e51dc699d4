"""The demo: sample photos with copies, turned, damaged and odd ones made of them; scanned, and shown in a report."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter

import tintype

PHOTOS = Path(__file__).parent / "photos"


def main(place: Path) -> None:
    """Make the pictures in `place`, scan them, and write a report beside them."""
    shutil.rmtree(place, ignore_errors=True)
    pictures = place / "pictures"
    shutil.copytree(PHOTOS, pictures / "originals", ignore=shutil.ignore_patterns("*.md"))
    originals = sorted((pictures / "originals").glob("*.jpg"))
    for name, content in (*copies(originals), *oddities(originals)):
        target = pictures / name
        target.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            content.convert("RGB").save(target, quality=85)

    photos = tintype.scan(pictures)
    report = tintype.report(photos, place / "report.html")
    groups = tintype.duplicates(photos).groups
    print(f"{len(photos)} pictures scanned, {len(groups)} groups of duplicates found.")
    print(f"Open the report: {report}")
    print(f"Then try: .venv/bin/tintype info {pictures}")


def copies(originals: list[Path]) -> Iterator[tuple[str, bytes | Image.Image]]:
    """What happens to pictures that are passed around."""
    yield "copies/same bytes.jpg", originals[0].read_bytes()
    yield "copies/same bytes again.jpg", originals[0].read_bytes()
    yield "copies/half size.jpg", _opened(originals[1]).reduce(2)
    yield "copies/turned.jpg", _opened(originals[2]).transpose(Image.Transpose.ROTATE_270)
    yield "copies/mirrored.jpg", _opened(originals[3]).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    yield "copies/upside down, smaller.jpg", _opened(originals[7]).rotate(180).reduce(2)
    yield "copies/brightened.jpg", ImageEnhance.Brightness(_opened(originals[15])).enhance(1.15)
    yield "copies/as a PNG.png", _opened(originals[9])


def oddities(originals: list[Path]) -> Iterator[tuple[str, bytes | Image.Image]]:
    """What a collection should not hold, or what its keeper would like to know of."""
    whole = originals[16].read_bytes()
    yield "odd/cut off.jpg", whole[: len(whole) // 2]
    yield "odd/empty.jpg", b""
    yield "odd/an error page.jpg", b"<!DOCTYPE html><title>404 Not Found</title>"
    yield "odd/under the lens cap.jpg", ImageEnhance.Brightness(_opened(originals[18])).enhance(0.06)
    yield (
        "odd/burnt out.jpg",
        Image.blend(_opened(originals[20]), Image.new("RGB", _opened(originals[20]).size, "white"), 0.93),
    )
    yield "odd/out of focus.jpg", _opened(originals[21]).filter(ImageFilter.GaussianBlur(9))
    yield "odd/gray.jpg", _opened(originals[22]).convert("L")
    yield "odd/a strip.jpg", _opened(originals[24]).resize((900, 40))
    yield "odd/nothing on it.jpg", Image.new("RGB", (640, 480), (120, 140, 150))
    yield "odd/tiny.png", _opened(originals[25]).resize((16, 12))


def _opened(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
