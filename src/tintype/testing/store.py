"""The contract of a store: what the engine relies on, and a machine that drives it beside the memory store."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tintype.core.errors import CollectionError
from tintype.core.expressions import Compare, IsNull, Reference
from tintype.store.base import Store, Written
from tintype.store.memory import MemoryStore

SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string()),
        pa.field("digest", pa.binary(16)),
        pa.field("size_bytes", pa.int64()),
        pa.field("status", pa.string()),
        pa.field("_shard", pa.string()),
    ]
)
ADDED = pa.schema([pa.field("sharpness", pa.float32()), pa.field("_stage_quality", pa.int32())])

STATE = Reference("_stage_quality", pa.int32())


def rows_of(shard: str, uris: list[str], size: int = 1) -> pa.Table:
    """Rows whose other values follow from the uri and the size."""
    return pa.table(
        {
            "uri": uris,
            "digest": pa.array([uri.encode().ljust(16, b".")[:16] for uri in uris], pa.binary(16)),
            "size_bytes": pa.array([size] * len(uris), pa.int64()),
            "status": ["ok"] * len(uris),
            "_shard": [shard] * len(uris),
        },
        schema=SCHEMA,
    )


def replacing(written: Written, *uris: str) -> Written:
    """The same rows, which take the place of the earlier ones of these uris."""
    return replace(written, replaces=uris)


def all_rows(store: Store, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Rows in the order of their uris."""
    batches = store.batches(columns or store.schema.names, order_by="uri")
    return [row for batch in batches for row in batch.to_pylist()]


