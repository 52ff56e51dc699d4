"""A rescan of an unchanged tree against a bare walk with os.stat, and how fast `tintype --help` answers."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.corpus import tiny_tree
from benchmarks.figures import Figure
from benchmarks.measure import Cost, median, run
from benchmarks.options import Options, report
from benchmarks.scan import check_all_ok, interleaved, own_state, scan_command

WALK_BOUND = 3.0
HELP_BOUND_S = 0.15
HELP_RUNS = 15
FEW = 200  # a tree so small that a rescan of it is start-up
WALK = """
import os, sys
count = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        os.stat(os.path.join(folder, name))
        count += 1
print(count)
"""


def measure(options: Options) -> list[Figure]:
    return [*_rescan(options), _help(options)]


def _rescan(options: Options) -> list[Figure]:
    count = 5_000 if options.quick else 100_000
    many, few = tiny_tree(count), tiny_tree(FEW)
    state = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    try:
        first = {tree: _scan(options, tree, state) for tree in (many, few)}
        check_all_ok(first[many], count)
        runs = interleaved(
            {
                "rescan": lambda: _scan(options, many, state),
                "walk": lambda: run([sys.executable, "-c", WALK, str(many)]),
                "rescan few": lambda: _scan(options, few, state),
                "walk few": lambda: run([sys.executable, "-c", WALK, str(few)]),
            },
            options.runs,
        )
    finally:
        shutil.rmtree(state, ignore_errors=True)
    costs = {name: median(found) for name, found in runs.items()}
    return _figures(costs, count, first[many])


def _scan(options: Options, tree: Path, state: Path) -> Cost:
    return run(scan_command(options, tree, state / tree.name), env=own_state(state))


def _figures(costs: dict[str, Cost], count: int, first: Cost) -> list[Figure]:
    rescan, walk = costs["rescan"], costs["walk"]
    bare_rescan_s = rescan.wall_s - costs["rescan few"].wall_s
    bare_walk_s = walk.wall_s - costs["walk few"].wall_s
    return [
        Figure(f"first scan of {count:,} tiny files", first.wall_s, "s", detail=f"{first.cpu_s:.1f} s of CPU"),
        Figure("rescan, nothing changed", rescan.wall_s, "s", detail=f"{rescan.cpu_s:.2f} s of CPU"),
        Figure("bare walk with os.stat", walk.wall_s, "s", detail=f"{walk.cpu_s:.2f} s of CPU"),
        Figure(
            "rescan / walk, by the clock",
            rescan.wall_s / walk.wall_s,
            "",
            WALK_BOUND,
            detail="start-up included",
        ),
        Figure("rescan / walk, CPU", rescan.cpu_s / walk.cpu_s, "", detail="start-up included"),
        Figure(
            "rescan / walk, without start-up",
            bare_rescan_s / bare_walk_s,
            "",
            detail=f"less that of {FEW} files",
        ),
    ]


def _help(options: Options) -> Figure:
    cost = median([run([*options.tintype, "--help"]) for _ in range(HELP_RUNS)])
    return Figure("`tintype --help`", cost.wall_s, "s", HELP_BOUND_S, detail=f"median of {HELP_RUNS}")


if __name__ == "__main__":
    report(measure, __doc__)
