"""Peak memory of all processes of a scan with two workers, for few, many and large images."""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import large_photos, photos
from benchmarks.figures import Figure
from benchmarks.options import Options, report
from benchmarks.scan import fresh_scan

BOUND_MB = 1500.0


def measure(options: Options) -> list[Figure]:
    if options.quick:
        inputs = {"500 images": photos(500), "20 of 12 megapixels": large_photos(20)}
    else:
        inputs = {
            "500 images": photos(500),
            "5,000 images": photos(5000),
            "60 of 12 megapixels": large_photos(60),
        }
    return [_peak(options, name, folder) for name, folder in inputs.items()]


def _peak(options: Options, name: str, folder: Path) -> Figure:
    peak_bytes = fresh_scan(options, folder, watch_memory=True).peak_bytes or 0
    return Figure(f"peak memory, {name}", peak_bytes / 1e6, "MB", BOUND_MB, detail="sum of PSS, sampled")


if __name__ == "__main__":
    report(measure, __doc__)
