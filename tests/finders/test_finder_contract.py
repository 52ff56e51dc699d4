"""Every installed finder keeps the contract, and the registry hands it out."""

import pyarrow as pa
import pytest

from tintype.core.errors import PluginError
from tintype.finders import registry
from tintype.finders.base import FINDINGS, Inputs, StoreColumns, findings
from tintype.store.memory import MemoryStore
from tintype.testing.finders import FinderContract, made_collection


@pytest.fixture(params=registry.names(), autouse=True)
def _every_finder(request):
    if request.cls is not None:
        request.cls.finder = registry.finder(request.param)


class TestEveryFinder(FinderContract):
    pass


def test_the_registry_knows_ours():
    assert {"duplicates", "issues"} <= set(registry.names())


def test_an_unknown_finder_is_refused_with_the_nearest_name():
    with pytest.raises(PluginError, match="Did you mean duplicates"):
        registry.finder("duplicate")


def test_findings_fill_in_nulls_and_keep_own_columns():
    batch = findings(a=pa.array([b"x" * 16, b"y" * 16]), kind="leak", score=1.0, reason="why", n=pa.array([1, 2]))
    assert batch.schema.names == [*FINDINGS.names, "n"]
    assert batch.to_pylist()[1] == {
        "a": b"y" * 16, "b": None, "a_uri": None, "b_uri": None, "kind": "leak", "score": 1.0, "reason": "why", "n": 2,
    }  # fmt: skip


def test_findings_of_scalars_alone_need_a_number_of_rows():
    with pytest.raises(ValueError, match="need `rows`"):
        findings(kind="leak", score=1.0, reason="why")
    assert findings(kind="leak", score=1.0, reason="why", rows=0).num_rows == 0


def store_of(table: pa.Table) -> MemoryStore:
    store = MemoryStore(pa.schema([*table.schema, pa.field("_shard", pa.string())]))
    store.commit([store.writer().write("run/0/1", table)])
    return store


def test_columns_that_a_store_lacks_are_null():
    table = made_collection(5).select(["uri", "digest"])
    (batch,) = StoreColumns(store_of(table)).batches(["digest", "phash", "uri"])
    assert batch.schema.names == ["digest", "phash", "uri"]
    assert batch["uri"].equals(table["uri"].combine_chunks())
    assert batch["phash"].null_count == 5


def test_a_finder_runs_on_a_store_without_stages():
    columns = StoreColumns(store_of(made_collection(50).select(["uri", "digest", "status", "reason", "size_bytes"])))
    finder = registry.finder("duplicates")
    pairs = pa.Table.from_batches(finder.find(Inputs(columns), finder.settings()), finder.schema)
    assert set(pairs["kind"].to_pylist()) == {"identical"}
