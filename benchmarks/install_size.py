"""How much disk `pip install tintype` takes in an empty environment, and which parts take most of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from importlib import metadata
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.measure import ROOT
from benchmarks.options import Options, report

BOUND_MB = 880.0
SHOWN_PARTS = 5
NOT_COUNTED = ("pip", "setuptools")
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src")


def measure(options: Options) -> list[Figure]:
    """The size in 10^6 bytes of all files in site-packages but pip and setuptools."""
    with tempfile.TemporaryDirectory(prefix="tintype-install-") as place:
        parts = _parts(_installed(Path(place)))
    largest = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in parts.most_common(SHOWN_PARTS))
    return [Figure("installed size of the core", parts.total() / 1e6, "MB", BOUND_MB, detail=f"largest: {largest}")]


def _installed(place: Path) -> Path:
    """The site-packages of a new environment with nothing but the core in it."""
    source = place / "source"
    source.mkdir()
    for name in SOURCES:
        _copy(ROOT / name, source / name)  # pip builds in the folder it is given
    subprocess.run([sys.executable, "-m", "venv", place / "environment"], check=True)
    pip = [str(place / "environment" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", source], check=True)
    return next((place / "environment" / "lib").glob("python*/site-packages"))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    elif source.exists():
        shutil.copy(source, target)


def _parts(site_packages: Path) -> Counter[str]:
    """Bytes by distribution, of its files that lie in site-packages (compiled modules too)."""
    parts: Counter[str] = Counter()
    for distribution in metadata.distributions(path=[str(site_packages)]):
        name = distribution.metadata["Name"]
        if name in NOT_COUNTED:
            continue
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and path.exists():
                parts[name] += path.stat().st_size
    return parts


if __name__ == "__main__":
    report(measure, __doc__)
