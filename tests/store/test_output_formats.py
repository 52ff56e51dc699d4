"""What is written in each format is what is read back, the same bytes each time, without a pickle."""

import io
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tintype.core.errors import UsageError
from tintype.store.outputs.base import FORMATS, Gathers, Part, format_of, rows_schema
from tintype.store.places.local import LocalPlace

DIMENSION = 16
LABELS = [
    pa.field("label_caption", pa.string(), metadata={"label": "caption"}),
    pa.field("label_cls", pa.int64(), metadata={"label": "cls"}),
]
READ = ["id", "embedding", "status", "reason"]


def rows_of(count: int, failed: tuple[int, ...] = (), labels: bool = True, seed: int = 0) -> pa.Table:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    lost = np.isin(np.arange(count), failed)
    columns = [
        pa.array([f"a.tar#{seed}/ü-{number}.jpg" for number in range(count)], pa.string()),
        pa.FixedSizeListArray.from_arrays(pa.array(unit.reshape(-1)), DIMENSION, mask=pa.array(lost)),
        pa.array(["damaged" if is_lost else "ok" for is_lost in lost], pa.string()),
        pa.array(["cut off" if is_lost else None for is_lost in lost], pa.string()),
        pa.array(
            [None if is_lost else bytes([number % 256]) * 16 for number, is_lost in enumerate(lost)], pa.binary(16)
        ),
    ]
    if labels:
        columns.append(
            pa.array([None if number == 1 else f"a\0b “{number}”\0" for number in range(count)], pa.string())
        )
        columns.append(pa.array([None if number == 2 else number for number in range(count)], pa.int64()))
    return pa.table(columns, schema=rows_schema(DIMENSION, LABELS if labels else []))


CASES = {
    "some fail": rows_of(50, failed=(0, 7, 49)),
    "none fail": rows_of(50),
    "all fail": rows_of(5, failed=tuple(range(5))),
    "one": rows_of(1),
    "without labels": rows_of(20, failed=(3,), labels=False),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_what_was_written_is_read(name: str, case: str) -> None:
    rows, form = CASES[case], format_of(name)
    part = Part(3, 12, rows.num_rows)
    contents = form.encode(rows, part)
    assert len(contents) == len(form.names(part))
    assert form.encode(rows, part) == contents
    read = form.decode(contents)
    assert read.column_names == READ
    for valid in (True, False):
        chosen = [table.filter(pa.compute.equal(table["embedding"].is_valid(), valid)) for table in (rows, read)]
        assert chosen[0].select(READ).to_pydict() == chosen[1].to_pydict()


@pytest.mark.parametrize("name", FORMATS)
def test_names_sort_as_shards_do(name: str) -> None:
    form = format_of(name)
    files = [form.names(Part(number, 120_000, 1)) for number in (0, 7, 10, 99, 1000, 119_999)]
    for column in zip(*files, strict=True):
        assert sorted(column) == list(column)
        assert len(set(column)) == len(column)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("harm", ["cut", "empty", "pickle"])
def test_what_is_damaged_is_not_read(name: str, harm: str) -> None:
    form, rows = format_of(name), CASES["some fail"]
    first, *others = form.encode(rows, Part(0, 1, rows.num_rows))
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    bad = {"cut": first[: len(first) // 2], "empty": b"", "pickle": pickled.getvalue()}[harm]
    with pytest.raises(ValueError, match=r"."):
        form.decode([bad, *others])


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="there are parquet"):
        format_of("csv")


def test_parquet_has_the_declared_columns() -> None:
    rows = CASES["some fail"]
    read = pq.read_table(io.BytesIO(format_of("parquet").encode(rows, Part(0, 1, 50))[0]))
    assert read.equals(rows)
    assert read.schema.field("label_caption").metadata[b"label"] == b"caption"


def test_an_archive_is_read_with_numpy_alone() -> None:
    (content,) = format_of("npz").encode(CASES["some fail"], Part(0, 1, 50))
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        assert file["embeddings"].shape == (47, DIMENSION)
        assert file["embeddings"].dtype == np.float16
        assert file["ids"].shape == (47,)
        assert file["digests"].shape == (47, 16)
        assert file["failed_ids"].tolist() == [f"a.tar#0/ü-{number}.jpg" for number in (0, 7, 49)]
        assert len(bytes(file["labels"]).decode().splitlines()) == 47


def test_metadata_stand_beside_their_vectors_under_the_names_of_the_labels() -> None:
    rows = CASES["some fail"]
    vectors, metadata, failed = format_of("clip-retrieval").encode(rows, Part(0, 1, 50))
    table = pq.read_table(io.BytesIO(metadata))
    assert table.column_names == ["image_path", "digest", "caption", "cls"]
    assert table.num_rows == len(np.load(io.BytesIO(vectors))) == 47
    assert pq.read_table(io.BytesIO(failed)).num_rows == 3


def test_files_of_lance_become_one_table(tmp_path: Path) -> None:
    form, place = format_of("lance"), LocalPlace(tmp_path)
    assert isinstance(form, Gathers)
    tables = [rows_of(20, failed=(1,), seed=seed) for seed in range(3)]
    parts = []
    for number, rows in enumerate(tables):
        part = Part(number, 3, rows.num_rows)
        (content,) = form.encode(rows, part)
        place.write(form.names(part)[0], content)
        parts.append((part, len(content)))
    for _ in range(2):
        form.gather(place, parts, tables[0].schema)
        dataset = lance.dataset(str(tmp_path / "vectors.lance"))
        assert dataset.version == 1
        assert dataset.to_table().to_pydict() == pa.concat_tables(tables).to_pydict()
    assert all(name.startswith(form.gathered) or "/data/" in name for name in place.names())
