"""The plug-ins of the page on plug-ins work: found by their entry points, run by a scan, kept to their contract."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pages import DOCS, Block, blocks
from workplace import Workplace

PAGE = blocks(DOCS / "plugins.md")


@pytest.fixture
def installed(workplace: Workplace, tmp_path: Path) -> dict[str, str]:
    """An environment in which the plug-ins of the page are installed."""
    place = tmp_path / "installed"
    facts = place / "redness-1.0.dist-info"
    facts.mkdir(parents=True)
    points: dict[str, dict[str, str]] = {}
    for block in PAGE:
        if block.file == "pyproject.toml":
            points |= tomllib.loads(block.text)["project"]["entry-points"]
        elif block.file:
            (place / block.file).write_text(block.text)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: redness\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "\n".join(f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in named.items()) for group, named in points.items())
    )
    return workplace.environ | {"PYTHONPATH": os.pathsep.join((str(place), os.environ.get("PYTHONPATH", "")))}


def test_the_plugins_are_listed_run_and_filtered_by(installed, workplace):
    listed = _run(["tintype", "plugins"], installed, workplace)
    assert "redness 1.0" in listed
    assert "night:FINDER" in listed
    for line in _unrun("sh").text.splitlines():
        printed = _run(["bash", "-c", line], installed, workplace)
    assert "Images" in printed
    assert not printed.split("Images")[1].strip().startswith("0")


def test_the_finder_finds_what_was_taken_at_night(installed, workplace):
    uris = _run([sys.executable, "-c", _unrun("python").text], installed, workplace)
    assert ".jpg" in uris


def test_the_test_of_the_page_passes(installed, workplace):
    place = Path(installed["PYTHONPATH"].split(os.pathsep)[0])
    printed = _run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(place), str(place)],
        installed,
        workplace,
    )
    assert " passed" in printed


def _unrun(language: str) -> Block:
    (block,) = (block for block in PAGE if block.language == language and not block.is_run)
    return block


def _run(words: list[str], environ: dict[str, str], workplace: Workplace) -> str:
    ended = subprocess.run(words, env=environ, cwd=workplace.home, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
