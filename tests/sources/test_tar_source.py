"""What a tar lists and reads, with its labels, and that whatever is wrong with it is said."""

import gzip
import io
import json
import os
import tarfile
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from source_makers import picture, samples, tar

from tintype.core.errors import ImageError, SourceError
from tintype.core.names import path_from_uri
from tintype.sources import tar_bytes, tar_index
from tintype.sources.tar import MAX_SIDECAR, TarSource
from tintype.sources.tar_bytes import open_archive
from tintype.sources.tar_headers import TarDamage, TarWalk
from tintype.testing.sources import entries_of, items_of


def read(source):
    return {item.uri.partition("#")[2]: item for item in items_of(source)}


def test_uris_are_the_name_of_the_tar_and_the_member(tmp_path):
    source = TarSource(tar(tmp_path / "100%#1.tar", {"a/b.jpg": picture(), "c#%.jpg": picture(1)}))
    assert entries_of(source)["uri"].to_pylist() == ["100%25%231.tar#a/b.jpg", "100%25%231.tar#c%23%25.jpg"]


def test_labels_are_those_of_the_sample(tmp_path):
    source = TarSource(tar(tmp_path / "s.tar", samples(3)))
    assert [(column.name, str(column.type), column.words) for column in source.labels[:-1]] == [
        ("label_caption", "string", "caption"),
        ("label_cls", "int64", "cls"),
        ("label_width", "int64", "width"),
        ("label_license", "string", "license"),
        ("label_score", "double", "score"),
    ]
    assert source.labels[-1].name == "label_rest"
    assert read(source)["0002.jpg"].labels == {
        "label_caption": "a picture, number 2",
        "label_cls": 0,
        "label_width": 2,
        "label_license": "cc0",
        "label_score": 0.5,
    }


def test_images_of_one_key_are_rows_with_the_same_labels(tmp_path):
    members = {"a/x.json": b'{"n": 1}', "a/x.jpg": picture(), "a/x.mask.png": picture(1), "b/x.jpg": picture(2)}
    items = read(TarSource(tar(tmp_path / "s.tar", members)))
    assert {name: dict(item.labels) for name, item in items.items()} == {
        "a/x.jpg": {"label_n": 1},
        "a/x.mask.png": {"label_n": 1},
        "b/x.jpg": {},
    }


def test_what_fits_no_column_goes_to_the_rest(tmp_path, monkeypatch):
    """Types are those of the samples that the first pass sees: here the first and the last one."""
    monkeypatch.setattr("tintype.sources.tar.LABEL_SAMPLES", 2)
    values = [
        {"n": 1},
        {"n": "text", "new": 1, "deep": {"x": [1]}},
        {"n": 2**63, "half": "\ud800", "nan": float("nan")},
        {"n": 2},
    ]
    members = {}
    for number, value in enumerate(values):
        members |= {f"{number}.jpg": picture(number), f"{number}.json": json.dumps(value).encode()}
    items = read(TarSource(tar(tmp_path / "s.tar", members)))
    assert items["0.jpg"].labels == {"label_n": 1}
    assert json.loads(items["1.jpg"].labels["label_rest"]) == {"n": "text", "new": 1, "deep": {"x": [1]}}
    assert json.loads(items["2.jpg"].labels["label_rest"]) == {"n": 2**63, "half": "\ud800", "nan": "NaN"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a":' * 50_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "a number that is too long"),
        (b" " * (MAX_SIDECAR + 1), "more than 1,048,576 bytes"),
    ],
)
def test_a_json_file_that_cannot_be_read_costs_only_its_labels(tmp_path, text, reason):
    members = {"0.jpg": picture(), "0.json": b'{"n": 1}', "1.jpg": picture(1), "1.json": text, "1.txt": b"kept"}
    items = read(TarSource(tar(tmp_path / "s.tar", members)))
    assert items["1.jpg"].data == picture(1)
    assert items["1.jpg"].labels["label_caption"] == "kept"
    assert reason in json.loads(items["1.jpg"].labels["label_rest"])[".json"]


def test_a_caption_in_json_goes_before_the_text_file(tmp_path):
    """As img2dataset writes both; a text that differs is not lost."""
    members = {"0.jpg": picture(), "0.json": b'{"caption": "one"}', "0.txt": b"one"}
    members |= {"1.jpg": picture(1), "1.json": b'{"caption": "one"}', "1.txt": b"another", "1.cls": b"cat"}
    items = read(TarSource(tar(tmp_path / "s.tar", members)))
    assert items["0.jpg"].labels == {"label_caption": "one"}
    rest = {".txt": "another", ".cls": "cat"}
    assert items["1.jpg"].labels == {"label_caption": "one", "label_rest": json.dumps(rest, sort_keys=True)}


