"""What a user names becomes sources, or one line that says what to try; and several sources are one."""

import os
import pickle

import pyarrow as pa
import pytest
from source_makers import csv_table, parquet_table, picture, samples, tar, tree

from tintype.core.errors import ImageError, SourceError
from tintype.sources.folder import FolderSource
from tintype.sources.patterns import files_of
from tintype.sources.resolve import resolve
from tintype.sources.several import SeveralSources
from tintype.sources.table import TableSource
from tintype.sources.tar import TarSource
from tintype.testing.sources import entries_of, items_of


def test_a_folder_takes_the_settings_of_folders(tmp_path):
    tree(tmp_path, "a.jpg", ".b.jpg", "c.png")
    (source,) = resolve(str(tmp_path), ignore=("*.png",), hidden=True)
    assert isinstance(source, FolderSource)
    assert entries_of(source)["uri"].to_pylist() == [".b.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.tar", TarSource),
        ("a.tar.gz", TarSource),
        ("a.TGZ", TarSource),
        ("a.tar.zst", TarSource),
        ("a.parquet", TableSource),
        ("a.CSV", TableSource),
        ("a.tsv", TableSource),
        ("a.jsonl", TableSource),
        ("a.ndjson", TableSource),
    ],
)
def test_the_name_says_the_kind(tmp_path, name, kind):
    (tmp_path / name).touch()
    (source,) = resolve(str(tmp_path / name))
    assert type(source) is kind
    assert source.place == str(tmp_path / name)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("s/*.tar", ["s/08.tar", "s/09.tar", "s/10.tar"]),
        ("s/{08..10}.tar", ["s/08.tar", "s/09.tar", "s/10.tar"]),
        ("{s,t}/{09..10}.tar", ["s/09.tar", "s/10.tar", "t/09.tar", "t/10.tar"]),
        ("**/10.tar", ["s/10.tar", "t/10.tar"]),
        ("s/0?.tar", ["s/08.tar", "s/09.tar"]),
        ("s/[{08..10}*.tar", ["s/[{08..10}*.tar"]),
    ],
)
def test_globs_and_ranges_name_several(tmp_path, pattern, names):
    for name in ("s/08.tar", "s/09.tar", "s/10.tar", "t/09.tar", "t/10.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    if "[{" in pattern:
        (tmp_path / pattern).touch()
    assert [str(path.relative_to(tmp_path)) for path in files_of(str(tmp_path / pattern))] == names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/deeper/x.tar", "What is there: "),
        ("{0..5}.tar", "3.tar: not there"),
        ("*.parquet", "not there"),
        ("{9..1}.tar", "goes down"),
        ("{0..999999999}.tar", "goes down, or names more"),
        ("a.zip", "unpack it"),
        ("a.json", ".jsonl"),
        ("a.jpg", "name its folder"),
        ("a.doc", "folder, a .tar, or a table"),
        ("broken-link", "leads nowhere"),
    ],
)
def test_what_is_no_source_says_what_to_try(tmp_path, name, message):
    for made in ("0.tar", "1.tar", "2.tar", "a.zip", "a.json", "a.jpg", "a.doc"):
        (tmp_path / made).touch()
    (tmp_path / "broken-link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=message) as caught:
        resolve(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_the_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    tree(tmp_path / "Pictures", "a.jpg")
    assert resolve("~/Pictures")[0].place == str(tmp_path / "Pictures")


def test_escape_codes_in_names_do_not_reach_the_terminal(tmp_path):
    with pytest.raises(SourceError) as caught:
        resolve(str(tmp_path / "a\x1b[31m\n.zip"))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def mixed(tmp_path):
    return SeveralSources(
        [
            TarSource(tar(tmp_path / "x" / "0.tar", samples(2))),
            FolderSource(tree(tmp_path / "y", "0.tar/a.jpg", "b.jpg")),
            TableSource(csv_table(tmp_path / "x", 2)),
        ]
    )


@pytest.fixture(autouse=True)
def _folders(tmp_path):
    for name in ("x", "y", "z"):
        (tmp_path / name).mkdir()


def test_uris_begin_with_the_place_below_the_shared_folder(tmp_path):
    assert entries_of(mixed(tmp_path))["uri"].to_pylist() == [
        "x/0.tar#0000.jpg",
        "x/0.tar#0001.jpg",
        "x/table.csv#0",
        "x/table.csv#1",
        "y/0.tar/a.jpg",
        "y/b.jpg",
    ]


def test_labels_are_united_and_types_that_differ_give_way(tmp_path):
    one = TarSource(tar(tmp_path / "1.tar", {"a.jpg": picture(), "a.json": b'{"n": 1, "m": 1, "s": 1}'}))
    two = TarSource(tar(tmp_path / "2.tar", {"a.jpg": picture(), "a.json": b'{"n": 1.5, "m": "x", "t": true}'}))
    both = SeveralSources([two, one])
    assert {column.name: str(column.type) for column in both.labels} == {
        "label_n": "double",
        "label_m": "string",
        "label_s": "int64",
        "label_t": "bool",
        "label_rest": "string",
    }
    assert [dict(item.labels) for item in items_of(both)] == [
        {"label_n": 1.0, "label_m": "1", "label_s": 1},
        {"label_n": 1.5, "label_m": "x", "label_t": True},
    ]


def test_labels_of_different_sources_that_would_share_a_column_are_refused(tmp_path):
    one = TarSource(tar(tmp_path / "1.tar", {"a.jpg": picture(), "a.json": b'{"Kind": 1}'}))
    two = TarSource(tar(tmp_path / "2.tar", {"a.jpg": picture(), "a.json": b'{"kind": 1}'}))
    with pytest.raises(SourceError, match=r"'Kind' and 'kind'"):
        _ = SeveralSources([one, two]).labels


def test_labels_can_be_fixed_from_outside(tmp_path):
    """As for a collection that has its columns from an earlier scan."""
    known = TarSource(tar(tmp_path / "1.tar", {"a.jpg": picture(), "a.json": b'{"n": "x"}'})).labels
    new = SeveralSources([TarSource(tar(tmp_path / "2.tar", {"a.jpg": picture(), "a.json": b'{"n": 5, "o": 6}'}))])
    source = pickle.loads(pickle.dumps(new.with_labels(known)))
    assert source.labels == known
    assert items_of(source)[0].labels == {"label_n": "5", "label_rest": '{"o": 6}'}


def test_a_source_that_cannot_be_read_is_noted_and_the_others_are_read(tmp_path):
    (tmp_path / "x" / "bad.tar").write_bytes(b"no tar")
    good = TarSource(tar(tmp_path / "x" / "good.tar", samples(2)))
    table = TableSource(parquet_table(tmp_path / "t.parquet", 2))
    source = SeveralSources([TarSource(tmp_path / "x" / "bad.tar"), good, table])
    assert len(items_of(source)) == 4
    assert source.notes.incomplete == ["x/bad.tar#"]
    with pytest.raises(SourceError):
        list(SeveralSources([TarSource(tmp_path / "x" / "bad.tar")]).shards())


def test_notes_carry_the_prefix_while_the_listing_still_runs(tmp_path):
    data = tar(tmp_path / "x" / "cut.tar", samples(2)).read_bytes()
    (tmp_path / "x" / "cut.tar").write_bytes(data[: 512 * 9 + 9])
    source = SeveralSources([TarSource(tmp_path / "x" / "cut.tar"), FolderSource(tree(tmp_path / "y", "a.jpg", ".b"))])
    shards = source.shards()
    next(shards)
    assert source.notes.incomplete == ["x/cut.tar#"]
    list(shards)
    assert source.notes.incomplete == ["x/cut.tar#"]
    assert source.notes.skipped["hidden"] == 1


def test_a_folder_within_another_is_refused(tmp_path):
    tree(tmp_path / "y", "z/a.jpg")
    with pytest.raises(SourceError, match="lies within"):
        SeveralSources([FolderSource(tmp_path / "y"), FolderSource(tmp_path / "y" / "z")])


def test_one_source_named_twice_is_taken_once(tmp_path):
    path = tar(tmp_path / "1.tar", samples(2))
    assert len(items_of(SeveralSources([TarSource(path), TarSource(path)]))) == 2


def test_a_tar_in_a_folder_that_is_scanned_too_keeps_its_own_names(tmp_path):
    tree(tmp_path / "y", "1.tar.d/a.jpg", "b.jpg")
    source = SeveralSources([FolderSource(tmp_path / "y"), TarSource(tar(tmp_path / "y" / "1.tar", samples(1)))])
    assert not source.is_ordered
    assert sorted(entries_of(source)["uri"].to_pylist()) == ["1.tar#0000.jpg", "1.tar.d/a.jpg", "b.jpg"]
    assert source.open("1.tar#0000.jpg").read() == picture(0)
    assert source.open("b.jpg").read() == picture(1)


def test_what_is_in_none_of_the_sources_is_not_opened(tmp_path):
    for uri in ("z/a.jpg", "x/9.tar#a.jpg", "y/../x/0.tar", "x/0.tar"):
        with pytest.raises(ImageError):
            mixed(tmp_path).open(uri)


def test_shards_may_mix_sources(tmp_path):
    source = mixed(tmp_path)
    table = entries_of(source).combine_chunks()
    shuffled = table.take(pa.array([5, 0, 2, 4, 1, 3])).combine_chunks().to_batches()[0]
    from tintype.sources.base import Shard

    items = list(source.read(Shard(shuffled), 1_000))
    assert [item.uri for item in items] == shuffled["uri"].to_pylist()
    assert {item.status for item in items} == {"ok"}


def test_folders_given_relative_to_the_working_folder_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve("y")[0].place == os.path.join(tmp_path, "y")
