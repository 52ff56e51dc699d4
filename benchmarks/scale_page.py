"""Puts the measured figures of benchmarks/RESULTS.md into docs/scale.md, and what its sum then prints."""

from __future__ import annotations

import contextlib
import io
import re

from benchmarks.measure import ROOT

RESULTS, PAGE = ROOT / "benchmarks" / "RESULTS.md", ROOT / "docs" / "scale.md"
_INPUT = re.compile(r'^(    "\w+": )[\d_.]+(,  # (\w+): (.+))$', re.MULTILINE)
_SUM = re.compile(r"(^```python\n(?P<code>[^`]*measured = \{[^`]*)^```\n\n```text\n)[^`]*(^```$)", re.MULTILINE)


def figure(results: str, benchmark: str, name: str) -> str:
    """A figure as the results have it, without commas. Raises LookupError."""
    _, _, section = results.partition(f"\n## {benchmark}\n")
    found = re.search(rf"^\| {re.escape(name)} \| ([\d.,]+)", section.partition("\n## ")[0], re.MULTILINE)
    if found is None:
        raise LookupError(f"{benchmark}: no figure {name!r}")
    return found[1].replace(",", "")


def filled(page: str, results: str) -> str:
    """The page with these figures."""
    page = _INPUT.sub(lambda found: found[1] + figure(results, found[3], found[4]) + found[2], page)
    return _SUM.sub(lambda found: found[1] + _printed(found["code"]) + found[3], page)


def _printed(code: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    return printed.getvalue()


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), RESULTS.read_text(encoding="utf-8")), encoding="utf-8")