@pytest.mark.parametrize("keys", [("Label", "label"), ("a b", "a-b"), ("rest", "x")])
def test_labels_that_would_share_a_column_are_refused_by_name(tmp_path, keys):
    members = {"0.jpg": picture(), "0.json": json.dumps(dict.fromkeys(keys, 1)).encode()}
    with pytest.raises(SourceError, match=keys[0]):
        _ = TarSource(tar(tmp_path / "s.tar", members)).labels


def test_what_is_no_image_is_counted(tmp_path):
    members = {
        "0.jpg": picture(),
        "0.npy": b"\x93NUMPY",
        "0.pkl": b"\x80\x04",
        "._0.jpg": b"\0\5\x16\7",
        "1.json": b"{}",
    }
    members |= {"noname": picture(1)}
    source = TarSource(tar(tmp_path / "s.tar", members))
    assert sorted(read(source)) == ["0.jpg", "noname"]
    assert source.notes.skipped == {"other": 2, "hidden": 1, "labels without an image": 1}


def test_of_members_with_one_name_the_last_counts(tmp_path):
    """As in tar itself, where an archive is brought up to date by adding to it."""
    path = tar(tmp_path / "s.tar", {"a.jpg": picture(1), "b.jpg": picture(2)})
    tar(path, {"a.jpg": picture(3)}, "a")
    source = TarSource(path)
    assert {name: item.data for name, item in read(source).items()} == {"a.jpg": picture(3), "b.jpg": picture(2)}
    assert source.notes.problems == [("s.tar#a.jpg", "a later member of the same name takes its place")]
    with tarfile.open(path) as archive:
        assert archive.extractfile("a.jpg").read() == picture(3)


def test_a_long_shard_is_listed_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("tintype.sources.tar.ENTRIES_PER_SHARD", 3)
    source = TarSource(tar(tmp_path / "s.tar", samples(8)))
    assert [shard.entries.num_rows for shard in source.shards()] == [3, 3, 2]
    assert len(items_of(source)) == 8


def test_a_changed_tar_is_indexed_anew(tmp_path):
    source = TarSource(tar(tmp_path / "s.tar", {"a.jpg": picture(1), "b.jpg": picture(2)}))
    shards = list(source.shards())
    time.sleep(0.01)
    tar(tmp_path / "s.tar", {"z.jpg": picture(5) * 99, "b.jpg": picture(4)})
    a, b = (item for shard in shards for item in source.read(shard, 1_000))
    assert (a.status, a.reason) == ("unreadable", "gone from the archive since it was listed")
    assert b.data == picture(4)
    assert b.offset != shards[0].entries["offset"][1].as_py()
    assert source.open("s.tar#z.jpg").read() == picture(5) * 99


@pytest.mark.parametrize(
    "head", [b"", b"text", b"\0" * 511, b"BZh91AY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"]
)
def test_what_is_no_tar_is_refused_in_one_line(tmp_path, head):
    (tmp_path / "s.tar").write_bytes(head)
    with pytest.raises(SourceError, match=r"^[^\n]+$"):
        list(TarSource(tmp_path / "s.tar").shards())


def test_a_missing_tar_and_a_fifo_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.tar")
    for name in ("missing.tar", "fifo.tar"):
        with pytest.raises(SourceError):
            list(TarSource(tmp_path / name).shards())


def good(count=4):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in samples(count).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("cut", [512 * 9, 512 * 9 + 100, 512 * 10 + 2, 512 * 24])
def test_a_cut_archive_is_read_to_the_cut_and_the_loss_is_said(tmp_path, cut):
    """Cut between members, within a header, within data, and before the end marker."""
    (tmp_path / "s.tar").write_bytes(good(6)[:cut])
    source = TarSource(tmp_path / "s.tar")
    items = read(source)
    assert items["0000.jpg"].status == "ok"
    assert source.notes.incomplete == ["s.tar#"]
    assert len(source.notes.problems) == 1
    assert "cut off" in source.notes.problems[0][1]


def test_an_image_that_is_cut_off_is_damaged(tmp_path):
    (tmp_path / "s.tar").write_bytes(good(1)[: 512 + 7])
    (item,) = items_of(TarSource(tmp_path / "s.tar"))
    assert (item.status, item.reason) == ("damaged", "the archive is cut off after 7 bytes of it")


