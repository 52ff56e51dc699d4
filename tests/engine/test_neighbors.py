"""The stored graph is the one that would be made anew, whatever came, went, broke or died before."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from graph_and_die import MOMENTS, images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tintype.core.errors import WorkerFailed
from tintype.core.platform import FileLock
from tintype.engine import neighbors
from tintype.engine.graph import answer, stored, work
from tintype.engine.neighbors import LEAST_K, neighbors_of
from tintype.index.graph import nearest_others
from tintype.store.layout import Layout, new_record, write_record
from tintype.store.trust import trust
from tintype.testing.index import made_vectors

STATE_FOLDER = "XDG_STATE_HOME"


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """A trusted collection that holds nothing yet."""
    monkeypatch.setenv(STATE_FOLDER, str(tmp_path / "state"))
    made = Layout(tmp_path / "collection")
    made.place.mkdir()
    record = new_record(made, ["/photos"])
    write_record(made, record)
    trust(made, record)
    return made


def ask(layout, digest, vectors, k=5, column="descriptor", state="one"):
    return neighbors_of(layout, column, state, digest, vectors, k)


def table(layout, column="descriptor"):
    return layout.index(column) / "neighbors.lance"


def kept(layout):
    return stored.load(table(layout), "descriptor", "one")


def assert_same(found, expected):
    assert np.array_equal(found.similarity, expected.similarity)
    assert np.array_equal(found.rows, expected.rows)


def some(digest, vectors, rows):
    rows = np.asarray(rows, np.int64)
    return digest.take(pa.array(rows)), np.ascontiguousarray(vectors[rows])


@pytest.fixture
def counted(monkeypatch):
    """What was asked of the index, as the numbers of pairs."""
    pairs = []

    def counting(question):
        pairs.append(question.pairs)
        return answer.in_memory(question)

    monkeypatch.setattr(neighbors, "in_memory", counting)
    return pairs


def test_what_is_stored_is_not_computed_again(layout, counted):
    digest, vectors = images(300)
    first = ask(layout, digest, vectors)
    assert_same(first, nearest_others(vectors, 5))
    assert_same(ask(layout, digest, vectors), first)
    assert_same(ask(layout, digest, vectors, k=LEAST_K), nearest_others(vectors, LEAST_K))
    assert len(counted) == 1
    assert sorted(path.name for path in layout.index("descriptor").iterdir()) == ["lock", "neighbors.lance"]


def test_more_neighbors_than_are_stored_are_found_anew(layout):
    digest, vectors = images(300)
    ask(layout, digest, vectors)
    assert_same(ask(layout, digest, vectors, k=40), nearest_others(vectors, 40))
    assert kept(layout).k == 40


def test_the_facts_say_what_the_graph_is_of(layout):
    digest, vectors = images(300)
    neighbors_of(layout, "descriptor", "one", digest, vectors, 5, version=17)
    rows, facts = stored.load_table(table(layout))
    assert facts == {
        "format": "1", "column": "descriptor", "state": "one", "k": "16", "recall": "1.0000", "made_from": "17",
    }  # fmt: skip
    assert rows["digest"].combine_chunks().equals(digest)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_extending_gives_what_making_anew_gives(layout, data):
    """Images come and go, equal ones among them; some keep their digest and have another vector."""
    count = 80
    digest, vectors = images(count)
    pool = np.concatenate([vectors, vectors[:4]])
    shutil.rmtree(layout.index("descriptor"), ignore_errors=True)
    rows = st.lists(st.integers(0, count - 1), unique=True, max_size=count).map(sorted)
    today = data.draw(rows)
    for _ in range(3):
        leave, come = data.draw(st.sets(st.integers(0, count - 1), max_size=12)), data.draw(rows)[:12]
        today = sorted(set(today) - leave | set(come))
        pool[data.draw(st.integers(0, count - 1))] = pool[data.draw(st.integers(0, len(pool) - 1))]
        ids, now = some(digest, pool, today)
        assert_same(ask(layout, ids, now), nearest_others(now, 5))


def test_a_few_new_images_are_not_compared_all_with_all(layout, counted):
    digest, vectors = images(2_000)
    older = np.delete(np.arange(2_000), [5, 700, 1_999])
    ask(layout, *some(digest, vectors, older))
    counted.clear()
    assert_same(ask(layout, digest, vectors), nearest_others(vectors, 5))
    assert sum(counted) <= 2 * 3 * 2_000
    counted.clear()
    assert_same(ask(layout, *some(digest, vectors, older)), nearest_others(vectors[older], 5))
    assert sum(counted) < 200 * 2_000  # only those that had one of the three as a neighbor


def test_other_models_and_columns_have_graphs_of_their_own(layout):
    digest, vectors = images(200)
    other = made_vectors(200, 24, seed=5)
    ask(layout, digest, vectors)
    assert_same(ask(layout, digest, other, column="clip"), nearest_others(other, 5))
    assert_same(ask(layout, digest, other, state="two"), nearest_others(other, 5))
    assert kept(layout) is None
    assert_same(ask(layout, digest, vectors), nearest_others(vectors, 5))
    assert table(layout, "clip").is_dir()


def test_vectors_of_another_dimension_under_the_same_state_make_it_anew(layout):
    digest, vectors = images(200)
    ask(layout, digest, vectors)
    wider = made_vectors(200, 24, seed=5)
    assert_same(ask(layout, digest, wider), nearest_others(wider, 5))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_images_have_few_neighbors(layout, count):
    digest, vectors = images(count)
    for _ in range(2):
        found = ask(layout, digest, vectors)
        assert found.rows.shape == (count, 5)
        assert_same(found, nearest_others(vectors, 5))
    assert_same(ask(layout, *images(40)), nearest_others(images(40)[1], 5))


def test_fifty_thousand_copies_of_one_image(layout):
    """Other bytes each, so other digests, but the same vector."""
    digest, _ = images(50_001)
    few = made_vectors(2, 16)
    vectors = np.repeat(few, [1, 50_000], axis=0)
    assert_same(ask(layout, *some(digest, vectors, np.arange(50_000))), nearest_others(vectors[:50_000], 5))
    found = ask(layout, digest, vectors)
    assert_same(found, nearest_others(vectors, 5))
    assert found.rows[50_000].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", [np.nan, np.inf, 0])
def test_vectors_that_are_like_nothing_are_refused(layout, value):
    digest, vectors = images(10)
    vectors[4] = value
    with pytest.raises(ValueError, match="vector 4"):
        ask(layout, digest, vectors)
    assert not layout.index("descriptor").exists()


def test_digests_must_be_sorted_and_as_many(layout):
    digest, vectors = images(10)
    for odd in (digest.take(pa.array([1, 0, *range(2, 10)])), digest.take(pa.array([0, 0, *range(2, 10)]))):
        with pytest.raises(ValueError, match="sorted"):
            ask(layout, odd, vectors)
    with pytest.raises(ValueError, match="do not go with"):
        ask(layout, digest[:9], vectors)


def damage(place, how):
    files = sorted(path for path in place.rglob("*") if path.is_file())
    if how == "text":
        shutil.rmtree(place)
        place.mkdir()
        (place / "notes.txt").write_text("no table")
    for path in files:
        if how == "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif how == "zeros":
            path.write_bytes(bytes(path.stat().st_size))
        elif (how == "no data" and path.suffix == ".lance") or (how == "no manifest" and "_versions" in path.parts):
            path.unlink()


@pytest.mark.parametrize("how", ["cut", "zeros", "flipped", "no data", "no manifest", "text"])
def test_a_damaged_graph_is_made_anew(layout, how):
    digest, vectors = images(300)
    ask(layout, digest, vectors)
    damage(table(layout), how)
    assert_same(ask(layout, digest, vectors), nearest_others(vectors, 5))
    assert kept(layout) is not None


def test_no_flipped_byte_is_believed(layout):
    """Lance itself gives other numbers back without a word."""
    digest, vectors = images(300)
    ask(layout, digest, vectors)
    good = kept(layout).neighbors
    (file,) = table(layout).glob("data/*.lance")
    content = file.read_bytes()
    believed = 0
    for place in range(7, len(content), len(content) // 30):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0x04]) + content[place + 1 :])
        graph = kept(layout)
        if graph is not None:
            believed += 1
            assert_same(graph.neighbors, good)
    assert believed < 15


def test_rows_that_cannot_be_are_no_graph(layout):
    digest, vectors = images(300)
    ask(layout, digest, vectors)
    rows, facts = stored.load_table(table(layout))
    wrong = pa.FixedSizeListArray.from_arrays(pa.array(np.full(300 * 16, 300, np.int32)), 16)
    place = rows.schema.get_field_index("neighbors")
    rows = rows.set_column(place, "neighbors", wrong)
    stored.save_table(table(layout), rows, facts)
    assert kept(layout) is None
    assert_same(ask(layout, digest, vectors), nearest_others(vectors, 5))


def test_a_collection_of_somebody_else_is_neither_believed_nor_written(layout, monkeypatch, tmp_path):
    digest, vectors = images(300)
    ask(layout, digest, made_vectors(300, 16, seed=9))
    before = sorted(path for path in layout.place.rglob("*"))
    monkeypatch.setenv(STATE_FOLDER, str(tmp_path / "another user"))
    assert_same(ask(layout, digest, vectors), nearest_others(vectors, 5))
    assert sorted(path for path in layout.place.rglob("*")) == before


def test_where_nothing_can_be_written_it_is_computed_all_the_same(layout):
    (layout.place / "index").write_text("in the way")
    digest, vectors = images(300)
    assert_same(ask(layout, digest, vectors), nearest_others(vectors, 5))


def test_while_another_process_builds_nothing_is_written(layout):
    digest, vectors = images(300)
    older = np.arange(0, 300, 2)
    ask(layout, *some(digest, vectors, older))
    lock = FileLock(layout.index("descriptor") / "lock")
    assert lock.acquire()
    try:
        assert_same(ask(layout, digest, vectors), nearest_others(vectors, 5))
        assert len(kept(layout).digest) == len(older)
    finally:
        lock.release()
    ask(layout, digest, vectors)
    assert len(kept(layout).digest) == 300


@pytest.fixture(scope="module")
def large():
    """21,000 images, more than are compared one and all, and the neighbors that clusters give."""
    digest, vectors = images()
    return digest, vectors, nearest_others(vectors, LEAST_K)


def assert_large(layout, large):
    digest, vectors, expected = large
    found = ask(layout, digest, vectors, k=LEAST_K)
    assert_same(found, expected)
    assert_same(kept(layout).neighbors, expected)
    assert 0.95 <= kept(layout).recall < 1
    assert sorted(path.name for path in layout.index("descriptor").iterdir()) == ["lock", "neighbors.lance"]


def test_processes_find_what_one_finds(layout, large):
    assert_large(layout, large)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_build_goes_on(layout, large, moment, monkeypatch):
    script = Path(__file__).with_name("graph_and_die.py")
    ended = subprocess.run([sys.executable, script, layout.place, moment], check=False, env=environment())
    assert ended.returncode == -signal.SIGKILL
    done = []
    run = answer._run_workers

    def noting(folder, count):
        with work.opened(folder) as ledger:
            done.append(ledger.counts().get("done", 0))
        run(folder, count)

    monkeypatch.setattr(answer, "_run_workers", noting)
    assert_large(layout, large)
    if moment in ("working", "worked"):
        assert done[0] > 0
    if moment == "saved":
        assert done == []


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_workers_that_die_leave_their_parts_to_the_parent(layout, large, monkeypatch):
    code = (
        "import os, signal, sys; from pathlib import Path; from tintype.engine.graph import work\n"
        "work.compare = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "work.work(Path(sys.argv[-1]), 'doomed')"
    )
    popen, ended = subprocess.Popen, []

    def doomed(command, **options):
        ended.append(popen([sys.executable, "-c", code, command[-1]], **options))
        return ended[-1]

    monkeypatch.setattr(answer.subprocess, "Popen", doomed)
    assert_large(layout, large)
    assert {process.returncode for process in ended} == {-signal.SIGKILL}


def test_a_part_that_fails_again_and_again_is_said(layout, large, monkeypatch):
    def fails(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(work, "compare", fails)
    monkeypatch.setattr(answer, "_run_workers", lambda *_: None)
    with pytest.raises(WorkerFailed, match=r"MemoryError: no room.*Nothing was changed"):
        ask(layout, *large[:2])
    monkeypatch.undo()
    monkeypatch.setenv(STATE_FOLDER, str(layout.place.parent / "state"))
    assert_large(layout, large)


@pytest.mark.parametrize("file", ["vectors.npy", "question.json", "ledger.sqlite", "centers.npy"])
def test_damaged_leavings_are_not_used(layout, large, file):
    script = Path(__file__).with_name("graph_and_die.py")
    subprocess.run([sys.executable, script, layout.place, "prepared"], check=False, env=environment())
    (left,) = layout.index("descriptor").glob(f"work/*/{file}")
    content = bytearray(left.read_bytes())
    content[len(content) // 2] ^= 0x10
    left.write_bytes(content if file == "vectors.npy" else content[: len(content) // 2])
    assert_large(layout, large)


def test_two_builders_at_once_damage_nothing(layout, large):
    script = Path(__file__).with_name("graph_and_die.py")
    command = [sys.executable, str(script), str(layout.place), "never"]
    both = [subprocess.Popen(command, env=environment()) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert_large(layout, large)
