"""Embedding into files from the command line: hostile images, full disks, other programs that read the files."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import Tintype

from tintype.testing.pictures import encoded, fill_folder, scene

PEER = Path(__file__).resolve().parents[2] / ".peers" / "clip_retrieval" / "bin" / "python"
MODEL = ("--model", "descriptor", "--workers", "2")

# What clip-retrieval itself imports for a processor only has to be told two operators of torchvision's first.
READ_AS_OTHERS = """
import importlib, json, sys, warnings
import torch
warnings.simplefilter("ignore")
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from embedding_reader import EmbeddingReader
from autofaiss import build_index
importlib.import_module("clip_retrieval")
back = sys.modules["clip_retrieval.clip_back"]
folder, index = sys.argv[1:]
reader = EmbeddingReader(
    folder + "/img_emb", metadata_folder=folder + "/metadata", meta_columns=["image_path"], file_format="parquet_npy"
)
pairs = [(len(vectors), len(meta)) for vectors, meta in reader(batch_size=7)]
build_index(
    folder + "/img_emb", index_path=index + "/image.index", index_infos_path=index + "/infos.json", verbose=50,
    metric_type="ip", max_index_memory_usage="1GB", current_memory_available="2GB", nb_cores=1,
)
import faiss
made = faiss.read_index(index + "/image.index")
provider = back.ParquetMetadataProvider(folder + "/metadata")
import numpy as np, glob
vectors = np.concatenate([np.load(name) for name in sorted(glob.glob(folder + "/img_emb/*.npy"))]).astype("float32")
_, nearest = made.search(vectors, 1)
print(json.dumps({
    "pairs": pairs, "indexed": made.ntotal, "itself": bool((nearest[:, 0] == np.arange(len(vectors))).all()),
    "paths": [row["image_path"] for row in provider.get(list(range(len(vectors))), ["image_path"])],
}))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_hostile_images_cost_their_own_rows(tintype: Tintype, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    sources = (data / "photos-imagenet", data / "hostile")
    limits = ("--set", "limits.memory_mb=1500")
    done = tintype("embed", *sources, "--output", output, *MODEL, "--shard-images", "100", "--quiet", "--json", *limits)
    assert done.code == 0, done.stderr
    assert done.json["complete"]
    manifest = json.loads((output / "manifest.json").read_text())
    rows = pa.concat_tables([pq.read_table(output / file["name"]) for file in manifest["files"]]).to_pylist()
    photos = [row for row in rows if row["id"].startswith("photos-imagenet/")]
    assert [row["status"] for row in photos] == ["ok"] * 200
    assert all(row["reason"] is None and row["embedding"] is not None for row in rows if row["status"] == "ok")
    assert all(row["reason"] and row["embedding"] is None for row in rows if row["status"] != "ok")
    assert sum(row["status"] != "ok" for row in rows) > 50
    assert len(rows) == done.json["images"]
    checked = tintype("verify", output, "--json")
    assert (checked.code, checked.json["problems"]) == (0, [])


def test_a_full_disk_is_said_and_the_run_goes_on_once_there_is_space(
    tintype: Tintype, small_disk: Path, tmp_path: Path
) -> None:
    fill_folder(tmp_path / "root", 60)
    words = ("embed", tmp_path / "root", "--output", small_disk / "out", *MODEL, "--shard-images", "3", "--quiet")
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 150_000)
    full = tintype(*words)
    assert full.code == 11, full.stderr
    assert "no space left for" in full.stderr
    assert full.stderr.count("\n") == 1
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    done = tintype(*words, "--json")
    assert done.json["vectors"] == 60
    assert tintype("verify", small_disk / "out").code == 0


