"""Makes the README's picture: a screenshot of the demo's report, its top and two groups of duplicates.

    make demo
    .venv/bin/python docs/make_picture.py .work/demo/report.html

Needs Chromium. In a copy of the report, sections that the picture has no room for are hidden and margins are narrowed.
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

_STYLE = """
#overview, #map, #clusters, #outliers, #issues, #failed, #sheet, #missing { display: none }
main > .note, .intro, footer { display: none }
.hero-words { padding-block: 1.4rem 1rem }
.lead { max-width: none }
main { padding-block: 0 1rem }
main > section { margin-block: 0; padding-block: 1.2rem 0 }
main h2 { margin-block: 0 .8rem }
"""
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_WAITING = re.compile(r'<img data-thumbnail="(\d+)"')
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
    sys.stdout.write(f"{PICTURE}: {picture.width} × {picture.height} px, {PICTURE.stat().st_size:,} bytes\n")


def shortened(page: str) -> str:
    """The report with all but its top and the groups of `SHOWN` hidden, and its pictures there from the beginning."""
    groups = [found for found in _GROUP.findall(page) if not any(name in found for name in SHOWN)]
    for group in groups:
        page = page.replace(group, "")
    page = _WAITING.sub(lambda found: f'<img class="developed" src="{thumbnail(page, found[1])}"', page)
    return _POLICY.sub("", page).replace("</head>", f"<style>{_STYLE}</style></head>")


def thumbnail(page: str, number: str) -> str:
    """The picture that the report keeps under a number until its place comes near the screen."""
    start = page.index(' src="', page.index(f'<img id="t{number}"')) + len(' src="')
    return page[start : page.index('"', start)]


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
