"""An output whose makers are killed or stopped at any moment is in the end the one of an undisturbed run.

TINTYPE_KILLS says how many runs in a folder (default 3), and as many, at most 30, in a bucket (default none: one takes
twenty seconds). `make faults` sets it.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from embed_worlds import IMAGES, SHARDS, Bucket, Folder, World

from tintype import api
from tintype.engine.vectors.ledgers import opened_ledger
from tintype.store.outputs.plan import read_plan
from tintype.store.places.opening import open_place
from tintype.testing.pictures import encoded, fill_folder, scene

RUNS = os.environ.get("TINTYPE_KILLS")

Process = subprocess.Popen[str]


def ended(process: Process) -> int:
    said, _ = process.communicate(timeout=180)
    assert process.returncode in (0, -signal.SIGKILL), said[-2000:]
    return process.returncode


def workers_of(process: Process) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    return []


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_the_parent(first: Process, world: World, output: str, chance: random.Random) -> None:
    send([first.pid], signal.SIGKILL)


def kill_a_worker(first: Process, world: World, output: str, chance: random.Random) -> None:
    if workers := workers_of(first):
        send([chance.choice(workers)], signal.SIGKILL)


def kill_the_parent_while_another_helps(first: Process, world: World, output: str, chance: random.Random) -> None:
    helper = world.start(output, plans=False)
    time.sleep(chance.uniform(0, 1.5))
    send([first.pid], signal.SIGKILL)
    assert ended(helper) == 0


def stop_all_until_another_has_their_leases(first: Process, world: World, output: str, chance: random.Random) -> None:
    stopped = [first.pid, *workers_of(first)]
    send(stopped, signal.SIGSTOP)
    helper = world.start(output, plans=False)
    time.sleep(world.lease_s + chance.uniform(0.5, 3.0))
    send(stopped, signal.SIGCONT)
    assert ended(helper) == 0


def stop_the_parent_alone(first: Process, world: World, output: str, chance: random.Random) -> None:
    """Its workers write what they have, and nobody tells the ledger until another has the shards."""
    send([first.pid], signal.SIGSTOP)
    helper = world.start(output, plans=False)
    time.sleep(world.lease_s + chance.uniform(0.5, 3.0))
    send([first.pid], signal.SIGCONT)
    assert ended(helper) == 0


def stop_a_worker(first: Process, world: World, output: str, chance: random.Random) -> None:
    if workers := workers_of(first):
        stopped = [chance.choice(workers)]
        send(stopped, signal.SIGSTOP)
        time.sleep(world.lease_s + 0.5)
        send(stopped, signal.SIGCONT)


FAULTS: list[Callable[[Process, World, str, random.Random], None]] = [
    stop_the_parent_alone,
    kill_the_parent,
    stop_all_until_another_has_their_leases,
    kill_a_worker,
    kill_the_parent_while_another_helps,
    stop_a_worker,
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("embed kills") / "root"
    fill_folder(place, IMAGES)
    (place / "cut.jpg").write_bytes(encoded(scene(1))[:600])
    return place


@pytest.fixture(scope="module")
def folder(root: Path) -> World:
    return undisturbed(Folder(root.parent, root))


@pytest.fixture(scope="module")
def bucket(root: Path, request: pytest.FixtureRequest) -> World:
    for module, extra in (("boto3", "aws"), ("obstore", "cloud")):
        pytest.importorskip(module, reason=f"comes with the extra {extra}")
    address = request.getfixturevalue("aws_address")
    return undisturbed(Bucket(address, f"kills-{uuid.uuid4().hex[:8]}", root))


def undisturbed(world: World) -> World:
    output = world.output("undisturbed")
    assert ended(world.start(output, plans=True)) == 0
    world.expected = world.files(output)
    assert len(world.expected) == SHARDS + 2  # the cut image has a shard of its own, and there is the manifest
    return world


@pytest.mark.parametrize("seed", range(int(RUNS or 3)))
def test_a_disturbed_run_in_a_folder_gives_the_files_of_an_undisturbed_one(folder: World, seed: int) -> None:
    disturb(folder, seed)


@pytest.mark.skipif(RUNS is None, reason="takes twenty seconds a run; TINTYPE_KILLS says how many")
@pytest.mark.parametrize("seed", range(min(30, int(RUNS or 1))))
def test_a_disturbed_run_in_a_bucket_gives_the_files_of_an_undisturbed_one(
    bucket: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    disturb(bucket, seed)


def disturb(world: World, seed: int) -> None:
    chance = random.Random(seed)
    output = world.output(f"disturbed-{seed}")
    first = world.start(output, plans=True)
    done = chance.randrange(SHARDS - 1)
    while world.done(output) < done and first.poll() is None:
        time.sleep(world.look_every_s)
    time.sleep(chance.uniform(0.0, 0.1))
    FAULTS[seed % len(FAULTS)](first, world, output, chance)
    ended(first)
    assert ended(world.start(output, plans=True)) == 0
    assert world.files(output) == world.expected
    assert api.verify(output).problems == []
    found = api.status(output)
    assert (found.is_complete, found.images) == (True, IMAGES + 1)
    place = open_place(output)
    plan = read_plan(place)
    assert sorted(world.listings(output)) == [plan.listing(shard) for shard in range(SHARDS + 1)]
    with opened_ledger(place, plan) as ledger:
        assert ledger.counts() == {"done": SHARDS + 1}
    if isinstance(world, Folder):
        assert not Path(output, "parts").exists()
        assert not list(Path(output).rglob(".*"))
