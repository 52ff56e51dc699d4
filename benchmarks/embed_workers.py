"""Images a second that one worker embeds and that two do; it means something only on an otherwise idle machine."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.corpus import photos
from benchmarks.embed import MODEL, card
from benchmarks.figures import Figure
from benchmarks.measure import Cost, load_average, median, run
from benchmarks.options import Options, report
from benchmarks.scan import interleaved, own_state
from tintype.store.outputs.manifest import MANIFEST_FILE

BOUND = 1.8
FEW = 500  # of which start-up is a good part: what more images take is the workers' own


def embedded(options: Options, folder: Path, model: Path, workers: int, sizes: list[float]) -> Cost:
    """Embed into an output that is thrown away; adds its bytes an image to `sizes`."""
    state = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    try:
        words = ["embed", str(folder), "--output", str(state / "out"), "--model", str(model), "--workers", str(workers)]
        # Of shards there are many more than workers, as in a large run: else the last one is waited for.
        cost = run([*options.tintype, *words, "--shard-images", "100", "--quiet"], env=own_state(state))
        manifest = json.loads((state / "out" / MANIFEST_FILE).read_text())
        if manifest["vectors"] != manifest["images"] or not manifest["images"]:
            raise RuntimeError(f"not every image has a vector: {manifest['status']}")
        sizes.append(sum(file["bytes"] for file in manifest["files"]) / manifest["images"])
        return cost
    finally:
        shutil.rmtree(state, ignore_errors=True)


def measure(options: Options) -> list[Figure]:
    images = 2000 if options.quick else 5000
    load, sizes = load_average(), list[float]()
    runs = interleaved(
        {
            f"{workers} {count}": partial(embedded, options, photos(count), card(), workers, sizes)
            for count in (FEW, images)
            for workers in (1, 2)
        },
        options.runs,
    )
    seconds = {name: median(costs).wall_s for name, costs in runs.items()}
    one, two = (images / seconds[f"{workers} {images}"] for workers in (1, 2))
    more = [(images - FEW) / (seconds[f"{workers} {images}"] - seconds[f"{workers} {FEW}"]) for workers in (1, 2)]
    started = f"{MODEL}, start-up included; load average before {load:.2f}"
    cpu_s = {count: median(runs[f"1 {count}"]).cpu_s for count in (FEW, images)}
    image_ms = 1_000 * (cpu_s[images] - cpu_s[FEW]) / (images - FEW)
    photo_bytes = sum(path.stat().st_size for path in photos(FEW).rglob("*") if path.is_file()) / FEW
    return [
        Figure(f"one worker, {images:,} images", one, "images/s", detail=started),
        Figure(f"two workers, {images:,} images", two, "images/s", detail=started),
        Figure("two workers / one", two / one, "", BOUND, "at least", detail="start-up included"),
        Figure("one worker, an image more", more[0], "images/s", detail=f"from {FEW} to {images:,}"),
        Figure("two workers, an image more", more[1], "images/s", detail=f"from {FEW} to {images:,}"),
        Figure("an image more, CPU", image_ms, "ms CPU/image", detail=f"one worker, from {FEW} to {images:,}"),
        Figure("start-up, CPU", cpu_s[FEW] - FEW * image_ms / 1_000, "s", detail="model, plan and manifest"),
        Figure("a photo", photo_bytes, "bytes", detail="500-pixel JPEGs"),
        Figure("its row", sizes[0], "bytes", detail="Parquet, 1,024 dimensions in float16; in shards of 100"),
    ]


if __name__ == "__main__":
    report(measure, __doc__)
