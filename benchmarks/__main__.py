"""Runs all benchmarks and prints one table; `--write` keeps it in benchmarks/RESULTS.md."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import install_size, large_images, memory, rescan, scan, workers
from benchmarks.figures import Figure, table
from benchmarks.measure import load_average, machine, use_two_cores
from benchmarks.options import Options, chosen_options, parser

RESULTS = Path(__file__).with_name("RESULTS.md")
BENCHMARKS: dict[str, Callable[[Options], list[Figure]]] = {
    "scan": scan.measure,
    "large_images": large_images.measure,
    "workers": workers.measure,
    "memory": memory.measure,
    "rescan": rescan.measure,
    "install_size": install_size.measure,
}
HEAD = """# What Tintype costs

Made by `{command}` on {day}, {minutes:.0f} minutes, load average {load:.2f} before.

{machine}.

CPU is user and system time of all processes; commands take turns and medians of {runs} runs count. Files
lie in the page cache. Every ratio is of figures from the same run. Inputs: `python -m benchmarks.corpus`.
"""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="this one; may come again"
    )
    arguments.add_argument("--write", action="store_true", help="keep the figures in benchmarks/RESULTS.md")
    given = arguments.parse_args()
    use_two_cores()
    text = _measured(chosen_options(given), given.only or list(BENCHMARKS))
    print(text)
    if given.write:
        RESULTS.write_text(text, encoding="utf-8")


def _measured(options: Options, names: list[str]) -> str:
    began, load = time.perf_counter(), load_average()
    sections = []
    for name in names:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        sections.append(f"## {name}\n\n{_doc(name)}\n\n{table(BENCHMARKS[name](options))}\n")
    head = HEAD.format(
        command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
        day=dt.datetime.now(dt.UTC).date(),
        minutes=(time.perf_counter() - began) / 60,
        load=load,
        machine=machine(),
        runs=options.runs,
    )
    return "\n".join([head, *sections])


def _doc(name: str) -> str:
    return (sys.modules[f"benchmarks.{name}"].__doc__ or "").strip()


if __name__ == "__main__":
    main()
