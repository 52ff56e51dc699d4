"""The engine of a column is named once, kept by runs that name none, and another one computes all of it again."""

from pathlib import Path

import numpy as np
import pytest

import tintype
from tintype.core.errors import ModelError, UsageError
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.testing.pictures import encoded, fill_folder, scene

torch_libraries = pytest.importorskip("torch_libraries", reason="one of the engines is PyTorch")

COLUMN = "embed_tiny"


def made_by(photos: tintype.Collection) -> list[tuple[str, int]]:
    return [(one.engine, one.images) for one in tintype.info(photos).models]


def vectors(photos: tintype.Collection) -> dict[str, np.ndarray]:
    return {row["uri"]: np.array(row[COLUMN], np.float32) for row in photos.table(["uri", COLUMN]).to_pylist()}


def test_runs_of_two_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(torch_libraries.WORKERS))
    monkeypatch.delenv("TINTYPE_MODELS_BACKEND", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    torch_libraries.save_vit(tmp_path / "vit")
    add(str(tmp_path / "vit"), Wishes(name="tiny", license="MIT"))
    root = tmp_path / "photos"
    fill_folder(root, 3)

    def embed(**words: str) -> tintype.Collection:
        return tintype.embed(root, model="tiny", workers=1, **words)

    by_default = embed()
    assert made_by(by_default) == [("onnx:fp32:cpu", 3)]
    assert embed(backend="onnx").last_scan.updated == 0, "naming the default changes nothing"

    with pytest.raises(UsageError, match="no engine 'jax'"):
        embed(backend="jax")
    assert not (tmp_path / "other").exists()
    with pytest.raises(UsageError, match="no engine 'jax'"):
        embed(backend="jax", collection=tmp_path / "other")
    assert not (tmp_path / "other").exists(), "nothing is made before the engine is known"

    (root / "new.jpg").write_bytes(encoded(scene(50)))
    by_torch = embed(backend="torch")
    assert (by_torch.last_scan.updated, by_torch.last_scan.new) == (3, 1)
    assert made_by(by_torch) == [("torch:fp32:cpu", 4)]
    found, old = vectors(by_torch), vectors(by_default)
    assert all(np.dot(found[uri], vector) > 0.999 for uri, vector in old.items())

    with pytest.raises(ModelError, match="torch:bf16:cuda does not run here"):
        embed(backend="torch:bf16:cuda")
    for again in (
        embed(),
        embed(backend="auto"),
        embed(backend="torch"),
        tintype.scan(root, stages=["embed:tiny"], workers=1),
    ):
        assert again.last_scan.updated == 0, "nobody named another engine"
    assert made_by(again) == [("torch:fp32:cpu", 4)]

    monkeypatch.setenv("TINTYPE_MODELS_BACKEND", "onnx:fp32:cpu")
    back = tintype.scan(root, stages=["embed:tiny"], workers=1)
    assert (back.last_scan.updated, made_by(back)) == (4, [("onnx:fp32:cpu", 4)])
    found = vectors(back)
    assert all((found[uri] == vector).all() for uri, vector in old.items())
    assert tintype.neighbors(back, root / "new.jpg", k=1, vectors=COLUMN).to_json()["neighbors"][0]["score"] > 0.99