def test_what_lies_behind_the_end_marker_is_counted(tmp_path):
    (tmp_path / "s.tar").write_bytes(good(1) + good(2))
    source = TarSource(tmp_path / "s.tar")
    assert len(read(source)) == 1
    assert "behind the end marker were not read" in source.notes.problems[0][1]
    assert source.notes.incomplete == ["s.tar#"]


names = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..") and not name.startswith("._")
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.lists(names, min_size=1, max_size=6), st.integers(0, 1_500)), min_size=1, max_size=8),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_finds_what_tarfile_finds_in_good_archives(tmp_path_factory, members, kind):
    path = tmp_path_factory.mktemp("tar") / "s.tar"
    with tarfile.open(path, "w", format=kind) as archive:
        for parts, size in members:
            info = tarfile.TarInfo("/".join(parts) + ".jpg")
            info.size = size
            try:
                archive.addfile(info, io.BytesIO(picture()[:4] * size))
            except ValueError:  # USTAR has no room for this name
                return
    with tarfile.open(path) as archive:
        expected = {info.name: (info.offset_data, info.size) for info in archive.getmembers()}
    walked = {member.name.decode(): (member.offset, member.size_bytes) for member in TarWalk(open_archive(path))}
    assert walked == expected
    listed = entries_of(TarSource(path)).to_pylist()
    assert {
        path_from_uri(row["uri"].partition("#")[2]).decode(): (row["offset"], row["size_bytes"]) for row in listed
    } == expected


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 512 * 16 - 1), st.integers(0, 255)), max_size=6), st.integers(1, 512 * 20))
@example([(124, 0x80)], 512 * 20)
@example([(156, ord("x"))], 512 * 20)
@example([(156, ord("S")), (482, 1)], 512 * 20)
def test_whatever_is_broken_is_read_or_said(tmp_path_factory, changes, length):
    """With checksums made right again, so that the damage gets through to what reads the fields."""
    data = bytearray(good(4))
    for place, value in changes:
        data[place] = value
    for start in range(0, 512 * 16, 512):
        header = data[start : start + 512]
        if header[257:262] == b"ustar":
            header[148:156] = b"        "
            data[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    path = tmp_path_factory.mktemp("tar") / "s.tar"
    path.write_bytes(data[:length])
    source = TarSource(path)
    try:
        items = items_of(source)
    except SourceError:
        return
    assert len({item.uri for item in items}) == len(items)
    assert sum(item.size_bytes for item in items) <= length
    if length < len(good(4)) - 10_240:
        assert source.notes.problems


def test_a_wrong_checksum_is_said_where_tarfile_is_silent(tmp_path):
    data = bytearray(good(3))
    place = data.index(b"0001.json")
    data[place + 148] ^= 1
    (tmp_path / "s.tar").write_bytes(data)
    with tarfile.open(tmp_path / "s.tar") as archive:
        assert len(archive.getmembers()) == 5  # of 12, without a word
    source = TarSource(tmp_path / "s.tar")
    assert sorted(read(source)) == ["0000.jpg", "0001.jpg"]
    lost = len(data) - place
    assert source.notes.problems == [("s.tar#", f"a header's checksum is wrong; {lost:,} bytes were not read")]


def test_signed_checksums_of_old_tars_are_taken(tmp_path):
    path = tar(tmp_path / "s.tar", {"caf\u00e9.jpg": picture()}, format=tarfile.GNU_FORMAT)
    data = bytearray(path.read_bytes())
    header = data[:148] + b"        " + data[156:512]
    data[148:156] = b"%06o\0 " % sum(byte - 256 * (byte > 127) for byte in header)
    path.write_bytes(data)
    assert len(items_of(TarSource(path))) == 1


def test_sizes_in_pax_records_and_base_256_are_read(tmp_path):
    """As a writer that knows no sizes beforehand puts them."""
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.jpg")
        info.pax_headers = {"size": "14"}
        info.size = 14
        archive.addfile(info, io.BytesIO(picture(0)))
    data = bytearray(path.read_bytes())
    place = data.index(b"a.jpg", 512 * 2 - 512)
    data[place + 124 : place + 136] = b"\x80" + (14).to_bytes(11, "big")
    header = data[place : place + 148] + b"        " + data[place + 156 : place + 512]
    data[place + 148 : place + 156] = b"%06o\0 " % sum(header)
    path.write_bytes(data)
    assert [item.data for item in items_of(TarSource(path))] == [picture(0)]


def test_a_gzipped_tar_of_several_parts_is_one(tmp_path):
    """As `cat a.gz b.gz` makes them, and parallel gzips."""
    data = good(4)
    (tmp_path / "s.tar.gz").write_bytes(gzip.compress(data[:3_000]) + gzip.compress(data[3_000:]) + b"\0" * 100)
    assert len(items_of(TarSource(tmp_path / "s.tar.gz"))) == 4


def test_reading_a_gzipped_tar_goes_back_and_forth_as_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_bytes, "WINDOW", 2_000)
    monkeypatch.setattr(tar_bytes, "CHUNK", 1_000)
    data = good(40)
    (tmp_path / "s.tar.gz").write_bytes(gzip.compress(data))
    archive = open_archive(tmp_path / "s.tar.gz")
    for offset in (0, 70_000, 100, 40_000, 39_000, 5, len(data) - 10, len(data), len(data) + 5_000):
        assert archive.read(offset, 3_000) == data[offset : offset + 3_000]


