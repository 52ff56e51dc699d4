"""Images a second with one worker and with two; it means something only on an otherwise idle machine."""

from __future__ import annotations

from functools import partial

from benchmarks.corpus import photos
from benchmarks.figures import Figure
from benchmarks.measure import load_average, median
from benchmarks.options import Options, report
from benchmarks.scan import fresh_scan, interleaved

BOUND = 1.8


FEW = 500  # of which start-up is a good part: what more images take is the workers' own


def measure(options: Options) -> list[Figure]:
    images = 2000 if options.quick else 5000
    load = load_average()
    runs = interleaved(
        {
            f"{workers} {count}": partial(fresh_scan, options, photos(count), workers=workers)
            for count in (FEW, images)
            for workers in (1, 2)
        },
        options.runs,
    )
    seconds = {name: median(costs).wall_s for name, costs in runs.items()}
    one, two = (images / seconds[f"{workers} {images}"] for workers in (1, 2))
    more = [(images - FEW) / (seconds[f"{workers} {images}"] - seconds[f"{workers} {FEW}"]) for workers in (1, 2)]
    started = f"start-up included; load average before {load:.2f}"
    return [
        Figure(f"one worker, {images:,} images", one, "images/s", detail=started),
        Figure(f"two workers, {images:,} images", two, "images/s", detail=started),
        Figure("two workers / one", two / one, "", BOUND, "at least", detail="start-up included"),
        Figure(
            "two workers / one, an image more",
            more[1] / more[0],
            "",
            detail=f"from {FEW} to {images:,}: {more[0]:.0f} and {more[1]:.0f} images/s",
        ),
    ]


if __name__ == "__main__":
    report(measure, __doc__)
