"""CPU of a scan with all default stages, start-up included, against the peers on the same files."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.corpus import photos
from benchmarks.figures import Figure, spread
from benchmarks.measure import Cost, median, run
from benchmarks.options import Options, report
from benchmarks.peers import chosen, install, run_job, version

FASTDUP_BOUNDS = {2000: 0.45, 5000: 1 / 3}  # of fastdup's CPU, by number of images


def fresh_scan(options: Options, folder: Path, *, workers: int = 2, watch_memory: bool = False) -> Cost:
    """Scan into a collection that is thrown away. Raises RuntimeError unless all images are ok."""
    state = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    try:
        cost = run(scan_command(options, folder, state, workers), env=own_state(state), watch_memory=watch_memory)
        check_all_ok(cost, sum(path.is_file() for path in folder.rglob("*")))
        return cost
    finally:
        shutil.rmtree(state, ignore_errors=True)


def scan_command(options: Options, folder: Path, state: Path, workers: int = 2) -> list[str]:
    collection = str(state / "collection")
    return [
        *options.tintype,
        "scan",
        str(folder),
        "--collection",
        collection,
        "--workers",
        str(workers),
        "--json",
    ]


def own_state(state: Path) -> dict[str, str]:
    """An environment in which the user's settings and state are neither read nor written."""
    return {f"XDG_{kind}_HOME": str(state / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}


def check_all_ok(cost: Cost, images: int) -> None:
    """Raises RuntimeError where a scan did not find that many images, all ok: its figures mean nothing."""
    answer = json.loads(cost.stdout)
    if answer.get("images") != images or answer.get("status") != {"ok": images}:
        raise RuntimeError(f"expected {images} images, all ok; the scan says {cost.stdout[:500]}")


def measure(options: Options) -> list[Figure]:
    peers = chosen(options.named)
    for peer in peers:
        install(peer)
    figures = []
    for images in (500,) if options.quick else (2000, 5000):
        folder = photos(images)
        jobs: dict[str, Callable[[], Cost]] = {"tintype": partial(fresh_scan, options, folder)}
        for peer in peers:
            jobs[version(peer)] = partial(run_job, peer, folder)
        costs = interleaved(jobs, options.runs)
        figures += _figures(costs, images)
    return figures


def interleaved(jobs: dict[str, Callable[[], Cost]], runs: int) -> dict[str, list[Cost]]:
    """The costs of jobs that take turns (A B A B …), so that what else the machine does weighs on all alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            costs[name].append(job())
    return costs


def _figures(costs: dict[str, list[Cost]], images: int) -> list[Figure]:
    figures = [_per_image("tintype scan", costs["tintype"], images)]
    for name in costs:
        if name != "tintype":
            bound = FASTDUP_BOUNDS.get(images) if name.startswith("fastdup") else None
            figures += [_per_image(name, costs[name], images), _ratio(name, costs, images, bound)]
    return figures


def _per_image(name: str, costs: list[Cost], images: int) -> Figure:
    middle = median(costs)
    cpu_s = spread([cost.cpu_s for cost in costs])
    detail = f"{cpu_s} s of CPU, {middle.wall_s:.1f} s by the clock"
    return Figure(f"{name}, {images:,} images", 1000 * middle.cpu_s / images, "ms CPU/image", detail=detail)


def _ratio(name: str, costs: dict[str, list[Cost]], images: int, bound: float | None) -> Figure:
    rounds = [ours.cpu_s / theirs.cpu_s for ours, theirs in zip(costs["tintype"], costs[name], strict=True)]
    detail = f"median of the rounds, {spread(rounds)}"
    return Figure(f"scan's CPU / {name}'s, {images:,} images", statistics.median(rounds), "", bound, detail=detail)


if __name__ == "__main__":
    report(measure, __doc__)
