"""A full disk, missing rights, a second scan, newer and damaged collections: one line each, and nothing is lost."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ran, Tintype

from tintype.core.errors import CollectionError
from tintype.core.platform import write_atomically
from tintype.engine.ledger.sqlite import look_at
from tintype.testing.pictures import fill_folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    fill_folder(tmp_path / "root", 30)
    return tmp_path / "root"


def complaint(ran: Ran) -> str:
    """The one line that an error comes to."""
    lines = [line for line in ran.stderr.splitlines() if line.startswith("tintype: ")]
    assert ran.code != 0
    assert len(lines) == 1, ran.stderr
    return lines[0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted with the right to mount")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_said_and_the_scan_goes_on_once_there_is_space(
    tintype: Tintype, root: Path, small_disk: Path, tmp_path: Path
) -> None:
    (small_disk / "ballast").write_bytes(b"\0" * 900_000)
    ran = tintype("scan", root, "--collection", small_disk / "c")
    assert "no space left" in complaint(ran)
    assert "again" in complaint(ran)
    (small_disk / "ballast").unlink()
    again = tintype("scan", root, "--collection", small_disk / "c", "--json")
    assert again.code == 0, again.stderr
    assert again.json["status"] == {"ok": 30}


def test_a_disk_that_fills_up_in_mid_scan_keeps_what_was_committed(
    tintype: Tintype, tmp_path: Path, small_disk: Path
) -> None:
    root = tmp_path / "root"
    fill_folder(root, 30)
    assert tintype("scan", root, "--collection", small_disk / "c", "--json").json["images"] == 30
    fill_folder(root / "more", 400, first_seed=1_000)
    assert "no space left" in complaint(tintype("scan", root, "--collection", small_disk / "c"))
    assert tintype("info", root, "--collection", small_disk / "c", "--json").json["images"] >= 30
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    assert tintype("scan", root, "--collection", small_disk / "c", "--json").json["status"] == {"ok": 430}


def drop_rights() -> None:
    """Take from root what overrides a file's mode; after that root is refused like anybody else."""
    if os.getuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_a_folder_that_cannot_be_read_is_said_and_its_rows_are_kept(
    tintype: Tintype, root: Path, tmp_path: Path
) -> None:
    place = tmp_path / "c"
    words = ("scan", root, "--collection", place, "--json")
    assert tintype(*words, before=drop_rights).json["images"] == 30
    (root / "folder 1").chmod(0o000)
    ran = tintype(*words, before=drop_rights)
    assert ran.code == 0
    assert ran.json["images"] == 30
    assert ran.json["gone"] == 0
    assert [problem["uri"] for problem in ran.json["problems"]] == ["folder 1/"]
    assert "permission denied" in ran.json["problems"][0]["reason"]


def test_a_file_that_cannot_be_read_has_a_row_and_is_tried_again(tintype: Tintype, root: Path, tmp_path: Path) -> None:
    place = tmp_path / "c"
    secret = sorted(root.rglob("*.jpg"))[3]
    secret.chmod(0o000)
    words = ("scan", root, "--collection", place, "--json")
    assert tintype(*words, before=drop_rights).json["status"] == {"ok": 29, "unreadable": 1}
    secret.chmod(0o644)
    assert tintype(*words, before=drop_rights).json["status"] == {"ok": 30}


def test_a_root_that_is_read_only_asks_for_another_place(tintype: Tintype, root: Path) -> None:
    root.chmod(0o555)
    assert "--collection" in complaint(tintype("scan", root, before=drop_rights))


def test_a_second_scan_at_the_same_time_names_the_first(tintype: Tintype, root: Path) -> None:
    tintype("scan", root)
    hold = "import sys; from pathlib import Path; from tintype.core.platform import FileLock\n"
    hold += "FileLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", hold, root / ".tintype" / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()
    assert f"process {other.pid} on" in complaint(tintype("scan", root))
    assert f"process {other.pid} on" in tintype("doctor", root).stdout
    other.kill()
    other.wait()
    assert tintype("scan", root).code == 0


def test_a_newer_collection_is_refused_and_left_alone(tintype: Tintype, root: Path) -> None:
    tintype("scan", root)
    record = root / ".tintype" / "collection.json"
    facts = json.loads(record.read_text())
    write_atomically(record, json.dumps({**facts, "format": 99}).encode())
    before = record.read_bytes()
    for command in ("scan", "info", "duplicates", "report"):
        assert "99" in complaint(tintype(command, root))
        assert "pip install -U" in complaint(tintype(command, root))
    assert record.read_bytes() == before


