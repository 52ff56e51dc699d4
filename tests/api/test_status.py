"""How a collection stands: what its last scan left, who works on it, what failed."""

import io
import json
from contextlib import closing, redirect_stdout
from pathlib import Path

import pyarrow as pa
import pytest

from tintype import api
from tintype.cli.main import main
from tintype.core.errors import CollectionNotFound, CollectionNotTrusted
from tintype.engine.ledger.sqlite import SqliteLedger
from tintype.engine.scan import locked
from tintype.sources.base import Entry, Shard
from tintype.store.layout import Layout
from tintype.testing.pictures import encoded, fill_folder, scene


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("status")
    fill_folder(root, 6)
    (root / "cut.jpg").write_bytes(encoded(scene(1))[:600])
    api.scan(root, stages=["phash"], workers=1)
    return root


@pytest.fixture
def left_over(scanned: Path) -> Layout:
    """The collection as if its last scan had given up one shard and died over another."""
    layout = Layout(scanned / ".tintype")
    entries = Shard.of([Entry(f"{number}.jpg", 1, 1, 1, 1, None) for number in range(3)]).entries
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, entries.schema) as stream:
        stream.write_batch(entries)
    with closing(SqliteLedger(layout.ledger)) as ledger:
        ledger.begin()
        ledger.add("rows", [bytes(sink.getvalue())] * 2)
        lease = ledger.lease("one", 60)
        assert lease is not None
        ledger.fail(lease, "the tar is gone", 1)
    return layout


def printed(*words: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        assert main(list(words)) == 0
    return out.getvalue()


def test_a_finished_scan_is_complete_and_what_failed_is_told(scanned: Path) -> None:
    found = api.status(scanned)
    assert found == api.status(scanned / ".tintype")
    assert found.is_complete
    assert (found.images, found.status) == (7, {"damaged": 1, "ok": 6})
    assert found.shards == {"committed": 1}
    assert [(one["id"], one["status"]) for one in found.failures] == [("cut.jpg", "damaged")]
    assert "has 7 images; its last scan is complete" in printed("status", str(scanned))


def test_what_a_scan_left_is_told_and_may_be_tried_again(scanned: Path, left_over: Layout) -> None:
    before = left_over.ledger.read_bytes()
    found = api.status(scanned)
    assert left_over.ledger.read_bytes() == before
    assert not found.is_complete
    assert found.shards == {"abandoned": 1, "pending": 1}
    assert found.abandoned == [{"shard": 1, "images": 3, "reason": "the tar is gone"}]
    assert "the tar is gone" in printed("status", str(scanned))
    document = json.loads(printed("status", str(scanned), "--retry", "--json"))
    assert (document["retried"], document["shards"]) == (1, {"pending": 2})


def test_who_scans_it_is_told(scanned: Path) -> None:
    assert api.status(scanned).scanned_by is None
    with locked(Layout(scanned / ".tintype")):
        assert "process" in api.status(scanned).scanned_by


def test_a_collection_of_somebody_elses_is_only_looked_at(
    scanned: Path, left_over: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tintype.store.trust.trusted_folder", lambda: tmp_path)
    assert api.status(scanned).abandoned
    with pytest.raises(CollectionNotTrusted, match="tintype trust"):
        api.status(scanned, retry=True)


def test_where_there_is_neither_it_says_how_to_make_one(tmp_path: Path) -> None:
    for look in (api.status, api.work):
        with pytest.raises(CollectionNotFound, match="no vectors here"):
            look(tmp_path)


def test_a_scanned_file_means_its_collection(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("path\na.jpg\n")
    for look in (api.status, api.work):
        with pytest.raises(CollectionNotFound, match="no collection here"):
            look(table)
    (tmp_path / "a.jpg").write_bytes(encoded(scene(1)))
    api.scan(table, stages=[], workers=1)
    assert api.status(table).images == 1
