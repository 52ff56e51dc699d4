"""Building an index: learn from a sample, write part after part, join them, and measure what came of it.

Each part is done once: a build that was killed goes on with the first part that is not. The index that may stand in
the same place answers until the new one is put in its place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged, CollectionLocked, SourceError, UsageError
from tintype.core.names import shown
from tintype.core.platform import full_disk_is_said, sync_directory, write_atomically
from tintype.core.version import VERSION
from tintype.index import measure
from tintype.index.choice import LEAST_MEMORY_BYTES, Design, choose, lists_for
from tintype.index.lists import SAMPLED, Trained
from tintype.index.measure import Truth
from tintype.index.opened import OpenIndex, arrays_of, files_of
from tintype.index.record import (
    FORMAT,
    Block,
    Effort,
    FileFacts,
    Measured,
    Origin,
    Record,
    Skipped,
    changing,
    facts_of,
    is_index,
    note_files,
    read_record,
    remove_others,
    write_record,
)
from tintype.index.rows import Rows, write_array, write_arrays
from tintype.index.segments import PartWriter, joined, part_files, part_rows, usable
from tintype.index.vectors import Halves, distinct
from tintype.store.vectors import VectorSource

Telling = Callable[[str, int, int], None]
"""What the build is at: words, how many are done, of how many."""

WORK = "building"
_PLAN = "plan.json"
_SAMPLED_RANGES = 256
_RANGE_ROWS = 65_536
_SAMPLE_SHARE = 8  # of the memory, one in so many for the sample
_DISTINCT = 0.98  # of a sample; with fewer there are crowds
_SEED = 0
_MOST_NODES = 2_048
_FIRST = {"lists": 1, "graph": 16}  # probes that are tried first


def build(source: VectorSource, place: Path, memory_bytes: int, recall: float, telling: Telling) -> Record:
    """Build an index of all vectors of a source in a folder of its own, within so much memory.

    Rows without an id or a usable vector, and those of an id that stands before, are left out and counted. Raises
    UsageError, SourceError where there are no vectors, CollectionLocked where another process changes the index,
    StorageFull or OSError.
    """
    if not 0 < recall <= 1:
        raise UsageError(f"a recall is above 0 and at most 1, not {recall:g}")
    if memory_bytes < LEAST_MEMORY_BYTES:
        raise UsageError(f"an index needs at least {LEAST_MEMORY_BYTES >> 20}MB to be built in")
    _require_free(place)
    with changed(place), full_disk_is_said(str(place)):
        build = _Build(source, place, memory_bytes, recall, telling)
        return build.run()


@contextlib.contextmanager
def changed(place: Path) -> Iterator[None]:
    """Hold an index for a change. Raises CollectionLocked."""
    place.mkdir(parents=True, exist_ok=True)
    lock = changing(place)
    if not lock.acquire():
        raise CollectionLocked(str(place), lock.holder())
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Plan:
    """What a build does, settled before its first part."""

    key: str
    serial: int
    design: Design
    rows: int  # of a part
    files: dict[str, FileFacts]


class _Build:
    def __init__(self, source: VectorSource, place: Path, memory_bytes: int, recall: float, telling: Telling) -> None:
        self.source, self.place, self.memory_bytes, self.recall = source, place, memory_bytes, recall
        self.telling, self.work, self.began = telling, place / WORK, time.perf_counter()
        self.stamp = source.stamp

    def run(self) -> Record:
        plan = self._planned()
        trained = Trained(plan.design, arrays_of(self.work / _name(plan, "trained"))) if _learns(plan.design) else None
        sample = arrays_of(self.work / _name(plan, "sample"))
        truth = Truth.empty(np.full(len(sample["places"]), -1, np.int64), sample["queries"])
        blocks: list[Block] = []
        skipped = Skipped()
        files: dict[str, FileFacts] = {}
        starts = range(0, len(self.source), plan.rows)
        for number, start in enumerate(starts):
            self.telling("indexing", start, len(self.source))
            done = self._done(plan, number) or self._part(plan, number, trained, truth, sample["places"], blocks)
            blocks.append(done.block)
            skipped += done.skipped
            files |= done.files
            truth = Truth.of(arrays_of(self.work / f"{done.block.name}.truth.npz"))
        blocks = [block for block in blocks if block.rows]
        if not blocks:
            shutil.rmtree(self.work)
            raise SourceError(f"{shown(self.source.place)}: no vectors in it ({skipped.total:,} rows without)")
        return self._finished(plan, trained, blocks, skipped, truth, files)

    def _planned(self) -> _Plan:
        """The plan of the build that was interrupted here, if it was this one; else a new one."""
        facts = [self.stamp, len(self.source), self.source.dimensions, self.memory_bytes, self.recall, FORMAT, VERSION]
        key = blake3(json.dumps(facts).encode()).hexdigest(16)
        serial = read_serial(self.place) + 1
        known = _read(self.work / _PLAN)
        if known is not None and known.get("key") == key and known.get("serial") == serial:
            with contextlib.suppress(KeyError, TypeError, OSError):
                files = {name: FileFacts(**facts) for name, facts in known["files"].items()}
                if all(facts_of(self.work / name) == facts for name, facts in files.items()):
                    return _Plan(key, serial, Design(**known["design"]), int(known["rows"]), files)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        return self._new_plan(key, serial)

    def _new_plan(self, key: str, serial: int) -> _Plan:
        count, dimensions = len(self.source), self.source.dimensions
        self.telling("sampling", 0, 0)
        wanted = max(measure.SAMPLED, SAMPLED * lists_for(count))
        most = max(measure.SAMPLED, self.memory_bytes // _SAMPLE_SHARE // (2 * dimensions))
        places, vectors, share = _sample(self.source, min(wanted, most))
        crowds = len(distinct(vectors)[0]) < _DISTINCT * len(vectors)
        design = choose(round(share * count), dimensions, self.memory_bytes, self.recall, has_crowds=crowds)
        plan = _Plan(key, serial, design, part_rows(self.memory_bytes, design.code_bytes(dimensions)), {})
        chosen = np.sort(np.random.default_rng(_SEED).permutation(len(places))[: measure.SAMPLED])
        arrays: dict[str, NDArray[Any]] = {"places": places[chosen], "queries": vectors[chosen]}
        write_arrays(self.work / _name(plan, "sample"), arrays)
        names = [_name(plan, "sample")]
        if _learns(design) and len(vectors):
            self.telling("learning", 0, len(vectors))
            trained = Trained.learned(vectors, design, self.memory_bytes)
            write_arrays(self.work / _name(plan, "trained"), dict(trained.arrays))
            names.append(_name(plan, "trained"))
        plan = dataclasses.replace(plan, files={name: facts_of(self.work / name) for name in names})
        write_atomically(self.work / _PLAN, json.dumps(dataclasses.asdict(plan)).encode())
        return plan

    def _done(self, plan: _Plan, number: int) -> _Done | None:
        """A part that an earlier run finished, if all of it is there as it was written."""
        name = _part_name(plan, number)
        told = _read(self.work / f"{name}.json")
        try:
            if told is None:
                return None
            done = _Done(Block(**told["block"]), Skipped(**told["skipped"]), _facts(told["files"]))
            whole = {**done.files, **_facts(told["beside"])}
            is_whole = all(facts_of(self.work / file) == facts for file, facts in whole.items())
        except (KeyError, TypeError, OSError):
            return None
        return done if is_whole else None

    def _part(
        self,
        plan: _Plan,
        number: int,
        trained: Trained | None,
        truth: Truth,
        places: NDArray[np.int64],
        before: list[Block],
    ) -> _Done:
        """Write one part, and note that it is done."""
        name, start = _part_name(plan, number), number * plan.rows
        stop = min(len(self.source), start + plan.rows)
        first = sum(block.rows for block in before)
        writer = PartWriter(self.work, name, plan.design, trained, self.source.dimensions, first)
        skipped = Skipped()
        at = start
        for block in self.source.blocks(start, stop):
            good = usable(block)
            row = writer.next_row
            numbers = np.flatnonzero(np.isin(places, at + good.places))
            truth = truth.owning(numbers, row + np.searchsorted(good.places, places[numbers] - at))
            truth = truth.seeing(np.arange(row, row + len(good.ids)), good.vectors)
            writer.add(good.ids, good.vectors)
            skipped += good.skipped
            at += len(block.ids)
            self.telling("indexing", at, len(self.source))
        if at != stop:
            raise SourceError(f"{shown(self.source.place)}: fewer rows than it says ({at:,} of {len(self.source):,})")
        written = writer.close()
        write_arrays(self.work / f"{name}.truth.npz", truth.arrays)
        files = {file: facts_of(self.work / file) for file in part_files(written, plan.design)}
        beside = {file: facts_of(self.work / file) for file in (f"{name}.truth.npz",)}
        done = _Done(written, skipped, files)
        noted = {"block": dataclasses.asdict(written), "skipped": dataclasses.asdict(skipped)}
        for key, facts in (("files", files), ("beside", beside)):
            noted[key] = {file: dataclasses.asdict(one) for file, one in facts.items()}
        write_atomically(self.work / f"{name}.json", json.dumps(noted).encode())
        return done

    def _finished(
        self,
        plan: _Plan,
        trained: Trained | None,
        blocks: list[Block],
        skipped: Skipped,
        truth: Truth,
        files: dict[str, FileFacts],
    ) -> Record:
        self.telling("joining", 0, 0)
        stored, dimensions = plan.design.stored, self.source.dimensions
        segment = joined(
            self.work, f"segment-{plan.serial}", plan.design, trained, blocks, Rows(self.work, [], stored, dimensions)
        )
        removed = Rows(self.work, blocks, stored, dimensions).repeated(np.empty(0, np.int64))
        skipped += Skipped(duplicate=len(removed))
        record = Record(
            dimensions=dimensions,
            design=plan.design,
            memory_bytes=self.memory_bytes,
            recall=self.recall,
            origin=Origin(self.source.place, self.source.column, self.source.model, self.stamp, len(self.source)),
            segments=(segment,),
            trained=_name(plan, "trained") if trained is not None else "",
            truth="",
            removed="",
            removed_rows=0,
            skipped=skipped,
            effort=Effort(),
            measured=Measured(1.0, measure.MEASURED_K, 0, 0.0, 0.0),
            build_seconds=0.0,
            serial=plan.serial,
        )
        record = settled(self.work, record, removed, truth, {**files, **plan.files}, self.telling)
        record = dataclasses.replace(record, build_seconds=round(time.perf_counter() - self.began, 1))
        for name in record.files:
            (self.work / name).replace(self.place / name)
        sync_directory(self.place)
        put_in_place(self.place, record)
        shutil.rmtree(self.work, ignore_errors=True)
        return record


@dataclass(frozen=True)
class _Done:
    """A part that was written."""

    block: Block
    skipped: Skipped
    files: dict[str, FileFacts]


def settled(
    folder: Path,
    record: Record,
    removed: NDArray[np.int64],
    truth: Truth,
    known: Mapping[str, FileFacts],
    telling: Telling,
) -> Record:
    """The record of files that lie in a folder, with the effort that gives the recall asked for, and what it gives.

    `known` are facts of files that need not be read again. Rows that are `removed` count no more, neither in answers
    nor in the truth.
    """
    if len(removed):
        record = dataclasses.replace(record, removed=f"removed-{record.serial}.npy", removed_rows=len(removed))
        write_array(folder / record.removed, removed)
        truth = truth.without(removed)
    record = dataclasses.replace(record, truth=f"truth-{record.serial}.npz")
    write_arrays(folder / record.truth, truth.arrays)
    telling("measuring", 0, 0)
    opened = OpenIndex(folder, record)
    kind = record.design.kind
    effort = Effort()
    if kind != "flat":
        probes = _MOST_NODES if opened.trained is None else len(opened.trained.centers)
        # What is kept as float16 where it is looked through need not be compared again.
        most = Effort(probes, 1 if record.design.coding == "float16" else measure.MOST_CANDIDATES)
        effort = measure.tuned(truth, opened.candidates, record.recall, _FIRST[kind], most)
    found = measure.measured(truth, lambda queries, k: opened.search(queries, k, effort))
    facts = {name: known.get(name) or facts_of(folder / name) for name in files_of(record)}
    return dataclasses.replace(record, effort=effort, measured=found, files=facts)


def put_in_place(place: Path, record: Record) -> None:
    """Make files that lie in the index's folder the index, and remove those of its earlier state."""
    note_files(place, record)
    write_record(place, record)
    remove_others(place, record)


