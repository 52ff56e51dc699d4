"""An output whose makers are killed or stopped at any moment is in the end the one of an undisturbed run.

TINTYPE_KILLS says how many runs (default 3; `make faults` runs more).
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from embed_slowly import LEASE_S, SHARD_IMAGES
from embedding import files_of

from tintype import api
from tintype.testing.pictures import encoded, fill_folder, scene

HERE = Path(__file__).parent
RUNS = int(os.environ.get("TINTYPE_KILLS", "3"))
IMAGES = 160
SHARDS = IMAGES // SHARD_IMAGES


def start(output: Path, *roots: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(HERE), str(HERE.parent / "engine")])
    command = [sys.executable, str(HERE / "embed_slowly.py"), str(output), *map(str, roots)]
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(process: subprocess.Popen[str]) -> int:
    said, _ = process.communicate(timeout=180)
    assert process.returncode in (0, -signal.SIGKILL), said[-2000:]
    return process.returncode


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    return []


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_the_parent(first: subprocess.Popen[str], output: Path, chance: random.Random) -> None:
    send([first.pid], signal.SIGKILL)


def kill_a_worker(first: subprocess.Popen[str], output: Path, chance: random.Random) -> None:
    if workers := workers_of(first):
        send([chance.choice(workers)], signal.SIGKILL)


def kill_the_parent_while_another_helps(first: subprocess.Popen[str], output: Path, chance: random.Random) -> None:
    helper = start(output)
    time.sleep(chance.uniform(0, 1.5))
    send([first.pid], signal.SIGKILL)
    assert ended(helper) == 0


def stop_all_until_another_has_their_leases(first: subprocess.Popen[str], output: Path, chance: random.Random) -> None:
    stopped = [first.pid, *workers_of(first)]
    send(stopped, signal.SIGSTOP)
    helper = start(output)
    time.sleep(LEASE_S + chance.uniform(0.5, 3.0))
    send(stopped, signal.SIGCONT)
    assert ended(helper) == 0


def stop_the_parent_alone(first: subprocess.Popen[str], output: Path, chance: random.Random) -> None:
    """Its workers write what they have, and nobody tells the ledger until another has the shards."""
    send([first.pid], signal.SIGSTOP)
    helper = start(output)
    time.sleep(LEASE_S + chance.uniform(0.5, 3.0))
    send([first.pid], signal.SIGCONT)
    assert ended(helper) == 0


def stop_a_worker(first: subprocess.Popen[str], output: Path, chance: random.Random) -> None:
    if workers := workers_of(first):
        stopped = [chance.choice(workers)]
        send(stopped, signal.SIGSTOP)
        time.sleep(LEASE_S + 0.5)
        send(stopped, signal.SIGCONT)


FAULTS: list[Callable[[subprocess.Popen[str], Path, random.Random], None]] = [
    stop_the_parent_alone,
    kill_the_parent,
    stop_all_until_another_has_their_leases,
    kill_a_worker,
    kill_the_parent_while_another_helps,
    stop_a_worker,
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A root, and the files of an undisturbed run."""
    place = tmp_path_factory.mktemp("embed kills")
    fill_folder(place / "root", IMAGES)
    (place / "root" / "cut.jpg").write_bytes(encoded(scene(1))[:600])
    assert ended(start(place / "out", place / "root")) == 0
    return place / "root", files_of(place / "out")


@pytest.mark.parametrize("seed", range(RUNS))
def test_a_disturbed_run_gives_the_files_of_an_undisturbed_one(
    world: tuple[Path, dict[str, bytes]], tmp_path: Path, seed: int
) -> None:
    root, expected = world
    chance = random.Random(seed)
    output = tmp_path / "out"
    first = start(output, root)
    done = chance.randrange(SHARDS - 1)
    while len(list(output.glob("*.parquet"))) < done and first.poll() is None:
        time.sleep(0.01)
    time.sleep(chance.uniform(0.0, 0.1))
    FAULTS[seed % len(FAULTS)](first, output, chance)
    ended(first)
    assert ended(start(output, root)) == 0
    assert files_of(output) == expected
    assert api.verify(output).problems == []
    found = api.status(output)
    assert (found.is_complete, found.images) == (True, IMAGES + 1)
    assert not (output / "parts").exists()
    assert not list(output.rglob(".*"))
