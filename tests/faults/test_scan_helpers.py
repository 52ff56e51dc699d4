"""A scan that others help with leaves the collection of one that was left alone, whoever is killed or stopped.

TINTYPE_KILLS says how many runs there are in which somebody is killed or stopped at random (default none: one takes ten
seconds). `make faults` sets it.
"""

import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import public, rows_in
from scan_slowly import LEASE_S, SHARD_IMAGES
from test_embed_kills import send, workers_of

from tintype import api
from tintype.engine.ledger.sqlite import look_at
from tintype.store.lance import unreferenced
from tintype.store.layout import Layout
from tintype.testing.pictures import encoded, fill_folder, scene

HERE = Path(__file__).parent
RUNS = os.environ.get("TINTYPE_KILLS")
FIRST, ALL = "exif", "exif,colors,embed:descriptor"
ROW_SHARDS = 3
KNOWN_ROWS = 21  # that are as they were
ALL_ROWS = KNOWN_ROWS + ROW_SHARDS * SHARD_IMAGES - 1  # that there is something to do for


@dataclass
class Party:
    """A process that scans or helps, and the gate that its workers wait for."""

    process: "subprocess.Popen[str]"
    gate: Path

    def at_work(self) -> int:
        """How many shards its workers have got."""
        return len(list(self.gate.parent.glob(f"{self.gate.name} *")))

    def open(self) -> None:
        self.gate.touch()

    def send(self, number: int) -> None:
        send([self.process.pid], number)

    def ended(self) -> dict[str, Any]:
        said, complaint = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, complaint[-2000:]
        document: dict[str, Any] = json.loads(said)
        return document


