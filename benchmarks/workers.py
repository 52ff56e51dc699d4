"""Images a second with one worker and with two; it means something only on an otherwise idle machine."""

from __future__ import annotations

from benchmarks.corpus import photos
from benchmarks.figures import Figure
from benchmarks.measure import load_average, median
from benchmarks.options import Options, report
from benchmarks.scan import fresh_scan, interleaved

BOUND = 1.8


def measure(options: Options) -> list[Figure]:
    images = 500 if options.quick else 5000
    folder = photos(images)
    load = load_average()
    runs = interleaved(
        {
            "one": lambda: fresh_scan(options, folder, workers=1),
            "two": lambda: fresh_scan(options, folder, workers=2),
        },
        options.runs,
    )
    one, two = (images / median(runs[name]).wall_s for name in ("one", "two"))
    started = f"start-up included; load average before {load:.2f}"
    return [
        Figure(f"one worker, {images:,} images", one, "images/s", detail=started),
        Figure(f"two workers, {images:,} images", two, "images/s", detail=started),
        Figure("two workers / one", two / one, "", BOUND, "at least"),
    ]


if __name__ == "__main__":
    report(measure, __doc__)
