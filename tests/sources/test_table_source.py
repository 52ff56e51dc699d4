"""What tables list and read: images by bytes and by path, labels with their types, and every row refused alone."""

import csv
import datetime
import io
import json
import os
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_makers import csv_table, parquet_table, picture, tree

from tintype.core.errors import ImageError, SourceError
from tintype.sources.base import Shard
from tintype.sources.table import TableSource
from tintype.sources.text_lines import MAX_LINE, Lines, records
from tintype.testing.sources import entries_of, items_of


def table(folder, text, name="t.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return TableSource(folder / name)


def outcomes(source):
    return [(item.uri.partition("#")[2], item.status, item.reason) for item in items_of(source)]


def types(source):
    return {column.name: str(column.type) for column in source.labels}


def test_csv_columns_become_labels_with_types(tmp_path):
    source = TableSource(csv_table(tmp_path))
    assert types(source) == {
        "label_width": "int64",
        "label_class": "string",
        "label_score": "double",
        "label_rest": "string",
    }
    assert items_of(source)[3].labels == {"label_width": 3, "label_class": "class, 1", "label_score": 0.75}


def test_numbers_with_leading_zeros_stay_text(tmp_path):
    tree(tmp_path, "a.jpg", "b.jpg")
    source = table(tmp_path, "file,id,flag,mixed\na.jpg,007,true,1\nb.jpg,12,False,x\n")
    assert types(source) == {
        "label_id": "string",
        "label_flag": "bool",
        "label_mixed": "string",
        "label_rest": "string",
    }
    assert [dict(item.labels) for item in items_of(source)] == [
        {"label_id": "007", "label_flag": True, "label_mixed": "1"},
        {"label_id": "12", "label_flag": False, "label_mixed": "x"},
    ]


def test_a_value_that_does_not_fit_its_type_goes_to_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr("tintype.sources.text_rows.FIRST_PASS", 1)
    tree(tmp_path, "a.jpg")
    source = table(tmp_path, "file,n\na.jpg,1\na.jpg,many\n")
    assert items_of(source)[1].labels == {"label_rest": '{"n": "many"}'}


@pytest.mark.parametrize(
    "text",
    [
        b"file,label\r\na.jpg,x\r\nb.jpg,y\r\n",
        b"\xef\xbb\xbffile,label\na.jpg,x\nb.jpg,y",
        b"file;label\na.jpg;x\nb.jpg;y\n",
        b"file\tlabel\na.jpg\tx\nb.jpg\ty\n",
        b"file,label\ra.jpg,x\rb.jpg,y\r",
        b'"file","label"\n"a.jpg","x"\n\n"b.jpg","y"\n\n',
    ],
)
def test_the_forms_of_csv_are_read(tmp_path, text):
    tree(tmp_path, "a.jpg", "b.jpg")
    items = items_of(table(tmp_path, text))
    assert [item.data for item in items] == [picture(0), picture(1)]
    assert [item.labels["label_label"] for item in items] == ["x", "y"]


def test_values_with_line_ends_are_read(tmp_path):
    tree(tmp_path, "a.jpg", "b.jpg")
    source = table(tmp_path, 'file,caption\na.jpg,"two\nlines, ""quoted"""\nb.jpg,one\n')
    assert [item.labels["label_caption"] for item in items_of(source)] == ['two\nlines, "quoted"', "one"]


def test_lines_that_cannot_be_read_are_refused_alone(tmp_path):
    """The quotation mark that is never closed costs its own line, not the rest of the file."""
    tree(tmp_path, "a.jpg", "d.jpg")
    text = 'file,label\na.jpg,x\nb.jpg,"open\nc.jpg,1,2\n"c"d.jpg,x\nd.jpg,y\n' + "e" * (MAX_LINE + 1) + "\nd.jpg,z\n"
    source = table(tmp_path, text)
    assert [(uri, status) for uri, status, _ in outcomes(source)] == [("0", "ok"), ("4", "ok"), ("6", "ok")]
    assert [(uri, reason.partition(":")[0]) for uri, reason in source.notes.problems] == [
        ("t.csv#1", "line 3"),
        ("t.csv#2", "line 4"),
        ("t.csv#3", "line 5"),
        ("t.csv#5", "line 7"),
    ]
    assert source.notes.skipped == {"refused": 4}


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=120)
@given(st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=8), st.sampled_from([",", ";", "\t"]))
def test_records_are_those_of_the_csv_module(tmp_path_factory, rows, delimiter):
    """For what a CSV writer wrote; rows that are blank altogether are left out by both."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(buffer.getvalue().encode())
    found = list(records(Lines(path).read(), delimiter))
    assert [record.problem for record in found] == [None] * len(rows)
    expected = [[cell.replace("\r\n", "\n") for cell in row] for row in rows]
    if not any("\r" in cell for row in rows for cell in row):
        assert [record.values for record in found] == expected


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_by_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("csv")
    source = table(folder, b"file,label\n" + data)
    try:
        items = items_of(source)
    except SourceError:  # UTF-16 marks, or a name that is given twice by a CR
        return
    rows = len(items) + source.notes.skipped["refused"] + source.notes.skipped["rows without an image"]
    assert rows <= data.count(b"\n") + data.count(b"\r") + 1
    assert all(item.status != "ok" for item in items)


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                lambda v: json.dumps(v).encode(),
                st.dictionaries(st.sampled_from("abcd"), st.one_of(cells, st.integers(), st.lists(cells))),
            ),
        ),
        max_size=6,
    )
)
def test_any_lines_of_json_are_read_or_refused(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("jsonl")
    source = table(folder, b'{"image": "missing.jpg"}\n' + b"\n".join(lines), "t.jsonl")
    try:
        items = items_of(source)
    except SourceError as error:  # names of labels that become the same column
        assert "would" in str(error)  # noqa: PT017 - any other SourceError is a bug
        return
    assert items[0].reason == "no such file"


def test_jsonl_rows_are_counted_without_blank_lines(tmp_path):
    tree(tmp_path, "a.jpg", "b.jpg")
    source = table(
        tmp_path, '{"image": "a.jpg"}\n\nnothing\n{"image": {"path": "b.jpg"}, "n": 1}\n{"n": 2}\n', "t.ndjson"
    )
    assert outcomes(source) == [("0", "ok", None), ("2", "ok", None)]
    assert source.notes.skipped == {"refused": 1, "rows without an image": 1}
    assert source.open("t.ndjson#2").read() == picture(1)


def test_the_column_with_images_is_the_first_of_the_known_names(tmp_path):
    tree(tmp_path, "a.jpg")
    source = table(tmp_path, "uri,Filename,image_path\nx,y,a.jpg\n")
    assert outcomes(source) == [("0", "ok", None)]
    assert set(types(source)) == {"label_uri", "label_filename", "label_rest"}


def test_without_a_column_of_images_the_message_says_its_names(tmp_path):
    with pytest.raises(SourceError, match="image_path"):
        list(table(tmp_path, "url,label\nhttp://x/a.jpg,1\n").shards())


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/etc/hostname", "rejected", "absolute"),
        ("../secret.jpg", "rejected", "goes up"),
        ("sub/../../secret.jpg", "rejected", "goes up"),
        ("https://example.org/a.jpg", "rejected", "address"),
        ("file:///etc/hostname", "rejected", "address"),
        ("link.jpg", "unreadable", "link"),
        ("sub/a.jpg", "unreadable", "link"),
        ("missing.jpg", "unreadable", "no such file"),
        ("real", "unreadable", "not a regular file"),
        ("fifo.jpg", "unreadable", "not a regular file"),
        ("./real//a.jpg", "ok", ""),
    ],
)
def test_paths_lead_to_files_beside_the_table_only(tmp_path, path, status, reason):
    tree(tmp_path, "secret.jpg", "tables/real/a.jpg", "outside/a.jpg")
    (tmp_path / "tables/link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "tables/sub").symlink_to(tmp_path / "outside")
    os.mkfifo(tmp_path / "tables/fifo.jpg")
    source = table(tmp_path / "tables", f"file\n{path}\n")
    ((_, found, why),) = outcomes(source)
    assert found == status
    assert reason in (why or "")
    if status != "ok":
        with pytest.raises(ImageError):
            source.open("t.csv#0")


def test_paths_that_are_not_utf8_lead_to_the_bytes_they_are(tmp_path):
    tree(tmp_path, b"caf\xe9.jpg")
    source = table(tmp_path, b"file,label\ncaf\xe9.jpg,\xfc\n")
    (item,) = items_of(source)
    assert (item.data, item.labels) == (picture(), {"label_label": "\u00fc"})


def test_a_changed_table_or_image_changes_the_stamp(tmp_path):
    source = TableSource(csv_table(tmp_path))
    first = entries_of(source)
    os.utime(tmp_path / "table.csv", (2e9, 2e9))
    second = entries_of(TableSource(tmp_path / "table.csv"))
    os.utime(tmp_path / "images/2.jpg", (3e9, 3e9))
    third = entries_of(TableSource(tmp_path / "table.csv"))
    assert first["mtime_ns"][2] != second["mtime_ns"][2] == second["mtime_ns"][0]
    assert third["mtime_ns"][2].as_py() == 3_000_000_000 * 10**9
    assert third["inode"][2].as_py() == os.stat(tmp_path / "images/2.jpg").st_ino


def test_two_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(SourceError, match="label"):
        list(table(tmp_path, "file,label,label\na.jpg,x,y\n").shards())
    with pytest.raises(SourceError, match="label"):
        list(table(tmp_path, "file,label,Label\na.jpg,x,y\n").shards())


def test_a_table_with_thousands_of_columns_keeps_some(tmp_path):
    tree(tmp_path, "a.jpg")
    names = [f"c{number}" for number in range(6_000)]
    source = table(tmp_path, f"file,{','.join(names)}\na.jpg{',1' * 6_000}\n")
    assert len(source.labels) == 501
    assert len(items_of(source)[0].labels) == 500
    assert source.notes.skipped == {"columns left out": 5_500}


def test_parquet_types_become_label_types(tmp_path):
    source = TableSource(
        parquet_table(
            tmp_path / "t.parquet",
            2,
            small=pa.array([1, 2], pa.int8()),
            large=pa.array([1, 2**64 - 1], pa.uint64()),
            ratio=pa.array([0.5, None], pa.float32()),
            yes=[True, False],
            day=pa.array([datetime.date(2024, 2, 29), None]),
            kind=pa.array(["a", "b"]).dictionary_encode(),
            boxes=[[1, 2], [3]],
            mask=[b"\0", b"\1"],
            nothing=pa.nulls(2),
        )
    )
    assert types(source) == {
        "label_label": "string",
        "label_small": "int64",
        "label_large": "int64",
        "label_ratio": "double",
        "label_yes": "bool",
        "label_day": "string",
        "label_kind": "string",
        "label_rest": "string",
    }
    first, second = (item.labels for item in items_of(source))
    assert (first["label_day"], first["label_kind"], first["label_rest"]) == ("2024-02-29", "a", '{"boxes": [1, 2]}')
    assert json.loads(second["label_rest"]) == {"boxes": [3], "large": 2**64 - 1}
    assert "label_ratio" not in second
    assert source.notes.skipped == {"columns left out": 1}


def test_parquet_rows_without_an_image_are_counted(tmp_path):
    images = [None, {"bytes": None, "path": None}, {"bytes": b"", "path": ""}, {"bytes": picture(), "path": "gone.jpg"}]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    pq.write_table(pa.table({"image": pa.array(images, kind)}), tmp_path / "t.parquet")
    source = TableSource(tmp_path / "t.parquet")
    assert outcomes(source) == [("3", "ok", None)]
    assert source.notes.skipped == {"rows without an image": 3}


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_parquet_rows_are_found_across_row_groups(tmp_path, size):
    images = [picture(number) for number in range(50)]
    pq.write_table(pa.table({"image": images, "n": range(50)}), tmp_path / "t.parquet", row_group_size=size)
    source = TableSource(tmp_path / "t.parquet")
    everything = entries_of(source).combine_chunks()
    some = everything.take(pa.array([3, 4, 20, 21, 49])).combine_chunks().to_batches()[0]
    assert [item.labels["label_n"] for item in source.read(Shard(some), 1_000)] == [3, 4, 20, 21, 49]
    assert [item.labels["label_n"] for item in source.read(Shard(some), 1_000)] == [3, 4, 20, 21, 49]
    assert source.open("t.parquet#42").read() == picture(42)


def test_a_damaged_row_group_costs_its_own_rows(tmp_path):
    images = [random.Random(number).randbytes(500) for number in range(30)]
    pq.write_table(
        pa.table({"image": images}),
        tmp_path / "t.parquet",
        row_group_size=10,
        compression="snappy",
        use_dictionary=False,
        write_statistics=False,  # they would repeat the least and the greatest image in front of the group
    )
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    assert data.count(images[12]) == 1
    start = data.index(images[12])
    data[start - 200 : start + 100] = b"\xff" * 300
    good_shards = list(TableSource(tmp_path / "t.parquet").shards())
    (tmp_path / "t.parquet").write_bytes(data)
    source = TableSource(tmp_path / "t.parquet")
    rows = {item.uri for item in items_of(source) if item.status == "ok"}
    assert {f"t.parquet#{number}" for number in (*range(10), *range(20, 30))} <= rows
    assert source.notes.incomplete == ["t.parquet#"]
    items = [item for shard in good_shards for item in source.read(shard, 10_000)]
    assert [item.data for item in items[:10] + items[20:]] == images[:10] + images[20:]
    assert items[15].status == "unreadable"


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_table_that_is_gone_empty_or_a_fifo_is_refused_in_one_line(tmp_path, name):
    for make in (lambda path: None, lambda path: path.touch(), lambda path: (path.unlink(), os.mkfifo(path))):
        make(tmp_path / name)
        with pytest.raises(SourceError, match=r"^[^\n]+$"):
            list(TableSource(tmp_path / name).shards())


def test_rows_that_went_away_are_unreadable(tmp_path):
    source = TableSource(csv_table(tmp_path))
    shards = list(source.shards())
    lines = (tmp_path / "table.csv").read_text().splitlines(keepends=True)
    (tmp_path / "table.csv").write_text("".join(lines[:3]))
    items = [item for shard in shards for item in source.read(shard, 1_000)]
    assert [item.status for item in items] == ["ok", "ok", "unreadable", "unreadable"]
    assert items[3].reason == "its row is damaged, or the table has changed"


def test_opening_rows_that_are_not_there_is_an_image_error(tmp_path):
    source = TableSource(csv_table(tmp_path))
    for uri in ("table.csv#99", "table.csv#", "table.csv#x", "other.csv#0", "table.csv#-1", "table.csv#" + "9" * 99):
        with pytest.raises(ImageError):
            source.open(uri)
