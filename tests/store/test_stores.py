"""Both stores keep the contract, and side by side they hold the same rows."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tintype.core.errors import CollectionDamaged, CollectionNotFound
from tintype.store.base import Store
from tintype.store.lance import LanceStore, load_table, save_table
from tintype.store.memory import MemoryStore
from tintype.testing.store import SCHEMA, StoreContract, StoreMachine, rows_of


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore(SCHEMA)


class TestLanceStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LanceStore.create(tmp_path / "images.lance", SCHEMA)

    def test_opens_again_with_the_same_rows(self, tmp_path: Path) -> None:
        store = LanceStore.create(tmp_path / "images.lance", SCHEMA)
        store.commit([self.put(store, "r:1:1", ["a"])])
        assert LanceStore.open(tmp_path / "images.lance").count() == 1

    def test_files_of_dead_workers_are_removed(self, tmp_path: Path) -> None:
        store = LanceStore.create(tmp_path / "images.lance", SCHEMA)
        self.put(store, "r:1:1", ["never committed"])
        store.commit([self.put(store, "r:2:1", ["a"])])
        assert len(list((tmp_path / "images.lance" / "data").iterdir())) == 2
        store.clean_up(3600)
        assert len(list((tmp_path / "images.lance" / "data").iterdir())) == 1

    def test_says_where_there_is_no_table(self, tmp_path: Path) -> None:
        with pytest.raises(CollectionNotFound):
            LanceStore.open(tmp_path / "images.lance")

    @pytest.mark.parametrize("part", ["_versions", "data"])
    def test_says_that_a_table_is_damaged(self, tmp_path: Path, part: str) -> None:
        store = LanceStore.create(tmp_path / "images.lance", SCHEMA)
        store.commit([self.put(store, "r:1:1", ["a", "b"])])
        for file in (tmp_path / "images.lance" / part).iterdir():
            file.write_bytes(b"\0" * file.stat().st_size)
        with pytest.raises(CollectionDamaged, match="doctor"):
            list(LanceStore.open(tmp_path / "images.lance").batches(["uri"]))


class LanceMachine(StoreMachine):
    def new_store(self) -> Store:
        self.folder = tempfile.TemporaryDirectory()
        return LanceStore.create(Path(self.folder.name) / "images.lance", SCHEMA)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestSideBySide = LanceMachine.TestCase
TestSideBySide.settings = settings(max_examples=25, stateful_step_count=15)


def test_findings_are_replaced_as_a_whole_and_keep_their_facts(tmp_path: Path) -> None:
    for size in (1, 2):
        save_table(tmp_path / "findings" / "x.lance", rows_of("s", ["a"] * size), {"made_from": str(size)})
    rows, facts = load_table(tmp_path / "findings" / "x.lance")
    assert rows.num_rows == 2
    assert facts["made_from"] == "2"
