"""A version that is open somewhere outlives every clean-up, and no longer."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tintype.store.collection import Collection
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout, new_record, write_record
from tintype.store.trust import trust
from tintype.store.versions import held
from tintype.testing.store import SCHEMA, replacing, rows_of


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    layout = Layout(tmp_path / "c")
    layout.place.mkdir()
    store = LanceStore.create(layout.images, SCHEMA)
    store.commit([store.writer().write("r:1:1", rows_of("r:1:1", ["a", "b"]))])
    record = new_record(layout, [str(tmp_path)])
    trust(layout, record)
    write_record(layout, record)
    return layout


def churn(layout: Layout) -> None:
    """Rows come and go, the table is compacted, and all that is old is cleaned up."""
    store = LanceStore.open(layout.images)
    store.commit([replacing(store.writer().write("r:2:1", rows_of("r:2:1", ["a", "c"], size=5)), "a")])
    store.compact()
    store.clean_up(0.0, held(layout.readers))


def test_a_reader_goes_on_with_what_it_opened(layout: Layout) -> None:
    reader = Collection.open(layout.place)
    churn(layout)
    assert reader.table(["uri", "size_bytes"]).to_pylist() == [
        {"uri": "a", "size_bytes": 1},
        {"uri": "b", "size_bytes": 1},
    ]


def test_versions_go_when_their_reader_is_gone(layout: Layout) -> None:
    reader = Collection.open(layout.place)
    version = reader.version
    assert held(layout.readers) == {version}
    del reader
    gc.collect()
    assert held(layout.readers) == set()
    churn(layout)
    assert len(list((layout.images / "_versions").glob("*.manifest"))) == 1


def test_a_reader_in_another_process_counts_until_it_dies(layout: Layout) -> None:
    code = "import sys; from pathlib import Path; from tintype.store.collection import Collection\n"
    code += "c = Collection.open(Path(sys.argv[1])); print(c.version, flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(layout.place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    version = int(other.stdout.readline())
    assert held(layout.readers) == {version}
    other.kill()
    other.wait()
    assert held(layout.readers) == set()
