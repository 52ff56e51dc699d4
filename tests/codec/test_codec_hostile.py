"""The 300 hostile files: each gets the status that the manifest asks for, and none brings the process down."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tintype.core.columns import STATUSES

STATUS_OF = {"ok": "ok", "damaged": "damaged", "rejected": "rejected", "not_image": "unsupported"}


@pytest.fixture(scope="module")
def manifest(data):
    with (data / "hostile" / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def verdicts(data, manifest):
    """What a process of its own says of each file, with bounded memory and CPU time."""
    names = [row["name"] for row in manifest]
    runner = Path(__file__).with_name("hostile_run.py")
    done = subprocess.run(
        [sys.executable, runner, data / "hostile", *names], capture_output=True, text=True, timeout=180, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died at {names[len(lines)]}: {done.stderr[-500:]}"
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("expect", sorted(STATUS_OF))
def test_every_file_has_the_status_that_the_manifest_asks_for(expect, manifest, verdicts):
    rows = [row for row in manifest if row["expect"] == expect]
    assert len(rows) > 5
    wrong = {row["name"]: verdicts[row["name"]] for row in rows if verdicts[row["name"]]["status"] != STATUS_OF[expect]}
    assert wrong == {}


def test_every_file_has_a_verdict(manifest, verdicts):
    assert set(verdicts) == {row["name"] for row in manifest}
    assert {verdict["status"] for verdict in verdicts.values()} <= set(STATUSES)


def test_every_reason_is_one_readable_line(verdicts):
    reasons = [verdict["reason"] for verdict in verdicts.values() if verdict["status"] != "ok"]
    assert all(reason and reason.isprintable() and len(reason) < 250 for reason in reasons)


def test_memory_stays_small(verdicts):
    """Bombs of 400 megapixels and 150 MB are refused before they unpack: nothing comes near their size."""
    assert max(verdict["grown_mb"] for verdict in verdicts.values()) < 100
