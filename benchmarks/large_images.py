"""CPU of a scan of 12-megapixel JPEGs against scaled decoding of the same files alone."""

from __future__ import annotations

import sys

from benchmarks.corpus import large_photos
from benchmarks.figures import Figure
from benchmarks.measure import Cost, median, run
from benchmarks.options import Options, report
from benchmarks.scan import fresh_scan, interleaved

BOUND = 1.3
DECODE = """
import sys
from pathlib import Path
import simplejpeg
for path in sorted(Path(sys.argv[1]).rglob("*.jpg")):
    simplejpeg.decode_jpeg(path.read_bytes(), min_width=320, min_height=320)
"""


def measure(options: Options) -> list[Figure]:
    """The ratio of what one more image costs, and the ratio of the whole runs with their start-up.

    What one more image costs is the difference between a large and a small folder, by that in files.
    """
    few, many = (5, 20) if options.quick else (60, 300)
    runs = interleaved(
        {
            "scan few": lambda: fresh_scan(options, large_photos(few)),
            "decode few": lambda: _decode(few),
            "scan many": lambda: fresh_scan(options, large_photos(many)),
            "decode many": lambda: _decode(many),
        },
        options.runs,
    )
    costs = {name: median(found) for name, found in runs.items()}
    scan_ms, decode_ms = (
        1000 * (costs[f"{what} many"].cpu_s - costs[f"{what} few"].cpu_s) / (many - few) for what in ("scan", "decode")
    )
    whole = costs["scan many"].cpu_s / costs["decode many"].cpu_s
    return [
        Figure("scan of a 12-megapixel JPEG", scan_ms, "ms CPU/image", detail=f"from {few} to {many} files"),
        Figure(
            "its scaled decoding alone",
            decode_ms,
            "ms CPU/image",
            detail="simplejpeg, sides of 320 px or more",
        ),
        Figure("scan's CPU / decoding's, 12 megapixels", scan_ms / decode_ms, "", BOUND, detail="an image more"),
        Figure(f"the same of {many} files with both start-ups", whole, "", detail=_seconds(costs["scan many"])),
    ]


def _decode(count: int) -> Cost:
    return run([sys.executable, "-c", DECODE, str(large_photos(count))])


def _seconds(cost: Cost) -> str:
    return f"the scan took {cost.cpu_s:.1f} s of CPU, {cost.wall_s:.1f} s by the clock"


if __name__ == "__main__":
    report(measure, __doc__)
