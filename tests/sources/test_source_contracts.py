"""Every source keeps the contract."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_makers import csv_table, jsonl_table, parquet_table, picture, samples, tar, tree

from tintype.sources.folder import FolderSource
from tintype.sources.several import SeveralSources
from tintype.sources.table import TableSource
from tintype.sources.tar import TarSource
from tintype.testing.sources import SourceContract


class TestFolder(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        names = [
            "b.jpg",
            "a/z.png",
            "a.jpg",
            "a/b/c/d.webp",
            "a-b/x.jpg",
            b"caf\xe9.jpg",
            "100%.jpg",
            "a#1.jpg",
            "\u00e9.jpg",
        ]
        return FolderSource(tree(tmp_path / "root", *names))


class TestTar(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        odd = {"z/\u00e9%#.jpg": picture(9), "a.jpg": picture(8), "0000.mask.png": picture(7)}
        return TarSource(tar(tmp_path / "shard.tar", samples() | odd))


class TestGzippedTar(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return TarSource(tar(tmp_path / "shard.tar.gz", samples() | {"a.jpg": picture(8)}, "w:gz"))


class TestCsv(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return TableSource(csv_table(tmp_path, 12))


class TestJsonl(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return TableSource(jsonl_table(tmp_path, 12))


class TestParquetWithBytes(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return TableSource(parquet_table(tmp_path / "table.parquet", 12, boxes=[[n] for n in range(12)]))


class TestParquetWithPaths(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        tree(tmp_path, "images/0.jpg", "images/1.jpg")
        pq.write_table(pa.table({"file_name": ["images/1.jpg", "./images/0.jpg"], "n": [1, 2]}), tmp_path / "t.parquet")
        return TableSource(tmp_path / "t.parquet")


class TestSeveral(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "shards").mkdir()
        return SeveralSources(
            [
                TarSource(tar(tmp_path / "shards" / "1.tar", samples(2))),
                TarSource(tar(tmp_path / "shards" / "0.tar", samples(3))),
                FolderSource(tree(tmp_path / "photos", "a.jpg", "b/c.jpg")),
                TableSource(parquet_table(tmp_path / "100%#.parquet", 3)),
            ]
        )


class TestSeveralInOneFolder(SourceContract):
    """Without a prefix, and ordered throughout."""

    @pytest.fixture
    def source(self, tmp_path):
        return SeveralSources([TarSource(tar(tmp_path / f"{n}.tar", samples(n + 1))) for n in (2, 0, 1)])

    def test_is_ordered(self, source):
        assert source.is_ordered
