"""A collection that is open: its table and its findings, for reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tintype.core.errors import CollectionError, CollectionNotFound, UsageError
from tintype.core.expressions import Expression
from tintype.core.filters import parse
from tintype.core.names import shown
from tintype.core.progress import ScanSummary
from tintype.store import lance
from tintype.store.layout import Layout, Record, read_record, sources_of
from tintype.store.listing import data_version, read_listing
from tintype.store.trust import is_trusted
from tintype.store.versions import hold


class Collection:
    """Everything known of some images. Made by `tintype.scan`, opened again by `tintype.open`.

    It shows the table as it was when the collection was opened, whatever scans do meanwhile.
    """

    def __init__(self, layout: Layout, record: Record, store: lance.LanceStore) -> None:
        self.layout, self.record = layout, record
        self._store = store
        if self.is_trusted:  # nothing is written into a collection of somebody else's
            hold(self, layout.readers, store.version)
        self.last_scan: ScanSummary | None = None

    @classmethod
    def open(cls, place: Path) -> Collection:
        """Raises CollectionNotFound, CollectionTooNew or CollectionDamaged."""
        layout = Layout(place)
        record = read_record(layout)
        return cls(layout, record, lance.LanceStore.open(layout.images))

    def __repr__(self) -> str:
        return f"<Collection {self.layout.place} of {len(self)} images>"

    def __len__(self) -> int:
        return self._store.count()

    @property
    def place(self) -> Path:
        """The folder that holds the collection."""
        return self.layout.place

    @property
    def sources(self) -> tuple[str, ...]:
        """Absolute paths of what was scanned."""
        return sources_of(self.layout, self.record)

    def objects(self) -> Collection:
        """The boxes in these images, as a collection of their own. Raises CollectionError where there are none."""
        try:
            return Collection.open(self.layout.objects)
        except CollectionNotFound:
            place = self.sources[0] if len(self.sources) == 1 else str(self.place)
            raise CollectionError(
                f"{self.place}: no objects here. Make them: tintype objects {place} --boxes ANNOTATIONS"
            ) from None

    @property
    def is_trusted(self) -> bool:
        """Whether this user made it or said `tintype trust`; otherwise it is only read."""
        return is_trusted(self.layout, self.record)

    @property
    def version(self) -> int:
        """The version of the table."""
        return self._store.version

    @property
    def data_version(self) -> int:
        """The version of what scans found, with which findings are stamped: columns made of findings leave it as is."""
        return data_version(self.layout, self.version)

    @property
    def schema(self) -> pa.Schema:
        return self._store.schema

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are meant for users."""
        return tuple(name for name in self.schema.names if not name.startswith("_"))

    @property
    def store(self) -> lance.LanceStore:
        """The images table itself."""
        return self._store

    @property
    def skipped(self) -> dict[str, int]:
        """How many files the last scan passed over, by kind: they are no images, or were not to be looked at."""
        return {str(kind): int(count) for kind, count in read_listing(self.layout).get("skipped", {}).items()}

    @property
    def problems(self) -> list[tuple[str, str]]:
        """(uri, reason) of folders, members and rows that the last scan could not look into."""
        return [(str(uri), str(reason)) for uri, reason in read_listing(self.layout).get("problems", [])]

    def table(self, columns: Sequence[str] | None = None, where: str | Expression | None = None) -> pa.Table:
        """Rows in the order of their uris, as far as the filter lets them through.

        `where` is a text such as `"taken_at >= '2024-01-01' and width > 1000"`. By default all columns but the
        thumbnails. Raises UsageError for a column that there is not, and FilterError.
        """
        names = [name for name in self.columns if name != "thumbnail"] if columns is None else list(columns)
        self._require(names)
        schema = pa.schema([self.schema.field(name) for name in names])
        return pa.Table.from_batches(self.batches(names, where), schema=schema)

    def batches(self, columns: Sequence[str], where: str | Expression | None = None) -> Iterator[pa.RecordBatch]:
        """The same as a stream, in bounded memory."""
        self._require(columns)
        expression = parse(where, self.schema) if isinstance(where, str) else where
        names = list(columns)
        for batch in self._store.batches(_with_uri(names), where=expression, order_by="uri"):
            yield batch.select(names)

    def _require(self, columns: Sequence[str]) -> None:
        unknown = [name for name in columns if name not in self.schema.names]
        if unknown:
            raise UsageError(f"no column {', '.join(map(shown, unknown))}. There are: {', '.join(self.columns)}")

    def save_findings(self, name: str, rows: pa.Table, facts: dict[str, str]) -> None:
        """Keep a table of findings, stamped with the version of the data."""
        lance.save_table(self.layout.findings(name), rows, {**facts, "made_from": str(self.data_version)})

    def findings(self, name: str) -> tuple[pa.Table, dict[str, Any]]:
        """A table of findings and its facts, `made_from` among them. Raises CollectionNotFound where there is none."""
        place = self.layout.findings(name)
        if not place.is_dir():
            raise CollectionNotFound(str(place))
        return lance.load_table(place)


def _with_uri(names: list[str]) -> list[str]:
    return names if "uri" in names else [*names, "uri"]
