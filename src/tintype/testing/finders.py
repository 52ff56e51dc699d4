"""What is relied on in a finder, as tests: subclass `FinderContract`, set `finder`, and pytest runs them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import DIGEST
from tintype.finders.base import FINDINGS, Finder, Inputs


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table in memory, in batches of so many rows; those it lacks are null."""

    table: pa.Table
    batch_rows: int = 1_000

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self.table.to_batches(max_chunksize=self.batch_rows):
            missing = pa.nulls(batch.num_rows)
            columns = [batch[name] if name in self.table.column_names else missing for name in names]
            yield pa.RecordBatch.from_arrays(columns, names=list(names))

    def take(self, rows: NDArray[np.int64], names: Sequence[str]) -> pa.Table:
        missing = pa.nulls(self.table.num_rows)
        columns = [self.table[name] if name in self.table.column_names else missing for name in names]
        return pa.table(columns, names=list(names)).take(pa.array(rows))


@dataclass(frozen=True)
class OnlyNeeded:
    """Columns that refuse what the finder did not say it needs."""

    columns: TableColumns
    needed: tuple[str, ...]

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        assert set(names) <= set(self.needed), f"not among what the finder needs: {set(names) - set(self.needed)}"
        return self.columns.batches(names)

    def take(self, rows: NDArray[np.int64], names: Sequence[str]) -> pa.Table:
        assert set(names) <= set(self.needed), f"not among what the finder needs: {set(names) - set(self.needed)}"
        return self.columns.take(rows, names)


class FinderContract:
    """What every finder must keep, ours or a plug-in's. A finder's own tests add cases with known answers."""

    finder: Finder

    def run(self, table: pa.Table, batch_rows: int = 1_000) -> pa.Table:
        settings = self.finder.settings()
        columns = OnlyNeeded(TableColumns(table, batch_rows), tuple(self.finder.needs(settings)))
        return pa.Table.from_batches(list(self.finder.find(Inputs(columns), settings)), self.finder.schema)

    def test_finds_something_in_the_made_collection(self) -> None:
        """Or the other tests would say nothing; a finder of other columns overrides `table`."""
        assert self.run(self.table()).num_rows > 0

    def test_begins_with_the_columns_of_findings(self) -> None:
        found = self.run(self.table())
        assert found.schema.names[: len(FINDINGS)] == FINDINGS.names
        assert found.select(FINDINGS.names).schema.types == FINDINGS.types

    def test_gives_scores_in_range_and_words(self) -> None:
        found = self.run(self.table())
        assert all(0 <= score <= 1 for score in found["score"].to_pylist())
        assert all(found["kind"].to_pylist())
        assert all(reason and "\n" not in reason for reason in found["reason"].to_pylist())

    def test_names_its_subjects(self) -> None:
        """Each finding is about an image: by digest, or by uri where its bytes could not be read."""
        table = self.table()
        found = self.run(table)
        digests, uris = set(table["digest"].to_pylist()), set(table["uri"].to_pylist())
        for side in ("a", "b"):
            assert set(found[side].to_pylist()) <= digests | {None}
            assert set(found[f"{side}_uri"].to_pylist()) <= uris | {None}
        subjects = zip(found["a"].to_pylist(), found["a_uri"].to_pylist(), strict=True)
        assert all(digest or uri for digest, uri in subjects)

    def test_takes_an_empty_collection(self) -> None:
        assert self.run(self.table().slice(0, 0)).num_rows == 0

    def test_takes_a_collection_in_which_no_stage_ran(self) -> None:
        table = self.table().select(["uri", "digest", "status", "reason", "size_bytes"])
        assert self.run(table).schema.equals(self.finder.schema)

    def test_ignores_the_order_of_rows(self) -> None:
        table = self.table()
        shuffled = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
        assert self.run(shuffled).equals(self.run(table))

    def test_ignores_batch_borders(self) -> None:
        table = self.table()
        assert self.run(table, batch_rows=7).equals(self.run(table))

    def test_is_a_value(self) -> None:
        settings = self.finder.settings()
        assert hash(settings) == hash(self.finder.settings())
        assert pickle.loads(pickle.dumps(self.finder)) == self.finder  # noqa: S301  # bytes that we just made

    def table(self) -> pa.Table:
        """The collection that the tests run on: `made_collection`, unless the finder reads other columns."""
        return made_collection(200)


