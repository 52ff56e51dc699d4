"""Makes the README's picture: a screenshot of the demo's report, its top and two groups of duplicates.

    make demo
    .venv/bin/python docs/make_picture.py .work/demo/report.html

Needs Chromium. Sections that the picture has no room for are hidden in a copy of the report; nothing else is changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

PICTURE = Path(__file__).parent / "images" / "report.jpg"
SHOWN = ("mirrored.jpg", "upside down, smaller.jpg")  # copies whose groups are shown
MAX_BYTES = 400_000
WIDTH_PX, MOST_PX = 1200, 2400  # of the page
SCALE = 1.5

_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_GROUP = re.compile(r'<article class="group.*?</article>', re.DOTALL)


def main(report: Path) -> None:
    """Take the picture and write it to `PICTURE`."""
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder, "report.html"), Path(folder, "report.png")
        page.write_text(shortened(report.read_text(encoding="utf-8")), encoding="utf-8")
        take(page, shot, Path(folder, "browser"))
        picture = without_margin(Image.open(shot).convert("RGB"))
    PICTURE.parent.mkdir(exist_ok=True)
    for quality in range(88, 50, -4):
        picture.save(PICTURE, quality=quality, optimize=True, progressive=True)
        if PICTURE.stat().st_size < MAX_BYTES:
            break
    print(f"{PICTURE}: {picture.width} × {picture.height} px, {PICTURE.stat().st_size:,} bytes")


def shortened(page: str) -> str:
    """The report with all but its top and the groups of `SHOWN` hidden."""
    groups = [found for found in _GROUP.findall(page) if not any(name in found for name in SHOWN)]
    for group in groups:
        page = page.replace(group, "")
    hidden = "#overview, #issues, #failed, #sheet, main > .note, footer { display: none } main { padding-bottom: 1rem }"
    return _POLICY.sub("", page).replace("</head>", f"<style>{hidden}</style></head>")


def take(page: Path, shot: Path, profile: Path) -> None:
    """A screenshot without motion, so that no picture is half faded in."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("Chromium is not installed")
    quiet = ("background-networking", "component-update", "sync", "gpu")
    subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars"),
            *(f"--disable-{what}" for what in quiet),
            *(f"--user-data-dir={profile}", f"--screenshot={shot}", f"--window-size={WIDTH_PX},{MOST_PX}"),
            *("--force-prefers-reduced-motion", "--virtual-time-budget=8000", f"--force-device-scale-factor={SCALE}"),
            page.as_uri(),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def without_margin(picture: Image.Image) -> Image.Image:
    """The picture without the empty part of the page at its bottom, but for a little of it."""
    empty = Image.new("RGB", picture.size, picture.getpixel((0, picture.height - 1)))
    box = ImageChops.difference(picture, empty).getbbox()
    bottom = picture.height if box is None else min(picture.height, box[3] + round(24 * SCALE))
    return picture.crop((0, 0, picture.width, bottom))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".work/demo/report.html"))