def test_labels_far_from_their_image_are_left_out_of_gzipped_tars(tmp_path, monkeypatch):
    """Going back for each of them would unpack the archive over and over."""
    monkeypatch.setattr(tar_index, "WINDOW", 4_000)
    far = {f"{n}.jpg": picture(n) for n in range(9)} | {f"{n}.json": b'{"n": 1}' for n in range(9)}
    source = TarSource(tar(tmp_path / "s.tar.gz", far, "w:gz"))
    labels = [item.labels.get("label_n") for item in items_of(source)]
    assert labels.count(1) + source.notes.skipped["labels far from their image"] == 9
    assert labels[0] is None


def test_damaged_gzip_data_is_said(tmp_path):
    packed = bytearray(gzip.compress(os.urandom(20_000)))
    with tarfile.open(tmp_path / "whole.tar", "w") as archive:
        for number in range(40):
            info = tarfile.TarInfo(f"{number:02}.jpg")
            info.size = 4_000
            archive.addfile(info, io.BytesIO(os.urandom(4_000)))
    packed = bytearray(gzip.compress((tmp_path / "whole.tar").read_bytes()))
    packed[-6] ^= 1  # the checksum at the end
    (tmp_path / "s.tar.gz").write_bytes(packed)
    source = TarSource(tmp_path / "s.tar.gz")
    assert entries_of(source).num_rows
    assert source.notes.problems == [("s.tar.gz#", "the gzip data is damaged")]


def test_a_member_is_opened_without_reading_the_archive_before_it(tmp_path, monkeypatch):
    source = TarSource(tar(tmp_path / "s.tar", samples(50)))
    source.open("s.tar#0000.jpg")
    counted = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda handle, count, offset: counted.append(count) or real(handle, count, offset))
    assert source.open("s.tar#0049.jpg").read() == picture(49)
    assert sum(counted) < 200


def test_opening_a_member_that_is_not_there_is_an_image_error(tmp_path):
    source = TarSource(tar(tmp_path / "s.tar", samples(1)))
    with pytest.raises(ImageError):
        source.open("other.tar#0000.jpg")


def test_walking_ends_with_damage_where_there_is_no_end_marker(tmp_path):
    (tmp_path / "s.tar").write_bytes(good(1)[: 512 * 8])
    with pytest.raises(TarDamage, match="end marker is missing"):
        list(TarWalk(open_archive(tmp_path / "s.tar")))


def test_a_tar_that_is_written_over_while_it_is_read_gives_no_wrong_bytes(tmp_path):
    """The same names at other places: by the old index these would be halves of two images."""
    place = tar(tmp_path / "s.tar", {"a.jpg": picture(1), "b.jpg": picture(2), "c.jpg": picture(3)})
    other = tar(tmp_path / "other.tar", {"c.jpg": picture(7), "b.jpg": picture(6), "a.jpg": picture(5) * 3})
    source = TarSource(place)
    (shard,) = source.shards()
    items = source.read(shard, 10_000_000)
    assert next(items).data == picture(1)
    time.sleep(0.01)
    with place.open("r+b") as file:
        file.write(other.read_bytes())
    with pytest.raises(SourceError, match=r"s\.tar: changed while it was read$"):
        list(items)
    assert [item.data for item in source.read(shard, 10_000_000)] == [picture(5) * 3, picture(6), picture(7)]
