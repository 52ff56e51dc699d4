"""What a scan does with new, unchanged, changed, moved and gone files, with stages, and with an empty root."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mischief
import pytest
from harness import public, rows_in, run_scan, work_with

from tintype.core.errors import CollectionLocked, SourceError
from tintype.engine.scan import locked
from tintype.sources.folder import FolderSource
from tintype.store.layout import Layout
from tintype.testing.pictures import encoded, fill_folder, scene

WORK = work_with(mischief.STAGE)


@pytest.fixture(autouse=True)
def _workers_find_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill_folder(tmp_path / "root", 40)
    return tmp_path / "root"


def test_every_image_has_a_row_with_its_facts(root: Path, tmp_path: Path) -> None:
    summary, rows = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert (summary.images, summary.new) == (40, 40)
    assert [row["uri"] for row in rows] == sorted(str(path.relative_to(root)) for path in root.rglob("*.jpg"))
    for row in rows:
        path = root / row["uri"]
        assert (row["status"], row["width"], row["height"], row["format"]) == ("ok", 96, 64, "jpeg")
        assert row["size_bytes"] == row["file_length"] == path.stat().st_size
        assert row["_mtime_ns"] == path.stat().st_mtime_ns


def test_unchanged_files_are_not_read_again(root: Path, tmp_path: Path) -> None:
    _, first = run_scan(FolderSource(root), tmp_path / "c", WORK)
    for path in root.rglob("*.jpg"):  # other bytes under the same stamp: whoever reads them would tell
        facts = path.stat()
        path.write_bytes(b"x" * facts.st_size)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    summary, second = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert (summary.unchanged, summary.new, summary.changed) == (40, 0, 0)
    assert second == first


def test_changed_files_are_replaced_and_gone_ones_leave(root: Path, tmp_path: Path) -> None:
    _, first = run_scan(FolderSource(root), tmp_path / "c", WORK)
    changed, gone = root / first[0]["uri"], root / first[1]["uri"]
    changed.write_bytes(encoded(scene(999), quality=70))
    gone.unlink()
    summary, second = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert (summary.changed, summary.gone, summary.unchanged, summary.images) == (1, 1, 38, 39)
    assert second[0]["digest"] != first[0]["digest"]
    assert second[0]["file_length"] == changed.stat().st_size
    assert second[1:] == first[2:]


def test_moved_files_are_recognized_and_not_analyzed_again(root: Path, tmp_path: Path) -> None:
    _, first = run_scan(FolderSource(root), tmp_path / "c", WORK)
    poisoned = work_with(replace(mischief.STAGE, compute=mischief.refuse))  # its name, version and settings: its state
    (root / "elsewhere").mkdir()
    moved = root / first[5]["uri"]
    moved.rename(root / "elsewhere" / "renamed.jpg")
    shutil.copy(root / first[6]["uri"], root / "elsewhere" / "copy.jpg")
    summary, second = run_scan(FolderSource(root), tmp_path / "c", poisoned)
    assert (summary.moved, summary.new, summary.gone, summary.images) == (1, 1, 0, 41)
    by_uri = {row["uri"]: row for row in second}
    assert by_uri["elsewhere/renamed.jpg"]["file_length"] == first[5]["file_length"]
    assert by_uri["elsewhere/copy.jpg"]["status"] == "ok"
    assert by_uri["elsewhere/copy.jpg"]["width"] == 96


def test_bytes_that_occur_twice_in_a_shard_are_analyzed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    marker = tmp_path / "analyzed"
    for number in range(20):
        (root / f"{number}.jpg").write_bytes(encoded(scene(1)) + b"tail")
    work = work_with(replace(mischief.STAGE, compute=mischief.count_images))
    monkeypatch.setenv("TINTYPE_TEST_MARKER", str(marker))
    _, rows = run_scan(FolderSource(root), tmp_path / "c", work, workers=1)
    assert marker.read_bytes() == b"."
    assert len({row["file_length"] for row in rows}) == 1
    assert all(row["file_length"] is not None for row in rows)


def test_a_new_stage_is_computed_for_old_rows_and_leaves_all_else(root: Path, tmp_path: Path) -> None:
    _, bare = run_scan(FolderSource(root), tmp_path / "c", work_with())
    summary, rows = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert (summary.unchanged, summary.updated) == (40, 40)
    assert [row["file_length"] for row in rows] == [row["size_bytes"] for row in rows]
    assert [{name: row[name] for name in bare[0]} for row in rows] == bare


def test_a_changed_setting_makes_rows_stale_and_a_kept_one_does_not(root: Path, tmp_path: Path) -> None:
    run_scan(FolderSource(root), tmp_path / "c", WORK)
    other = work_with(mischief.STAGE, settings={"mischief": mischief.Settings(add=1)})
    summary, rows = run_scan(FolderSource(root), tmp_path / "c", other)
    assert summary.updated == 40
    assert all(row["file_length"] == row["size_bytes"] + 1 for row in rows)
    summary, _ = run_scan(FolderSource(root), tmp_path / "c", other)
    assert summary.updated == 0


def test_a_file_that_changed_since_is_left_for_the_next_scan(root: Path, tmp_path: Path) -> None:
    """Its stamp is as before, so only the update of a stage reads it; then its bytes are not those of its row."""
    _, bare = run_scan(FolderSource(root), tmp_path / "c", work_with())
    path = root / bare[0]["uri"]
    facts = path.stat()
    path.write_bytes(encoded(scene(7777)).ljust(facts.st_size, b"\0")[: facts.st_size])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    _, rows = run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert rows[0]["file_length"] is None
    assert all(row["file_length"] is not None for row in rows[1:])


def test_the_number_of_workers_changes_no_public_column(tmp_path: Path) -> None:
    fill_folder(tmp_path / "root", 120)
    results = [
        public(run_scan(FolderSource(tmp_path / "root"), tmp_path / f"c{workers}", WORK, workers)[1])
        for workers in (1, 3)
    ]
    assert results[0] == results[1]


def test_an_empty_root_does_not_forget_a_collection(root: Path, tmp_path: Path) -> None:
    run_scan(FolderSource(root), tmp_path / "c", WORK)
    root.rename(tmp_path / "away")
    root.mkdir()
    with pytest.raises(SourceError, match="mounted"):
        run_scan(FolderSource(root), tmp_path / "c", WORK)
    assert len(rows_in(tmp_path / "c")) == 40


def test_a_root_that_never_had_images_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "notes.txt").write_text("nothing")
    summary, rows = run_scan(FolderSource(tmp_path / "root"), tmp_path / "c", WORK)
    assert rows == []
    assert summary.skipped == {"other": 1}


def test_a_second_scan_at_the_same_time_learns_who_is_at_work(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    hold = "import sys; from pathlib import Path; from tintype.engine.scan import locked; from tintype.store.layout "
    hold += "import Layout\nwith locked(Layout(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(CollectionLocked, match=f"process {other.pid} on"), locked(layout):
        pass
    other.send_signal(signal.SIGKILL)  # its lock goes with it
    other.wait()
    with locked(layout):
        pass


def test_rows_below_a_folder_that_cannot_be_listed_are_kept(root: Path, tmp_path: Path) -> None:
    run_scan(FolderSource(root), tmp_path / "c", WORK)
    shutil.rmtree(root / "folder 1")
    source = FolderSource(root)
    listed = source.shards

    def incomplete() -> object:
        yield from listed()
        source.notes.incomplete.append("folder 1/")

    source.shards = incomplete  # type: ignore[method-assign,assignment]  # as if the disk had said no
    summary, rows = run_scan(source, tmp_path / "c", WORK)
    assert len(rows) == 40
    assert summary.gone == 0
