"""The images table as a Lance dataset: the only file that knows Lance."""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lance.dataset import ColumnOrdering, LanceOperation
from lance.fragment import FragmentMetadata, write_fragments
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged, CollectionError, CollectionNotFound
from tintype.core.expressions import Expression, to_sql
from tintype.core.platform import full_disk_is_said, sync_file
from tintype.store.base import SHARD, StaleFragment, Writer, Written
from tintype.store.hashing import table_hash

ROWS_PER_FRAGMENT = 65_536  # an update joins one fragment's new values in memory: some 400 MB with thumbnails
_MOST_SMALL_FRAGMENTS = 64
_MOST_DELETED = 0.2  # of the rows
_AGES = datetime.timedelta(days=36_500)
_HASH = "blake3"  # fact of tables that are not the images table
_MEND = "Run: tintype doctor. If it cannot be mended, delete the collection and scan again"


class LanceStore:
    """A table of rows in a folder `NAME.lance`."""

    def __init__(self, place: Path, dataset: lance.LanceDataset) -> None:
        self._place = place
        self._dataset = dataset
        self._seen_fragments: set[int] = set()
        self._seen_shards: set[str] = set()
        # Of the present version: where rows lie, ascending, and their numbers in the stream.
        self._all_addresses = -1, np.empty(0, np.uint64), np.empty(0, np.int64)

    @classmethod
    def create(cls, place: Path, schema: pa.Schema) -> LanceStore:
        """Make an empty table; its first version is there wholly or not at all."""
        with full_disk_is_said(str(place)):
            dataset = lance.write_dataset(schema.empty_table(), str(place), enable_stable_row_ids=True)
        return cls(place, dataset)

    @classmethod
    def open(cls, place: Path) -> LanceStore:
        """Raises CollectionNotFound where there is no table, CollectionDamaged where it cannot be read."""
        if not place.is_dir():
            raise CollectionNotFound(str(place.parent))
        with _DamageIsSaid(place):
            dataset = lance.dataset(str(place))
            if not dataset.schema.names:  # a manifest of zeros reads as one without columns
                raise ValueError("its list of columns is empty")
            return cls(place, dataset)

    @property
    def version(self) -> int:
        return int(self._dataset.version)

    @property
    def schema(self) -> pa.Schema:
        return self._dataset.schema

    def writer(self, place: Path | None = None) -> Writer:
        return LanceWriter(place or self._place, self.version, self.schema)

    def count(self, where: Expression | None = None) -> int:
        with self._damage_is_said():
            return int(self._dataset.count_rows(filter=None if where is None else to_sql(where)))

    def batches(
        self, columns: Sequence[str], *, where: Expression | None = None, order_by: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        with self._damage_is_said():
            scanner = self._dataset.scanner(
                columns=list(columns),
                filter=None if where is None else to_sql(where),
                order_by=None if order_by is None else [ColumnOrdering(order_by)],
            )
            for batch in scanner.to_batches():
                if batch.num_rows:
                    yield batch

    def take(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        with self._damage_is_said():
            return self._dataset.take(rows.tolist(), columns=list(columns))

    def rows(self, where: Expression) -> NDArray[np.int64]:
        if self._all_addresses[0] != self.version:
            every = self._addresses(None)
            order = np.argsort(every, kind="stable")
            self._all_addresses = self.version, every[order], order
        _, ascending, number = self._all_addresses
        found = np.sort(self._addresses(where), kind="stable")  # in order already, as a rule
        return np.sort(number[np.searchsorted(ascending, found)], kind="stable")

    def _addresses(self, where: Expression | None) -> NDArray[np.uint64]:
        """Where the rows lie that pass, in the order of the stream."""
        with self._damage_is_said():
            condition = None if where is None else to_sql(where)
            scanner = self._dataset.scanner(columns=[], filter=condition, with_row_address=True)
            parts = [batch.column(0).to_numpy() for batch in scanner.to_batches()]
        return np.concatenate([np.empty(0, np.uint64), *parts])

    def verify(self) -> int:
        """Read every column of every row; returns the number of rows. Raises CollectionDamaged."""
        rows = 0
        for batch in self.batches(self.schema.names):
            rows += batch.num_rows
        return rows

    def add_columns(self, columns: pa.Schema) -> None:
        missing = []
        for field in columns:
            if field.name not in self.schema.names:
                missing.append(field)
            elif self.schema.field(field.name).type != field.type:
                there = self.schema.field(field.name).type
                raise CollectionError(
                    f"column {field.name} is {there} in this collection and {field.type} now. "
                    "Nothing was changed. Scan into a new one: --collection DIR"
                )
        if missing:
            with full_disk_is_said(str(self._place)):
                self._dataset.add_columns(pa.schema(missing))
            self._refresh()

    def note(self, facts: Mapping[str, Mapping[str, str]]) -> None:
        with full_disk_is_said(str(self._place)):
            self._dataset.update_field_metadata({name: dict(told) for name, told in facts.items()})
        self._refresh()

    def is_whole(self, written: Written) -> bool:
        return all(file.is_file() and file.stat().st_size == size for file, size in _files(self._place, written))

    def commit(self, written: Sequence[Written]) -> None:
        self._look_for_shards()
        fresh = [part for part in written if part.shard not in self._seen_shards]
        if not fresh:
            return
        fragments = [fragment for part in fresh for fragment in _fragments(part)]
        replaced = [uri for part in fresh for uri in part.replaces]
        self._commit(self._removal(replaced, fragments) if replaced else LanceOperation.Append(fragments))
        self._seen_shards.update(part.shard for part in fresh)

    def stale(self, where: Expression, columns: Sequence[str]) -> Iterator[StaleFragment]:
        for fragment in self._dataset.get_fragments():
            with self._damage_is_said():
                rows = fragment.scanner(columns=list(columns), filter=to_sql(where), with_row_id=True).to_table()
            if rows.num_rows:
                yield StaleFragment(fragment.fragment_id, rows.select(["_rowid", *columns]))

    def update(self, fragment: int, rows: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        target = self._dataset.get_fragment(fragment)
        batches = (batch for batch in rows if batch.num_rows)
        first = next(batches, None)
        if target is None or first is None:
            return
        reader = pa.RecordBatchReader.from_batches(schema, itertools.chain([first], batches))
        with full_disk_is_said(str(self._place)):
            changed, fields, offsets = target.update_columns(reader, left_on="_rowid", with_offsets=True)
        self._commit(
            LanceOperation.Update(
                updated_fragments=[changed],
                fields_modified=fields,
                update_mode="rewrite_columns",
                updated_fragment_offsets={fragment: offsets},
            )
        )

    def delete(self, uris: Sequence[str]) -> None:
        operation = self._removal(uris, [])
        if operation.updated_fragments or operation.removed_fragment_ids:
            self._commit(operation)

    def compact(self) -> None:
        fragments = self._dataset.get_fragments()
        small = sum(fragment.count_rows() < ROWS_PER_FRAGMENT // 2 for fragment in fragments)
        deleted = sum(fragment.num_deletions for fragment in fragments)
        if small <= _MOST_SMALL_FRAGMENTS and deleted <= _MOST_DELETED * self.count():
            return  # rewriting a large fragment for a few new rows would cost more than it brings
        with full_disk_is_said(str(self._place)):
            self._dataset.optimize.compact_files(
                target_rows_per_fragment=ROWS_PER_FRAGMENT, num_threads=1, batch_size=1024
            )
        self._refresh()

    def clean_up(self, older_than_s: float, held: Container[int] = ()) -> None:
        newest = datetime.datetime.now() - datetime.timedelta(seconds=older_than_s)
        old = [
            entry["version"]
            for entry in self._dataset.versions()
            if entry["timestamp"] < newest and entry["version"] not in held and entry["version"] != self.version
        ]
        # Safe though it takes files of any age: whoever calls holds the lock, and nothing is leased.
        if old:
            self._dataset.cleanup_old_versions(versions=old, delete_unverified=True)
        else:  # files of no version are removed all the same
            self._dataset.cleanup_old_versions(_AGES, delete_unverified=True)

    def _removal(self, uris: Sequence[str], fragments: list[FragmentMetadata]) -> LanceOperation.Update:
        """The rows of the uris leave and those of the fragments come.

        Found by comparing columns: SQL text of that many uris would be parsed anew for each fragment.
        """
        wanted = pa.array(uris, pa.string())
        changed, emptied = [], []
        for fragment in self._dataset.get_fragments():
            rows = fragment.scanner(columns=["uri"], with_row_address=True).to_table()
            hit = rows.filter(pc.is_in(rows["uri"], value_set=wanted))["_rowaddr"].to_numpy()
            if not len(hit):
                continue
            after = fragment.delete_rows((hit & 0xFFFF_FFFF).tolist())
            if after is None:
                emptied.append(fragment.fragment_id)
            else:
                changed.append(after)
        return LanceOperation.Update(removed_fragment_ids=emptied, updated_fragments=changed, new_fragments=fragments)

    def _look_for_shards(self) -> None:
        for fragment in self._dataset.get_fragments():
            if fragment.fragment_id not in self._seen_fragments:
                shards = fragment.to_table(columns=[SHARD])[SHARD].unique()
                self._seen_shards.update(shards.to_pylist())
                self._seen_fragments.add(fragment.fragment_id)

    def _commit(self, operation: LanceOperation.BaseOperation) -> None:
        with full_disk_is_said(str(self._place)):
            self._dataset = lance.LanceDataset.commit(
                self._dataset, operation, read_version=self._dataset.version, enable_stable_row_ids=True
            )

    def _refresh(self) -> None:
        self._dataset = lance.dataset(str(self._place))

    def _damage_is_said(self) -> _DamageIsSaid:
        return _DamageIsSaid(self._place)


class LanceWriter:
    """Picklable; opens the dataset on first use, in the worker."""

    def __init__(self, place: Path, version: int, schema: pa.Schema) -> None:
        self._place, self._version, self._schema = place, version, schema
        self._dataset: lance.LanceDataset | None = None

    def __getstate__(self) -> tuple[Path, int, pa.Schema]:
        return self._place, self._version, self._schema

    def __setstate__(self, state: tuple[Path, int, pa.Schema]) -> None:
        self.__init__(*state)  # type: ignore[misc]  # the same three arguments

    def write(self, shard: str, rows: pa.Table) -> Written:
        full = pa.Table.from_arrays(
            [
                rows[field.name] if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
                for field in self._schema
            ],
            schema=self._schema,
        )
        with full_disk_is_said(str(self._place)):
            fragments = write_fragments(full, str(self._place), mode="append", max_rows_per_file=ROWS_PER_FRAGMENT)
            written = Written(shard, rows.num_rows, json.dumps([fragment.to_json() for fragment in fragments]))
            for file, _ in _files(self._place, written):
                sync_file(file)  # the ledger must not know of rows that a power cut can take
        return written

    def take(self, positions: pa.Array, columns: Sequence[str]) -> pa.Table:
        if self._dataset is None:
            self._dataset = lance.dataset(str(self._place), version=self._version)
        return self._dataset.take(positions, columns=list(columns))


class _DamageIsSaid:
    """Turns Lance's errors while reading into CollectionDamaged."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, ValueError, RuntimeError)):
            raise CollectionDamaged(
                str(self._place), f"the table cannot be read ({_first_line(error)})", _MEND
            ) from error


def save_table(place: Path, rows: pa.Table, facts: Mapping[str, str]) -> None:
    """Replace a table that is not the images table in one commit; `facts` go into its schema's metadata."""
    with full_disk_is_said(str(place)):
        place.parent.mkdir(parents=True, exist_ok=True)
        mode = "overwrite" if place.exists() else "create"
        told = {**facts, _HASH: table_hash(rows)}
        lance.write_dataset(rows.replace_schema_metadata(told), str(place), mode=mode)


def load_table(place: Path) -> tuple[pa.Table, dict[str, str]]:
    """The rows and the facts that `save_table` stored. Raises CollectionNotFound or CollectionDamaged."""
    store = LanceStore.open(place)
    with _DamageIsSaid(place):
        rows = store._dataset.to_table()
        facts = {key.decode(): value.decode() for key, value in (store.schema.metadata or {}).items()}
        if facts.pop(_HASH, None) != table_hash(rows):
            raise ValueError("its values are not those that were written")
    return rows, facts


def unreferenced(place: Path) -> list[Path]:
    """Data files that no version of the table holds: what interrupted work left behind."""
    with _DamageIsSaid(place):
        dataset = lance.dataset(str(place))
        held = {
            file.path
            for version in dataset.versions()
            for fragment in dataset.checkout_version(version["version"]).get_fragments()
            for file in fragment.data_files()
        }
    return sorted(path for path in (place / "data").glob("*") if path.name not in held)


def _files(place: Path, written: Written) -> Iterator[tuple[Path, int]]:
    """The data files of what was written, and their sizes in bytes."""
    for fragment in json.loads(written.payload):
        for file in fragment["files"]:
            yield place / "data" / Path(file["path"]).name, file["file_size_bytes"]


def _fragments(part: Written) -> list[FragmentMetadata]:
    return [FragmentMetadata.from_json(json.dumps(fragment)) for fragment in json.loads(part.payload)]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