def read_serial(place: Path) -> int:
    """The number of the state of the index in a place; 0 where there is none, or none that can be read."""
    try:
        return read_record(place).serial if is_index(place) else 0
    except CollectionDamaged:
        told = _read(place / "index.json") or {}
        index = told.get("index")
        serial = index.get("serial") if isinstance(index, dict) else None
        return serial if isinstance(serial, int) else 1 << 20  # names of its files are not used again


def _require_free(place: Path) -> None:
    if place.exists() and not (place.is_dir() and (is_index(place) or (place / WORK).is_dir() or _is_empty(place))):
        raise UsageError(f"{shown(str(place))} holds something else than an index. Choose another --output DIR")


def _is_empty(place: Path) -> bool:
    return all(path.name == "lock" for path in place.iterdir())


def _learns(design: Design) -> bool:
    return design.kind == "lists"


def _name(plan: _Plan, what: str) -> str:
    return f"{what}-{plan.serial}.npz"


def _part_name(plan: _Plan, number: int) -> str:
    return f"block-{plan.serial}-{number}"


def _facts(told: dict[str, Any]) -> dict[str, FileFacts]:
    return {name: FileFacts(**facts) for name, facts in told.items()}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _sample(source: VectorSource, wanted: int) -> tuple[NDArray[np.int64], Halves, float]:
    """Some rows with usable vectors, (s,) ascending, and these, (s, d): as many of each of evenly spread ranges. And
    the share of the rows that have usable ones.
    """
    ranges = min(_SAMPLED_RANGES, -(-len(source) // _RANGE_ROWS))
    each = -(-wanted // max(1, ranges))
    random = np.random.default_rng(_SEED)
    places, vectors = [np.empty(0, np.int64)], [np.empty((0, source.dimensions), np.float16)]
    seen = good_ones = 0
    for number in range(ranges):
        start = len(source) * number // ranges
        stop = min(start + _RANGE_ROWS, len(source) * (number + 1) // ranges)
        at = start
        for block in source.blocks(start, stop):
            good = usable(block)
            share = -(-each * len(block.ids) // (stop - start))
            chosen = np.sort(random.permutation(len(good.ids))[:share])
            places.append(at + good.places[chosen])
            vectors.append(good.vectors[chosen])
            at += len(block.ids)
            seen, good_ones = seen + len(block.ids), good_ones + len(good.ids)
    return np.concatenate(places), np.concatenate(vectors), good_ones / max(1, seen)
