"""Embedding into files: each image has a row, equal runs give equal bytes, and one run never mixes with another."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from embedding import files_of, root_card, rows_of, tars
from PIL import Image

from tintype import api
from tintype.core.errors import CollectionNotFound, ModelError, SourceError, UsageError, WorkerFailed
from tintype.store.outputs.base import FORMATS
from tintype.testing.pictures import encoded, fill_folder, scene

MODEL = "descriptor"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill_folder(tmp_path / "root", 50)
    (tmp_path / "root" / "cut.jpg").write_bytes(encoded(scene(1))[:600])
    (tmp_path / "root" / "no picture.png").write_bytes(b"these are words")
    return tmp_path / "root"


@pytest.mark.parametrize("format_", FORMATS)
def test_the_number_of_workers_changes_no_byte(root: Path, tmp_path: Path, format_: str) -> None:
    for name, workers in (("one", 1), ("three", 3)):
        done = api.embed_to(tmp_path / name, root, model=MODEL, format=format_, shard_images=7, workers=workers)
        assert (done.images, done.vectors, done.embedded) == (52, 50, 52)
        assert done.status == {"damaged": 1, "ok": 50, "unsupported": 1}
        assert api.verify(tmp_path / name).problems == []
    one, three = (
        {file: content for file, content in files_of(tmp_path / name).items() if "vectors.lance/_" not in file}
        for name in ("one", "three")
    )
    assert one == three
    assert len(one) == 1 + len(json.loads(one["manifest.json"])["files"])


def test_vectors_are_those_of_the_collections_column(root: Path, tmp_path: Path) -> None:
    """Another way through the engine, with other shards and batches, gives the same bits."""
    for number, model in enumerate((MODEL, str(root_card(tmp_path / "card", floor=-1.0)))):
        output, place = tmp_path / f"output {number}", tmp_path / f"{number}.tintype"
        api.embed_to(output, root, model=model, shard_images=9, workers=1)
        column = f"embed_{api.card(model).name}"
        rows = api.embed(root, model=model, collection=place, workers=1).table(["uri", "status", column]).to_pylist()
        stored = {row["uri"]: (row["status"], _bytes(row[column])) for row in rows}
        assert {row["id"]: (row["status"], row["embedding"]) for row in rows_of(output)} == stored


def _bytes(vector: list[float] | None) -> bytes | None:
    return None if vector is None else np.array(vector, np.float16).tobytes()


def test_a_vector_that_is_no_number_or_zero_is_a_status(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for name, level in (("black", 0), ("floor", 5), ("gray", 100)):
        Image.new("RGB", (32, 32), (level,) * 3).save(tmp_path / "root" / f"{name}.png")
    done = api.embed_to(tmp_path / "out", tmp_path / "root", model=str(root_card(tmp_path / "card")), workers=1)
    assert done.status == {"no_vector": 2, "ok": 1}
    rows = {row["id"]: row for row in rows_of(tmp_path / "out")}
    assert rows["black.png"]["embedding"] is rows["floor.png"]["embedding"] is None
    assert "not finite or has no length" in rows["black.png"]["reason"]
    assert rows["gray.png"]["status"] == "ok"
    assert api.verify(tmp_path / "out").is_whole


def test_equal_bytes_have_equal_rows(tmp_path: Path) -> None:
    paths = fill_folder(tmp_path / "root", 6)
    shutil.copy(paths[1], tmp_path / "root" / "copy.jpg")
    (tmp_path / "root" / "bad 1.jpg").write_bytes(encoded(scene(1))[:600])
    (tmp_path / "root" / "bad 2.jpg").write_bytes(encoded(scene(1))[:600])
    api.embed_to(tmp_path / "out", tmp_path / "root", model=MODEL, workers=1)
    rows = {row.pop("id"): row for row in rows_of(tmp_path / "out")}
    assert rows["copy.jpg"] == rows[str(paths[1].relative_to(tmp_path / "root"))]
    assert rows["bad 1.jpg"] == rows["bad 2.jpg"]
    assert rows["bad 1.jpg"]["status"] == "damaged"


def test_labels_come_along_from_tars(tmp_path: Path) -> None:
    made = tars(tmp_path / "shards", fill_folder(tmp_path / "root", 12), 5)
    api.embed_to(tmp_path / "out", *made, model=MODEL, shard_images=4, workers=1)
    rows = rows_of(tmp_path / "out")
    assert [row["id"].partition("#")[0] for row in rows] == ["00000.tar"] * 5 + ["00001.tar"] * 5 + ["00002.tar"] * 2
    assert all(row["label_caption"] in row["id"] and row["label_cls"] == 7 for row in rows)


def test_a_cut_tar_and_one_that_changes_cost_their_own_rows(tmp_path: Path) -> None:
    first, second = tars(tmp_path / "shards", fill_folder(tmp_path / "root", 12), 6)
    first.write_bytes(first.read_bytes()[:-11_000])
    done = api.embed_to(tmp_path / "out", first, second, model=MODEL, shard_images=4, workers=1)
    assert done.images == done.vectors + sum(count for status, count in done.status.items() if status != "ok")
    assert done.vectors >= 6
    assert any("00000.tar" in where for where, _ in done.problems)
    assert api.verify(tmp_path / "out").is_whole


def test_a_second_run_does_nothing_and_a_different_one_is_refused(root: Path, tmp_path: Path) -> None:
    output, other = tmp_path / "out", fill_folder(tmp_path / "other", 3)[0].parent
    how = {"model": MODEL, "shard_images": 20, "workers": 1}
    api.embed_to(output, root, **how)
    before = files_of(output)
    again = api.embed_to(output, root, **how)
    assert (again.embedded, again.vectors) == (0, 50)
    card = str(root_card(tmp_path / "card"))
    for change, words in (
        ({"model": card}, "another model"),
        ({"format": "npz"}, "another format"),
        ({"shard_images": 21}, "another --shard-images"),
        ({"config": api.config(flags={"limits.pixels": 1000})}, "other limits"),
    ):
        with pytest.raises(UsageError, match=words):
            api.embed_to(output, root, **{**how, **change})
    with pytest.raises(UsageError, match="other sources"):
        api.embed_to(output, root, other, **how)
    assert files_of(output) == before


def test_what_is_no_output_is_left_alone(root: Path, tmp_path: Path) -> None:
    before = sorted(root.rglob("*"))
    with pytest.raises(UsageError, match=r"other files \(.*\.jpg\)"):
        api.embed_to(root, root, model=MODEL)
    assert sorted(root.rglob("*")) == before
    with pytest.raises(UsageError, match="is a file"):
        api.embed_to(root / "cut.jpg", root, model=MODEL)
    for ask in (api.work, api.status, api.verify):
        with pytest.raises(CollectionNotFound, match="no vectors here"):
            ask(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no images there"):
        api.embed_to(tmp_path / "out", tmp_path / "empty", model=MODEL)
    with pytest.raises(ModelError):
        api.embed_to(tmp_path / "out", root, model="no such card")


def test_several_processes_share_the_work(tmp_path: Path) -> None:
    fill_folder(tmp_path / "root", 60)
    api.embed_to(tmp_path / "alone", tmp_path / "root", model=MODEL, shard_images=2, workers=1)
    output = tmp_path / "shared"
    command = [sys.executable, "-m", "tintype.cli.main", "work", str(output), "--quiet", "--json"]
    helpers: list[subprocess.Popen[str]] = []

    def helped(_: object) -> None:
        if not helpers and (output / "plan.json").exists():
            helpers.extend(subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))

    done = api.embed_to(output, tmp_path / "root", model=MODEL, shard_images=2, workers=1, progress=helped)
    told = [json.loads(helper.communicate()[0]) for helper in helpers]
    assert [helper.returncode for helper in helpers] == [0, 0]
    assert done.embedded + sum(document["embedded"] for document in told) == 60
    assert all(document["complete"] for document in told)
    assert files_of(output) == files_of(tmp_path / "alone")
    assert api.status(output).is_complete


def test_a_shard_that_fails_is_tried_again_then_given_up_and_can_be_retried(tmp_path: Path) -> None:
    made = tars(tmp_path / "shards", fill_folder(tmp_path / "root", 12), 4)
    api.embed_to(tmp_path / "undisturbed", *made, model=MODEL, shard_images=4, workers=1)
    away = made[1].with_suffix(".away")

    def vanish(_: object) -> None:
        if made[1].exists() and (tmp_path / "out" / "plan.json").exists():
            made[1].rename(away)

    with pytest.raises(WorkerFailed, match=r"1 shards were given up.*00001\.tar.*--retry"):
        api.embed_to(tmp_path / "out", *made, model=MODEL, shard_images=4, workers=1, progress=vanish)
    found = api.status(tmp_path / "out")
    assert (found.is_complete, found.done, found.images) == (False, 8, 12)
    assert found.shards == {"abandoned": 1, "done": 2}
    (given_up,) = found.abandoned
    assert (given_up["shard"], given_up["images"]) == (1, 4)
    assert "00001.tar" in given_up["reason"]
    assert api.verify(tmp_path / "out").problems == [("manifest.json", "is not there yet")]
    away.rename(made[1])
    assert api.status(tmp_path / "out", retry=True).retried == 1
    assert api.work(tmp_path / "out").is_complete
    assert files_of(tmp_path / "out") == files_of(tmp_path / "undisturbed")


def test_a_planner_that_died_is_no_hindrance(root: Path, tmp_path: Path) -> None:
    """Without plan.json nothing was promised; with it, only the ledger may lack shards."""
    output = tmp_path / "out"
    (output / "plan" / "0123456789ab").mkdir(parents=True)
    (output / "plan" / "0123456789ab" / "00000.arrow").write_bytes(b"half")
    (output / "plan" / "0123456789ab" / ".00001.arrow.abcd1234").write_bytes(b"half")
    api.embed_to(output, root, model=MODEL, shard_images=20, workers=1)
    assert not (output / "plan" / "0123456789ab").exists()
    before = files_of(output)
    for name in ("ledger.sqlite", "manifest.json"):
        (output / name).unlink()
    done = api.embed_to(output, root, model=MODEL, shard_images=20, workers=1)
    assert done.embedded == 52
    assert files_of(output) == before


def test_two_who_plan_the_same_output_make_one(root: Path, tmp_path: Path) -> None:
    ended: list[object] = []

    def embed() -> None:
        try:
            ended.append(api.embed_to(tmp_path / "out", root, model=MODEL, shard_images=5, workers=1))
        except Exception as error:  # noqa: BLE001  looked at below
            ended.append(error)

    threads = [threading.Thread(target=embed) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [type(one).__name__ for one in ended if isinstance(one, Exception)]
    assert set(failed) <= {"CollectionLocked"}
    assert sum(getattr(one, "embedded", 0) for one in ended) == 52
    assert api.verify(tmp_path / "out").is_whole


def test_parquet_and_archives_need_neither_lance_nor_faiss(root: Path, tmp_path: Path) -> None:
    for module in ("lance", "faiss"):
        (tmp_path / "missing" / module).mkdir(parents=True)
        (tmp_path / "missing" / module / "__init__.py").write_text(f"raise ImportError('no {module} here')")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "missing")}
    for format_ in ("parquet", "npz", "clip-retrieval", "lance"):
        output = tmp_path / format_
        for words in (
            ("embed", str(root), "--output", str(output), "--model", MODEL, "--format", format_, "--workers", "1"),
            ("status", str(output)),
            ("verify", str(output)),
        ):
            command = [sys.executable, "-m", "tintype.cli.main", *words, "--json"]
            ended = subprocess.run(command, env=environ, capture_output=True, text=True)
            if format_ == "lance":
                assert "needs Lance: pip install pylance" in ended.stderr
                break
            assert ended.returncode == 0, ended.stderr