def made_collection(count: int, seed: int = 0) -> pa.Table:
    """So many rows as a scan leaves them, always the same: unlike images, but copies, broken and odd ones among them.

    Of each ten rows one has the bytes of the row before, one differs from it in two bits of its hash, and one is
    damaged. Has the columns of all rows, and of the stages quality, phash and colors those that tell most; and a
    `descriptor` with five clusters, in which copies lie close together and one image in 25 lies by itself. Labels
    name the cluster, but for one in 20, and one of two splits.
    """
    random = np.random.default_rng(seed)
    digests = [random.bytes(16) for _ in range(count)]
    hashes = random.integers(0, 2**64, count, np.uint64)
    status = np.full(count, "ok", object)
    for row in range(1, count):
        if row % 10 == 3:
            digests[row], hashes[row] = digests[row - 1], hashes[row - 1]
        if row % 10 == 6:
            hashes[row] = hashes[row - 1] ^ np.uint64(0b11)
        if row % 10 == 9:
            status[row] = "damaged"
    ok = status == "ok"

    def measured(values: object, kind: pa.DataType) -> pa.Array:
        return pa.array(values, mask=~ok).cast(kind)

    return pa.table(
        {
            "uri": [f"{row % 7}/made-{row:05d}.jpg" for row in range(count)],
            "digest": pa.array(digests, DIGEST),
            "status": pa.array(status, pa.string()),
            "reason": pa.array(np.where(ok, "", "ends too early"), mask=ok),
            "size_bytes": pa.array(random.integers(1_000, 1_000_000, count)),
            "modified_at": pa.array(random.integers(10**15, 2 * 10**15, count)).cast(pa.timestamp("us", "UTC")),
            "width": measured(random.choice([640, 1_200, 4_000, 20_000], count), pa.int32()),
            "height": measured(random.choice([480, 800, 3_000], count), pa.int32()),
            "color_mode": measured(random.choice(["rgb", "gray"], count, p=[0.9, 0.1]), pa.string()),
            "_inode": pa.array(np.arange(count) + 1, pa.uint64()),
            "_device": pa.array(np.ones(count), pa.uint64()),
            "_offset": pa.nulls(count, pa.int64()),
            "taken_at": pa.array(random.integers(10**15, 2 * 10**15, count)).cast(pa.timestamp("us")),
            "quality": measured(random.random(count), pa.float32()),
            "sharpness": measured(random.random(count), pa.float32()),
            "brightness": measured(np.full(count, 0.5), pa.float32()),
            "entropy": measured(random.uniform(0, 8, count), pa.float32()),
            "dynamic_range": measured(random.random(count), pa.float32()),
            "luma_p05": measured(random.integers(0, 256, count), pa.uint8()),
            "luma_p50": measured(np.full(count, 128), pa.uint8()),
            "luma_p99": measured(random.integers(0, 256, count), pa.uint8()),
            "phash": measured(hashes, pa.uint64()),
            "is_gray": measured(random.random(count) < 0.1, pa.bool_()),
            "descriptor": _made_descriptors(count, seed, ~ok),
            "label_label": _made_labels(count, seed),
            "label_split": pa.array(np.where(np.arange(count) % 4 == 3, "test", "train")),
        }
    )


def _made_clusters(count: int, seed: int) -> NDArray[np.int64]:
    clusters: NDArray[np.int64] = np.random.default_rng([seed, 2]).integers(0, 5, count)
    return clusters


def _made_labels(count: int, seed: int) -> pa.Array:
    """(count,) names of the clusters, for each 20th image that of another one."""
    named = (_made_clusters(count, seed) + (np.arange(count) % 20 == 5)) % 5
    return pa.array(["ant", "bee", "cat", "dog", "eel"]).take(pa.array(named))


def _made_descriptors(count: int, seed: int, missing: NDArray[np.bool_]) -> pa.Array:
    """(count,) lists of 256 float16, of unit length: five clusters, copies as `made_collection` has them, strays."""
    width = 256
    random = np.random.default_rng([seed, 1])  # its own, so that the other columns stay what they are
    centers = random.standard_normal((5, width))
    vectors = centers[_made_clusters(count, seed)] + 0.7 * random.standard_normal((count, width))
    strays = np.arange(count) % 25 == 7
    vectors[strays] = random.standard_normal((strays.sum(), width))
    for row in range(1, count):
        if row % 10 == 3:
            vectors[row] = vectors[row - 1]
        if row % 10 == 6:
            vectors[row] = vectors[row - 1] + 0.1 * random.standard_normal(width)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    return pa.FixedSizeListArray.from_arrays(unit.ravel(), width, mask=pa.array(missing))
