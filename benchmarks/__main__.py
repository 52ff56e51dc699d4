"""Runs all benchmarks and prints their tables; `--write` keeps them in benchmarks/RESULTS.md."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import (
    copies,
    descriptor_cost,
    duplicates_million,
    embed,
    embed_shards,
    embed_workers,
    finding,
    index,
    install_size,
    label_errors,
    large_images,
    ledger,
    memory,
    neighbor_graph,
    rescan,
    scan,
    search,
    workers,
)
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
    "duplicates_million": duplicates_million.measure,
    "descriptor_cost": descriptor_cost.measure,
    "copies": copies.measure,
    "finding": finding.measure,
    "neighbor_graph": neighbor_graph.measure,
    "index": index.measure,
    "search": search.measure,
    "label_errors": label_errors.measure,
    "ledger": ledger.measure,
    "embed": embed.measure,
    "embed_shards": embed_shards.measure,
    "embed_workers": embed_workers.measure,
    "install_size": install_size.measure,
}
HEAD = """# What Tintype costs

CPU is user and system time of all processes of a command. Commands take turns, and medians count. Files lie in the
page cache. Every ratio is of figures from the same run. `python -m benchmarks.corpus` makes the inputs.
"""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--only", action="append", choices=list(BENCHMARKS), help="this one; may come again")
    arguments.add_argument("--write", action="store_true", help="keep the figures in benchmarks/RESULTS.md")
    given = arguments.parse_args()
    use_two_cores()
    for name in given.only or BENCHMARKS:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        section = _section(name, chosen_options(given))
        print(section, flush=True)
        if given.write:
            _keep(name, section)


def _section(name: str, options: Options) -> str:
    began, load = time.perf_counter(), load_average()
    figures = table(BENCHMARKS[name](options), judged=not options.quick)
    minutes = (time.perf_counter() - began) / 60
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    day = dt.datetime.now(dt.UTC).date()
    circumstances = f"`{command}`, {day}, {minutes:.0f} minutes, load average {load:.2f} before; {machine()}."
    about = (sys.modules[f"benchmarks.{name}"].__doc__ or "").strip()
    return f"## {name}\n\n{about}\n\n{figures}\n\n{circumstances}\n"


def _keep(name: str, section: str) -> None:
    """Put one section into the results; those of the others stay."""
    sections: dict[str, str] = {**_kept(), name: section}
    ordered = [sections[known] for known in BENCHMARKS if known in sections]
    ordered += [text for other, text in sections.items() if other not in BENCHMARKS]  # written by hand: make faults
    RESULTS.write_text("\n".join([HEAD, *ordered]), encoding="utf-8")


def _kept() -> Mapping[str, str]:
    if not RESULTS.exists():
        return {}
    _, *sections = RESULTS.read_text(encoding="utf-8").split("\n## ")
    return {section.split("\n")[0]: f"## {section.strip()}\n" for section in sections}


if __name__ == "__main__":
    main()
