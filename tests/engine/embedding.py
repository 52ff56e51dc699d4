"""Embeds small folders into outputs, with models that are made on the spot or come with Tintype."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from tintype.core.columns import Column
from tintype.engine.vectors.job import EmbedJob
from tintype.models.card_file import hashed
from tintype.sources.base import Item, Shard
from tintype.sources.folder import FolderSource
from tintype.sources.tar import TarSource
from tintype.store.outputs.manifest import MANIFEST_FILE
from tintype.store.outputs.plan import PLAN_FILE

LEDGER = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "lock")


def files_of(output: Path) -> dict[str, bytes]:
    """The files that must not depend on how the work was done."""
    found = {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    return {name: found[name] for name in sorted(found) if not name.startswith((PLAN_FILE, "plan/", *LEDGER))}


def rows_of(output: Path) -> list[dict[str, Any]]:
    """Rows of Parquet files, those of the first shard first; vectors as bytes."""
    manifest = json.loads((output / MANIFEST_FILE).read_text())
    rows = pa.concat_tables([pq.read_table(output / file["name"]) for file in manifest["files"]]).to_pylist()
    for row in rows:
        row["embedding"] = None if row["embedding"] is None else np.array(row["embedding"], np.float16).tobytes()
    return rows


def tars(folder: Path, pictures: list[Path], per_tar: int) -> list[Path]:
    """Tars of pictures, each with a caption and a class."""
    folder.mkdir(exist_ok=True)
    made = []
    for start in range(0, len(pictures), per_tar):
        made.append(folder / f"{start // per_tar:05}.tar")
        with tarfile.open(made[-1], "w") as tar:
            for path in pictures[start : start + per_tar]:
                name = path.stem.replace(" ", "_")
                for suffix, content in ((".jpg", path.read_bytes()), (".txt", name.encode()), (".cls", b"7")):
                    beside = folder / "member"
                    beside.write_bytes(content)
                    tar.add(beside, arcname=name + suffix)
        (folder / "member").unlink()
    return made


def root_card(folder: Path, name: str = "roots", floor: float = 5.0) -> Path:
    """A model whose vector is the root of the mean color above `floor`: of a darker image it is no number, of one
    that has exactly that level it is zero."""
    folder.mkdir(exist_ok=True)
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "floor"], ["above"]),
        helper.make_node("Sqrt", ["above"], ["vector"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
        helper.make_tensor("floor", TensorProto.FLOAT, [1], [floor]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 3])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    weights = folder / f"{name}.onnx"
    onnx.save(model, weights)
    facts = {
        "name": name,
        "version": 1,
        "task": "embed image",
        "weights": [{"engine": "onnx", "file": {"name": weights.name, "sha256": hashed(weights).sha256}}],
        "input": {"kind": "pixels", "name": "image", "width": 16, "height": 16, "fit": "squeeze"},
        "outputs": [{"name": "vector", "shape": [3], "meaning": "vector"}],
        "license": "Apache-2.0",
        "source": "made in a test",
        "trained_on": "nothing",
    }
    card = folder / f"{name}.json"
    card.write_text(json.dumps(facts))
    return card


class DeadlySource(FolderSource):
    """Reading an image whose name says so ends the process, or never ends."""

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        for item in super().read(shard, max_bytes):
            obey(item.uri, "read")
            yield item


class RewrittenSource(TarSource):
    """Its file is written over, in place, after its second image was read: once for each `.new` file beside it."""

    def with_labels(self, labels: tuple[Column, ...]) -> TarSource:
        return RewrittenSource(self.path, labels)

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        for index, item in enumerate(super().read(shard, max_bytes)):
            yield item
            if index == 1 and (others := sorted(self.path.parent.glob("*.new"))):
                with self.path.open("r+b") as file:
                    file.write(others[0].read_bytes())
                    file.truncate()
                others[0].unlink()


@dataclass(frozen=True)
class DeadlyJob(EmbedJob):
    """Decoding an image whose bytes say so ends the process, or never ends."""

    def begin(self) -> Any:
        from tintype.engine.vectors import job

        plain = job.decode

        def deadly(data: bytes, **named: Any) -> Any:
            obey(data[-40:].decode("latin-1"), "decode")
            return plain(data, **named)

        job.decode = deadly
        return super().begin()


def obey(words: str, where: str) -> None:
    import os
    import signal
    import time

    if f"{where}-crash" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    if f"{where}-sleep" in words:
        time.sleep(1_000)
    while f"{where}-hang" in words:
        pass