def test_verify_ends_with_one_where_something_is_wrong(tintype: Tintype, tmp_path: Path) -> None:
    fill_folder(tmp_path / "root", 5)
    assert tintype("embed", tmp_path / "root", "--output", tmp_path / "out", *MODEL, "--quiet").code == 0
    said = tintype("verify", tmp_path / "out")
    assert (said.code, "is whole: 5 vectors of 5 images" in said.stdout) == (0, True)
    (tmp_path / "out" / "00000.parquet").unlink()
    said = tintype("verify", tmp_path / "out", "--json")
    assert (said.code, said.json["whole"]) == (1, False)
    assert "NOT whole" in tintype("verify", tmp_path / "out").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("embed", "ROOT", "--output", "OUT", "--model", "nothing"), 16, "no card is named"),
        (("embed", "ROOT", "--output", "OUT", "--model", "descriptor", "--format", "csv"), 2, "no format 'csv'"),
        (("embed", "ROOT", "--output", "OUT", "--model", "descriptor", "--backend", "no"), 2, "no engine 'no'"),
        (("embed", "ROOT", "--output", "OUT", "--model", "descriptor", "--collection", "x"), 2, "exclude each other"),
        (("embed", "ROOT", "--output", "OUT", "--model", "descriptor", "--shard-images", "0"), 2, "1 to 1,000,000"),
        (("embed", "ROOT", "--output", "ROOT", "--model", "descriptor"), 2, "holds other files"),
        (("embed", "ROOT", "--format", "npz", "--model", "descriptor"), 2, "--format is for files"),
        (("embed", "GONE", "--output", "OUT", "--model", "descriptor"), 4, "not there"),
        (("work", "ROOT"), 6, "no vectors here"),
        (("status", "ROOT"), 6, "no vectors here"),
        (("verify", "ROOT"), 6, "no vectors here"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    tintype: Tintype, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    fill_folder(tmp_path / "root", 2)
    places = {"ROOT": str(tmp_path / "root"), "OUT": str(tmp_path / "out"), "GONE": str(tmp_path / "gone")}
    ran = tintype(*(places.get(word, word) for word in words))
    assert (ran.code, said in ran.stderr, ran.stderr.count("\n")) == (code, True, 1), ran.stderr
    assert not (tmp_path / "out" / "plan.json").exists()


def test_progress_names_what_takes_most_of_the_time(tintype: Tintype, tmp_path: Path) -> None:
    fill_folder(tmp_path / "root", 30)
    said = tintype("embed", tmp_path / "root", "--output", tmp_path / "out", *MODEL)
    assert "looking for images" in said.stderr
    assert "30 of 30 images" in said.stderr
    assert any(f"most time went to: {name}" in said.stdout for name in ("read", "decode", "compute", "write"))


def test_clip_retrieval_and_autofaiss_read_its_layout(tintype: Tintype, tmp_path: Path) -> None:
    if not PEER.exists():
        pytest.skip("python -m benchmarks --only embed installs clip-retrieval and autofaiss")
    fill_folder(tmp_path / "root", 45)
    (tmp_path / "root" / "cut.jpg").write_bytes(encoded(scene(1))[:600])
    output, index = tmp_path / "out", tmp_path / "index"
    index.mkdir()
    words = ("embed", tmp_path / "root", "--output", output, *MODEL, "--format", "clip-retrieval")
    done = tintype(*words, "--shard-images", "4", "--quiet", "--json")  # 12 shards: their names must sort
    assert done.json["vectors"] == 45
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    read = subprocess.run(
        [PEER, "-c", READ_AS_OTHERS, output, index], capture_output=True, text=True, env=plain, timeout=240
    )
    assert read.returncode == 0, read.stderr[-2000:]
    found = json.loads(read.stdout.splitlines()[-1])
    assert sum(vectors for vectors, _ in found["pairs"]) == 45
    assert all(vectors == rows for vectors, rows in found["pairs"])
    assert (found["indexed"], found["itself"]) == (45, True)
    uris = [str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*.jpg")]
    assert found["paths"] == sorted(set(uris) - {"cut.jpg"})