class World:
    """Sources of all kinds, of which a collection knows a part by some of the stages."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.sources = [str(place / "data" / name) for name in ("photos", "shard.tar", "table.csv")]
        self.before = place / "before"
        self.parties: list[Party] = []
        self.alone: Path
        self.summary: dict[str, Any]

    def collection(self, name: str) -> Path:
        return Path(shutil.copytree(self.before, self.place / name))

    def start(self, collection: Path, *, scans: bool = False, workers: int = 1, each_s: float = 0.0) -> Party:
        gate = self.place / f"{collection.name} {len(self.parties)}.gate"
        words = [str(collection), str(workers), *(self.sources if scans else [])]
        process = subprocess.Popen(
            [sys.executable, str(HERE / "scan_slowly.py"), *words],
            env={
                **os.environ,
                "PYTHONPATH": str(HERE),
                "TINTYPE_TEST_GATE": str(gate),
                "TINTYPE_TEST_STAGES": ALL,
                "TINTYPE_TEST_EACH_S": str(each_s),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.parties.append(Party(process, gate))
        return self.parties[-1]

    def scan(self, collection: Path, stages: str = ALL) -> Any:
        return api.scan(*self.sources, collection=collection, stages=stages.split(","), workers=1).last_scan


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("helpers"))
    photos = world.place / "data" / "photos"
    known = fill_folder(photos, 20)
    _write_tar(photos.parent / "shard.tar")
    with (photos.parent / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "kind"), ("photos/late.jpg", "late"), ("photos/lost.jpg", "lost")])
    (photos / "lost.jpg").write_bytes(encoded(scene(77)))
    world.scan(world.before, FIRST)
    for number in range(3):
        known[number].write_bytes(encoded(scene(900 + number), quality=70))
    shutil.copy(known[5], photos / "copy.jpg")
    (photos / "lost.jpg").unlink()
    (photos / "late.jpg").write_bytes(encoded(scene(78))[:600])
    fill_folder(photos / "new", ROW_SHARDS * SHARD_IMAGES - 8, first_seed=300)
    world.alone = world.collection("alone")
    world.summary = world.scan(world.alone).to_json()
    assert world.summary["new"] + world.summary["changed"] == ALL_ROWS - KNOWN_ROWS
    assert world.summary["updated"] == KNOWN_ROWS
    yield world
    for party in world.parties:
        if party.process.poll() is None:
            send([*workers_of(party.process), party.process.pid], signal.SIGKILL)
            party.process.communicate()


def _write_tar(place: Path) -> None:
    with tarfile.open(place, "w") as tar:
        for number in range(4):
            label = json.dumps({"stars": number}).encode()
            for name, content in ((f"{number}.json", label), (f"{number}.jpg", encoded(scene(400 + number)))):
                facts = tarfile.TarInfo(name)
                facts.size = len(content)
                tar.addfile(facts, io.BytesIO(content))


def leftovers(collection: Path) -> list[Path]:
    """Files that neither the table nor a next scan needs."""
    layout = Layout(collection)
    return [*unreferenced(layout.images), *layout.updates.iterdir(), *layout.cache.glob("*run.json*")]


def until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def lasting(document: dict[str, Any]) -> dict[str, Any]:
    """What a scan says of images, without its times."""
    names = ("images", "status", "new", "changed", "moved", "gone", "unchanged", "updated", "problems", "label_rest")
    return {name: document[name] for name in names}


def test_helpers_that_die_or_sleep_cost_nothing_and_leave_nothing(world: World) -> None:
    """A helper is killed at a shard, another stopped at two, one of rows and one of new columns; a third one does all
    but what the scan itself is at. The one that was stopped wakes up when the scan is over and another one has been."""
    place = world.collection("helped")
    scanner = world.start(place, scans=True)
    until(lambda: scanner.at_work() == 1)
    doomed = world.start(place)
    until(lambda: doomed.at_work() == 1)
    sleeper = world.start(place, workers=2)
    until(lambda: sleeper.at_work() == 2)
    doomed.send(signal.SIGKILL)
    sleeper.send(signal.SIGSTOP)
    shards = sum(look_at(Layout(place).ledger).values())
    with ThreadPoolExecutor(1) as pool:
        helping = pool.submit(api.work, place)
        until(lambda: look_at(Layout(place).ledger) == {"leased": 1, "committed": shards - 1})  # while it waits
        scanner.open()
        helped = helping.result().to_json()
    summary = scanner.ended()
    assert lasting(summary) == lasting(world.summary)
    assert summary["seconds"] * summary["images_per_second"] == pytest.approx(ALL_ROWS, rel=0.05)
    assert (helped["images"], helped["updated"]) == (ALL_ROWS - SHARD_IMAGES, KNOWN_ROWS)
    assert summary["time"]["stages"]["colors"] > helped["time"]["stages"]["colors"] > 0
    assert public(rows_in(place)) == public(rows_in(world.alone))
    assert leftovers(place) == []
    world.scan(place, f"{ALL},quality")
    before = rows_in(place)
    sleeper.open()
    until(lambda: len(leftovers(place)) == 2)  # what its workers make is there, and nobody wants it
    sleeper.send(signal.SIGCONT)
    late = sleeper.ended()
    assert (late["images"], late["superseded"], late["scanned_by"]) == (0, True, None)
    assert leftovers(place) == []
    assert rows_in(place) == before


def test_what_a_dead_scan_had_planned_is_finished_by_a_helper_and_taken_in_by_the_next_scan(world: World) -> None:
    place = world.collection("orphaned")
    scanner = world.start(place, scans=True)
    until(lambda: scanner.at_work() == 1)
    scanner.send(signal.SIGKILL)
    scanner.process.communicate()
    assert api.status(place).is_helpable
    helped = api.work(place).to_json()
    assert (helped["images"], helped["updated"]) == (ALL_ROWS, KNOWN_ROWS)
    assert (helped["scanned_by"], helped["waiting"]) == (None, helped["shards"])
    found = api.status(place)
    assert (found.is_complete, found.is_helpable, dict(found.shards)) == (False, False, {"done": helped["shards"]})
    summary = world.scan(place).to_json()
    assert (summary["new"], summary["changed"], summary["updated"]) == (
        0,
        1,
        0,
    )  # what is unreadable is tried each time
    assert public(rows_in(place)) == public(rows_in(world.alone))
    assert leftovers(place) == []


def kill_a_helper(parties: list[Party], chance: random.Random) -> None:
    chance.choice(parties[1:]).send(signal.SIGKILL)


def kill_the_scanner(parties: list[Party], chance: random.Random) -> None:
    parties[0].send(signal.SIGKILL)
    parties[0].process.wait()


def stop_one_past_its_lease(parties: list[Party], chance: random.Random) -> None:
    stopped = chance.choice(parties)
    stopped.send(signal.SIGSTOP)
    time.sleep(LEASE_S + chance.uniform(0.2, 2.0))
    stopped.send(signal.SIGCONT)


def stop_one_with_its_workers(parties: list[Party], chance: random.Random) -> None:
    stopped = chance.choice(parties)
    pids = [stopped.process.pid, *workers_of(stopped.process)]
    send(pids, signal.SIGSTOP)
    time.sleep(LEASE_S + chance.uniform(0.2, 2.0))
    send(pids, signal.SIGCONT)


def kill_a_worker(parties: list[Party], chance: random.Random) -> None:
    if workers := workers_of(chance.choice(parties).process):
        send([chance.choice(workers)], signal.SIGKILL)


FAULTS = (stop_one_past_its_lease, kill_the_scanner, kill_a_helper, stop_one_with_its_workers, kill_a_worker)


@pytest.mark.skipif(RUNS is None, reason="takes ten seconds a run; TINTYPE_KILLS says how many")
@pytest.mark.parametrize("seed", range(int(RUNS or 1)))
def test_a_disturbed_scan_with_helpers_leaves_the_rows_of_one_that_was_left_alone(world: World, seed: int) -> None:
    chance = random.Random(seed)
    place = world.collection(f"disturbed {seed}")
    parties = [world.start(place, scans=True, each_s=0.5)]
    parties[0].open()
    until(lambda: parties[0].at_work() > 0)
    for _ in range(2):
        parties.append(world.start(place, each_s=0.5))
        parties[-1].open()
    time.sleep(chance.uniform(0.0, 2.5))
    FAULTS[seed % len(FAULTS)](parties, chance)
    if seed % 2 and parties[0].process.poll() is not None:  # the next scan finds helpers of this one at work
        world.scan(place)
    for party in parties:
        _, complaint = party.process.communicate(timeout=60)
        came_too_late = "no scan is under way" in complaint
        assert came_too_late or party.process.returncode in (0, -signal.SIGKILL), complaint[-2000:]
    world.scan(place)
    assert public(rows_in(place)) == public(rows_in(world.alone))
    assert leftovers(place) == []