def test_a_damaged_ledger_says_what_to_delete_and_doctor_finds_it(tintype: Tintype, root: Path) -> None:
    tintype("scan", root)
    ledger = root / ".tintype" / "ledger.sqlite"
    for leftover in root.glob(".tintype/ledger.sqlite-*"):
        leftover.unlink()
    ledger.write_bytes(b"SQLite format 3\0" + os.urandom(5_000))
    assert "delete it" in complaint(tintype("scan", root))
    assert "ledger" in tintype("doctor", root).stdout
    assert tintype("doctor", root).code != 0
    assert tintype("info", root, "--json").json["images"] == 30  # reading needs no ledger
    ledger.unlink()
    assert tintype("scan", root, "--json").json["unchanged"] == 30


@pytest.mark.parametrize("part", ["data", "_versions"])
def test_a_damaged_table_is_said_and_doctor_finds_it(tintype: Tintype, root: Path, part: str) -> None:
    tintype("scan", root)
    for file in (root / ".tintype" / "images.lance" / part).iterdir():
        file.write_bytes(os.urandom(file.stat().st_size))
    for command in ("info", "scan"):
        assert "doctor" in complaint(tintype(command, root))
    doctor = tintype("doctor", root, "--json")
    assert doctor.code != 0
    assert any(check["name"] == "table" and not check["ok"] for check in doctor.json["checks"])
    shutil.rmtree(root / ".tintype")  # what the message says; the images are untouched
    assert tintype("scan", root, "--json").json["images"] == 30


def test_a_collection_that_came_from_elsewhere_is_only_read_until_it_is_trusted(
    tintype: Tintype, root: Path, tmp_path: Path
) -> None:
    tintype("scan", root)
    stranger = Tintype(tmp_path / "stranger")
    stranger.home.mkdir()
    (root / "tintype.yaml").write_text("issues:\n  dark_below: 1.0\n")
    assert stranger("info", root, "--json").json["images"] == 30
    assert not any(row["issue"] == "dark" for row in stranger("issues", root, "--json").json["findings"])
    assert "tintype trust" in complaint(stranger("scan", root))
    assert stranger("trust", root).code == 0
    assert stranger("scan", root, "--json").json["unchanged"] == 30
    assert any(row["issue"] == "dark" for row in stranger("issues", root, "--json").json["findings"])


def test_a_root_that_is_not_there_names_the_nearest_that_is(tintype: Tintype, tmp_path: Path) -> None:
    line = complaint(tintype("scan", tmp_path / "Pictures" / "2024"))
    assert "not there" in line
    assert str(tmp_path) in line
    assert not (tmp_path / "Pictures").exists()


def test_an_answer_says_what_it_could_not_know(tintype: Tintype, root: Path) -> None:
    tintype("scan", root, "--stages", "exif")
    ran = tintype("duplicates", root, "--json")
    assert ran.json["pairs"] == []
    assert "never computed here: descriptor, phash" in ran.stderr
    assert "quality" in tintype("issues", root).stderr
    tintype("scan", root)
    assert tintype("duplicates", root).stderr == ""


def test_an_answer_says_that_a_scan_was_interrupted(tintype: Tintype, tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill_folder(root, 1_500)
    words = [sys.executable, "-m", "tintype.cli.main", "scan", root, "--workers", "1"]
    running = subprocess.Popen(words, env=tintype.environ, stderr=subprocess.DEVNULL)
    worker = only_child(running.pid)
    os.kill(worker, signal.SIGSTOP)  # however busy the machine is, the scan does not end before it is killed
    while not waiting_shards(root / ".tintype" / "ledger.sqlite"):
        time.sleep(0.01)
    running.kill()
    running.wait()
    os.kill(worker, signal.SIGKILL)
    assert "interrupted" in tintype("info", root).stderr
    tintype("scan", root)
    assert tintype("info", root).stderr == ""


def only_child(parent: int) -> int:
    """The first process that another one starts."""
    while True:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.01)


def waiting_shards(ledger: Path) -> int:
    """How many shards a ledger has that are not committed; 0 while it is being made."""
    try:
        return sum(count for state, count in look_at(ledger).items() if state != "committed")
    except (CollectionError, OSError):
        return 0
