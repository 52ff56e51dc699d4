"""What the benchmarks' command lines have in common."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, table
from benchmarks.measure import load_average, machine, use_two_cores


@dataclass(frozen=True)
class Options:
    """How to measure. `tintype` is the command before `scan`; `named` are peers asked for by name."""

    quick: bool
    runs: int
    named: tuple[str, ...]
    tintype: tuple[str, ...]


def parser(description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--quick", action="store_true", help="small inputs, for a first look, too small to judge by")
    made.add_argument("--runs", type=int, default=3, help="of each command; the median counts")
    made.add_argument("--with", dest="named", action="append", default=[], help="a peer that only runs by name")
    made.add_argument("--tintype", default=str(Path(sys.executable).with_name("tintype")), help="the command")
    return made


def chosen_options(given: argparse.Namespace) -> Options:
    return Options(given.quick, given.runs, tuple(given.named), tuple(shlex.split(given.tintype)))


def report(measure: Callable[[Options], list[Figure]], description: str | None) -> None:
    """Run one benchmark from the command line and print its table."""
    options = chosen_options(parser(description).parse_args())
    use_two_cores()
    print(machine())
    print(f"load average before: {load_average():.2f}", flush=True)
    print(table(measure(options), judged=not options.quick))
