"""An image that kills, hangs or bloats its worker costs its own row; its neighbors and its shard survive."""

from dataclasses import replace
from pathlib import Path

import mischief
import pytest
from harness import public, run_scan, work_with

from tintype.codec.limits import Limits
from tintype.core.errors import WorkerFailed
from tintype.sources.folder import FolderSource
from tintype.testing.pictures import encoded, fill_folder, scene

LIMITS = Limits(cpu_seconds=2.0, memory_mb=800)
WORK = work_with(mischief.STAGE, limits=LIMITS)


@pytest.fixture(autouse=True)
def _workers_find_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.mark.parametrize(
    ("order", "status", "reason"),
    [
        (mischief.CRASH, "crashed", "the decoder died (SIGSEGV)"),
        (mischief.HANG, "timeout", "takes more than 2 CPU-seconds (limits.cpu_seconds)"),
        (mischief.EAT, "rejected", "takes more than 800 MB of memory (limits.memory_mb)"),
    ],
)
def test_only_the_image_at_fault_gets_its_status(tmp_path: Path, order: bytes, status: str, reason: str) -> None:
    root = tmp_path / "root"
    paths = fill_folder(root, 30)
    bad = paths[17]
    bad.write_bytes(encoded(scene(4711)) + order)
    _, rows = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert len(rows) == 30
    by_uri = {row["uri"]: row for row in rows}
    blamed = by_uri.pop(str(bad.relative_to(root)))
    assert (blamed["status"], blamed["reason"]) == (status, reason)
    assert blamed["digest"] is not None
    assert {row["status"] for row in by_uri.values()} == {"ok"}
    assert all(row["file_length"] == row["size_bytes"] for row in by_uri.values())


def test_several_faults_of_several_kinds_in_one_shard_are_told_apart(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = fill_folder(root, 60)
    orders = {paths[3]: mischief.CRASH, paths[4]: mischief.CRASH, paths[30]: mischief.HANG, paths[59]: mischief.EAT}
    for number, (path, order) in enumerate(orders.items()):
        path.write_bytes(encoded(scene(5000 + number)) + order)
    _, rows = run_scan(FolderSource(root), tmp_path / "c", WORK)
    found = {row["uri"]: row["status"] for row in rows if row["status"] != "ok"}
    statuses = {mischief.CRASH: "crashed", mischief.HANG: "timeout", mischief.EAT: "rejected"}
    assert found == {str(path.relative_to(root)): statuses[order] for path, order in orders.items()}


def test_an_image_is_not_blamed_for_one_death(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = fill_folder(root, 30)
    _, undisturbed = run_scan(FolderSource(root), tmp_path / "before", work_with())
    for path in (paths[2], paths[20]):
        marker = tmp_path / f"died at {path.stem}"
        path.write_bytes(path.read_bytes() + mischief.ONCE + str(marker).encode())
    _, rows = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert len(list(tmp_path.glob("died at *"))) == 2
    assert {row["status"] for row in rows} == {"ok"}
    assert [row["uri"] for row in rows] == [row["uri"] for row in undisturbed]


def test_a_stage_that_fails_costs_its_own_columns_and_is_said(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = fill_folder(root, 30)
    for path in (paths[4], paths[20]):
        path.write_bytes(encoded(scene(4711)) + path.name.encode() + mischief.FAIL)
    summary, rows = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert {row["status"] for row in rows} == {"ok"}
    failed = {str(path.relative_to(root)) for path in (paths[4], paths[20])}
    assert {row["uri"] for row in rows if row["file_length"] is None} == failed
    ((uri, reason),) = summary.problems
    assert uri in failed
    assert "stage mischief failed on 2 images" in reason
    assert "ValueError: this stage will not have it" in reason
    summary, again = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert (summary.updated, again) == (0, rows)  # the same computation would fail again
    mended = work_with(replace(mischief.STAGE, version=2), limits=LIMITS)
    summary, _ = run_scan(FolderSource(root), tmp_path / "c", mended)
    assert summary.updated == 30


def test_what_was_blamed_is_not_tried_again_until_the_limits_change(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = fill_folder(root, 10)
    paths[5].write_bytes(encoded(scene(1)) + mischief.CRASH)
    _, first = run_scan(FolderSource(root), tmp_path / "c", WORK)
    summary, again = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert (summary.unchanged, again) == (10, first)
    other = work_with(mischief.STAGE, limits=Limits(cpu_seconds=3.0, memory_mb=800))
    summary, later = run_scan(FolderSource(root), tmp_path / "c", other)
    assert (summary.changed, summary.unchanged) == (1, 9)
    assert public(later) == public(first)


def test_workers_that_cannot_start_end_the_scan_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_folder(tmp_path / "root", 40)
    (tmp_path / "broken" / "blake3").mkdir(parents=True)
    (tmp_path / "broken" / "blake3" / "__init__.py").write_text("import os; os._exit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(WorkerFailed, match="exit code 7"):
        run_scan(FolderSource(tmp_path / "root"), tmp_path / "c", WORK)


def test_a_stage_that_is_added_later_blames_as_one_that_was_there_from_the_first(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = fill_folder(root, 20)
    paths[3].write_bytes(encoded(scene(1)) + mischief.FAIL)
    paths[9].write_bytes(encoded(scene(2)) + mischief.CRASH)
    _, at_once = run_scan(FolderSource(root), tmp_path / "at once", WORK)
    run_scan(FolderSource(root), tmp_path / "later", work_with(limits=LIMITS))
    summary, later = run_scan(FolderSource(root), tmp_path / "later", WORK)
    assert summary.updated == 20
    facts = ("uri", "status", "reason", "file_length", "digest")
    assert [[row[name] for name in facts] for row in later] == [[row[name] for name in facts] for row in at_once]
    summary, _ = run_scan(FolderSource(root), tmp_path / "later", WORK)
    assert (summary.updated, summary.changed, summary.unchanged) == (0, 0, 20)


def test_no_file_is_left_behind_by_workers_that_died(tmp_path: Path) -> None:
    root = tmp_path / "root"
    paths = fill_folder(root, 20)
    paths[3].write_bytes(encoded(scene(1)) + mischief.CRASH)
    run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert list((tmp_path / "c" / "cache" / "updates").iterdir()) == []
