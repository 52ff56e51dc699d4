"""A scan that is killed at any moment and then finished leaves the collection of an undisturbed one.

TINTYPE_KILLS says how many runs (default 8; `make faults` runs 50).
"""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import public, rows_in

from tintype.testing.pictures import encoded, fill_folder, scene

HERE = Path(__file__).parent
RUNS = int(os.environ.get("TINTYPE_KILLS", "8"))
KINDS = ("time", "commit", "worker", "compact", "update", "clean_up", "delete", "time", "commit", "add_columns")
FIRST, ALL = "exif", "exif,quality,phash,colors,thumbnail"


def scan(root: Path, place: Path, stages: str, kind: str = "none", seed: int = 0) -> int:
    """Exit code of a scan in a process of its own."""
    paths = os.pathsep.join([str(HERE), str(HERE.parent / "engine")])
    command = [sys.executable, str(HERE / "scan_and_die.py"), str(root), str(place), stages, kind, str(seed)]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=180
    )
    if ended.returncode not in (0, -signal.SIGKILL):
        pytest.fail(f"{kind} {seed}: {ended.stderr[-2000:]}")
    return ended.returncode


def live_on(root: Path) -> None:
    """What happens to a folder between two scans: files come, change, move and go."""
    chance = random.Random(7)
    paths = sorted(root.rglob("*.jpg"))
    chance.shuffle(paths)
    for number, path in enumerate(paths[:10]):
        path.write_bytes(encoded(scene(9000 + number), quality=70))
    for path in paths[10:20]:
        path.unlink()
    (root / "moved").mkdir()
    for path in paths[20:30]:
        path.rename(root / "moved" / path.name)
    for number, path in enumerate(paths[30:34]):
        shutil.copy(path, root / "moved" / f"copy {number}.jpg")
    (root / "moved" / "cut.jpg").write_bytes(encoded(scene(1))[:700])
    fill_folder(root / "more", 40, first_seed=500)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[dict[str, Any]]]:
    """A root after some life, the collection as it was before that, and the rows of an undisturbed second scan."""
    place = tmp_path_factory.mktemp("kills")
    root, before, after = place / "root", place / "before", place / "after"
    fill_folder(root, 80)
    assert scan(root, before, FIRST) == 0
    live_on(root)
    shutil.copytree(before, after)
    assert scan(root, after, ALL) == 0
    rows = public(rows_in(after))
    assert {row["status"] for row in rows} == {"ok", "damaged"}
    return root, before, rows


@pytest.mark.parametrize("seed", range(RUNS))
def test_a_killed_scan_is_finished_by_the_next_one(
    world: tuple[Path, Path, list[dict[str, Any]]], tmp_path: Path, seed: int
) -> None:
    root, before, expected = world
    kind = KINDS[seed % len(KINDS)]
    place = tmp_path / "collection"
    begins_anew = seed % 3 == 0
    if not begins_anew:
        shutil.copytree(before, place)
    ended = scan(root, place, ALL, kind, seed)
    if not begins_anew and kind not in ("time", "worker"):
        assert ended == -signal.SIGKILL  # it was killed where it should be
    assert scan(root, place, ALL) == 0
    assert public(rows_in(place)) == expected
    data = {path.name for path in (place / "images.lance" / "data").iterdir()}
    assert scan(root, place, ALL) == 0
    assert {path.name for path in (place / "images.lance" / "data").iterdir()} == data
