"""The contract of a source: what planner and workers rely on."""

from __future__ import annotations

import io
import pickle

import pyarrow as pa
import pytest

from tintype.core.errors import ImageError
from tintype.sources.base import ENTRIES, Item, Shard, Source

MAX_BYTES = 1_000_000_000


def entries_of(source: Source) -> pa.Table:
    """All that the source lists, as one table of ENTRIES."""
    return pa.Table.from_batches([shard.entries for shard in source.shards()], ENTRIES)


def items_of(source: Source, max_bytes: int = MAX_BYTES) -> list[Item]:
    """Every image that the source lists, read."""
    return [item for shard in source.shards() for item in source.read(shard, max_bytes)]


def stamp_of(item: Item) -> dict[str, object]:
    """The item as the row of ENTRIES that a listing would have for it."""
    return {name: getattr(item, name) for name in ENTRIES.names}


class SourceContract:
    """What every source promises. Subclass it with a fixture `source` that lists two images or more, all readable."""

    @pytest.fixture
    def source(self) -> Source:
        raise NotImplementedError("the subclass makes the source")

    def test_lists_each_image_once(self, source: Source) -> None:
        uris = entries_of(source)["uri"].to_pylist()
        assert len(uris) >= 2
        assert len(set(uris)) == len(uris)

    def test_lists_batches_of_the_declared_columns(self, source: Source) -> None:
        for shard in source.shards():
            assert shard.entries.schema.equals(ENTRIES)
            assert shard.entries.num_rows
            shard.entries.validate(full=True)

    def test_lists_the_same_in_the_same_order_again(self, source: Source) -> None:
        assert entries_of(source).equals(entries_of(source))

    def test_says_truly_whether_it_lists_in_the_order_of_the_uris(self, source: Source) -> None:
        uris = [uri.encode() for uri in entries_of(source)["uri"].to_pylist()]
        assert not source.is_ordered or uris == sorted(uris)

    def test_names_are_utf8(self, source: Source) -> None:
        for uri in entries_of(source)["uri"].to_pylist():
            assert uri.encode("utf-8").decode("utf-8") == uri

    def test_reads_one_item_for_each_entry_in_order(self, source: Source) -> None:
        for shard in source.shards():
            items = list(source.read(shard, MAX_BYTES))
            assert [item.uri for item in items] == shard.entries["uri"].to_pylist()
            assert {item.status for item in items} == {"ok"}
            assert all(item.data is not None for item in items)

    def test_an_unchanged_image_has_the_stamp_that_was_listed(self, source: Source) -> None:
        assert [stamp_of(item) for item in items_of(source)] == entries_of(source).to_pylist()

    def test_reads_shards_that_were_cut_anew_and_in_another_order(self, source: Source) -> None:
        """The planner cuts listings as it likes; rows that are computed again come in the table's order."""
        table = entries_of(source).combine_chunks()
        backwards = table.take(pa.array(range(table.num_rows - 1, -1, -1)))
        with_more = backwards.append_column("_rowid", pa.array(range(table.num_rows), pa.uint64()))
        data = {item.uri: item.data for item in items_of(source)}
        for size in (1, table.num_rows):
            shards = [
                Shard(with_more.slice(start, size).combine_chunks().to_batches()[0])
                for start in range(0, table.num_rows, size)
            ]
            items = [item for shard in shards for item in source.read(shard, MAX_BYTES)]
            assert [item.uri for item in items] == backwards["uri"].to_pylist()
            assert {item.uri: item.data for item in items} == data

    def test_opens_what_reading_gives(self, source: Source) -> None:
        for item in items_of(source):
            with source.open(item.uri) as file:
                assert file.read() == item.data

    def test_opening_what_is_not_there_is_an_error_of_that_image(self, source: Source) -> None:
        for uri in ("no such image.jpg", "no such.tar#image.jpg", "../outside.jpg", "/etc/hostname", ""):
            with pytest.raises(ImageError):
                source.open(uri)

    def test_images_over_the_limit_come_without_data(self, source: Source) -> None:
        largest = max(len(item.data or b"") for item in items_of(source))
        items = items_of(source, largest - 1)
        over = [item for item in items if item.status == "rejected"]
        assert over
        assert all(item.data is None and item.reason and item.size_bytes >= largest for item in over)
        assert all(item.data is not None for item in items if item.status == "ok")

    def test_labels_fit_their_columns(self, source: Source) -> None:
        types = {column.name: column.type for column in source.labels}
        assert len(types) == len(source.labels)
        assert all(name.startswith("label_") for name in types)
        for item in items_of(source):
            assert set(item.labels) <= set(types)
            for name, value in item.labels.items():
                pa.array([value], types[name])

    def test_travels_to_a_worker(self, source: Source) -> None:
        """Also in use: after the labels' types were fixed and a listing was made."""
        fresh = pickle.loads(pickle.dumps(source))  # noqa: S301 - what was pickled a moment ago
        shards = list(source.shards())
        used = pickle.loads(pickle.dumps(source))  # noqa: S301  our own bytes
        assert fresh.labels == used.labels == source.labels
        for shard in shards:
            expected = list(source.read(shard, MAX_BYTES))
            assert list(fresh.read(shard, MAX_BYTES)) == expected
            assert list(used.read(shard, MAX_BYTES)) == expected

    def test_notes_are_of_the_last_listing(self, source: Source) -> None:
        first = entries_of(source) and source.notes
        second = entries_of(source) and source.notes
        assert first == second

    def test_opens_binary_files(self, source: Source) -> None:
        with source.open(entries_of(source)["uri"][0].as_py()) as file:
            assert not isinstance(file, io.TextIOBase)
            assert file.readable()
