"""A build: what it leaves out, what it finds of an interrupted one, and what it says of what it cannot use."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from index_makers import MEMORY, Given, built, given, ids_found, quiet

from tintype.core.errors import CollectionDamaged, CollectionError, CollectionLocked, SourceError, UsageError
from tintype.core.platform import FileLock
from tintype.index import building, segments
from tintype.index.choice import Design
from tintype.index.opened import OpenIndex
from tintype.index.record import check_files, facts_of, read_record, write_record
from tintype.store.vector_files import VectorBlock
from tintype.testing.index import DIMENSIONS, made_vectors

COUNT = 5_000


def files(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir() if path.suffix in (".npy", ".npz", ".arrow")}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "index"


def test_rows_that_cannot_be_searched_are_left_out_and_counted(place, monkeypatch):
    vectors = made_vectors(COUNT).astype(np.float32) * 3
    vectors[10] = np.nan  # none at all
    vectors[[20, 21], [0, 5]] = np.nan, np.inf
    vectors[30:33] = 0
    ids: list[str | None] = [f"image {row}" for row in range(COUNT)]
    ids[40], ids[41] = None, ""
    ids[4_999] = ids[50]
    record = built(monkeypatch, place, Given(ids, vectors), "lists of float16")
    skipped = record.skipped
    assert (skipped.missing, skipped.not_finite, skipped.zero) == (1, 2, 3)
    assert (skipped.without_id, skipped.duplicate) == (2, 1)
    index = OpenIndex.open(place)
    assert len(index) == COUNT - 9
    assert index.row("image 50") == 42  # of the first of the two
    left = [50, 33, 9, 11, 4_998]
    assert ids_found(index, vectors[left], 1) == [[f"image {row}"] for row in left]


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_vectors_of_any_length_become_units(kind):
    unit = made_vectors(500)
    lengths = np.random.default_rng(0).choice([1e-3, 1, 50, 6e4 if kind == np.float16 else 1e30], (500, 1))
    given_vectors = (unit.astype(np.float64) * lengths).astype(kind)
    ids = pa.array([str(row) for row in range(500)])
    good = segments.usable(VectorBlock(ids, given_vectors, np.zeros(500, np.bool_)))
    assert len(good.ids) == 500
    assert good.vectors.astype(np.float32) == pytest.approx(unit.astype(np.float32), abs=0.002)


def test_float16_units_stay_to_the_bit():
    unit = made_vectors(500)
    ids = pa.array([str(row) for row in range(500)])
    assert np.array_equal(segments.usable(VectorBlock(ids, unit, np.zeros(500, np.bool_))).vectors, unit)


class Stopped(Exception):
    pass


class Stopper:
    """Ends a build at the step after so many that it tells of."""

    def __init__(self, patience: int) -> None:
        self.left = patience

    def __call__(self, words: str, done: int, total: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stopped


class Watched(Given):
    """Notes which rows were read."""

    def __init__(self, source: Given) -> None:
        super().__init__(source.ids, source.vectors)
        self.read: list[tuple[int, int]] = []

    def blocks(self, start, stop):
        self.read.append((start, stop))
        yield from super().blocks(start, stop)


@pytest.mark.parametrize("design", ["flat", "graph", "lists of int8", "product"])
def test_a_build_goes_on_where_it_was_stopped(tmp_path, monkeypatch, design):
    """Stopped at later and later steps: the files are those of an undisturbed build, and no part is written twice."""
    whole = built(monkeypatch, tmp_path / "whole", given(COUNT), design)
    source, place = Watched(given(COUNT)), tmp_path / "index"
    stops = 0
    while True:
        try:
            record = building.build(source, place, MEMORY, 0.95, Stopper(1 + 3 * stops))
            break
        except Stopped:
            stops += 1
            assert not (place / "index.json").exists()
    assert stops >= 4
    assert record.files == whole.files
    assert files(place) == files(tmp_path / "whole")
    parts = [span for span in source.read if span[1] - span[0] <= 1_024]
    assert len(parts) <= 5 + stops  # of those that were stopped within a part, that one again
    assert not [path for path in place.iterdir() if path.is_dir()]


def test_a_killed_build_goes_on(tmp_path):
    vectors = tmp_path / "vectors.npy"
    np.save(vectors, made_vectors(30_000))
    program = Path(__file__).with_name("build_and_die.py")
    for steps in (1, 4, 9):
        command = [sys.executable, str(program), str(vectors), str(tmp_path / "index"), str(steps)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    done = len(list((tmp_path / "index" / "building").glob("block-*.json")))
    assert done >= 2
    ended = subprocess.run([*command[:-1], "1000000"], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "built 30000"
    index = OpenIndex.open(tmp_path / "index", check_all=True)
    assert ids_found(index, made_vectors(30_000)[[7, 29_999]], 1) == [["vectors.npy#7"], ["vectors.npy#29999"]]


def test_a_part_that_was_damaged_meanwhile_is_written_anew(place, monkeypatch):
    def stop_when_joining(words, done, total):
        if words == "joining":
            raise Stopped

    monkeypatch.setattr(building, "choose", lambda *_, **__: Design("lists", "int8", "float16", lists=12))
    monkeypatch.setattr(building, "part_rows", lambda *_: 1_024)
    with pytest.raises(Stopped):
        building.build(given(COUNT), place, MEMORY, 0.95, stop_when_joining)
    part = place / "building" / "block-1-2.vectors.npy"
    content = bytearray(part.read_bytes())
    content[5_000] ^= 1
    part.write_bytes(bytes(content))
    (place / "building" / "block-1-3.json").write_text("{}")
    building.build(given(COUNT), place, MEMORY, 0.95, quiet)
    OpenIndex.open(place, check_all=True)
    assert np.array_equal(np.load(place / "block-1-2.vectors.npy"), made_vectors(COUNT)[2_048:3_072])


def test_other_vectors_are_another_build(place, monkeypatch):
    def stop_when_joining(words, done, total):
        if words == "joining":
            raise Stopped

    monkeypatch.setattr(building, "part_rows", lambda *_: 1_024)
    with pytest.raises(Stopped):
        building.build(given(2_000), place, MEMORY, 0.95, stop_when_joining)
    changed = Given(given(2_000).ids, made_vectors(2_000, seed=5), stamp="2")
    building.build(changed, place, MEMORY, 0.95, quiet)
    assert ids_found(OpenIndex.open(place), changed.vectors[:1], 1) == [["image 0"]]


def test_the_old_index_answers_until_the_new_one_is_in_its_place(place, monkeypatch):
    built(monkeypatch, place, given(1_000), "lists of int8")
    opened = OpenIndex.open(place)
    vectors = made_vectors(1_000, seed=3)
    answers = []

    def ask(words, done, total):
        answers.append(ids_found(OpenIndex.open(place), made_vectors(1_000)[:1], 1))

    building.build(Given(given(1_000).ids, vectors, stamp="2"), place, MEMORY, 0.95, ask)
    assert set(map(str, answers)) == {"[['image 0']]"}
    assert ids_found(opened, made_vectors(1_000)[5:6], 1) == [["image 5"]]  # whoever has it open keeps it
    assert ids_found(OpenIndex.open(place), vectors[5:6], 1) == [["image 5"]]
    assert set(files(place)) == set(read_record(place).files)


def test_two_builds_at_once_are_refused(place):
    place.mkdir()
    lock = FileLock(place / "lock")
    lock.acquire()
    with pytest.raises(CollectionLocked, match=f"in use by process {os.getpid()}"):
        building.build(given(100), place, MEMORY, 0.95, quiet)
    lock.release()
    building.build(given(100), place, MEMORY, 0.95, quiet)


def test_nothing_to_index_is_said(place):
    with pytest.raises(SourceError, match="no vectors in it"):
        building.build(Given(["a", "b"], np.zeros((2, DIMENSIONS), np.float32)), place, MEMORY, 0.95, quiet)
    assert not (place / "building").exists()
    with pytest.raises(SourceError, match="no vectors in it"):
        building.build(Given([], np.zeros((0, DIMENSIONS), np.float32)), place, MEMORY, 0.95, quiet)


def test_what_is_asked_must_be_possible(place, tmp_path):
    for recall in (0, 1.01, float("nan")):
        with pytest.raises(UsageError, match="a recall is above 0"):
            building.build(given(10), place, MEMORY, recall, quiet)
    with pytest.raises(UsageError, match="at least"):
        building.build(given(10), place, 1 << 20, 0.95, quiet)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="something else than an index"):
        building.build(given(10), tmp_path / "mine", MEMORY, 0.95, quiet)


def test_a_source_that_ends_early_is_said(place, monkeypatch):
    class Short(Given):
        def __len__(self):
            return 3_000

    source = Short(given(2_500).ids, given(2_500).vectors)
    with pytest.raises(SourceError, match=r"fewer rows than it says"):
        built(monkeypatch, place, source, "flat")


def test_a_full_disk_keeps_what_was_finished(place, monkeypatch):
    monkeypatch.setattr(building, "part_rows", lambda *_: 1_024)
    whole = building.write_arrays
    written = 0

    def full(*given_arguments):
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(28, "No space left on device")
        whole(*given_arguments)

    monkeypatch.setattr(building, "write_arrays", full)
    with pytest.raises(Exception, match="no space left"):
        building.build(given(COUNT), place, MEMORY, 0.95, quiet)
    assert (place / "building" / "block-1-1.json").exists()
    monkeypatch.setattr(building, "write_arrays", whole)
    assert building.build(given(COUNT), place, MEMORY, 0.95, quiet).rows == COUNT


@pytest.mark.parametrize("design", ["flat", "graph", "lists of float16", "product"])
def test_every_damaged_file_is_said(tmp_path, monkeypatch, design):
    place = tmp_path / "index"
    record = built(monkeypatch, place, given(2_000), design)
    for name in record.files:
        path = place / name
        content = path.read_bytes()
        middle = len(content) // 2
        for damaged in (content[:-7], b"", content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(CollectionDamaged, match=f"{name}: .*Build it again"):
                OpenIndex.open(place)
        path.unlink()
        with pytest.raises(CollectionDamaged, match="No such file"):
            OpenIndex.open(place)
        path.write_bytes(content)
    OpenIndex.open(place)


def test_a_flip_that_leaves_time_and_size_is_seen_when_all_is_read(place, monkeypatch):
    built(monkeypatch, place, given(2_000), "flat")
    path = place / "block-1-0.vectors.npy"
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(1_000)
        file.write(b"\x01\x02")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    OpenIndex.open(place)
    with pytest.raises(CollectionDamaged):
        OpenIndex.open(place, check_all=True)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"index": {}}', b'{"index": {"format": 1}, "blake3": "0"}', b"\xff" * 100, b"[" * 100_000],
)
def test_a_damaged_record_is_said(place, monkeypatch, content):
    built(monkeypatch, place, given(100), "flat")
    (place / "index.json").write_bytes(content)
    with pytest.raises(CollectionDamaged, match=r"index.json is not what a build writes"):
        OpenIndex.open(place)
    building.build(given(100), place, MEMORY, 0.95, quiet)
    assert len(OpenIndex.open(place)) == 100


def test_a_record_changed_by_hand_is_said(place, monkeypatch):
    built(monkeypatch, place, given(100), "flat")
    record = place / "index.json"
    record.write_text(record.read_text().replace('"rows": 100', '"rows": 101'))
    with pytest.raises(CollectionDamaged):
        OpenIndex.open(place)


def test_a_record_that_names_other_files_is_refused(place, monkeypatch):
    record = built(monkeypatch, place, given(100), "flat")
    for name in ("../outside", "/etc/passwd", "a b"):
        hostile = dataclasses.replace(record, files={**record.files, name: next(iter(record.files.values()))})
        write_record(place, hostile)
        with pytest.raises(CollectionDamaged, match="none of an index"):
            OpenIndex.open(place)


@pytest.mark.parametrize("what", ["sizes", "levels", "links"])
def test_arrays_that_lead_outside_are_refused_though_their_hashes_fit(place, monkeypatch, what):
    """Of an index that somebody else made: FAISS would read beyond the file."""
    record = built(monkeypatch, place, given(2_000), "lists of int8" if what == "sizes" else "graph")
    name = f"segment-1.{what}.npy"
    array = np.load(place / name)
    array[len(array) // 2] = 1 << 30
    np.save(place / name, array)
    write_record(place, dataclasses.replace(record, files={**record.files, name: facts_of(place / name)}))
    with pytest.raises(CollectionDamaged, match="not what a build writes"):
        OpenIndex.open(place)


def test_where_no_index_is_that_is_said(tmp_path):
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CollectionError, match=r"no index here\. Make one"):
            OpenIndex.open(place)


def test_a_read_only_index_is_searched(place, monkeypatch):
    built(monkeypatch, place, given(500), "lists of int8")
    (place / "checked.json").unlink()
    monkeypatch.setattr("tintype.index.record.os.access", lambda *_: False)
    assert ids_found(OpenIndex.open(place), made_vectors(500)[:1], 1) == [["image 0"]]
    check_files(place, read_record(place))
    assert not (place / "checked.json").exists()
