"""The broken and hostile archives and tables of the test data, each against what its manifest expects."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tintype.core.errors import SourceError
from tintype.sources.resolve import resolve
from tintype.testing.sources import items_of

PROGRAM = """
import json, pathlib, re, resource, sys
limit = 1_200_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from tintype.core.errors import SourceError
from tintype.sources.resolve import resolve

for path in sys.argv[1:]:
    found = {"path": path, "refused": None, "items": [], "problems": [], "skipped": {}, "incomplete": []}
    try:
        (source,) = resolve(path)
        for shard in source.shards():
            for item in source.read(shard, 1_000_000_000):
                found["items"].append([item.uri, item.status, item.reason, len(item.data or "")])
        notes = source.notes
        found |= {"problems": notes.problems, "skipped": notes.skipped, "incomplete": notes.incomplete}
    except SourceError as error:
        found["refused"] = str(error)
    print(json.dumps(found))
# Not ru_maxrss: that one begins with the size of the process that started this one.
peak = int(re.search("VmHWM:[^0-9]*([0-9]+)", pathlib.Path("/proc/self/status").read_text())[1])
print(json.dumps({"path": "", "peak_kb": peak}))
"""

SOURCES = (".tar", ".tar.gz", ".parquet", ".csv", ".jsonl")


@pytest.fixture(scope="module")
def manifest(data):
    with (data / "hostile-archives" / "manifest.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    return {name: row for name, row in rows.items() if name.endswith(SOURCES)}


@pytest.fixture(scope="module")
def run(data, manifest, tmp_path_factory):
    """What a process with little memory made of them all, in a working folder of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    work = folder / "a" / "b" / "c"
    work.mkdir(parents=True)
    places = [str(data / "hostile-archives" / name) for name in manifest]
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *places], cwd=work, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2_000:]
    found = {os.path.basename(one["path"]): one for one in map(json.loads, result.stdout.splitlines())}
    return found, [path for path in folder.rglob("*") if path.is_file()]


def test_all_sources_of_the_manifest_were_tried(run, manifest):
    assert len(manifest) == 79
    assert set(manifest) <= set(run[0])


def test_memory_stays_small(run):
    """A 1 GB member in a gzip, 800 MB of a dictionary and 8 GB of a claim are among them."""
    assert run[0][""]["peak_kb"] < 500_000


def test_nothing_is_written_and_nothing_was_run(run):
    assert run[1] == []
    assert not Path("/tmp/tintype-escaped.jpg").exists()
    assert not Path("tintype-was-unpickled.txt").exists()


def test_what_is_refused_is_said_in_one_line(run):
    for found in run[0].values():
        reasons = [found.get("refused") or "", *(reason for _, reason in found.get("problems", []))]
        reasons += [reason or "" for _, _, reason, _ in found.get("items", [])]
        assert not any(set(reason) & set("\n\r\x1b\0") for reason in reasons)


def test_good_ones_are_read_without_a_word(run, manifest):
    good = [name for name, row in manifest.items() if row["expect"] == "ok"]
    assert len(good) == 4
    for name in good:
        found = run[0][name]
        assert not found["refused"]
        assert not found["problems"]
        assert found["items"]
    for name in ("good.tar", "good.tar.gz", "good.parquet"):
        assert {status for _, status, _, _ in run[0][name]["items"]} == {"ok"}


def test_damage_is_said(run, manifest):
    for name, row in manifest.items():
        if row["expect"] == "damaged":
            found = run[0][name]
            assert found["refused"] or found["problems"], name


def test_the_unsafe_part_is_refused_with_a_reason(run, manifest):
    for name, row in manifest.items():
        if row["expect"] == "rejected" and not name.startswith("pickle") and name != "traversal":
            found = run[0][name]
            rejected = [uri for uri, status, _, _ in found["items"] if status == "rejected"]
            assert found["refused"] or found["skipped"].get("refused") or rejected, name


@pytest.mark.parametrize(
    ("name", "ok"),
    [
        ("symlink-out.tar", 2),
        ("traversal-dotdot.tar", 2),
        ("traversal-middle.tar", 2),
        ("traversal-absolute.tar", 2),
        ("pax-path-escapes.tar", 1),
        ("devices-and-fifo.tar", 1),
        ("hardlink-out.tar", 1),
        ("pickle-members.tar", 2),
        ("pickle-npy-and-pth.tar", 1),
        ("paths-escape.parquet", 1),
        ("null-images.parquet", 1),
        ("checksum-wrong.tar", 2),
        ("size-8gb.tar", 1),
        ("truncated-in-data.tar", 3),
        ("truncated-in-header.tar", 3),
        ("truncated.tar.gz", 2),
        ("key-interleaved.tar", 2),
        ("no-end-blocks.tar", 5),
        ("names-collide.tar", 4),
        ("names-control-characters.tar", 4),
        ("names-invalid-utf8.tar", 3),
        ("names-windows-reserved.tar", 6),
        ("deep-path-2000.tar", 2),
        ("name-5000-characters.tar", 2),
        ("dictionary-bomb.parquet", 200),
    ],
)
def test_good_members_beside_bad_ones_are_read(run, name, ok):
    assert Counter(status for _, status, _, _ in run[0][name]["items"])["ok"] == ok


@pytest.mark.parametrize(
    "name", ["checksum-wrong.tar", "truncated-in-header.tar", "size-8gb.tar", "truncated-in-data.tar"]
)
def test_where_tarfile_stops_silently_the_loss_is_counted(run, name):
    found = run[0][name]
    assert found["incomplete"] == [name + "#"]
    assert any("bytes were not read" in reason for _, reason in found["problems"])


@pytest.mark.parametrize(
    ("name", "lines"), [("bad-lines.jsonl", [2, 5]), ("quotes.csv", [2, 4]), ("ragged.csv", [3, 4])]
)
def test_bad_lines_are_named(run, name, lines):
    assert [reason.partition(":")[0] for _, reason in run[0][name]["problems"]] == [f"line {line}" for line in lines]


def outcome(path):
    try:
        (source,) = resolve(path)
        return [[item.uri, item.status, item.reason, len(item.data or "")] for item in items_of(source)]
    except SourceError as error:
        return str(error)


@pytest.mark.parametrize(
    "name", ["good.tar", "truncated.tar.gz", "quotes.csv", "paths-escape.parquet", "zip-named.tar"]
)
def test_what_was_told_is_told_again(data, run, name):
    """In this process too, with all its caches."""
    expected = run[0][name]["refused"] or run[0][name]["items"]
    for _ in range(2):
        assert outcome(str(data / "hostile-archives" / name)) == expected
