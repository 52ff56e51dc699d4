"""Vectors come out of every kind of file as they went in, from any row on; what is no vector is said."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tintype.core.errors import SourceError
from tintype.store import vector_files as module
from tintype.store.outputs.base import Gathers, Part, format_of, rows_schema
from tintype.store.outputs.manifest import Manifest, ManifestFile, write_manifest
from tintype.store.places.local import LocalPlace
from tintype.store.vectors import open_vectors, stamp_of

COUNT, DIMENSIONS = 1_000, 12


@pytest.fixture
def matrix():
    return np.random.default_rng(0).standard_normal((COUNT, DIMENSIONS)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 150 * DIMENSIONS)


def table(ids, matrix, kind, name="embedding", id_name="id"):
    if kind == "fixed":
        lists = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])
    else:
        lists = pa.array(matrix.tolist(), pa.list_(pa.float32() if kind == "list" else pa.float64()))
    return pa.table({id_name: ids, name: lists})


def write(place, matrix, layout):
    ids = [f"image {row}" for row in range(COUNT)]
    place.mkdir()
    halves = matrix.astype(np.float16)
    if layout in ("fixed", "list", "doubles"):
        for part in range(3):
            rows = slice(part * 400, part * 400 + 400)
            pq.write_table(table(ids[rows], matrix[rows], layout), place / f"{part}.parquet", row_group_size=130)
    elif layout == "half":
        pq.write_table(table(ids, halves, "fixed"), place / "all.parquet")
    elif layout in ("npz", "packed"):
        save = np.savez if layout == "npz" else np.savez_compressed
        for part in range(11):  # 10 comes after 9
            rows = slice(part * 100, part * 100 + 100)
            save(place / f"{part}.npz", ids=np.array(ids[rows]), embeddings=matrix[rows])
    elif layout == "clip":
        for folder in ("img_emb", "metadata"):
            (place / folder).mkdir()
        for part in range(11):
            rows = slice(part * 100, part * 100 + 100)
            np.save(place / "img_emb" / f"img_emb_{part}.npy", halves[rows])
            beside = pa.table({"image_path": ids[rows], "caption": ids[rows]})
            pq.write_table(beside, place / "metadata" / f"metadata_{part}.parquet")
    return place


LAYOUTS = ["fixed", "list", "doubles", "half", "npz", "packed", "clip"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("start", "stop"), [(0, COUNT), (0, 1), (399, 401), (137, 862), (COUNT - 1, COUNT), (5, 5)])
def test_every_layout_gives_ids_and_vectors_from_any_row_on(tmp_path, matrix, layout, start, stop):
    source = open_vectors(write(tmp_path / "vectors", matrix, layout))
    assert (len(source), source.dimensions) == (COUNT, DIMENSIONS)
    blocks = list(source.blocks(start, stop))
    assert all(len(block.ids) <= 150 for block in blocks)
    assert [name for block in blocks for name in block.ids.to_pylist()] == [
        f"image {row}" for row in range(start, stop)
    ]
    found = np.concatenate([np.empty((0, DIMENSIONS)), *(block.vectors for block in blocks)])
    assert found == pytest.approx(matrix[start:stop], abs=0.003 if layout in ("half", "clip") else 0)
    assert all(block.vectors.dtype == np.float16 for block in blocks) == (layout in ("half", "clip") or not blocks)


@pytest.mark.parametrize("kind", ["fixed", "list"])
def test_missing_vectors_are_told_from_those_that_are_not_finite(tmp_path, matrix, kind):
    rows = [None, *matrix[1:9].tolist(), None]
    rows[3][2] = None
    rows[4][0] = float("nan")
    of = pa.list_(pa.float32(), DIMENSIONS) if kind == "fixed" else pa.list_(pa.float32())
    pq.write_table(pa.table({"id": list("abcdefghij"), "embedding": pa.array(rows, of)}), tmp_path / "v.parquet")
    (block,) = open_vectors(tmp_path / "v.parquet").blocks(0, 10)
    assert block.is_missing.tolist() == [True, *[False] * 8, True]
    assert np.isnan(block.vectors).any(axis=1).tolist() == [row in (0, 3, 4, 9) for row in range(10)]
    assert np.array_equal(block.vectors[[1, 2, 8]], matrix[[1, 2, 8]])


def test_a_matrix_alone_has_its_rows_as_ids(tmp_path, matrix):
    np.save(tmp_path / "v.npy", matrix)
    (block,) = open_vectors(tmp_path / "v.npy").blocks(7, 9)
    assert block.ids.to_pylist() == ["v.npy#7", "v.npy#8"]


def test_columns_may_have_other_names(tmp_path, matrix):
    pq.write_table(table(list(range(COUNT)), matrix, "fixed", "clip", "uri"), tmp_path / "v.parquet")
    source = open_vectors(tmp_path / "v.parquet", "clip")
    assert next(iter(source.blocks(3, 4))).ids.to_pylist() == ["3"]
    with pytest.raises(SourceError, match=r"no column embedding or vector\. There are: uri, clip"):
        open_vectors(tmp_path / "v.parquet")


def test_whole_numbers_and_other_floats_are_vectors_too(tmp_path, matrix):
    for kind in (np.uint8, ">f4", np.float64, np.int64):
        np.save(tmp_path / "v.npy", (matrix * 20).astype(kind))
        (block,) = open_vectors(tmp_path / "v.npy").blocks(0, 100)
        assert block.vectors.dtype == np.float32
        assert np.array_equal(block.vectors, (matrix * 20).astype(kind)[:100].astype(np.float32))


def test_the_stamp_changes_with_the_files(tmp_path, matrix):
    place = write(tmp_path / "vectors", matrix, "npz")
    before = open_vectors(place).stamp
    assert before == stamp_of(place) == open_vectors(place).stamp
    np.savez(place / "11.npz", ids=np.array(["more"]), embeddings=matrix[:1])
    assert stamp_of(place) != before


def refused(place, words):
    with pytest.raises(SourceError, match=words) as caught:
        for _ in open_vectors(place).blocks(0, 10_000):
            pass
    assert "\n" not in str(caught.value)


def test_what_is_no_file_of_vectors_is_said(tmp_path, matrix):
    refused(tmp_path / "missing", "no such file or folder")
    refused(tmp_path, "no Parquet, Lance, npz or npy files")
    for name in ("a.parquet", "a.npz", "a.npy", "a.txt"):
        (tmp_path / name).write_bytes(b"no vectors " * 20)
        refused(tmp_path / name, "cannot be read as vectors|vectors are read from")
        (tmp_path / name).write_bytes(b"")
        refused(tmp_path / name, "cannot be read as vectors|vectors are read from")


def test_cut_files_are_said(tmp_path, matrix):
    for layout, name in (
        ("fixed", "0.parquet"),
        ("npz", "0.npz"),
        ("packed", "0.npz"),
        ("clip", "img_emb/img_emb_0.npy"),
    ):
        place = write(tmp_path / layout, matrix, layout) / name
        place.write_bytes(place.read_bytes()[:-500])
        refused(tmp_path / layout, "cannot be read as vectors")


def test_arrays_of_another_shape_are_said(tmp_path, matrix):
    ids = np.array([str(row) for row in range(COUNT)])
    place = tmp_path / "v.npz"
    for arrays, words in (
        ({"ids": ids}, "no array 'embeddings'"),
        ({"ids": ids[:-1], "embeddings": matrix}, "as many texts"),
        ({"ids": ids.reshape(2, -1), "embeddings": matrix}, "as many texts"),
        ({"ids": ids, "embeddings": matrix[:, :, None]}, "must be rows of numbers"),
        ({"ids": ids, "embeddings": ids}, "must be rows of numbers"),
        ({"ids": ids, "embeddings": np.asfortranarray(matrix)}, "Fortran"),
        ({"ids": ids.astype(object), "embeddings": matrix}, "array of objects"),
    ):
        np.savez(place, **arrays)
        refused(place, words)
    np.save(tmp_path / "v.npy", np.zeros((3, 5_000)))
    refused(tmp_path / "v.npy", "no vectors of 1 to 4096 numbers")


def test_nothing_is_unpickled(tmp_path):
    marker = tmp_path / "was-unpickled"

    class Trap:
        def __reduce__(self):
            return open, (str(marker), "w")

    np.save(tmp_path / "v.npy", np.array([Trap()], object), allow_pickle=True)
    np.savez(tmp_path / "v.npz", ids=np.array([Trap()], object), embeddings=np.zeros((1, 4)), allow_pickle=True)
    refused(tmp_path / "v.npy", "array of objects")
    refused(tmp_path / "v.npz", "array of objects")
    assert not marker.exists()


def test_files_of_several_models_are_said(tmp_path, matrix):
    np.savez(tmp_path / "a.npz", ids=np.array(["a"]), embeddings=matrix[:1])
    np.savez(tmp_path / "b.npz", ids=np.array(["b"]), embeddings=matrix[:1, :5])
    refused(tmp_path, "vectors of 5 numbers, where those before it have 12")
    rows = pa.array([[1.0, 2.0], [1.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": ["a", "b"], "embedding": rows}), tmp_path / "c.parquet")
    refused(tmp_path / "c.parquet", "a vector of 1 numbers among those of 2")


def test_metadata_must_be_as_many(tmp_path, matrix):
    place = write(tmp_path / "vectors", matrix, "clip")
    (place / "metadata" / "metadata_3.parquet").unlink()
    refused(place, "11 files in img_emb, but 10 in metadata")
    pq.write_table(pa.table({"image_path": ["a"]}), place / "metadata" / "metadata_3.parquet")
    refused(place, "100 vectors, where .*metadata_3.parquet has 1 rows")


@pytest.mark.parametrize("kind", ["parquet", "npz", "clip-retrieval", "lance"])
def test_what_embed_wrote_is_read_by_its_manifest(tmp_path, matrix, kind):
    """By the formats' own writers: ids, vectors and the model come back, and no row without a vector."""
    place, form, schema = LocalPlace(tmp_path / "output"), format_of(kind), rows_schema(DIMENSIONS)
    units = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float16)
    parts, files = [], []
    for number in range(3):
        vectors = [*units[number * 10 : number * 10 + 9], None]
        rows = pa.table(
            {
                "id": [f"{number}/{row}.jpg" for row in range(10)],
                "embedding": pa.array(vectors, schema.field("embedding").type),
                "status": [*["ok"] * 9, "damaged"],
                "reason": [*[None] * 9, "cut"],
                "digest": pa.array([bytes([row] * 16) for row in range(10)], schema.field("digest").type),
            },
            schema=schema,
        )
        part = Part(number, 3, 10)
        contents = form.encode(rows, part)
        parts.append((part, len(contents[0])))
        for name, content in zip(form.names(part), contents, strict=True):
            place.write(name, content)
            files.append(ManifestFile(name, number, 10, 9, len(content), "0" * 64))
    place.write("plan.json", b"{}")
    with pytest.raises(SourceError, match=r"its vectors are not finished\. See: tintype status"):
        open_vectors(tmp_path / "output")
    if isinstance(form, Gathers):
        form.gather(place, parts, schema)
    manifest = Manifest(
        schema=1, tintype="0", model="a_card", fingerprint="", backend="onnx", format=kind, dimension=DIMENSIONS,
        images=30, vectors=27, status={}, skipped={}, files=files,
    )  # fmt: skip
    write_manifest(place, manifest)
    source = open_vectors(tmp_path / "output")
    assert (source.model, source.dimensions) == ("a_card", DIMENSIONS)
    blocks = list(source.blocks(0, len(source)))
    found = {}
    for block in blocks:
        left = zip(block.ids.to_pylist(), block.vectors, block.is_missing, strict=True)
        found |= {name: vector for name, vector, is_missing in left if not is_missing}
    assert len(found) == 27
    assert np.array_equal(found["2/3.jpg"], units[23])
    assert [name for block in source.blocks(12, 14) for name in block.ids.to_pylist()] == (
        ["1/2.jpg", "1/3.jpg"] if kind in ("parquet", "lance") else ["1/3.jpg", "1/4.jpg"]
    )


def test_a_manifest_that_leads_outside_is_refused(tmp_path, matrix):
    np.savez(tmp_path / "secret.npz", ids=np.array(["a"]), embeddings=matrix[:1])
    (tmp_path / "output").mkdir()
    for content in (
        '{"model": "a", "format": "npz", "files": [{"name": "../secret.npz"}]}',
        '{"model": "a", "format": "npz", "files": [{"name": "/etc/passwd"}]}',
        "{}",
        "[" * 100_000,
    ):
        (tmp_path / "output" / "manifest.json").write_text(content)
        refused(tmp_path / "output", "cannot be read as a manifest")