class StoreContract:
    """Subclass it with a fixture `store`: an empty store of SCHEMA."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        raise NotImplementedError("the subclass gives the store")

    def put(self, store: Store, shard: str, uris: list[str], size: int = 1) -> Written:
        return store.writer().write(shard, rows_of(shard, uris, size))

    def test_takes_rows_by_their_number_in_the_stream(self, store: Store) -> None:
        for number in range(3):
            store.commit([self.put(store, f"r:{number}:1", [f"{number}{letter}" for letter in "abc"])])
        store.delete(["1b"])
        uris = [uri for batch in store.batches(["uri"]) for uri in batch["uri"].to_pylist()]
        rows = np.array([7, 0, 3, 3])
        assert store.take(rows, ["uri"])["uri"].to_pylist() == [uris[row] for row in rows]
        assert store.take(rows[:0], ["uri", "size_bytes"]).schema.names == ["uri", "size_bytes"]

    def test_tells_the_numbers_of_rows_that_pass(self, store: Store) -> None:
        for number in range(3):
            store.commit([self.put(store, f"r:{number}:1", [f"{number}{letter}" for letter in "abc"], size=number)])
        store.commit([replacing(self.put(store, "r:3:1", ["0b"], size=2), "0b")])
        store.delete(["1c", "2a"])
        where = Compare(Reference("size_bytes", pa.int64()), "=", 2)
        uris = [uri for batch in store.batches(["uri"]) for uri in batch["uri"].to_pylist()]
        assert [uris[row] for row in store.rows(where)] == [uri for uri in uris if uri in ("0b", "2b", "2c")]
        assert not len(store.rows(Compare(Reference("size_bytes", pa.int64()), "=", 9)))

    def test_rows_are_not_there_before_their_commit(self, store: Store) -> None:
        self.put(store, "r:1:1", ["a", "b"])
        assert store.count() == 0

    def test_committed_rows_come_back_as_they_were(self, store: Store) -> None:
        uris = ["a", "b b", "ü/%23.jpg", "it's \" \\ \n'; DROP TABLE"]
        store.commit([self.put(store, "r:1:1", uris)])
        assert all_rows(store) == sorted(rows_of("r:1:1", uris).to_pylist(), key=lambda row: row["uri"])

    def test_a_shard_is_committed_once(self, store: Store) -> None:
        written = self.put(store, "r:1:1", ["a", "b"])
        store.commit([written])
        store.commit([written, self.put(store, "r:2:1", ["c"])])
        store.commit([written])
        assert [row["uri"] for row in all_rows(store)] == ["a", "b", "c"]

    def test_replaced_rows_leave_with_the_same_commit(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a", "b'c", "d"])])
        before = store.version
        store.commit([replacing(self.put(store, "r:2:1", ["b'c"], size=9), "b'c")])
        assert store.version == before + 1
        assert [(row["uri"], row["size_bytes"]) for row in all_rows(store)] == [
            ("a", 1),
            ("b'c", 9),
            ("d", 1),
        ]

    def test_all_rows_of_a_fragment_can_be_replaced(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a", "b"])])
        store.commit([replacing(self.put(store, "r:2:1", ["a", "b"], size=2), "a", "b")])
        assert [row["size_bytes"] for row in all_rows(store)] == [2, 2]

    def test_a_fragment_loses_rows_again_and_again(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a", "b", "c", "d"])])
        store.commit([replacing(self.put(store, "r:2:1", ["b"], size=2), "b")])
        store.commit([replacing(self.put(store, "r:3:1", ["d"], size=3), "d")])
        store.delete(["a", "unknown"])
        assert [(row["uri"], row["size_bytes"]) for row in all_rows(store)] == [("b", 2), ("c", 1), ("d", 3)]

    def test_a_shard_that_is_there_already_replaces_nothing_again(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["x", "y"])])
        first = replacing(self.put(store, "r:2:1", ["x"], size=2), "x")
        store.commit([first])
        store.commit([first, replacing(self.put(store, "r:3:1", ["y"], size=3), "y")])
        assert [(row["uri"], row["size_bytes"]) for row in all_rows(store)] == [("x", 2), ("y", 3)]

    def test_an_update_of_no_rows_changes_nothing(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a"])])
        store.add_columns(ADDED)
        (part,) = store.stale(IsNull(STATE), [])
        new = part.rows.append_column("sharpness", pa.array([0.25], pa.float32())).slice(0, 0)
        store.update(part.fragment, iter(new.to_batches()), new.schema)
        assert [row["sharpness"] for row in all_rows(store)] == [None]

    def test_new_columns_are_null_and_can_be_set_row_by_row(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a", "b", "c"])])
        store.add_columns(ADDED)
        assert [row["sharpness"] for row in all_rows(store)] == [None] * 3
        (part,) = store.stale(IsNull(STATE), ["uri"])
        rows = part.rows.filter(pa.array([uri != "b" for uri in part.rows["uri"].to_pylist()]))
        new = rows.select(["_rowid"])
        new = new.append_column("sharpness", pa.array([0.5] * 2, pa.float32()))
        new = new.append_column("_stage_quality", pa.array([7] * 2, pa.int32()))
        store.update(part.fragment, iter(new.to_batches()), new.schema)
        assert [row["sharpness"] for row in all_rows(store)] == [0.5, None, 0.5]
        assert store.count(Compare(STATE, "=", 7)) == 2

    def test_an_update_survives_an_append_in_between(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a"])])
        store.add_columns(ADDED)
        (part,) = store.stale(IsNull(STATE), [])
        store.commit([self.put(store, "r:2:1", ["b"])])
        new = part.rows.append_column("sharpness", pa.array([0.25], pa.float32()))
        store.update(part.fragment, iter(new.to_batches()), new.schema)
        assert [row["sharpness"] for row in all_rows(store)] == [0.25, None]

    def test_a_column_keeps_its_type(self, store: Store) -> None:
        store.add_columns(ADDED)
        with pytest.raises(CollectionError, match="sharpness"):
            store.add_columns(pa.schema([pa.field("sharpness", pa.string())]))

    def test_what_is_noted_of_a_column_stays_with_it(self, store: Store) -> None:
        store.add_columns(ADDED)
        store.note({"sharpness": {"of": "a", "by": "b"}})
        store.note({"sharpness": {"of": "c"}})
        version = store.version
        store.commit([self.put(store, "r:1:1", ["a", "b"])])
        (part,) = store.stale(IsNull(Reference("sharpness", pa.float32())), ["uri"])
        new = part.rows.select(["_rowid"]).append_column("sharpness", pa.array([0.5, 0.25], pa.float32()))
        store.update(part.fragment, iter(new.to_batches()), new.schema)
        store.compact()
        assert store.schema.field("sharpness").metadata == {b"of": b"c", b"by": b"b"}
        assert store.version > version

    def test_positions_are_those_of_a_scan(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", [f"a{i}" for i in range(20)])])
        store.commit([self.put(store, "r:2:1", [f"b{i}" for i in range(20)])])
        store.delete(["a3", "a4", "b0"])
        uris = [uri for batch in store.batches(["uri"]) for uri in batch["uri"].to_pylist()]
        taken = store.writer().take(pa.array([30, 0, 5, 17], pa.uint64()), ["uri"])
        assert taken["uri"].to_pylist() == [uris[30], uris[0], uris[5], uris[17]]

    def test_a_writer_stays_at_its_version(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a", "b"])])
        writer = store.writer()
        store.delete(["a"])
        assert writer.take(pa.array([0], pa.uint64()), ["uri"])["uri"].to_pylist() == ["a"]

    def test_a_writer_travels_to_a_worker(self, store: Store) -> None:
        store.commit([self.put(store, "r:1:1", ["a"])])
        writer = pickle.loads(pickle.dumps(store.writer()))  # noqa: S301  our own bytes
        assert writer.take(pa.array([0], pa.uint64()), ["uri"])["uri"].to_pylist() == ["a"]

    def test_compaction_and_clean_up_change_no_row(self, store: Store) -> None:
        for number in range(6):
            store.commit([self.put(store, f"r:{number}:1", [f"{number}-{i}" for i in range(5)])])
        store.delete(["3-3"])
        before = all_rows(store)
        store.compact()
        store.clean_up(0.0)
        assert all_rows(store) == before
        store.commit([self.put(store, "r:9:1", ["z"])])
        assert len(all_rows(store)) == len(before) + 1


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and the memory store side by side; subclass it with `new_store`."""

    def new_store(self) -> Store:
        raise NotImplementedError("the subclass makes the store")

    @initialize()
    def begin(self) -> None:
        self.store: Store = self.new_store()
        self.oracle: Store = MemoryStore(SCHEMA)
        self.shards = 0

    def _both(self) -> tuple[Store, Store]:
        return self.store, self.oracle

    @rule(names=st.lists(st.sampled_from("abcdefghij'%é"), unique=True, max_size=6), size=st.integers(1, 9))
    def scan_again(self, names: list[str], size: int) -> None:
        """Rows of some images come, and replace those that are there."""
        if not names:
            return
        self.shards += 1
        shard = f"r:{self.shards}:1"
        for store in self._both():
            there = {row["uri"] for row in all_rows(store, ["uri"])}
            written = store.writer().write(shard, rows_of(shard, names, size))
            store.commit([replacing(written, *(name for name in names if name in there))])

    @rule(names=st.lists(st.sampled_from("abcdefghij'%é"), unique=True, max_size=4))
    def forget(self, names: list[str]) -> None:
        for store in self._both():
            store.delete(names)

    @rule()
    def add_stage(self) -> None:
        for store in self._both():
            store.add_columns(ADDED)

    @rule(state=st.integers(1, 3), only=st.sampled_from("abcdefghij"))
    def compute_stage(self, state: int, only: str) -> None:
        """A stage is computed for the stale rows whose uri is at least `only`."""
        for store in self._both():
            if "_stage_quality" not in store.schema.names:
                return
            for part in list(store.stale(Compare(Reference("uri", pa.string()), ">=", only), ["uri"])):
                new = part.rows.select(["_rowid"])
                values = [float(ord(uri[0])) for uri in part.rows["uri"].to_pylist()]
                new = new.append_column("sharpness", pa.array(values, pa.float32()))
                new = new.append_column("_stage_quality", pa.array([state] * len(values), pa.int32()))
                store.update(part.fragment, iter(new.to_batches()), new.schema)

    @rule()
    def tidy(self) -> None:
        for store in self._both():
            store.compact()
            store.clean_up(0.0)

    @invariant()
    def both_hold_the_same(self) -> None:
        if hasattr(self, "store"):
            assert all_rows(self.store) == all_rows(self.oracle)
